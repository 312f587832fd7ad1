/** Pages far inside a list are found by counting; they must be those that reading all of it would give. */
import { expect, test } from "vitest";
import type { StoreSearch } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newWorker, settlementOf, startAt } from "../../support/builders.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

const count = 6_000;

test.each([
  { of: "chosen and generated ids", hasOwnIds: true },
  { of: "generated ids alone", hasOwnIds: false },
])("a page at any depth is the one that reading from the start comes to, of $of", async ({ hasOwnIds }) => {
  const clock = new TestClock();
  const store = createSqliteStore({ path: ":memory:", clock });
  await store.open();
  await store.registerWorker(newWorker());
  // Crowded at both ends, with one far from all others.
  const tasks = Array.from({ length: count }, (_, place) => {
    const ago = place % 3 === 0 ? place % 7 : 1_000_000 + (place % 1_000) * 37;
    const createdAt = startAt + 50_000_000 - (place === 17 ? 40_000_000 : ago);
    return newTask({
      createdAt,
      dueAt: createdAt,
      queue: place % 5 ? "default" : "mail",
      ...(hasOwnIds && place % 997 === 0 && { id: `own-${place}`, ownId: true }),
    });
  });
  await store.enqueueTasks(tasks);
  await clock.advance(50_000_000);
  for (let round = 0; round < 4; round += 1) {
    const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 500 })));
    await clock.advance(1_000);
    const outcomes = ["completed", "failed"] as const;
    await store.settleTasks(claimed.slice(100).map((one, place) => settlementOf(one, outcomes[place % 2]!)));
  }
  const whole: Partial<StoreSearch>[] = [{}, { created: { start: startAt + 48_000_000 } }];
  const filters: Partial<StoreSearch>[] = [
    ...whole,
    { statuses: ["PENDING"] },
    { queues: ["default"] },
    { queues: ["default"], created: { start: startAt + 48_000_000 } },
    { updated: { start: startAt + 48_500_000, end: startAt + 49_999_999 } },
  ];
  let pages = 0;
  for (const filter of hasOwnIds ? filters : whole) {
    for (const sortBy of ["createdAt", "updatedAt", "id"] as const) {
      for (const descending of [true, false]) {
        const search = newSearch({ ...filter, sortBy, descending, definitions: false });
        const all = (await store.searchTasks({ ...search, limit: count + 1 })).tasks.map(({ id }) => id);
        for (const offset of [1_999, 2_000, 2_637, 4_100, all.length - 3, all.length, count + 9]) {
          const { tasks: page } = await store.searchTasks({
            ...search,
            limit: 9,
            offset: Math.max(0, offset),
          });
          expect(
            page.map(({ id }) => id),
            JSON.stringify({ ...search, offset }),
          ).toEqual(all.slice(Math.max(0, offset), Math.max(0, offset) + 9));
          pages += 1;
        }
      }
    }
  }
  expect(pages).toBe(hasOwnIds ? 252 : 84);
  await store.close();
});
