/** How an answer of the store becomes a page. */
import { expect, test } from "vitest";
import { newSearch } from "../../../tests/support/builders.ts";
import { createDure } from "../../dure.ts";
import { toPage } from "./find.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { Task } from "./task.ts";

const task = (id: string, at: number) => ({ id, createdAt: new Date(at) }) as Task;
const search = newSearch({ limit: 2 });

test("a page that judged tasks without an attribute is not complete, and says so", () => {
  const page = toPage({ tasks: [], unfilled: 12_000 }, search, "");
  expect(page).toMatchObject({ tasks: [], complete: false, unfilled: 12_000 });
  expect(page.hint).toContain("About 12,000 tasks");
});

test("a page is not complete while texts wait to be indexed, and goes on all the same", () => {
  const tasks = [task("c", 3), task("b", 2), task("a", 1)];
  const page = toPage({ tasks, unindexed: 12_000 }, search, "");
  expect(page).toMatchObject({ complete: false, unindexed: 12_000, nextCursor: expect.any(String) });
  expect(page.tasks.map(({ id }) => id)).toEqual(["c", "b"]);
  expect(page.hint).toMatch(/^The texts of about 12,000 tasks are not indexed yet/);
  expect(page.hint).not.toContain("longer budget");
  const last = toPage({ tasks: [], unindexed: 1 }, search, "");
  expect(last).toEqual({ tasks: [], complete: false, unindexed: 1, hint: expect.any(String) });
});

test("one that is cut by its budget as well says both", () => {
  const page = toPage({ tasks: [], unindexed: 5, stoppedAt: { value: 7, id: "x" } }, search, "");
  expect(page).toMatchObject({ complete: false, unindexed: 5, searchedBackTo: new Date(7) });
  expect(page.hint).toMatch(/not indexed yet.* longer budget\.$/);
});

test("a full page is complete though the search would have gone on", () => {
  const page = toPage({ tasks: [task("c", 3), task("b", 2), task("a", 1)] }, search, "");
  expect(page).toMatchObject({ complete: true, nextCursor: expect.any(String) });
  expect(page).not.toHaveProperty("hint");
});

test("from a page that came no further no cursor leads back past the task that the page before ends with", () => {
  const after = { value: 7, id: "x", backwards: false };
  const stopped = (stoppedAt: { value: number; id: string }) =>
    toPage({ tasks: [], stoppedAt }, { ...search, after }, "");
  expect(stopped({ value: 7, id: "x" })).not.toHaveProperty("previousCursor");
  expect(stopped({ value: 7, id: "w" }).previousCursor).toBeDefined();
});

test("sort:relevance without a text points at its place", async () => {
  const dure = createDure({ database: ":memory:" });
  const asked = (options: TaskSearchOptions) => dure.searchTasks(options).catch((error: unknown) => error);
  expect(await asked({ query: "status:failed sort:relevance" })).toMatchObject({
    ...{ code: "INVALID_QUERY", details: { column: 20, length: 9 } },
    message: expect.stringContaining("asks for a text"),
  });
  expect(await asked({ query: "status:failed", sortBy: "relevance" })).toMatchObject({
    code: "INVALID_OPTION",
  });
  expect(await asked({ query: "sort:relevance", text: "timeout" })).toEqual([]);
  await dure.close();
});
