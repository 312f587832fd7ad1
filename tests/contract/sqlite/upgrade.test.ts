/** F38: a file of every earlier schema, with tasks in it, is brought up to date and goes on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import type { TaskStore } from "../../../server/tasks/core/store.ts";
import { readMigrations, stopsOlderWorkers } from "../../../server/tasks/stores/migrate.ts";
import { applicationId } from "../../../server/tasks/stores/sqlite/connection.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { WorkerLocks } from "../../../server/tasks/stores/sqlite/worker-locks.ts";
import { newSearch, newTask, newWorker, settlementOf } from "../../support/builders.ts";
import { countOf, tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const migrations = readMigrations(
  new URL("../../../server/tasks/stores/sqlite/migrations/", import.meta.url),
);
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "dure-upgrade-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "tasks.db");
}

async function open(path: string): Promise<TaskStore> {
  const store = createSqliteStore({ path, clock: new TestClock() });
  closing.push(() => store.close());
  await store.open();
  return store;
}

test("every migration says first whether older workers may go on", () => {
  for (const { name, sql } of migrations) expect(sql.split("\n\n")[0], name).toMatch(/older\s(-- )?workers/i);
});

describe.each(migrations.slice(0, -1))("a file of schema $number", ({ number }) => {
  test("keeps its tasks, and they are found, run and ended", async () => {
    const path = newFile();
    makeFile(path, number);
    const store = await open(path);
    expect(await store.schemaVersion()).toEqual({ stored: migrations.length, known: migrations.length });
    expect(await countOf(store.countTasks(newSearch({ statuses: ["COMPLETED"] })))).toBe(1);
    ok(await store.enqueueTasks([newTask({ id: "new" })]));
    ok(await store.registerWorker(newWorker()));
    const { claimed } = ok(await store.claimTasks(claimRequest()));
    expect(claimed.map(({ task }) => task.id)).toEqual(["waiting", "new"]);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
    const found = await tasksOf(store.searchTasks(newSearch({ statuses: ["COMPLETED"] })));
    expect(found.map(({ id }) => id).sort()).toEqual(["ended", "new", "waiting"]);
    const findings = await store.checkHealth({ full: true });
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("a migration that older workers must have stopped for", () => {
  const stopping = migrations.findLast(stopsOlderWorkers)!;

  function withWorker(ageMs: number): string {
    const path = newFile();
    makeFile(path, stopping.number - 1);
    change(
      path,
      `INSERT INTO workers (id, state, host, pid, name, concurrency, types, lease_ms, started_at, beat_at)
        VALUES ('old', 'alive', 'machine', 7, 'busy-bee', 1, '[]', 15000, 1, ${Date.now() - ageMs})`,
    );
    return path;
  }

  test("names one that is alive, and changes nothing", async () => {
    const path = withWorker(4_000);
    await expect(open(path)).rejects.toMatchObject({
      code: "WORKER_RUNNING",
      message: expect.stringMatching(/older Dure alive: busy-bee\. .*stop.*Nothing was changed/),
    });
    expect(change(path, "SELECT 1")).toBe(stopping.number - 1);
    change(path, "UPDATE workers SET state = 'stopped'");
    expect((await (await open(path)).schemaVersion()).stored).toBe(migrations.length);
  });

  test("does not wait for one that has been silent for two leases", async () => {
    const store = await open(withWorker(31_000));
    expect((await store.schemaVersion()).stored).toBe(migrations.length);
  });

  test("does not wait for one whose process has let go of its lock", async () => {
    const path = withWorker(4_000);
    const locks = new WorkerLocks(path);
    locks.hold("old");
    await expect(open(path)).rejects.toMatchObject({ code: "WORKER_RUNNING" });
    locks.letGoAll();
    const store = await open(path);
    expect((await store.schemaVersion()).stored).toBe(migrations.length);
  });
});

/** Answers the number of its schema. */
function change(path: string, sql: string): number {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  try {
    database.exec(sql);
    return database.prepare("PRAGMA user_version").get()!.user_version as number;
  } finally {
    database.close();
  }
}

/** A file as the version with so many migrations left it: one task has ended, one waits. */
function makeFile(path: string, number: number): void {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  database.exec("PRAGMA journal_mode = WAL");
  for (const { sql } of migrations.slice(0, number)) database.exec(sql);
  database.exec(`PRAGMA user_version = ${number}; PRAGMA application_id = ${applicationId};
    INSERT INTO lanes (type, queue, own_ids) VALUES ('resize-image', 'default', 1);
    INSERT INTO tallies (lane, status, tasks) VALUES (1, 1, 1), (1, 3, 1);
    INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at, completed_at, max_attempts,
      rerun_after_crash, payload, version)
    VALUES ('ended', 1, 1, 3, 0, 1, 1, 2, 1, 2, 1, 1, '{"widthPx":640}', 3),
      ('waiting', 1, 1, 1, 0, 1, 1, 1, NULL, NULL, 1, 1, '{"widthPx":640}', 1)`);
  // From here on such files have counts by the hour, of each lane and of all.
  if (number >= 15)
    database.exec(`INSERT INTO hour_tallies (lane, state, hour, tasks)
      VALUES (0, 0, 0, 1), (0, 3, 0, 1), (1, 0, 0, 1), (1, 3, 0, 1)`);
  // And by the minute, and of both by the change that ended a task.
  if (number >= 21)
    database.exec(`UPDATE hour_tallies SET changed = 1 WHERE state = 3;
      INSERT INTO minute_tallies (lane, minute, state, tasks, changed)
      VALUES (0, 0, 0, 1, 0), (0, 0, 3, 1, 1), (1, 0, 0, 1, 0), (1, 0, 3, 1, 1)`);
  database.close();
}
