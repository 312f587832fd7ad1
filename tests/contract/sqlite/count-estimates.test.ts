/** Counts that the budget does not allow to end, of tasks that an index narrows a search down to: the share of these is not that of all. */
import { expect, test } from "vitest";
import type { Condition } from "../../../server/tasks/core/filters/condition.ts";
import { countTasks } from "../../../server/tasks/stores/sqlite/search/search-walk.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { readFileEachTest } from "../../support/read-file.ts";

const file = readFileEachTest();

/** Both included. */
function within(name: "priority" | "dueAt", from: number, to: number): Condition {
  const bound = (value: number) => ({ value, isIncluded: true });
  return { kind: "range", field: { of: "task", name }, from: bound(from), to: bound(to) };
}

test.each<[string, Condition, number]>([
  ["of a priority", within("priority", 1, 9), 400],
  ["due within a range", within("dueAt", startAt + 10_000, startAt + 19_999), 900],
])("%s", async (_name, where, real) => {
  const tasks = Array.from({ length: 40 }, (_, second) =>
    newTasks(100, { createdAt: startAt + second * 1_000 }),
  );
  await file.world.enqueue(
    ...tasks.flat().map((task, place) => {
      if (place % 10 > 0) return task;
      return { ...task, priority: 5, dueAt: startAt + 90_000_000 + place };
    }),
  );
  const search = newSearch({ statuses: ["PENDING"], where, limit: 500 });
  const countIn = (budgetMs?: number) =>
    file.reader.snapshot(() =>
      countTasks(file.reader, { ...search, ...(budgetMs !== undefined && { budgetMs }) }),
    );
  expect(countIn()).toEqual({ count: real, errorMax: 0 });
  const { count, errorMax } = countIn(0);
  expect(count - errorMax).toBeLessThanOrEqual(real);
  expect(count + errorMax).toBeGreaterThanOrEqual(real);
  expect(count).toBeLessThan(2 * real);
});
