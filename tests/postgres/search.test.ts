/** Answers over a month of tasks, of which some were changed hours and days after they were created. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fillPostgres } from "../../bench/postgres/fill.ts";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { meets, sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { Database, type Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import { maskOf } from "../../server/tasks/stores/postgres/search/known-pairs.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import { maybeStatement } from "../../server/tasks/stores/postgres/search/search.ts";
import { readSubjects } from "../../server/tasks/stores/postgres/search/subjects.ts";
import { onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { rowFilterOf } from "../../server/tasks/stores/shared/row-filter.ts";
import { newId, newSearch, newTasks, newWorker } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { everySearch } from "../support/month.ts";
import type { TestSchema } from "../support/postgres.ts";
import { seeded } from "../support/seeded.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";
import { listCounts, type TaskCount } from "../support/task-counts.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const hourMs = 3_600_000;
const lateMs = 300_000;
/** Of the combinations of filters and orders every so-many-th is tried. */
const stride = 13;

let schema: TestSchema;
let store: TaskStore;
let all: Task[];

beforeAll(async () => {
  schema = await takeTestSchema();
  await fillPostgres(schema.url, 3_000);
  store = createPostgresStore({ url: schema.url });
  await store.open();
  all = await tasksOf(store.searchTasks(newSearch({ limit: 10_000 })));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
});

test("of the pairs that have tasks only those are told that are not known", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  const search = newSearch({ definitions: false });
  const { pairs } = await outline(database, search);
  expect(pairs.length).toBeGreaterThan(10);
  const waits = ({ lane, status }: { lane: number; status: number }) => lane === pairs[0]!.lane && status < 2;
  const others = waits(pairs[0]!) ? pairs.filter(waits) : pairs.slice(0, 1);
  const known = maskOf(pairs.filter((pair) => !others.includes(pair)));
  const told = await outline(database, search, known);
  expect(told.pairs).toEqual(others);
  await database.close();
});

test("every search and count finds what a plain filter and sort over all tasks finds", async () => {
  expect(all.filter((task) => took(task) > lateMs).length).toBeGreaterThan(20);
  let tried = 0;
  for (const search of everySearch()) {
    if (tried++ % stride !== 0) continue;
    const offset = tried % 3 === 0 ? 20 : 0;
    const found = await tasksOf(store.searchTasks({ ...search, offset }));
    expect({ search, ids: found.map(({ id }) => id) }).toEqual({ search, ids: plainly(search, offset) });
    const { after: _after, ...unplaced } = search;
    expect(await countOf(store.countTasks(search)), JSON.stringify(search)).toBe(
      all.filter(fits(unplaced)).length,
    );
  }
});

test("tasks are read by their ids through a bitmap, for which the server reads several pages at a time", async () => {
  const database = new Database(parseLocation(schema.url));
  await database.open();
  try {
    const ids = all.slice(0, 50).map(({ id }) => id);
    const plans: string[] = [];
    const rows = await database.snapshot(async (session) => {
      const explaining: Pick<Session, "query"> = {
        query: async (statement, values, settings) => {
          const explain = onceOnly("explainTasks", `EXPLAIN (COSTS OFF) ${statement.text}`);
          plans.push((await session.query(explain, values, settings)).join());
          return session.query(statement, values);
        },
      };
      return readSubjects(explaining, ids, null, { attributes: false, text: false });
    }, planningOnce);
    expect(rows.map(([, , id]) => id).sort()).toEqual(ids.sort());
    expect(plans).toEqual([expect.stringContaining("Bitmap Heap Scan on tasks")]);
  } finally {
    await database.close();
  }
});

test("a page far behind, which is counted to, is the one that a plain filter and sort finds", async () => {
  let tried = 0;
  for (const search of everySearch()) {
    if (search.after || tried++ % 7 !== 0) continue;
    for (const offset of [2_000, 2_001 + ((tried * 37) % 950)]) {
      const found = await tasksOf(store.searchTasks({ ...search, offset }));
      expect({ search, offset, ids: found.map(({ id }) => id) }).toEqual({
        search,
        offset,
        ids: plainly(search, offset),
      });
    }
  }
  const whole = newSearch({ offset: 2_000, limit: 1_000, sortBy: "updatedAt" });
  expect((await tasksOf(store.searchTasks(whole))).map(({ id }) => id)).toEqual(plainly(whole, 2_000));
});

test("two hundred types are searched as two are", async () => {
  const types = Array.from({ length: 200 }, (_, n) => `type-${n}`);
  const search = newSearch({ types, sortBy: "updatedAt", limit: 20 });
  const ids = (await tasksOf(store.searchTasks(search))).map(({ id }) => id);
  expect(ids).toEqual(plainly(search, 0));
});

test("counts by time of many types, parts of minutes included, are those of a look at every task", async () => {
  const random = seeded(5);
  const anyTime = () => all[Math.floor(random() * all.length)]!.createdAt.getTime();
  for (let n = 0; n < 60; n += 1) {
    // Where tasks are, so that parts of minutes have some.
    const start = anyTime() - Math.floor(70_000 * random());
    const end = (n % 3 === 0 ? start : anyTime()) + Math.floor(90_000 * random());
    const statuses = [undefined, ["PENDING", "FAILED"], ["COMPLETED"]][n % 3] as StoreSearch["statuses"];
    const search = newSearch({ created: { start, end }, ...(statuses && { statuses }) });
    const bucketMs = [60_000, hourMs][n % 2]!;
    const counts = new Map<string, number>();
    for (const task of all.filter(fits(search))) {
      const at = Math.floor(task.createdAt.getTime() / bucketMs) * bucketMs;
      const key = `${task.type} ${task.queue} ${task.status} ${at}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const found = await listCounts(store, search, { time: "createdAt", bucketMs });
    expect({ search, bucketMs, counts: found.map((one) => [keyOf(one), one.count]).sort() }).toEqual({
      ...{ search, bucketMs, counts: [...counts].sort() },
    });
  }
});

test("parts of minutes in which very many tasks were created are counted too", async () => {
  const other = await takeTestSchema();
  const plain = createPostgresStore({ url: other.url });
  await plain.open();
  try {
    const minute = Math.floor(Date.now() / 60_000 - 10) * 60_000;
    const random = seeded(7);
    const tasks = Array.from({ length: 4_500 }, (_, n): TaskRecord => {
      const own = n % 9 === 0 ? { id: `order-${n}`, ownId: true } : {};
      return { ...recordAt(minute + n * 10, random), type: `type-${n % 15}`, ...own };
    });
    // The counts are folded with the last of them.
    for (let n = 0; n < tasks.length; n += 1_500) ok(await plain.writeRecords(tasks.slice(n, n + 1_500)));
    const [{ kept }] = await other.query(
      "SELECT (SELECT sum(part) FROM :schema.minute_tallies, unnest(tasks) AS part WHERE lane = 0)::integer AS kept",
    );
    expect(kept).toBe(4_500);
    for (const [start, end] of [
      [7, 30_000],
      [1_000, 1_250],
      [44_000, 61_000],
    ] as const) {
      const created = { start: minute + start, end: minute + end };
      const wanted = tasks.filter(({ createdAt }) => createdAt >= created.start && createdAt < created.end);
      expect(await countOf(plain.countTasks(newSearch({ created })))).toBe(wanted.length);
    }
  } finally {
    await plain.close();
    await other.drop();
  }
});

function keyOf({ type, queue, status, at }: TaskCount): string {
  return `${type} ${queue} ${status} ${at}`;
}

test("of tasks that lack the name of what is asked for, none but the last is sent, and others are found behind them", async () => {
  const other = await takeTestSchema();
  const plain = createPostgresStore({ url: other.url });
  const database = new Database(parseLocation(other.url));
  await plain.open();
  await database.open();
  try {
    const start = Date.now() - 10_000;
    const tasks = Array.from({ length: 1_500 }, (_, n) => {
      const payload = n % 500 === 0 || (n > 900 && n % 2 === 0) ? { order: { amount: n } } : { nothing: n };
      return newTasks(1, { createdAt: start + n, payload })[0]!;
    });
    ok(await plain.enqueueTasks(tasks));
    const amount = { of: "payload", path: ["order", "amount"] } as const;
    const where: Condition = { kind: "range", field: amount, from: { value: 3, isIncluded: true } };
    const wanted = tasks.filter((_, n) => n > 0 && (n % 500 === 0 || (n > 900 && n % 2 === 0)));
    for (const descending of [true, false]) {
      const search = newSearch({ where, descending, limit: 1_000 });
      const ids = (await tasksOf(plain.searchTasks(search))).map(({ id }) => id);
      expect(ids).toEqual((descending ? wanted.toReversed() : wanted).map(({ id }) => id));
      expect(await countOf(plain.countTasks(search))).toBe(wanted.length);
    }
    const oldest = newSearch({ descending: false, limit: 800 });
    const sent = await database.snapshot(async (session) => {
      const { pairs } = await outline(session, oldest);
      const { statement, values } = maybeStatement(
        oldest,
        pairs,
        { of: "payload", text: '"amount"' },
        100,
        1_000,
      );
      return session.query(statement, values);
    });
    expect(sent.map(([place, , id]) => [place, id])).toEqual(
      [1, 501, 800].map((place) => [place, tasks[place - 1]!.id]),
    );
  } finally {
    await database.close();
    await plain.close();
    await other.drop();
  }
});

test("numbers of a task between bounds are looked at by the server, and what is found is what a look at every task finds", async () => {
  const bounded = (name: "duration" | "wait" | "attempts", from: number, to: number): Condition => {
    const [least, most] = [from, to].map((value) => ({ value, isIncluded: false }));
    return { kind: "range", field: { of: "task", name }, from: least!, to: most! };
  };
  const database = new Database(parseLocation(schema.url));
  await database.open();
  try {
    for (const where of [
      bounded("duration", 60_000.5, 300_000),
      bounded("wait", 10_000, 200_000.5),
      bounded("attempts", -1, 1),
    ]) {
      const wanted = all.filter((task) => meets(where, { task })).map(({ id }) => id);
      const search = newSearch({ where, limit: 10_000 });
      expect((await tasksOf(store.searchTasks(search))).map(({ id }) => id)).toEqual(wanted);
      const sent = await database.snapshot(async (session) => {
        const { pairs } = await outline(session, search);
        const { statement, values } = maybeStatement(search, pairs, rowFilterOf(where)!, 10_000, 1_000);
        return session.query(statement, values);
      });
      const last = all.at(-1)!.id;
      expect(sent.map(([, , id]) => id)).toEqual(wanted.includes(last) ? wanted : [...wanted, last]);
      expect(wanted.length).toBeGreaterThan(10);
      expect(wanted.length).toBeLessThan(all.length);
    }
  } finally {
    await database.close();
  }
});

test("tasks of lanes and statuses that had none at the last search are found", async () => {
  const other = await takeTestSchema();
  const plain = createPostgresStore({ url: other.url });
  await plain.open();
  try {
    const search = newSearch({ types: ["resize-image"] });
    const found = async () => (await tasksOf(plain.searchTasks(search))).map(({ id }) => id);
    expect(await found()).toEqual([]);
    const at = Date.now();
    const [first, second, third] = ["a", "b", "a"].map(
      (queue, n) => newTasks(1, { queue, createdAt: at + n })[0]!,
    );
    ok(await plain.enqueueTasks([first!]));
    expect(await found()).toEqual([first!.id]);
    ok(await plain.enqueueTasks([second!]));
    expect(await found()).toEqual([second!.id, first!.id]);
    ok(await plain.registerWorker({ ...newWorker(), types: ["resize-image"] }));
    ok(await plain.claimTasks(claimRequest({ types: ["resize-image"], limit: 5 })));
    expect(await found()).toEqual([second!.id, first!.id]);
    ok(await plain.cancelTask(first!.id));
    ok(await plain.enqueueTasks([third!]));
    expect(await found()).toEqual([third!.id, second!.id, first!.id]);
    ok(await plain.cancelTask(third!.id));
    expect(await found()).toEqual([third!.id, second!.id, first!.id]);
    ok(await plain.deleteTask(third!.id));
    expect(await found()).toEqual([second!.id, first!.id]);
  } finally {
    await plain.close();
    await other.drop();
  }
});

test("where no id was chosen, the order of ids serves for the order of creation", async () => {
  const other = await takeTestSchema();
  const plain = createPostgresStore({ url: other.url });
  await plain.open();
  try {
    const start = Date.now() - 1_000;
    const tasks = Array.from({ length: 200 }, (_, n) => newTasks(1, { createdAt: start + (n % 40) })[0]!);
    ok(await plain.enqueueTasks(tasks));
    all = await tasksOf(plain.searchTasks(newSearch({ limit: 10_000 })));
    const places = ["00", "zz", all[70]!.id].map((id) => ({ value: start + 20, id, backwards: false }));
    const ranges = [undefined, { start: start + 7 }, { start: start - 5, end: start + 30 }];
    for (const sortBy of ["createdAt", "id"] as const)
      for (const descending of [true, false])
        for (const created of ranges)
          for (const after of [undefined, ...places]) {
            const search = newSearch({
              sortBy,
              descending,
              ...(created && { created }),
              ...(after && { after }),
            });
            const ids = (await tasksOf(plain.searchTasks({ ...search, offset: 3 }))).map(({ id }) => id);
            expect({ search, ids }).toEqual({ search, ids: plainly(search, 3) });
          }
  } finally {
    await plain.close();
    await other.drop();
  }
});

function took({ createdAt, updatedAt }: Task): number {
  return updatedAt.getTime() - createdAt.getTime();
}

function plainly(search: StoreSearch, offset: number): string[] {
  return all
    .filter(fits(search))
    .sort(comparator(search))
    .slice(offset, offset + search.limit)
    .map(({ id }) => id);
}

function fits(search: StoreSearch): (task: Task) => boolean {
  const { types, statuses, queues, created, updated, after } = search;
  const within = (range: StoreSearch["created"], at: Date) =>
    at.getTime() >= (range?.start ?? -Infinity) && at.getTime() < (range?.end ?? Infinity);
  return (task) =>
    (!types || types.includes(task.type)) &&
    (!statuses || statuses.includes(task.status)) &&
    (!queues || queues.includes(task.queue!)) &&
    within(created, task.createdAt) &&
    within(updated, task.updatedAt) &&
    (!after || comparator(search)(placeOf(search, after), task) < 0);
}

function placeOf(search: StoreSearch, after: NonNullable<StoreSearch["after"]>): Task {
  const key = search.sortBy === "updatedAt" ? "updatedAt" : "createdAt";
  return { id: after.id, [key]: new Date(after.value ?? 0) } as unknown as Task;
}

function comparator({ sortBy, descending }: StoreSearch): (a: Task, b: Task) => number {
  const sign = descending ? -1 : 1;
  if (sortBy === "id") return (a, b) => sign * compareText(a.id, b.id);
  return (a, b) =>
    sign * ((sortValueOf(sortBy, a) ?? 0) - (sortValueOf(sortBy, b) ?? 0) || compareText(a.id, b.id));
}

test("pages far behind, and counts, of any order and ranges agree with what is kept by the hour", async () => {
  const other = await takeTestSchema();
  const plain = createPostgresStore({ url: other.url });
  await plain.open();
  try {
    const random = seeded(5);
    const start = Date.now() - 5 * 24 * hourMs;
    const records = Array.from({ length: 4_000 }, (_, n) => recordAt(start + n * 104_000, random));
    ok(await plain.writeRecords(records));
    ok(await plain.registerWorker({ ...newWorker(), id: "worker-1" }));
    ok(await plain.claimTasks(claimRequest({ workerId: "worker-1", limit: 20 })));
    all = await tasksOf(plain.searchTasks(newSearch({ limit: 10_000 })));
    expect(all.filter((task) => took(task) > lateMs).length).toBeGreaterThan(100);
    const [early, late] = [start + 7.3 * hourMs, start + 100.6 * hourMs];
    const ranges = [
      undefined,
      { start: early },
      { end: late },
      { start: early, end: late },
      { start: early + hourMs, end: late + 9 * hourMs },
    ];
    for (const [n, created] of ranges.entries())
      for (const [m, updated] of ranges.entries())
        for (const sortBy of ["createdAt", "updatedAt", "id"] as const)
          for (const descending of [true, false]) {
            const statuses = [undefined, undefined, ["COMPLETED", "PENDING"]][
              (n + m) % 3
            ] as StoreSearch["statuses"];
            const search = newSearch({
              ...(created && { created }),
              ...(updated && { updated }),
              ...(statuses && { statuses }),
              ...{ sortBy, descending, limit: 20 },
            });
            const offset = 2_000 + Math.floor(random() * 900);
            const found = await tasksOf(plain.searchTasks({ ...search, offset }));
            expect({ search, offset, ids: found.map(({ id }) => id) }).toEqual({
              ...{ search, offset, ids: plainly(search, offset) },
            });
            expect(await countOf(plain.countTasks(search)), JSON.stringify(search)).toBe(
              all.filter(fits(search)).length,
            );
          }
  } finally {
    await plain.close();
    await other.drop();
  }
});

/** Some wait, some came back, and of the others some were changed hours and days after they were created. */
function recordAt(createdAt: number, random: () => number): TaskRecord {
  const fate = random();
  const tookMs = Math.floor(random() < 0.05 ? 70 * hourMs * random() : 0.7 * hourMs * random());
  const status = fate < 0.1 ? "PENDING" : fate < 0.9 ? "COMPLETED" : "CANCELLED";
  const isFresh = fate < 0.05;
  const updatedAt = isFresh ? createdAt : createdAt + tookMs;
  return {
    ...{ id: newId(createdAt), type: "resize-image", queue: "default", ownId: false, priority: 0 },
    ...{
      createdAt,
      dueAt: createdAt,
      updatedAt,
      maxAttempts: 3,
      snoozes: 0,
      crashes: 0,
      rerunAfterCrash: true,
    },
    ...{ status, payload: { json: "{}" }, history: [], version: isFresh ? 1 : 3 },
    ...{ attempts: isFresh ? 0 : 1, fence: isFresh ? 0 : 1 },
    ...(status !== "PENDING" && { startedAt: createdAt, completedAt: updatedAt, workerId: "worker-0" }),
    ...(status === "COMPLETED" && { result: { json: "1" } }),
  };
}
