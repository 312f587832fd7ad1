/** What can still be read of a damaged file is saved into a new one, and the damaged one stays as it is (F83). */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { recoverDatabase } from "../../../server/dure-recover.ts";
import { DureError } from "../../../server/tasks/core/errors.ts";
import type { TaskRecord, TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import {
  newDefinition,
  newSearch,
  newTask,
  newTasks,
  newWorker,
  settlementOf,
  someError,
} from "../../support/builders.ts";
import { countOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

interface Page {
  pageno: number;
  /** `leaf`, `internal` or `overflow`. */
  pagetype: string;
  ncell: number;
}

const pageBytes = 4_096;
const variants = Number(process.env.DURE_RECOVER_VARIANTS ?? 6);
const running = ["a", "b", "c"];
const clock = new TestClock();
const days = { span: "day", start: 0, end: Number.MAX_SAFE_INTEGER, limit: 100 } as const;
let folder: string;
let sound: Buffer;
let original: Map<string, TaskRecord>;
let from: string;
let to: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-recover-"));
  const path = join(folder, "sound.db");
  await withStore(path, fill);
  sound = readFileSync(path);
  original = await withStore(path, recordsOf);
  expect(original.size).toBe(1_500);
});

beforeEach(() => {
  from = join(folder, "damaged.db");
  to = join(folder, "new.db");
  for (const path of [from, to])
    for (const end of ["", "-wal", "-shm", "-workers"])
      rmSync(`${path}${end}`, { recursive: true, force: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

test("of a sound file everything, and what was running waits again", async () => {
  writeFileSync(from, sound);
  expect(await recoverDatabase({ from, to })).toEqual({
    ...{ tasks: 1_503, takenBack: 3, lost: 0, lostIds: [], unreadable: [], definitions: 2, searches: 1 },
  });
  const records = await withStore(to, recordsOf);
  expect(records.size).toBe(1_503);
  for (const [id, record] of original) expect(records.get(id)).toEqual(record);
  const [a, b, c] = running.map((id) => records.get(id)!);
  expect(a).toMatchObject({ status: "PENDING", attempts: 0, crashes: 0, fence: 1 });
  expect(a!.history).toMatchObject([{ fence: 1, number: 1, outcome: "lost", workerId: "worker-1" }]);
  expect(b).toMatchObject({ status: "FAILED", error: expect.stringContaining("rerunAfterCrash") });
  expect(c).toMatchObject({ status: "CANCELLED" });
  await withStore(to, async (store) => {
    expect((await store.listSearches()).map(({ name }) => name)).toEqual(["bad"]);
    expect((await store.listPauses()).map(({ name }) => name)).toEqual(["mail"]);
    expect(await errorsOf(store)).toEqual([]);
    const ended = await store.readHistory(days);
    expect(ended).toEqual(await withStore(from, (source) => source.readHistory(days)));
    expect(ended.length).toBeGreaterThan(0);
  });
});

test("of a file of an older schema as well, with the history that it has", async () => {
  writeFileSync(from, sound);
  await withStore(from, async (store) =>
    ok(await store.pruneHistory({ span: "minute", before: 0, limit: 1 })),
  );
  const older = new DatabaseSync(from, { timeout: 10_000 });
  older.exec("DROP TABLE history_changes; PRAGMA user_version = 18");
  older.close();
  expect(await recoverDatabase({ from, to })).toMatchObject({ tasks: 1_503, lost: 0, unreadable: [] });
  const ended = await withStore(to, (store) => store.readHistory(days));
  expect(ended.reduce((sum, { completed, failed }) => sum + completed + failed, 0)).toBeGreaterThan(0);
});

test("what lies on damaged pages of the table is lost and named, first and last ones too; all else is as it was", async () => {
  const pages = leaves(pagesOf("tasks"));
  const damaged = [pages[0]!, pages[10]!, pages[12]!, pages.at(-1)!];
  const cells = damaged.reduce((sum, { ncell }) => sum + ncell, 0);
  damage(damaged);
  const { tasks, lost, lostIds } = await recoverDatabase({ from, to });
  expect({ tasks, lost }).toEqual({ tasks: 1_503 - cells, lost: cells });
  await withStore(to, async (store) => {
    const records = await recordsOf(store);
    const missing = [...original.keys(), ...running].filter((id) => !records.has(id));
    expect(lostIds.toSorted()).toEqual(missing.toSorted());
    for (const [id, record] of records) expect(record).toEqual(original.get(id));
    expect(await errorsOf(store)).toEqual([]);
  });
});

test("where a damaged number says that the last place is far off, the end is found all the same", async () => {
  const page = leaves(pagesOf("tasks")).at(-1)!;
  writeFileSync(from, sound);
  const database = new DatabaseSync(from, { timeout: 10_000 });
  database.exec("UPDATE attempts SET seq = 1 << 52 WHERE seq = (SELECT max(seq) FROM attempts)");
  database.close();
  const bytes = readFileSync(from);
  bytes.fill(0x55, (page.pageno - 1) * pageBytes, page.pageno * pageBytes);
  writeFileSync(from, bytes);
  const { tasks, lost, lostIds } = await recoverDatabase({ from, to });
  expect({ tasks, lost, named: lostIds.length }).toEqual({
    ...{ tasks: 1_503 - page.ncell, lost: page.ncell, named: page.ncell },
  });
});

test.each([
  ["goes back", 2],
  ["goes back to where reading began", 1_002],
  ["goes far ahead", 16_000],
])("a task whose own place is damaged and %s costs only itself, and reading ends", async (_, place) => {
  const page = leaves(pagesOf("tasks")).find(({ pageno }) => placeAt(pageno, 0) > 1_002)!;
  const cell = 1;
  const bytes = Buffer.from(sound);
  writePlace(bytes, page.pageno, cell, place);
  writeFileSync(from, bytes);
  const { tasks, lost, lostIds } = await recoverDatabase({ from, to, signal: AbortSignal.timeout(20_000) });
  expect({ tasks, lost, named: lostIds.length }).toEqual({ tasks: 1_502, lost: 1, named: 1 });
  const records = await withStore(to, recordsOf);
  const [missing] = [...original.keys()].filter((id) => !records.has(id));
  expect(lostIds).toEqual([missing]);
});

test.each([
  ["right after one whose own place goes back", [2], [1], 2],
  ["and one two places on, whose own place goes back, spares the task between them", [1], [3], 2],
])("a task that cannot be read %s, and reading ends", async (_, unreadable, goingBack, lost) => {
  const page = leaves(pagesOf("tasks")).find(({ pageno }) => placeAt(pageno, 0) > 1_002)!;
  const bytes = Buffer.from(sound);
  for (const cell of goingBack) writePlace(bytes, page.pageno, cell, 2);
  for (const cell of unreadable) spoilRecord(bytes, page.pageno, cell);
  writeFileSync(from, bytes);
  const answer = await recoverDatabase({ from, to, signal: AbortSignal.timeout(20_000) });
  expect(answer).toMatchObject({ tasks: 1_503 - lost, lost });
  const records = await withStore(to, recordsOf);
  const missing = [...original.keys()].filter((id) => !records.has(id));
  expect(answer.lostIds.toSorted()).toEqual(missing.toSorted());
});

test("with the root of the table all tasks are lost, and named by the index", async () => {
  damage([pagesOf("tasks").find(({ pagetype }) => pagetype === "internal")!]);
  const { tasks, lost, lostIds } = await recoverDatabase({ from, to });
  expect({ tasks, lost, named: lostIds.length }).toEqual({ tasks: 0, lost: 1_503, named: 1_503 });
});

test("damage in indexes, counts and names costs no task, since another place has them; what has none other is told", async () => {
  const twice = ["tasks_id", "tasks_claim", "tallies", "lanes", "workers", "texts_data"];
  damage([...twice, "attempts", "saved_searches"].map((table) => leaves(pagesOf(table))[0]!));
  const recovered = await recoverDatabase({ from, to });
  expect(recovered).toMatchObject({ tasks: 1_503, lost: 0, lostIds: [] });
  expect(recovered.unreadable).toEqual(["saved searches", "attempts of some tasks"]);
  await withStore(to, async (store) => {
    for (const [id, record] of await recordsOf(store)) {
      if (!running.includes(id))
        expect({ ...record, history: [] }).toEqual({ ...original.get(id)!, history: [] });
    }
    expect(await errorsOf(store)).toEqual([]);
  });
});

test("whatever is wrong with a file: it stays as it is, and what is made of it is sound, or nothing is made", async () => {
  const { random } = new TestClock(0, 83);
  let made = 0;
  for (let variant = 0; variant < variants; variant++) {
    const bytes = spoiled(random, variant);
    writeFileSync(from, bytes);
    const answer = await recoverDatabase({ from, to }).catch((error) => error);
    expect(readFileSync(from).equals(bytes)).toBe(true);
    if (answer instanceof Error) {
      expect(answer).toBeInstanceOf(DureError);
      expect(readdirSync(folder).filter((name) => name.startsWith("new.db"))).toEqual([]);
      continue;
    }
    made++;
    await withStore(to, async (store) => {
      expect(await errorsOf(store)).toEqual([]);
      expect(await countOf(store.countTasks(newSearch()))).toBe(answer.tasks);
    });
    rmSync(to);
  }
  expect(made).toBeGreaterThan(variants / 2);
}, 300_000);

test("neither a file that is there is written over, nor one recovered from that a worker has", async () => {
  writeFileSync(from, sound);
  writeFileSync(to, "mine");
  await expect(recoverDatabase({ from, to })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  expect(readFileSync(to, "utf8")).toBe("mine");
  rmSync(to);
  await withStore(from, async (store) => {
    ok(await store.registerWorker(newWorker("worker-2")));
    await expect(recoverDatabase({ from, to })).rejects.toMatchObject({ code: "WORKER_RUNNING" });
  });
  expect(existsSync(to)).toBe(false);
});

/** 1,500 tasks at rest and three that run, with attempts, long payloads and what lies beside them. */
async function fill(store: TaskStore): Promise<void> {
  await store.saveDefinitions([newDefinition(), newDefinition("nightly-report")]);
  ok(await store.saveSearch({ name: "bad", query: "status:failed" }));
  ok(await store.pause({ kind: "queue", name: "mail" }));
  await store.registerWorker(newWorker());
  ok(
    await store.enqueueTasks([
      newTask({ id: "a", priority: 9 }),
      newTask({ id: "b", priority: 9, rerunAfterCrash: false }),
      newTask({ id: "c", priority: 9 }),
    ]),
  );
  expect(ok(await store.claimTasks(claimRequest({ limit: 3 }))).claimed).toHaveLength(3);
  ok(await store.cancelTask("c"));
  ok(await store.enqueueTasks(newTasks(1_400, { attributes: { userId: 7 } })));
  ok(await store.enqueueTasks(newTasks(100, { payload: "x".repeat(5_000), idempotencyKey: undefined })));
  const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 900 })));
  const outcomes = ["completed", "failed", "cancelled"] as const;
  const ended = claimed.map((one, place) => settlementOf(one, outcomes[place % 3]!, { error: someError }));
  ok(await store.settleTasks(ended));
}

/** Stretches of wrong bytes on up to eight pages, or less than the whole file. */
function spoiled(random: () => number, variant: number): Buffer {
  const bytes = Buffer.from(sound);
  if (variant % 10 === 9) return bytes.subarray(0, Math.floor(bytes.length * random()));
  for (let page = Math.floor(random() * 8); page >= 0; page--) {
    const at = Math.floor(random() * bytes.length);
    bytes.fill(Math.floor(random() * 256), at, at + 1 + Math.floor(random() * 600));
  }
  return bytes;
}

async function recordsOf(store: TaskStore): Promise<Map<string, TaskRecord>> {
  const records = await store.readRecords({ limit: 10_000 });
  return new Map(records.map((record) => [record.id, record]));
}

async function errorsOf(store: TaskStore): Promise<unknown[]> {
  return (await store.checkHealth({ full: true })).filter(({ level }) => level === "error");
}

function pagesOf(table: string): Page[] {
  const database = new DatabaseSync(join(folder, "sound.db"), { readOnly: true, timeout: 10_000 });
  const pages = database
    .prepare("SELECT pageno, pagetype, ncell FROM dbstat WHERE name = ? ORDER BY path")
    .all(table);
  database.close();
  return pages as unknown as Page[];
}

function leaves(pages: Page[]): Page[] {
  return pages.filter(({ pagetype }) => pagetype === "leaf");
}

/** Where the number of a leaf's row begins: behind that of its bytes. */
function placeOffset(bytes: Buffer, pageno: number, cell: number): number {
  const page = (pageno - 1) * pageBytes;
  let at = page + bytes.readUInt16BE(page + 8 + 2 * cell);
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}

/** Numbers of two bytes, of seven bits each. */
function placeAt(pageno: number, cell: number): number {
  const at = placeOffset(sound, pageno, cell);
  return ((sound[at]! & 0x7f) << 7) | sound[at + 1]!;
}

function writePlace(bytes: Buffer, pageno: number, cell: number, place: number): void {
  const at = placeOffset(bytes, pageno, cell);
  bytes[at] = 0x80 | (place >> 7);
  bytes[at + 1] = place & 0x7f;
}

/** Its columns begin beyond its end. */
function spoilRecord(bytes: Buffer, pageno: number, cell: number): void {
  const at = placeOffset(bytes, pageno, cell) + 2;
  bytes.fill(0xff, at, at + 3);
}

function damage(pages: readonly Page[]): void {
  const bytes = Buffer.from(sound);
  for (const { pageno } of pages) bytes.fill(0x55, (pageno - 1) * pageBytes, pageno * pageBytes);
  writeFileSync(from, bytes);
}

async function withStore<Value>(path: string, use: (store: TaskStore) => Promise<Value>): Promise<Value> {
  const store = createSqliteStore({ path, clock });
  try {
    await store.open();
    return await use(store);
  } finally {
    await store.close();
  }
}
