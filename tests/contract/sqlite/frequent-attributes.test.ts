/** Searches by values that a great share of the tasks has: by which index, in which order, tasks are looked for. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createDure, type Dure } from "../../../server/dure.ts";
import type { TaskSearchOptions } from "../../../server/tasks/core/search.ts";

/** More than are gathered to be sorted have the plan. */
const count = 45_000;
/** More than are counted at first are of the user. */
const ofUser = 1_500;

let dure: Dure;

beforeAll(async () => {
  dure = createDure({ database: ":memory:" });
  const sendReceipt = dure.defineTask("send-receipt", async () => undefined, {
    attributes: {
      plan: ({ n }: { n: number }) => (n % 2 ? "team" : "free"),
      user: ({ n }) => (n < ofUser ? 42 : n),
    },
  });
  const from = Date.now() + 1_000_000;
  await sendReceipt.enqueueMany(
    Array.from({ length: count }, (_, n) => ({
      payload: { n },
      priority: n % 7,
      runAt: new Date(from + ((n * 7_919) % count)),
    })),
  );
  // The index is filled behind the writes; what it does not have yet is counted beside it.
  const ofFree = async () => (await dure.explainSearch({ attributes: { plan: "free" } })).candidates;
  await vi.waitFor(async () => expect(await ofFree()).toBe(1_000), { timeout: 30_000 });
}, 60_000);
afterAll(() => dure.close());

const team = { attributes: { plan: "team" } };
const ofTeam = (payload: unknown) => (payload as { n: number }).n % 2 === 1;

test.each(["priority", "dueAt"] as const)("what many have is tested in the order of %s", async (sortBy) => {
  for (const sortOrder of ["asc", "desc"] as const) {
    const options: TaskSearchOptions = { ...team, sortBy, sortOrder, limit: 30 };
    const { source, isSorted } = await dure.explainSearch(options);
    expect([source, isSorted]).toEqual(["walk", false]);
    const { tasks, complete, nextCursor } = await dure.searchTaskPage(options);
    const all = await dure.searchTasks({ sortBy, sortOrder, limit: 100 });
    const expected = all.filter(({ payload }) => ofTeam(payload)).map(({ id }) => id);
    expect(tasks.map(({ id }) => id)).toEqual(expected.slice(0, 30));
    expect(complete).toBe(true);
    const next = await dure.searchTasks({ ...options, limit: 10, cursor: nextCursor });
    expect(next.map(({ id }) => id)).toEqual(expected.slice(30, 40));
  }
});

test("what fewer have is gathered and sorted", async () => {
  const options: TaskSearchOptions = { attributes: { user: 42 }, sortBy: "priority", limit: 1_000 };
  expect(await dure.explainSearch(options)).toMatchObject({ source: "attributes", isSorted: true });
  const { tasks, complete } = await dure.searchTaskPage({ ...options, offset: 1_000 });
  expect([tasks.length, complete]).toEqual([ofUser - 1_000, true]);
});

test.each(["createdAt", "priority"] as const)(
  "of two values that both are many, the one of fewer is asked first, by %s",
  async (sortBy) => {
    const options: TaskSearchOptions = { attributes: { plan: "team", user: 42 }, sortBy, limit: 1_000 };
    expect(await dure.explainSearch(options)).toMatchObject({ source: "attributes", of: "attribute user" });
    const { tasks, complete } = await dure.searchTaskPage(options);
    expect([tasks.length, complete]).toEqual([ofUser / 2, true]);
    expect(tasks.every(({ payload }) => ofTeam(payload))).toBe(true);
  },
);
