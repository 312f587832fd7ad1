/** Pages far inside a list are found by counting; they must be those that reading all of it would give. */
import { expect, test } from "vitest";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { newDefinition, newSearch, newTask, settlementOf, startAt } from "../support/builders.ts";
import { claimRequest, ok, onEachLastingStore } from "../support/stores.ts";

const count = 6_000;
const hourMs = 3_600_000;
const outcomes = ["completed", "failed", "snoozed"] as const;

onEachLastingStore("pages far inside a list", (world) => {
  test.each([
    { of: "chosen and generated ids", hasOwnIds: true },
    { of: "generated ids alone", hasOwnIds: false },
  ])(
    "a page at any depth is the one that reading from the start comes to, of $of",
    async ({ hasOwnIds }) => {
      const { clock, store } = world;
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
        await store.settleTasks(
          claimed.slice(100).map((one, place) => settlementOf(one, outcomes[place % 2]!)),
        );
      }
      const whole: Partial<StoreSearch>[] = [{}, { created: { start: startAt + 48_000_000 } }];
      const filters: Partial<StoreSearch>[] = [
        ...whole,
        { statuses: ["PENDING"] },
        { queues: ["default"] },
        { queues: ["default"], created: { start: startAt + 48_000_000 } },
        { updated: { start: startAt + 48_500_000, end: startAt + 49_999_999 } },
      ];
      const pages = await expectPages(store, hasOwnIds ? filters : whole, [1_999, 2_000, 4_100]);
      expect(pages).toBe(hasOwnIds ? 216 : 72);
    },
    240_000,
  );

  test("so is one with a range of the other instant, whether tasks ended soon, late or not yet", async () => {
    const { clock, store } = world;
    // Ten hours with 500 tasks each; a fifth of those that come are left for hours later, or for ever.
    for (let hour = 0; hour < 10; hour += 1) {
      const tasks = Array.from({ length: 500 }, (_, place) => {
        const createdAt = startAt + hour * hourMs + place * 7_000;
        const isLeft = place % 5 === 0 && hour < 9;
        return newTask({
          createdAt,
          dueAt: isLeft ? createdAt + (2 + (place % 4)) * hourMs : createdAt,
          queue: place % 3 ? "default" : "mail",
        });
      });
      await store.enqueueTasks(tasks);
      for (let part = 0; part < 6; part += 1) {
        await clock.advance(hourMs / 6);
        const { claimed } = ok(await store.claimTasks(claimRequest({ limit: 100 })));
        const ended = claimed.slice(part === 5 ? 20 : 0);
        const retryAt = startAt + (hour + 2 + part) * hourMs;
        await store.settleTasks(
          ended.map((one, place) => {
            const outcome = outcomes[place % 3]!;
            return settlementOf(one, outcome, outcome === "snoozed" ? { retryAt } : {});
          }),
        );
      }
    }
    const at = (hours: number) => startAt + Math.floor(hours * hourMs) + 12_345;
    const filters: Partial<StoreSearch>[] = [
      { created: { start: at(1.3) } },
      { updated: { end: at(7.6) } },
      { created: { start: at(0.2), end: at(8.4) }, queues: ["default"] },
      { updated: { start: at(0.2), end: at(8.4) }, statuses: ["COMPLETED", "PENDING"] },
      { created: { start: at(0.5), end: at(8.4) }, updated: { start: at(2), end: at(9) } },
    ];
    const pages = await expectPages(store, filters, [2_000, 2_345, 2_900]);
    expect(pages).toBe(180);
  }, 240_000);

  test("so is one with definitions among the tasks, which lie by their names in the order of ids", async () => {
    const { clock, store } = world;
    await clock.advance(hourMs);
    ok(await store.saveDefinitions(["0-first", "nightly-report", "send-receipt"].map(newDefinition)));
    await store.enqueueTasks(
      Array.from({ length: 4_000 }, (_, place) => newTask({ createdAt: startAt + place * 2_000 })),
    );
    const filters: Partial<StoreSearch>[] = [
      {},
      { statuses: ["PENDING"] },
      { created: { start: startAt + 1 } },
    ];
    const pages = await expectPages(
      store,
      filters.map((filter) => ({ ...filter, definitions: true })),
      [2_000, 2_002, 3_500],
    );
    expect(pages).toBe(108);
  }, 240_000);
});

/** Each order of each filter, at each offset and at the end. Answers how many pages that were. */
async function expectPages(
  store: TaskStore,
  filters: readonly Partial<StoreSearch>[],
  offsets: readonly number[],
): Promise<number> {
  let pages = 0;
  for (const filter of filters) {
    for (const sortBy of ["createdAt", "updatedAt", "id"] as const) {
      const whole = newSearch({ ...filter, sortBy, descending: true, limit: count + 1 });
      const newestFirst = (await store.searchTasks(whole)).tasks.map(({ id }) => id);
      for (const descending of [true, false]) {
        const search = newSearch({ ...filter, sortBy, descending });
        const all = descending ? newestFirst : newestFirst.toReversed();
        for (const offset of [...offsets, all.length - 3, all.length, count + 9]) {
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
  return pages;
}
