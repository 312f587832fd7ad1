/** F38: a database of every earlier schema, with tasks in it, is brought up to date and goes on. */
import { afterEach, describe, expect, test } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { readMigrations, stopsOlderWorkers } from "../../server/tasks/stores/migrate.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { fillMinutes } from "../../server/tasks/stores/postgres/counts/minute-fill.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { OlderWorker, recorded } from "../support/older-worker.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { listCounts } from "../support/task-counts.ts";

const migrations = readMigrations(new URL("../../server/tasks/stores/postgres/migrations/", import.meta.url));
const newest = migrations.length;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test("every migration says first whether older workers may go on", () => {
  for (const { name, sql } of migrations) expect(sql.split("\n\n")[0], name).toMatch(/older\s(-- )?workers/i);
});

describe.each(migrations.slice(0, -1))("a database of schema $number", ({ number }) => {
  test("keeps its tasks, and they are found, run and ended", async () => {
    const schema = await createTestSchema();
    closing.push(schema.drop);
    await makeSchema(schema, number);
    const store = createPostgresStore({ url: schema.url });
    closing.push(() => store.close());
    await store.open();
    const [stored] = await schema.query("SELECT max(number) AS number FROM :schema.migrations");
    expect(stored.number).toBe(newest);
    expect(await countOf(store.countTasks(newSearch({ statuses: ["COMPLETED"] })))).toBe(1);
    ok(await store.registerWorker(newWorker()));
    const { claimed } = ok(await store.claimTasks(claimRequest()));
    expect(claimed.map(({ task }) => task.id)).toEqual(["waiting"]);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
    const found = await tasksOf(store.searchTasks(newSearch({ statuses: ["COMPLETED"] })));
    expect(found.map(({ id }) => id).sort()).toEqual(["ended", "waiting"]);
    // The key has room on its pages for the versions of a row that a claim and a settlement add.
    const [key] = await schema.query(
      "SELECT reloptions FROM pg_class WHERE oid = ':schema.tasks_pkey'::regclass",
    );
    expect(key.reloptions).toEqual(["fillfactor=50"]);
  });
});

describe("a worker of an earlier build", () => {
  test("can go on beside every migration since: none of them says that it must have stopped", () => {
    const since = migrations.slice(recorded.schema).filter(stopsOlderWorkers);
    // Else: node tests/fixtures/record-older-worker.ts, and the notes of the release say so.
    expect(since.map(({ name }) => name)).toEqual([]);
  });

  test("goes on while this build migrates, and beside it; nothing is lost, run twice or miscounted", async () => {
    const schema = await createTestSchema();
    closing.push(schema.drop);
    await makeEmptySchema(schema, recorded.schema);
    const older = await OlderWorker.start(schema.url, schema.quoted, "older");
    closing.push(() => older.end());
    const store = createPostgresStore({ url: schema.url });
    closing.push(() => store.close());
    const ended: string[] = [];
    const opened = store.open();
    let isOpen = false;
    const over = () => {
      isOpen = true;
    };
    opened.then(over, over);
    for (let turn = 0; turn < 10 || !isOpen; turn += 1) {
      await older.enqueue(`of the older ${turn}`);
      for (const claimed of await older.claim()) {
        expect(await older.complete(claimed)).toBe(true);
        ended.push(claimed.id);
      }
    }
    await opened;

    ok(await store.registerWorker(newWorker()));
    ok(await store.enqueueTasks([newTask({ id: "of this build", ownId: true, dueAt: 1, createdAt: 1 })]));
    const [own] = await older.claim();
    expect(own!.id).toBe("of this build");
    expect(ok(await store.claimTasks(claimRequest())).claimed).toEqual([]);
    expect(await older.complete(own!)).toBe(true);

    await older.enqueue("failed there");
    expect(await older.fail((await older.claim())[0]!)).toBe(true);
    const { claimed } = ok(await store.claimTasks(claimRequest()));
    expect(claimed.map(({ task }) => task.id)).toEqual(["failed there"]);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));

    await older.enqueue("lost there");
    const [lost] = await older.claim();
    const seen = (await store.listWorkers()).find(({ id }) => id === "older")!;
    const suspects = [{ workerId: "older", renewals: seen.renewals }];
    const reaped = ok(await store.reapWorkers({ suspects, crashBudget: 3, cancelGraceMs: 10_000 }));
    expect(reaped.tasks.map(({ id }) => id)).toEqual(["lost there"]);
    expect(await older.complete(lost!)).toBe(false);

    expect(ended.sort()).toEqual([...new Set(ended)].sort());
    const completed = await countOf(store.countTasks(newSearch({ statuses: ["COMPLETED"] })));
    expect(completed).toBe(ended.length + 2);
    const findings = await store.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "counts")).toMatchObject({ level: "ok" });
    await addsItsHistory(older, store);
  });
});

/** What it counts itself, and what this build's commits count, are one history. */
async function addsItsHistory(older: OlderWorker, store: TaskStore): Promise<void> {
  const all = { span: "day", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 10 } as const;
  const [own] = await store.readHistory(all);
  // "failed there" was completed, "lost there" taken back.
  expect(own).toMatchObject({ completed: 1, retried: 1 });
  const minute = Math.floor(own!.start / 60_000) * 60_000;
  const durations = { counts: { 3: 2, 90: 1 }, max: 20_000 };
  const counts = { completed: 5, failed: 1, cancelled: 0, retried: 2 };
  const row = { type: "resize-image", start: minute, ...counts, waits: durations, runs: durations };
  await Promise.all([
    older.addHistory([row]),
    store.pruneHistory({ span: "minute", before: 0, limit: 1 }),
    older.addHistory([row]),
  ]);
  const [sum] = await store.readHistory(all);
  expect(sum).toMatchObject({ completed: 11, failed: 2, cancelled: 0, retried: 5 });
  expect(sum!.runs.max).toBe(20_000);
  const runs = Object.values(sum!.runs.counts).reduce((total, count) => total + count, 0);
  expect(runs).toBe(Object.values(own!.runs.counts).reduce((total, count) => total + count, 0) + 6);
}

describe("counts by the minute", () => {
  const search = newSearch({ updated: { start: 0 } });
  const buckets = { time: "updatedAt", bucketMs: 60_000 } as const;

  test("are taken from the indexes while an older worker writes, and made anew when it has ended", async () => {
    const schema = await createTestSchema();
    closing.push(schema.drop);
    await makeEmptySchema(schema, recorded.schema);
    const older = await OlderWorker.start(schema.url, schema.quoted, "older");
    closing.push(() => older.end());
    const complete = async (id: string) => {
      await older.enqueue(id);
      for (const claimed of await older.claim()) expect(await older.complete(claimed)).toBe(true);
    };
    await complete("before");
    await older.enqueue("waits");

    const database = new Database(parseLocation(schema.url));
    closing.push(() => database.close());
    const store = createPostgresStore({ url: schema.url });
    closing.push(() => store.close());
    await store.open();
    await database.open();
    const fill = async (rest: number) => {
      let pieces = 0;
      while ((await fillMinutes({ database }, rest)) === "counted") pieces += 1;
      return pieces;
    };
    const counted = async () => {
      const counts = await listCounts(store, search, buckets, ["status"]);
      const sums: Record<string, number> = {};
      for (const { status, count } of counts) sums[status!] = (sums[status!] ?? 0) + count;
      return sums;
    };
    const gaps = async () =>
      (await schema.query("SELECT count(*)::integer AS rows FROM :schema.minute_gaps"))[0].rows;

    expect(await counted()).toEqual({ COMPLETED: 1, PENDING: 1 });
    expect(store.keepsMinutes).toBe(false);
    expect(await fill(60_000)).toBeGreaterThan(1);
    expect(await counted()).toEqual({ COMPLETED: 1, PENDING: 1 });
    expect(store.keepsMinutes).toBe(true);
    ok(await store.enqueueTasks([newTask({ type: "send-receipt" })]));
    expect(await gaps(), "this build leaves none").toBe(0);

    await complete("beside");
    await older.enqueue("waits too");
    expect(await counted()).toEqual({ COMPLETED: 3, PENDING: 2 });
    expect(store.keepsMinutes).toBe(false);
    expect(await gaps()).toBeGreaterThan(1);
    expect(await fill(60_000), "it may go on").toBe(0);
    expect(await gaps()).toBe(1);
    await schema.query(`INSERT INTO :schema.tally_changes (lane, status, tasks, hour)
      SELECT 1, 1, 0, 0 FROM generate_series(1, 12000)`);
    expect(await gaps(), "where nobody folds they are few, too").toBeLessThan(11_000);
    expect(await fill(0)).toBeGreaterThan(1);
    expect(await counted()).toEqual({ COMPLETED: 3, PENDING: 2 });
    expect(store.keepsMinutes).toBe(true);
    const findings = await store.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "counts")).toMatchObject({ level: "ok" });
  });

  test("are made of many tasks in pieces, while others are written and deleted", async () => {
    const schema = await createTestSchema();
    closing.push(schema.drop);
    await makeEmptySchema(schema, newest);
    const store = createPostgresStore({ url: schema.url });
    closing.push(() => store.close());
    await store.open();
    const of = (count: number, type: string) =>
      Array.from({ length: count }, (_, n) => newTask({ type, createdAt: startAt - n * 20_000 }));
    ok(await store.enqueueTasks([...of(300, "resize-image"), ...of(40, "send-receipt")]));
    await schema.query(`TRUNCATE :schema.minute_changes, :schema.minute_tallies, :schema.ended_tallies;
      INSERT INTO :schema.minute_gaps DEFAULT VALUES`);
    const database = new Database(parseLocation(schema.url));
    closing.push(() => database.close());
    await database.open();
    for (let piece = 0; (await fillMinutes({ database }, 0, 50)) === "counted"; piece += 1) {
      if (piece % 3 === 0) ok(await store.enqueueTasks(of(5, "send-receipt")));
      if (piece % 3 === 1) await store.stats();
      const waits = newSearch({ statuses: ["PENDING"], limit: 1, offset: piece });
      const [waiting] = await tasksOf(store.searchTasks(waits));
      ok(await store.cancelTask(waiting!.id));
      if (piece % 2 === 0) ok(await store.deleteTask(waiting!.id));
    }
    const findings = await store.checkHealth({ full: true });
    expect(findings.find(({ check }) => check === "counts")).toMatchObject({ level: "ok" });
    const counts = await listCounts(store, newSearch(), { time: "createdAt", bucketMs: 60_000 });
    expect(store.keepsMinutes).toBe(true);
    const total = counts.reduce((sum, { count }) => sum + count, 0);
    expect(total).toBe(await countOf(store.countTasks(newSearch())));
  });
});

describe("a migration that older workers must have stopped for", () => {
  const stopping = migrations.find(stopsOlderWorkers)!;

  async function withWorker(ageMs: number): Promise<{ schema: TestSchema; store: TaskStore }> {
    const schema = await createTestSchema();
    closing.push(schema.drop);
    await makeSchema(schema, stopping.number - 1);
    await schema.query(
      `INSERT INTO :schema.workers (id, state, host, pid, name, concurrency, types, lease_ms, started_at, beat_at)
        VALUES ('old', 'alive', 'machine', 7, 'busy-bee', 1, '[]', 15000, 1,
          extract(epoch FROM clock_timestamp()) * 1000 - $1::integer)`,
      [ageMs],
    );
    const store = createPostgresStore({ url: schema.url });
    closing.push(() => store.close());
    return { schema, store };
  }

  test("names one that is alive, and changes nothing", async () => {
    const { schema, store } = await withWorker(4_000);
    await expect(store.open()).rejects.toMatchObject({
      code: "WORKER_RUNNING",
      message: expect.stringMatching(/older Dure alive: busy-bee\. .*stop.*Nothing was changed/),
    });
    const [stored] = await schema.query("SELECT max(number) AS number FROM :schema.migrations");
    expect(stored.number).toBe(stopping.number - 1);
    await schema.query("UPDATE :schema.workers SET state = 'stopped'");
    const next = createPostgresStore({ url: schema.url });
    closing.push(() => next.close());
    await next.open();
  });

  test("does not wait for one that was killed and is not buried yet", async () => {
    const { store } = await withWorker(31_000);
    await store.open();
    expect((await store.schemaVersion()).stored).toBe(newest);
  });
});

/** A schema as the version with so many migrations left it: one task has ended, one waits. */
async function makeSchema(schema: TestSchema, number: number): Promise<void> {
  await makeEmptySchema(schema, number);
  await schema.query(`INSERT INTO :schema.lanes (type, queue, own_ids) VALUES ('resize-image', 'default', true);
    INSERT INTO :schema.tallies (lane, status, tasks) VALUES (1, 0, 1), (1, 3, 1);
    INSERT INTO :schema.tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, completed_at, max_attempts,
      rerun_after_crash, payload)
    VALUES ('ended', 1, true, 3, 0, 1, 1, 2, 2, 1, true, '{"widthPx":640}'), ('waiting', 1, true, 0, 0, 1, 1, 1, NULL, 1, true, '{"widthPx":640}')`);
}

async function makeEmptySchema(schema: TestSchema, number: number): Promise<void> {
  await schema.query(`CREATE SCHEMA :schema;
    CREATE TABLE :schema.migrations (number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  for (const one of migrations.slice(0, number)) {
    await schema.query(one.sql);
    await schema.query("INSERT INTO :schema.migrations (number, name) VALUES ($1, $2)", [
      one.number,
      one.name,
    ]);
  }
}
