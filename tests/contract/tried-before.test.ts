/** Searches for tasks that were claimed or lost with a worker before, in any order, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { meets, sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newTasks, startAt } from "../support/builders.ts";
import { pagesOf } from "../support/search-pages.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const types = ["resize-image", "send-receipt", "nightly-report"];
const bound = (name: "attempts" | "crashes", value: number, isIncluded = true): Condition => ({
  ...{ kind: "range", field: { of: "task", name } },
  from: { value, isIncluded },
});
const is = (name: "attempts" | "crashes", ...values: number[]): Condition => ({
  ...{ kind: "equals", field: { of: "task", name } },
  values,
});

onEachLastingStore("tasks that were tried before", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    ok(await world.store.enqueueTasks([newTask({ type: types[0]! })]));
    const [sample] = await world.store.readRecords({ limit: 1 });
    const records = Array.from({ length: 90 }, (_, place): TaskRecord => {
      const createdAt = startAt + place * 1_000;
      const { id } = newTasks(1, { createdAt })[0]!;
      const attempts = place % 3;
      return {
        ...{ ...sample!, id, ownId: false, type: types[place % 3 === 0 ? 0 : place % 2]! },
        ...{ createdAt, updatedAt: createdAt + (attempts > 0 ? 70_000 : 0), priority: place % 4 },
        ...{ dueAt: createdAt + (place % 5) * 20_000, attempts, fence: attempts },
        ...{ version: attempts > 0 ? 3 : 1, crashes: attempts > 1 ? place % 2 : 0 },
        ...(attempts > 0 && { startedAt: createdAt + 1_000 }),
      };
    });
    ok(await world.store.writeRecords(records));
    await world.clock.advance(200_000);
    await world.claim({ types, limit: 8 });
    all = (await world.store.searchTasks(newSearch({ limit: 1_000, definitions: false }))).tasks;
  });

  const asked: [where: Condition, filter: Partial<StoreSearch>][] = [
    [bound("attempts", 1), { statuses: ["PENDING"] }],
    [bound("attempts", 0, false), { statuses: ["PENDING", "RUNNING"] }],
    [is("attempts", 1, 2), { statuses: ["PENDING"], types: types.slice(1) }],
    [bound("crashes", 1), { statuses: ["PENDING"] }],
    [{ kind: "and", parts: [is("crashes", 0), bound("attempts", 2)] }, {}],
    [bound("attempts", 1), { created: { start: startAt + 20_000, end: startAt + 70_000 } }],
    [bound("attempts", 1), { updated: { start: startAt + 100_000 } }],
    [is("attempts", 0, 1), { statuses: ["PENDING"] }],
    [{ kind: "not", part: bound("attempts", 1) }, { statuses: ["PENDING"] }],
  ];

  test.each([true, false])(
    "a page at a time, and counted (those that ended beside: %s)",
    async (haveEnded) => {
      if (haveEnded) {
        for (const task of all.filter(({ status }) => status === "PENDING").slice(0, 9))
          await world.store.cancelTask(task.id);
        all = (await world.store.searchTasks(newSearch({ limit: 1_000, definitions: false }))).tasks;
      }
      for (const [where, filter] of asked) {
        const fitting = all.filter((task) => isWithin(filter, task) && meets(where, { task }));
        expect(fitting.length).toBeGreaterThan(4);
        for (const sortBy of ["createdAt", "updatedAt", "id", "dueAt", "priority"] as const) {
          const descending = sortBy !== "updatedAt";
          const search = newSearch({ ...filter, where, sortBy, descending, limit: 9, definitions: false });
          const value = (task: Task) => (sortBy === "id" ? 0 : Number(sortValueOf(sortBy, task)));
          const sign = descending ? -1 : 1;
          const wanted = fitting
            .toSorted((a, b) => sign * (value(a) - value(b) || (a.id < b.id ? -1 : 1)))
            .map(({ id }) => id);
          expect(await pagesOf(world, search), JSON.stringify(search)).toEqual(wanted);
          expect(await world.store.countTasks(search)).toEqual({ count: wanted.length, errorMax: 0 });
        }
      }
    },
  );
});

function isWithin({ types, statuses, created, updated }: Partial<StoreSearch>, task: Task): boolean {
  const isIn = (range: StoreSearch["created"], at: Date) =>
    at.getTime() >= (range?.start ?? Number.NEGATIVE_INFINITY) &&
    at.getTime() < (range?.end ?? Number.POSITIVE_INFINITY);
  return (
    (types?.includes(task.type) ?? true) &&
    (statuses?.includes(task.status) ?? true) &&
    isIn(created, task.createdAt) &&
    isIn(updated, task.updatedAt)
  );
}
