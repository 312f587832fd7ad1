/** The orders by start and by due time, which no index has by itself, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { foundInTime, pagesOf } from "../support/search-pages.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const types = ["resize-image", "send-receipt"];

onEachLastingStore("near orders", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    all = await fill(world);
  });

  test("a page at a time, both ways, whatever the filters", async () => {
    for (const sortBy of ["startedAt", "dueAt"] as const) {
      for (const [place, [filter, fits]] of filtersOf(all).entries()) {
        for (const descending of place === 0 ? [true, false] : [place % 2 === (sortBy === "dueAt" ? 0 : 1)]) {
          const wanted = ordered(all.filter(fits), sortBy, descending);
          expect(wanted.length).toBeGreaterThan(0);
          const search = newSearch({ ...filter, sortBy, descending, limit: [5, 11, 30][place % 3]! });
          const forth = await pagesOf(world, search);
          expect(forth, `${sortBy} ${descending} ${JSON.stringify(filter)}`).toEqual(wanted);
          const back = await pagesOf(world, { ...search, after: placeAfter(all, wanted, search) });
          expect(back).toEqual(wanted.slice(0, -1).reverse());
          const offset = Math.floor(wanted.length / 2);
          const { tasks } = await world.store.searchTasks({ ...search, offset });
          expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(offset, offset + search.limit));
        }
      }
    }
  }, 60_000);

  test("beside a range of another instant, also those that started and ended oddly", async () => {
    const records = await oddRecords(world);
    ok(await world.store.writeRecords(records));
    all = (await world.store.searchTasks(newSearch({ limit: 1_000, definitions: false }))).tasks;
    const at = (share: number) => startAt + Math.floor(share * oddSpanMs);
    const ranges: Pick<StoreSearch, "created" | "updated">[] = [
      { created: { start: at(0.3), end: at(0.8) } },
      { updated: { start: at(0.3), end: at(0.8) } },
      { created: { start: at(0.2) }, updated: { end: at(0.9) } },
      { created: { end: at(0.8) }, updated: { start: at(0.1) } },
    ];
    for (const [place, range] of ranges.entries()) {
      for (const sortBy of ["startedAt", "dueAt"] as const) {
        const descending = (place % 2 === 0) === (sortBy === "dueAt");
        const search = newSearch({ ...range, sortBy, descending, limit: 6 });
        const fits = (task: Task) =>
          isIn(range.created, task.createdAt) && isIn(range.updated, task.updatedAt);
        const wanted = ordered(all.filter(fits), sortBy, descending);
        expect(wanted.length).toBeGreaterThan(60);
        const asked = JSON.stringify({ range, sortBy, descending });
        expect(await pagesOf(world, search), asked).toEqual(wanted);
        const back = await pagesOf(world, { ...search, after: placeAfter(all, wanted, search) });
        expect(back, asked).toEqual(wanted.slice(0, -1).reverse());
      }
    }
  }, 60_000);

  test("thousands that ran within one second: a search goes on where its budget ended, both ways", async () => {
    const records = await denseRecords(world, (n) => (7_919 * n) % 900);
    ok(await world.store.writeRecords(records));
    const ids = records.map(({ id }) => id);
    for (const descending of [true, false]) {
      const search = newSearch({ types: ["dense"], sortBy: "startedAt", descending, limit: 500 });
      const wanted = descending ? ids.toReversed() : ids;
      expect(await foundInTime(world, search)).toEqual(wanted);
      const last = descending ? records[0]! : records.at(-1)!;
      const after = { value: last.startedAt!, id: last.id, backwards: true };
      expect(await foundInTime(world, { ...search, after })).toEqual(wanted.slice(0, -1).reverse());
    }
  });

  test("thousands that ran within one second: each page goes on where the last one ended", async () => {
    const records = await denseRecords(world, () => 1);
    ok(await world.store.writeRecords(records));
    const ids = records.map(({ id }) => id);
    for (const descending of [true, false]) {
      const wanted = descending ? ids.toReversed() : ids;
      const search = newSearch({ types: ["dense"], sortBy: "startedAt", descending, limit: 250 });
      expect(await pagesOf(world, search)).toEqual(wanted);
      const { tasks } = await world.store.searchTasks({ ...search, offset: 2_200 });
      expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(2_200));
    }
  });
});

type Order = "startedAt" | "dueAt";

const oddSpanMs = 20_000_000;

function isIn(
  { start = -Infinity, end = Infinity }: { start?: number; end?: number } = {},
  at: Date,
): boolean {
  return at.getTime() >= start && at.getTime() < end;
}

/** Over five hours: tasks that waited, ran and stayed as they were for more than an hour, or whose clock went back. */
async function oddRecords(world: World): Promise<TaskRecord[]> {
  const random = () => world.clock.random();
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const { id: _id, ...sample } = (await world.store.readRecords({ limit: 500 })).find(
    ({ status }) => status === "COMPLETED",
  )!;
  const spans = [0, 1, 30, 999, 1_000, 60_000, 3_599_999, 3_600_000, 3_600_001, 5_000_000];
  return Array.from({ length: 160 }, (_, n): TaskRecord => {
    const createdAt = startAt + Math.floor(random() * oddSpanMs);
    const startedAt = createdAt + pick([...spans, -1, -5_000]);
    const updatedAt = Math.max(createdAt, startedAt + pick([...spans, -1, -5_000]));
    const dueAt = createdAt + pick([0, 0, -1_000, 2_000, 4_000_000]);
    const times = { createdAt, startedAt, updatedAt, dueAt };
    const id = `odd-${String(n).padStart(3, "0")}`;
    const shared = { ...sample, ...times, type: types[n % 2]!, id, ownId: true };
    const status = pick(["COMPLETED", "FAILED", "CANCELLED", "PENDING"] as const);
    if (status !== "PENDING") return { ...shared, status, completedAt: updatedAt };
    const { completedAt: _completedAt, result: _result, ...waiting } = shared;
    return { ...waiting, status };
  });
}

function ordered(tasks: readonly Task[], sortBy: Order, descending: boolean): string[] {
  const sign = descending ? -1 : 1;
  const order = (a: Task, b: Task) => a[sortBy]!.getTime() - b[sortBy]!.getTime() || (a.id < b.id ? -1 : 1);
  return tasks
    .filter((task) => task[sortBy])
    .sort((a, b) => sign * order(a, b))
    .map(({ id }) => id);
}

function placeAfter(all: readonly Task[], wanted: readonly string[], { sortBy }: StoreSearch) {
  const last = all.find(({ id }) => id === wanted.at(-1))!;
  return { value: sortValueOf(sortBy, last)!, id: last.id, backwards: true };
}

/** 2,400 that started within 800 ms, in the order of their ids. */
async function denseRecords(world: World, runMs: (n: number) => number): Promise<TaskRecord[]> {
  const sample = (await world.store.readRecords({ limit: 500 })).find(
    ({ status }) => status === "COMPLETED",
  )!;
  return Array.from({ length: 2_400 }, (_, n) => {
    const startedAt = startAt + 1_000_000 + Math.floor(n / 3);
    const updatedAt = startedAt + runMs(n);
    const id = `dense-${String(n).padStart(4, "0")}`;
    return { ...sample, startedAt, updatedAt, completedAt: updatedAt, type: "dense", id };
  });
}

function filtersOf(all: readonly Task[]): [Partial<StoreSearch>, (task: Task) => boolean][] {
  const at = (task: Task, name: "createdAt" | "updatedAt") => task[name].getTime();
  const created = at(all[Math.floor(all.length / 3)]!, "createdAt");
  const updated = all.map((task) => at(task, "updatedAt")).sort()[Math.floor(all.length / 3)]!;
  const priority: Condition = { kind: "equals", field: { of: "task", name: "priority" }, values: [5] };
  const started: Condition = {
    kind: "range",
    field: { of: "task", name: "startedAt" },
    from: { value: startAt + 4_000, isIncluded: false },
    to: { value: startAt + 40_000, isIncluded: true },
  };
  return [
    [{}, () => true],
    [{ types: ["send-receipt"] }, ({ type }) => type === "send-receipt"],
    [{ statuses: ["PENDING"] }, ({ status }) => status === "PENDING"],
    [{ statuses: ["COMPLETED", "RUNNING"] }, ({ status }) => status === "COMPLETED" || status === "RUNNING"],
    [
      { queues: ["mail"], statuses: ["FAILED", "CANCELLED", "PENDING"] },
      ({ queue, status }) => {
        return queue === "mail" && status !== "COMPLETED" && status !== "RUNNING";
      },
    ],
    [{ created: { start: created } }, (task) => at(task, "createdAt") >= created],
    [{ created: { end: created } }, (task) => at(task, "createdAt") < created],
    [{ updated: { start: updated } }, (task) => at(task, "updatedAt") >= updated],
    [{ updated: { end: updated } }, (task) => at(task, "updatedAt") < updated],
    [{ where: priority }, (task) => task.priority === 5],
    [
      { where: started },
      ({ startedAt: start }) => {
        return (
          start !== undefined && start.getTime() > startAt + 4_000 && start.getTime() <= startAt + 40_000
        );
      },
    ],
  ];
}

/** Quick and slow ones, some retried, delayed, cancelled, some that wait for one instant; chosen ids; a lost worker's. */
async function fill(world: World): Promise<Task[]> {
  const random = () => world.clock.random();
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const make = (n: number) => {
    const createdAt = world.clock.now();
    return newTask({
      ...(n % 5 === 0 && { id: pick([`own-${n}`, `z${n}`, `리포트-${n}`]) }),
      ...{
        type: pick(types),
        queue: pick(["default", "mail"]),
        priority: pick([0, 0, 5]),
        maxAttempts: 3,
        createdAt,
      },
      dueAt: createdAt + pick([0, 0, 0, -500, 2_000, 60_000]),
    });
  };
  for (let round = 0; round < 12; round += 1) {
    await world.enqueue(...Array.from({ length: 12 }, (_, n) => make(round * 12 + n)));
    await world.clock.advance(pick([0, 1, 400]));
    for (const one of (await world.claim({ types, limit: 7 })).slice(0, 6)) {
      await world.clock.advance(pick([0, 1, 30, 999, 1_000, 1_001, 4_000]));
      const outcome = pick([
        "completed",
        "completed",
        "completed",
        "failed",
        "cancelled",
        "snoozed",
        "released",
      ] as const);
      await world.settle(one, outcome, outcome === "snoozed" ? { retryAt: world.clock.now() + 5_000 } : {});
    }
  }
  // Many that are due at once, in lines of two priorities, and some that come to wait again.
  const dueAt = world.clock.now() + 90_000;
  const together = Array.from({ length: 70 }, (_, n) =>
    newTask({ dueAt, priority: n % 2, type: types[n % 2]! }),
  );
  await world.enqueue(...together.reverse());
  const search = newSearch({ limit: 1_000, definitions: false });
  const ended = (await world.store.searchTasks({ ...search, statuses: ["CANCELLED"] })).tasks;
  for (const { id } of ended.slice(0, 2)) await world.store.retryTask(id);
  await world.store.cancelTask(together[3]!.id);
  return (await world.store.searchTasks(search)).tasks;
}
