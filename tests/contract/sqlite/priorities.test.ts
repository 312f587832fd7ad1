/** The most and the least urgent of many tasks are found without a look at all of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoreSearch, TaskStore } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTasks, startAt } from "../../support/builders.ts";
import { placeBehind } from "../../support/search-pages.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

/** One of so many has another priority than the others. */
describe.each([
  { name: "nearly all without a priority", priorityOf: (n: number) => (n % 40 === 0 ? (n % 3) - 1 : 0) },
  { name: "nearly all with one", priorityOf: (n: number) => (n % 40 === 0 ? 0 : 5 + (n % 2)) },
])("$name", ({ priorityOf }) => {
  const folder = mkdtempSync(join(tmpdir(), "dure-priorities-"));
  const tasks = Array.from({ length: 200 }, (_, second) =>
    newTasks(40, { createdAt: startAt + second * 1_000 }),
  )
    .flat()
    .map((task, n) => ({ ...task, priority: priorityOf(n), type: ["resize-image", "send-receipt"][n % 2]! }));
  let store: TaskStore;

  beforeAll(async () => {
    store = createSqliteStore({ path: join(folder, "tasks.db"), clock: new TestClock() });
    await store.open();
    ok(await store.enqueueTasks(tasks));
  });

  afterAll(async () => {
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([true, false])(
    "a page is whole when the budget is over at once (descending: %s)",
    async (descending) => {
      const sign = descending ? -1 : 1;
      const wanted = tasks
        .toSorted((a, b) => sign * (a.priority - b.priority || (a.id < b.id ? -1 : 1)))
        .map(({ id }) => id);
      const search = newSearch({
        sortBy: "priority",
        descending,
        limit: 20,
        budgetMs: 0,
        statuses: ["PENDING"],
      });
      // Where the first of the other priorities follow, too.
      for (const place of [0, 190, 7_790]) {
        const last = tasks.find(({ id }) => id === wanted[place - 1]);
        const after = last && { value: last.priority, id: last.id, backwards: false };
        const asked: StoreSearch = { ...search, ...(after && { after }) };
        const page = await store.searchTasks(asked);
        expect(page.isPartial).toBeUndefined();
        const found = await allOf(store, asked, 20);
        expect(found).toEqual(wanted.slice(place, place + 20));
      }
      expect(await store.explainSearch(search)).toMatchObject({
        source: "order",
        candidates: 20,
        isSorted: false,
      });
    },
  );
});

/** Goes on where a budget ended. */
async function allOf(store: TaskStore, search: StoreSearch, count: number): Promise<string[]> {
  const found: string[] = [];
  let { after } = search;
  while (found.length < count) {
    const { tasks, stoppedAt } = await store.searchTasks({ ...search, ...(after && { after }) });
    found.push(...tasks.map(({ id }) => id));
    const last = tasks.at(-1);
    if (!stoppedAt && !last) return found;
    after = placeBehind(stoppedAt ?? { value: last!.priority!, id: last!.id });
  }
  return found.slice(0, count);
}
