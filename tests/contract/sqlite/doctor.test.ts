/** What the doctor says of a file, word for word: each finding names its cause and the next step (F151). */
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HealthFinding, TaskStore } from "../../../server/tasks/core/store.ts";
import { diskFinding } from "../../../server/tasks/stores/sqlite/health.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newTask, newWorker, settlementOf } from "../../support/builders.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const clock = new TestClock();
let folder: string;
let path: string;
let store: TaskStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-doctor-"));
  path = join(folder, "tasks.db");
  store = createSqliteStore({ path, clock });
  await store.open();
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Behind the store's back. */
function tamper(sql: string): void {
  const other = new DatabaseSync(path, { defensive: false, timeout: 10_000 });
  other.exec(sql);
  other.close();
}

/** As `dure doctor` prints them. What the disk has free is this machine's. */
async function said(full = false): Promise<string[]> {
  const findings = await store.checkHealth({ full });
  return findings.filter(({ check }) => check !== "disk").map(lineOf);
}

function lineOf({ level, check, message, next }: HealthFinding): string {
  return [`${level} ${check}: ${message}`, next].filter(Boolean).join(" -> ").replaceAll(path, "tasks.db");
}

test("of a sound file, looked at briefly and in full", async () => {
  ok(await store.registerWorker(newWorker()));
  const rest = [
    "ok permissions: Only the file's owner may read and write it.",
    "ok workers: 1 worker is alive.",
    "ok backlog: Nothing due waits for long.",
  ];
  expect(await said()).toEqual([
    "ok integrity: The file opens; --full reads every page of it.",
    "ok counts: Not counted anew; --full does.",
    "ok attributes: Not compared; --full does.",
    ...rest,
  ]);
  expect(await said(true)).toEqual([
    "ok integrity: Every page and index is sound.",
    "ok counts: The kept counts equal the counted ones.",
    "ok attributes: The index of attributes has what the tasks have.",
    ...rest,
  ]);
});

test("of one that is not well, one fault after the other", async () => {
  ok(await store.registerWorker({ ...newWorker(), host: "machine", pid: 7, leaseMs: 15_000 }));
  const attributes = { userId: 42 };
  ok(
    await store.enqueueTasks([
      newTask({ id: "a", type: "send-receipt", attributes }),
      newTask({ id: "b", type: "nightly-report" }),
    ]),
  );
  await clock.advance(10 * 60_000);
  chmodSync(path, 0o644);
  truncateSync(`${path}-wal`, 65 * 1024 * 1024);
  expect((await said()).slice(3)).toEqual([
    "warning permissions: Others may read or write tasks.db (mode 644). -> chmod 600 tasks.db",
    "warning write-ahead log: The write-ahead log has grown to 65 MiB. -> Some program reads the file in one long transaction, a backup tool perhaps; end it.",
    "warning workers: Silent for longer than the lease: machine:7 (1 of 1 workers). -> Start any worker: it takes back the tasks of the dead ones.",
    'warning backlog: No worker that runs defines "nightly-report", "send-receipt", whose tasks wait. -> Start a worker that loads their definitions: dure worker <files>.',
    "warning backlog: The oldest due task has waited for 10m. -> Start more workers, or raise their concurrency.",
  ]);
});

test("of counts and an index that differ from the tasks", async () => {
  ok(await store.enqueueTasks([newTask({ id: "a", attributes: { userId: 42 } })]));
  await expect.poll(async () => (await said(true))[2]).toContain("ok attributes");
  tamper("UPDATE tallies SET tasks = tasks + 1; DELETE FROM attributes");
  expect((await said(true)).slice(1, 3)).toEqual([
    "error counts: 1 of the kept counts differs from the counted ones. -> Please report this: it is a defect of Dure. Tasks are not affected.",
    "error attributes: The index of attributes differs from what the tasks have, by 1 of its entries. -> Please report this: it is a defect of Dure. Searches by attributes may miss tasks; the tasks are not affected.",
  ]);
});

test("of a brief task that is not where it would be looked for", async () => {
  ok(await store.registerWorker(newWorker()));
  ok(await store.enqueueTasks([newTask()]));
  const { claimed } = ok(await store.claimTasks(claimRequest()));
  ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
  expect((await said(true))[1]).toBe("ok counts: The kept counts equal the counted ones.");
  tamper("DELETE FROM brief_hours");
  expect((await said(true))[1]).toMatch(/^error counts: 1 of the kept counts differs/);
});

test("of a disk with room, and one without", () => {
  const mebibyte = 1024 * 1024;
  expect([20_480, 512, 511, 0].map((free) => lineOf(diskFinding(free * mebibyte)))).toEqual([
    "ok disk: 20,480 MiB are free.",
    "ok disk: 512 MiB are free.",
    "warning disk: Only 511 MiB are free beside the database. -> Free some space, or shorten the retention.",
    "warning disk: Only 0 MiB are free beside the database. -> Free some space, or shorten the retention.",
  ]);
});

test("of a file that is damaged where it is looked at in full only", async () => {
  ok(await store.enqueueTasks([newTask({ id: "a" })]));
  tamper(
    "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'tasks_late_created'; PRAGMA schema_version = 1000",
  );
  expect((await said()).slice(0, 1)).toEqual([
    "ok integrity: The file opens; --full reads every page of it.",
  ]);
  const [integrity] = await said(true);
  expect(integrity!.replaceAll(/\d+/g, "N")).toBe(
    "error integrity: The file is damaged: Page N: never used. -> Stop everything that uses it and restore a backup, " +
      "or save what can still be read: dure recover --from tasks.db --to tasks.db.recovered",
  );
});

test("of a file that cannot be opened any more: the message that stands for the finding", async () => {
  await store.close();
  writeFileSync(path, "not a database, but longer than the header of one would be: ".repeat(50));
  for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  store = createSqliteStore({ path, clock });
  const error: Error = await store.open().catch((thrown) => thrown);
  expect(error.message.replaceAll(path, "tasks.db")).toBe(
    "tasks.db: file is not a database. The file is not an SQLite database; point Dure at another file, or restore a backup.",
  );
});
