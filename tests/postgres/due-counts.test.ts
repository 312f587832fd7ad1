/** Counts within a budget of what is due within a range, where that is more than is looked up: as good as they say. */
import { expect, test, vi } from "vitest";
import { newSearch, newTasks, startAt } from "../support/builders.ts";
import { schemaStoreForAll } from "../support/schema-store.ts";
import { ok } from "../support/stores.ts";

vi.mock(import("../../server/tasks/stores/shared/due-ranges.ts"), async (original) => ({
  ...(await original()),
  delayedMax: 300 as never,
}));

const [tasks, dueAt] = [6_000, startAt + 90_000_000];
const of = schemaStoreForAll(async (store) => {
  const all = newTasks(tasks).map((task, n) => (n % 2 === 0 ? task : { ...task, dueAt: dueAt + n }));
  ok(await store.enqueueTasks(all));
});

test("a count that its budget ends says how far it may be off", async () => {
  const search = newSearch({
    statuses: ["PENDING"],
    where: {
      ...{ kind: "range", field: { of: "task", name: "dueAt" } },
      ...{ from: { value: dueAt, isIncluded: true }, to: { value: dueAt + tasks, isIncluded: true } },
    },
  });
  expect(await of.store.countTasks(search)).toEqual({ count: tasks / 2, errorMax: 0 });
  for (let budgetMs = 1; budgetMs < 120; budgetMs += 2) {
    const { count, errorMax } = await of.store.countTasks({ ...search, budgetMs });
    expect(count + errorMax, `${budgetMs} ms`).toBeGreaterThanOrEqual(tasks / 2);
  }
});
