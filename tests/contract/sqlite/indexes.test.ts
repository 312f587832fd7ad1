/** The indexes of attributes and texts, seen from beside the store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Condition, foldText } from "../../../server/tasks/core/filters/condition.ts";
import type { TaskStore, UnindexedTask } from "../../../server/tasks/core/store.ts";
import { attributeSql, fillSql, sourceSql, textSql } from "../../../server/tasks/stores/sqlite/statements.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newTasks, newWorker, settlementOf, startAt } from "../../support/builders.ts";
import { tasksOf } from "../../support/found.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

let folder: string;
let path: string;
let store: TaskStore;
let database: DatabaseSync;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-indexes-"));
  path = join(folder, "tasks.db");
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  database = new DatabaseSync(path, { timeout: 10_000 });
});

afterEach(async () => {
  database.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const versionOf = (ref: unknown) => (ref as { version: number }).version;
const textsOf = (unindexed: readonly UnindexedTask[], text = "some text") =>
  unindexed.map(({ ref }) => ({ ref, text: foldText(text) }));

const found = async (text: string) =>
  (await tasksOf(store.searchTasks(newSearch({ where: { kind: "text", text } })))).length;

const columns = ["waiting", "completed", "failed", "cancelled"] as const;
const columnOf = (status: number) => (status < 3 ? "waiting" : columns[status - 2]!);

/** What the index of texts has by all trigrams of a text, and in which of its columns. */
function indexedWith(text: string): { rowid: number; column: string }[] {
  const trigrams = Array.from(text.slice(2), (_, place) => `"${text.slice(place, place + 3)}"`).join(" AND ");
  const matching = database.prepare("SELECT rowid FROM texts WHERE texts MATCH ?");
  return columns.flatMap((column) =>
    matching.all(`${column} : (${trigrams})`).map(({ rowid }) => ({ rowid: Number(rowid), column })),
  );
}

/** How many entries the index of attributes has. */
const entries = () => Number(Object.values(database.prepare("SELECT count(*) FROM attributes").get()!)[0]);

test("tasks are found by attributes before the index has them, and after", async () => {
  const where: Condition = {
    kind: "and",
    parts: [
      { kind: "equals", field: { of: "attribute", name: "userId" }, values: [1, 2] },
      { kind: "range", field: { of: "attribute", name: "size" }, from: { value: 10, isIncluded: true } },
    ],
  };
  const attributesOf = (n: number) => ({ userId: n % 3, size: n, ...(n % 5 === 0 && { tag: ["x", "y"] }) });
  await store.registerWorker(newWorker());
  ok(
    await store.enqueueTasks(Array.from({ length: 60 }, (_, n) => newTask({ attributes: attributesOf(n) }))),
  );
  await expect.poll(entries).toBe(60 * 2 + 12 * 2);
  // As after a crash before any of them was indexed.
  database.exec("DELETE FROM attributes; UPDATE attribute_marks SET up_to = 0");
  const claimed = ok(await store.claimTasks(claimRequest({ limit: 20 }))).claimed;
  ok(
    await store.settleTasks(
      claimed.map((one) => settlementOf(one, "completed", { attributes: { rows: 5 } })),
    ),
  );
  const idsOf = async () => {
    const orders = ["createdAt", "updatedAt", "priority"] as const;
    const found = orders.map((sortBy) =>
      tasksOf(store.searchTasks(newSearch({ where, sortBy, limit: 100 }))),
    );
    return (await Promise.all(found)).map((tasks) => tasks.map(({ id }) => id));
  };
  const before = await idsOf();
  expect(before.map((ids) => ids.length)).toEqual([34, 34, 34]);
  expect(await store.countTasks(newSearch({ where, statuses: ["COMPLETED"] }))).toEqual({
    count: 7,
    errorMax: 0,
  });
  expect(entries()).toBe(0);
  ok(await store.enqueueTasks([newTask({ attributes: { userId: 0 } })]));
  await expect.poll(entries).toBe(60 * 2 + 12 * 2 + 20 + 1);
  expect(await idsOf()).toEqual(before);
});

test("a range that many entries are in misses none of its tasks, though each has several", async () => {
  const sizesOf = (n: number) => (n < 2_200 ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [11]);
  const tasks = newTasks(2_300).map((task, n) => ({ ...task, attributes: { sizes: sizesOf(n) } }));
  ok(await store.enqueueTasks(tasks));
  await expect.poll(entries).toBe(22_100);
  const where: Condition = {
    kind: "range",
    field: { of: "attribute", name: "sizes" },
    from: { value: 1, isIncluded: true },
  };
  expect(await store.countTasks(newSearch({ where }))).toEqual({ count: 2_300, errorMax: 0 });
});

test("what came in parts is put into the index though nothing else is written", async () => {
  async function* parts() {
    for (let part = 0; part < 3; part += 1) yield newTasks(400, { attributes: { userId: part } });
  }
  ok(await store.enqueueTasks(parts()));
  await expect.poll(entries).toBe(1_200);
});

test("what is written faster than it is indexed waits for the index", async () => {
  const batches = Array.from({ length: 12 }, (_, userId) => newTasks(10_000, { attributes: { userId } }));
  for (const written of await Promise.all(batches.map((tasks) => store.enqueueTasks(tasks)))) ok(written);
  // They came at once, 20,000 more than may lie behind the index.
  expect(entries()).toBeGreaterThanOrEqual(10_000);
});

test("what a process leaves behind the index, the next one that opens the file puts there", async () => {
  ok(await store.enqueueTasks(newTasks(1_200, { attributes: { userId: 7 } })));
  await expect.poll(entries).toBe(1_200);
  database.exec("DELETE FROM attributes; UPDATE attribute_marks SET up_to = 0");
  await store.close();
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  await expect.poll(entries).toBe(1_200);
});

test.each([
  ["an entry in another state", "UPDATE attributes SET state = 3"],
  ["an entry of no task", "INSERT INTO attributes VALUES (1, 'u', 0, 0, 99)"],
  ["an entry too few", "DELETE FROM attributes WHERE value = 1"],
])("the doctor tells of %s", async (_, change) => {
  ok(await store.enqueueTasks([newTask({ attributes: { userId: ["u1", 1, true], size: 1.5 } })]));
  const levels = async () => {
    const findings = await store.checkHealth({ full: true });
    return findings.filter(({ level }) => level === "error").map(({ check }) => check);
  };
  await expect.poll(entries).toBe(4);
  expect(await levels()).toEqual([]);
  database.exec(change);
  expect(await levels()).toEqual(["attributes"]);
});

test("bounds on the index of texts are integers, without which FTS5 reads all that lies before them", () => {
  const bounded = Object.entries(sourceSql).filter(([, sql]) => /MATCH .* rowid (BETWEEN|[<>=])/s.test(sql));
  expect(bounded.length).toBeGreaterThan(1);
  for (const [name, sql] of bounded)
    expect(sql, name).toMatch(/rowid BETWEEN CAST\(\?2 AS INTEGER\) AND CAST\(\?3 AS INTEGER\)/);
});

test("every statement that reads an index begins at its place in it", () => {
  const texts = { ...sourceSql, ...textSql, ...attributeSql, ...fillSql };
  for (const [name, sql] of Object.entries(texts)) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    const scans = plan.filter(({ detail }) =>
      /^SCAN (attributes|tasks|texts)(?! VIRTUAL TABLE INDEX \d+:[M=])/.test(detail),
    );
    expect(scans, name).toEqual([]);
    if (name !== "unindexed" && !(name in fillSql))
      expect(
        plan.filter(({ detail }) => /TEMP B-TREE/.test(detail)),
        name,
      ).toEqual([]);
  }
});

test("of two who index the same, the second one writes nothing and loses nothing", async () => {
  ok(await store.enqueueTasks(newTasks(5)));
  const [first, second] = await Promise.all([
    store.readUnindexed({ limit: 3 }),
    store.readUnindexed({ limit: 3 }),
  ]);
  ok(await store.writeTexts(textsOf(first!)));
  ok(await store.writeTexts(textsOf(second!, "by another")));
  expect(await found("by another")).toBe(0);
  const rest = await store.readUnindexed({ limit: 3 });
  expect(rest).toHaveLength(2);
  ok(await store.writeTexts(textsOf(rest)));
  expect(await store.readUnindexed({ limit: 3 })).toEqual([]);
});

test("a text that was read before its task ended does not take the place of the later one", async () => {
  const task = newTask({ id: "a", payload: {} });
  ok(await store.enqueueTasks([task, ...newTasks(1)]));
  const early = await store.readUnindexed({ limit: 10 });
  ok(await store.cancelTask("a"));
  ok(await store.writeTexts(textsOf(early, "early text")));
  expect(indexedWith("early text")).toHaveLength(1);
  const late = await store.readUnindexed({ limit: 10 });
  expect(late.map((one) => one.task.id)).toEqual(["a"]);
  ok(await store.writeTexts(textsOf(late, "late text")));
  expect(indexedWith("late text")).toHaveLength(1);
});

test("nothing stays of the texts of deleted tasks", async () => {
  ok(await store.enqueueTasks(newTasks(3_000)));
  for (;;) {
    const unindexed = await store.readUnindexed({ limit: 500 });
    if (unindexed.length === 0) break;
    ok(await store.writeTexts(textsOf(unindexed)));
  }
  const count = (table: string) => Object.values(database.prepare(`SELECT count(*) FROM ${table}`).get()!)[0];
  expect(count("text_blocks")).toBe(3);
  const all = await tasksOf(store.searchTasks(newSearch({ limit: 3_000 })));
  for (const { id } of all.slice(500)) ok(await store.cancelTask(id));
  const request = { status: "CANCELLED", before: Date.UTC(2100, 0), limit: 1_000 } as const;
  for (let round = 0; round < 3; round++) ok(await store.pruneTasks(request));
  expect(count("texts_docsize")).toBe(500);
  expect(count("text_blocks")).toBeLessThan(3);
  expect(await found("some text")).toBe(0);
});

test("attributes come and go with a transaction of the caller's", async () => {
  const errors = async () =>
    (await store.checkHealth({ full: true })).filter(({ level }) => level === "error");
  const where = { kind: "exists", field: { of: "attribute", name: "userId" } } as const;
  for (const [end, count] of [
    ["ROLLBACK", 0],
    ["COMMIT", 30],
  ] as const) {
    database.exec("BEGIN IMMEDIATE");
    ok(await store.enqueueTasks(newTasks(30, { attributes: { userId: "u1" } }), database));
    database.exec(end);
    expect(await store.countTasks(newSearch({ where }))).toEqual({ count, errorMax: 0 });
    expect(await errors()).toEqual([]);
  }
  ok(await store.enqueueTasks(newTasks(1, { attributes: { userId: "u2" } })));
  expect(await errors()).toEqual([]);
});

/** DURE_INDEX_SEEDS tries more. */
const seeds = Number(process.env.DURE_INDEX_SEEDS ?? 6);

test.each(Array.from({ length: seeds }, (_, seed) => seed))(
  "whatever happens in between, in the end every text is indexed (%i)",
  async (seed) => {
    const clock = new TestClock(startAt, seed);
    const stores = [0, 1].map(() => createSqliteStore({ path, clock }));
    for (const one of stores) await one.open();
    ok(await stores[0]!.registerWorker(newWorker()));
    const pick = <Value>(values: readonly Value[]) => values[Math.floor(clock.random() * values.length)]!;
    const indexSome = async (one: TaskStore, limit: number, changes = 0.3) => {
      const unindexed = await one.readUnindexed({ limit });
      const texts = unindexed.map(({ ref, task }) => ({ ref, text: `text ${versionOf(ref)} of ${task.id}` }));
      if (clock.random() < changes) await change();
      ok(await one.writeTexts(texts));
      return unindexed.length;
    };
    const change = async () => {
      const one = pick(stores);
      await clock.advance(pick([0, 0, 1, 5, -3]));
      const known = await tasksOf(one.searchTasks(newSearch({ limit: 30, sortBy: "updatedAt" })));
      const { id } = known.length > 0 ? pick(known) : { id: "none" };
      await pick([
        () => one.enqueueTasks(newTasks(pick([1, 3, 25]), { createdAt: clock.now(), dueAt: 0 })),
        () => one.cancelTask(id),
        () => one.retryTask(id),
        () => one.deleteTask(id),
        () => one.editTask(id, { priority: pick([0, 1, 2]) }),
        async () => {
          const { claimed } = ok(await one.claimTasks(claimRequest({ limit: pick([1, 4]) })));
          await one.settleTasks(
            claimed.map((claim) => settlementOf(claim, pick(["completed", "failed", "released"] as const))),
          );
        },
      ])();
    };
    for (let step = 0; step < 150; step++) {
      if (clock.random() < 0.3) await indexSome(pick(stores), pick([1, 3, 10]));
      else await change();
    }
    while ((await indexSome(stores[0]!, 20, 0)) > 0);
    const tasks = database.prepare("SELECT seq, id, version, status FROM tasks").all();
    const indexed = database.prepare("SELECT id FROM texts_docsize").all();
    expect(indexed.map(({ id }) => id).sort()).toEqual(tasks.map(({ seq }) => seq).sort());
    for (const { seq, id, version, status } of tasks) {
      if (status === 2) continue;
      expect(indexedWith(`text ${version} of ${id}`), `${id} ${status} ${version}`).toEqual([
        { rowid: seq, column: columnOf(status as number) },
      ]);
    }
    for (const one of stores) await one.close();
  },
);
