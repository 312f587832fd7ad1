/** Tasks of a few priorities, in the order of their creation or of their ids, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { meets, sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newTasks, startAt } from "../support/builders.ts";
import { pagesOf } from "../support/search-pages.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const types = ["resize-image", "send-receipt", "nightly-report"];
const queues = ["default", "mail", "media"];
const priorities = [0, 7, 5, 0, -3, 7, 1, 1_000, -1_000, 2];

const priority = { of: "task", name: "priority" } as const;
const is = (...values: number[]): Condition => ({ kind: "equals", field: priority, values });
const between = (from?: number, to?: number): Condition => ({
  ...{ kind: "range", field: priority },
  ...(from !== undefined && { from: { value: from, isIncluded: true } }),
  ...(to !== undefined && { to: { value: to, isIncluded: false } }),
});
const both = (...parts: Condition[]): Condition => ({ kind: "and", parts });

onEachLastingStore("tasks of a few priorities", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    for (let place = 0; place < 240; place += 1) {
      const createdAt = startAt + Math.floor(place / 3) * 1_000;
      const facts = {
        ...{ createdAt, dueAt: createdAt, priority: priorities[(7 * place) % 10]! },
        ...{ type: types[place % 3]!, queue: queues[Math.floor(place / 5) % 3]! },
      };
      const [generated] = newTasks(1, facts);
      ok(await world.store.enqueueTasks([generated!]));
      if (place % 11 === 0) await world.store.cancelTask(generated!.id);
      if (place % 13 === 0) await world.store.editTask(generated!.id, { priority: 5 });
    }
    await world.clock.advance(100_000);
    await world.claim({ types, limit: 9 });
  });

  const asked: [where: Condition, filter: Partial<StoreSearch>][] = [
    [is(7), {}],
    [is(7, 5), { statuses: ["PENDING"] }],
    [between(5), { statuses: ["PENDING", "CANCELLED"] }],
    [between(undefined, 0), { types: [types[0]!, types[2]!] }],
    [both(between(2), between(undefined, 1_000)), { queues: ["mail"] }],
    [both(is(7, 5, 0), between(1)), { created: { start: startAt + 10_000, end: startAt + 70_000 } }],
    [both(is(5), { kind: "not", part: is(7) }), { updated: { start: startAt + 20_000 } }],
    [is(5), { updated: { end: startAt + 60_000 } }],
    [is(0, 7), {}],
    [between(-3, 3), {}],
    [is(4), {}],
    [both(is(7), is(5)), {}],
  ];

  test("a page at a time, both ways, and counted", () => checkPages(asked));

  test("the same beside tasks of chosen ids", async () => {
    const own = Array.from({ length: 60 }, (_, place) => {
      const createdAt = startAt + place * 1_300;
      const facts = { createdAt, dueAt: createdAt, priority: priorities[place % 10]! };
      return newTask({ ...facts, id: `own-${(7 * place) % 60}`, type: types[place % 3]! });
    });
    ok(await world.store.enqueueTasks(own));
    await checkPages(asked);
  });

  async function checkPages(
    asked: readonly [where: Condition, filter: Partial<StoreSearch>][],
  ): Promise<void> {
    all = (await world.store.searchTasks(newSearch({ limit: 1_000, definitions: false }))).tasks;
    for (const [where, filter] of asked) {
      for (const sortBy of ["createdAt", "id"] as const) {
        const oldestFirst = all
          .filter((task) => isWithin(filter, task) && meets(where, { task }))
          .sort((a, b) => compare(sortBy, a, b))
          .map(({ id }) => id);
        for (const descending of [true, false]) {
          const label = JSON.stringify({ where, filter, sortBy, descending });
          const wanted = descending ? oldestFirst.toReversed() : oldestFirst;
          const search = newSearch({ ...filter, where, sortBy, descending, limit: 7, definitions: false });
          expect(await pagesOf(world, search), label).toEqual(wanted);
          expect(await world.store.countTasks(search)).toEqual({ count: wanted.length, errorMax: 0 });
          const { tasks } = await world.store.searchTasks({ ...search, offset: 3 });
          expect(
            tasks.map(({ id }) => id),
            label,
          ).toEqual(wanted.slice(3, 10));
          const last = all.find(({ id }) => id === wanted.at(-1));
          if (!last) continue;
          const after = { value: sortValueOf(sortBy, last)!, id: last.id, backwards: true };
          expect(await pagesOf(world, { ...search, after }), label).toEqual(wanted.slice(0, -1).reverse());
        }
      }
    }
  }
});

function isWithin({ types, queues, statuses, created, updated }: Partial<StoreSearch>, task: Task): boolean {
  const isIn = (range: StoreSearch["created"], at: number) =>
    at >= (range?.start ?? Number.NEGATIVE_INFINITY) && at < (range?.end ?? Number.POSITIVE_INFINITY);
  return (
    (types?.includes(task.type) ?? true) &&
    (queues?.includes(task.queue!) ?? true) &&
    (statuses?.includes(task.status) ?? true) &&
    isIn(created, task.createdAt.getTime()) &&
    isIn(updated, task.updatedAt.getTime())
  );
}

function compare(sortBy: "createdAt" | "id", a: Task, b: Task): number {
  const at = sortBy === "id" ? 0 : a.createdAt.getTime() - b.createdAt.getTime();
  return at || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}
