/** Saved searches of an instance: what may be saved, and where `@name` is understood. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "./dure.ts";

let dure: Dure;

beforeEach(async () => {
  dure = createDure({ database: ":memory:", logger: { info() {}, warn() {}, error() {} } });
  for (const type of ["send-receipt", "page"]) dure.defineTask(type, async () => undefined);
  for (let order = 0; order < 6; order += 1)
    await dure.enqueueTask("send-receipt", { order }, { tags: order % 2 === 0 ? ["even"] : [] });
  await dure.enqueueTask("page", {});
});
afterEach(() => dure.close());

const orders = async (query: string, more = {}) =>
  (await dure.searchTasks({ query, definitions: false, ...more })).map(({ payload }) => payload.order);

test("a saved search stands for its query wherever one is taken", async () => {
  await dure.saveSearch("receipts", { query: "type:send-receipt sort:+created" });
  await dure.saveSearch("even", { query: "@receipts tag:even" });
  expect(await orders("@receipts")).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await orders("@even payload.order:>0")).toEqual([2, 4]);
  expect(await orders("@receipts -@even", { sortOrder: "desc" })).toEqual([5, 3, 1]);
  expect(await dure.countTasks({ query: "@even" })).toBe(3);
  expect((await dure.summarizeTasks({ query: "-@even", by: "type" })).groups).toEqual([
    { type: "send-receipt", count: 3 },
    { type: "page", count: 1 },
  ]);
  const { matched, sample } = await dure.actOnTasks({ query: "@even" }, "cancel", { dryRun: true });
  expect([matched, sample.length]).toEqual([3, 3]);
  const { payload, description } = await dure.startAction({ query: "@even" }, "cancel");
  expect(payload.query).toMatch(/^type:send-receipt tag:even/);
  expect(description).toMatch(/^cancel: type:send-receipt tag:even/);
});

test("a saved search of every task is met by each, also where it stands beside others", async () => {
  await dure.saveSearch("all", { query: "type:*" });
  expect(await dure.countTasks({ query: "@all" })).toBe(7);
  expect(await dure.countTasks({ query: "@all OR tag:even" })).toBe(7);
  expect(await dure.countTasks({ query: "-@all" })).toBe(0);
});

test("the pages of a search that was changed meanwhile are of another search", async () => {
  await dure.saveSearch("receipts", { query: "type:send-receipt" });
  const page = await dure.searchTaskPage({ query: "@receipts", limit: 2, definitions: false });
  const next = { query: "@receipts", limit: 2, definitions: false, cursor: page.nextCursor! };
  expect((await dure.searchTaskPage(next)).tasks).toHaveLength(2);
  await dure.saveSearch("receipts", { query: "type:send-receipt tag:even" });
  await expect(dure.searchTaskPage(next)).rejects.toMatchObject({ code: "INVALID_CURSOR" });
});

test("what is left out stays as it was, and null takes it away", async () => {
  const alert = { over: 5, for: "5m", enqueue: { type: "page", payload: { team: "mail" } } };
  await dure.saveSearch("receipts", { query: "type:send-receipt", description: "All of them", alert });
  const changed = await dure.saveSearch("receipts", { query: "type:send-receipt tag:even" });
  expect(changed).toMatchObject({ description: "All of them", alert, query: "type:send-receipt tag:even" });
  await dure.saveSearch("receipts", { query: "tag:even", description: null, alert: null });
  const [search, ...others] = await dure.listSearches();
  expect(others).toEqual([]);
  expect(search).toEqual({
    ...{ name: "receipts", query: "tag:even" },
    ...{ createdAt: expect.any(Date), updatedAt: expect.any(Date) },
  });
});

test("an unknown name is refused with what is near it", async () => {
  await dure.saveSearch("stuck-emails", { query: "status:pending" });
  await expect(dure.searchTasks({ query: "@stuck-email" })).rejects.toThrow(
    /no search is saved as "stuck-email"\. Did you mean "stuck-emails"\?/,
  );
  await expect(dure.deleteSearch("stuck-emial")).rejects.toMatchObject({
    code: "SEARCH_NOT_FOUND",
    message: 'No search is saved as "stuck-emial". Did you mean "stuck-emails"?',
  });
  await dure.deleteSearch("stuck-emails");
  expect(await dure.listSearches()).toEqual([]);
});

test.each([
  ["cannot be read", { query: "statsu:failed" }, "INVALID_QUERY"],
  ["has an unknown search in it", { query: "@nobody" }, "INVALID_QUERY"],
  ["has itself in it", { query: "tag:a @mine" }, "INVALID_QUERY"],
  ["is none", {}, "INVALID_OPTION"],
  ["is too long", { query: "a".repeat(10_001) }, "INVALID_OPTION"],
  ["holds what no database keeps", { query: 'tag:"\0"' }, "INVALID_OPTION"],
])("a query that %s is not saved", async (_what, options, code) => {
  await expect(dure.saveSearch("mine", options as never)).rejects.toMatchObject({ code });
  expect(await dure.listSearches()).toEqual([]);
});

test("searches that stand in each other are not saved", async () => {
  await dure.saveSearch("a", { query: "tag:x" });
  await dure.saveSearch("b", { query: "@a" });
  await expect(dure.saveSearch("a", { query: "@b" })).rejects.toThrow(/@a → @b → @a/);
});

test.each(["", "a b", "@a", "x".repeat(65), "a(b", "a\n", 7])("%j is no name", async (name) => {
  await expect(dure.saveSearch(name as string, { query: "type:*" })).rejects.toMatchObject({
    code: "INVALID_ID",
  });
});

const enqueue = { type: "page" };
test.each([
  ["has no bound", { enqueue }, /no bound/],
  ["enqueues nothing", { over: 1 }, /enqueue is missing/],
  ["is always out of bounds", { over: 1, under: 3, enqueue }, /so always/],
  ["waits too long", { over: 1, for: "31d", enqueue }, /30d/],
  ["has a bound that is no count", { over: -1, enqueue }, /over is -1/],
  ["has a payload that is no object", { over: 1, enqueue: { ...enqueue, payload: [1] } }, /an object/],
  ["has something unknown", { over: 1, enqueue, every: "1m" }, /"every" is no option/],
  ["enqueues what nobody defines", { over: 1, enqueue: { type: "pgae" } }, /Did you mean "page"\?/],
  ["enqueues an action", { over: 1, enqueue: { type: "dure.act-on-tasks" } }, /No task "dure.act-on-tasks"/],
])("an alert that %s is refused", async (_what, alert, problem) => {
  await expect(dure.saveSearch("mine", { query: "type:*", alert } as never)).rejects.toThrow(problem);
});

test("a running worker looks at the rules by itself", async () => {
  const paged = Promise.withResolvers<any>();
  dure.defineTask("call-somebody", async ({ payload }) => paged.resolve(payload));
  await dure.saveSearch("any", {
    query: "type:send-receipt",
    alert: { over: 3, enqueue: { type: "call-somebody" } },
  });
  await dure.start();
  expect(await paged.promise).toMatchObject({ search: "any", count: 6, rule: { over: 3 } });
});
