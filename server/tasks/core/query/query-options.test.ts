import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../../dure.ts";
import type { TaskSearchOptions } from "../search.ts";

let dure: Dure;
beforeEach(() => {
  dure = createDure({ database: ":memory:" });
});
afterEach(() => dure.close());

test.each([
  'status:failed type:email* userId:42 duration:>30s attempts:>=3 tag:vip "ETIMEDOUT" -error:"rate limit" (queue:a OR queue:b) sort:updated',
  "payload.user.id:42 -has:result sort:+duration",
  "created:2026-11-01..2026-11-08",
  "김철수 -(tag:새로움 OR priority:..0)",
  "",
])("what %j asks for comes back as a query of the same", async (query) => {
  const options = await dure.parseQuery(query);
  const text = await dure.formatQuery(options);
  expect(await dure.formatQuery({ query })).toBe(text);
  expect(await dure.formatQuery(await dure.parseQuery(text!))).toBe(text);
});

test("a query is made of all filters and the order, whatever they are given by", async () => {
  await dure.saveSearch("late", { query: "due:<2026-11-01 status:pending sort:due" });
  const start = new Date(Date.UTC(2026, 10, 1));
  // The day begins where the machine is.
  const before = new Date(new Date(2026, 10, 1).getTime() - 1).toISOString();
  expect(
    await dure.formatQuery({ query: "@late tag:vip", createdAtRange: { start }, sortOrder: "asc", limit: 5 }),
  ).toBe(`due:..${before} status:pending tag:vip created:2026-11-01T00:00:00.000Z.. sort:+due`);
  const { sortBy, status } = await dure.parseQuery("@late");
  expect({ sortBy, status }).toEqual({ sortBy: "dueAt", status: ["PENDING"] });
});

test("what no query can say has none, and what no search takes is refused", async () => {
  expect(await dure.formatQuery({ error: "mailbox full" })).toBeUndefined();
  await expect(dure.formatQuery({ statu: "FAILED" } as TaskSearchOptions)).rejects.toThrow(
    /Did you mean "status"/,
  );
  await expect(dure.parseQuery("statu:failed")).rejects.toMatchObject({ code: "INVALID_QUERY" });
  await expect(dure.parseQuery(5 as unknown as string)).rejects.toThrow(/text is 5; expected a string/);
});
