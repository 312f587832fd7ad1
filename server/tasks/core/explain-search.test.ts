import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { TaskSearchOptions } from "./search.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
let dure: Dure;
beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  const resize = dure.defineTask("resize-image", async () => "done", {
    attributes: { userId: (payload: { userId: number }) => payload.userId },
  });
  for (let userId = 0; userId < 5; userId += 1) await resize.enqueue({ userId });
});
afterAll(() => dure.close());

const explain = (options: TaskSearchOptions) => dure.explainSearch({ definitions: false, ...options });

test("what is answered by an index needs no advice", async () => {
  expect(await explain({ type: "resize-image" })).toEqual({
    source: "order",
    indexes: ["tasks_lane_fresh", "tasks_lane_created"],
    candidates: 5,
    isSorted: false,
    summary: "Reads the page from indexes that have it in its order: about 5 tasks, and no other.",
    tested: [],
    hints: [],
  });
  expect(await explain({ query: "userId:3 priority:0" })).toMatchObject({
    source: "attributes",
    summary: expect.stringContaining("about 1 task by the index of attributes (attribute userId)"),
    tested: ["attribute.userId:3", "priority:0"],
    hints: [],
  });
});

test.each<[TaskSearchOptions, RegExp[]]>([
  [
    { query: "payload.user.id:>42" },
    [/Declare an attribute of payload\.user\.id.*attribute\.userId/, /Add a type/],
  ],
  [{ query: "payload.user.id:>42 type:resize-image" }, [/Declare an attribute/]],
  [{ text: "ab", status: "PENDING" }, [/"ab" is too short/]],
  [{ query: "-userId:3 status:pending" }, [/must be there; -attribute\.userId/]],
  [{ query: "(userId:3 OR payload.a:>1) status:pending" }, [/Declare an attribute of payload\.a/]],
  [{ sortBy: "priority", type: "resize-image" }, []],
  [{ sortBy: "duration", sortOrder: "asc", type: "resize-image" }, []],
  [{ offset: 200_000 }, [/by cursor/]],
  [{ query: "priority:>3 queue:default" }, []],
  [{ query: "usrId:3" }, [/No definition declares an attribute "usrId"\. Did you mean "userId"\?/]],
  [{ type: "resize-imgae" }, [/No task "resize-imgae" is defined.* Did you mean "resize-image"\?/]],
])("%j could be cheaper", async (options, wanted) => {
  const { hints } = await explain(options);
  expect(hints).toEqual(wanted.map((hint) => expect.stringMatching(hint)));
});

test("a search that finds nothing says which of its names nothing has", async () => {
  const page = (options: TaskSearchOptions) => dure.searchTaskPage({ definitions: false, ...options });
  const attribute = 'No definition declares an attribute "usrId". Did you mean "userId"?';
  expect(await page({ query: "usrId:3 OR limit:5" })).toEqual({
    tasks: [],
    complete: true,
    hint: `${attribute} No definition declares an attribute "limit". limit is an option of the search, and no part of a query.`,
  });
  expect(await page({ type: "resize-imgae" })).toMatchObject({
    hint: expect.stringContaining("resize-image"),
  });
  expect((await page({ query: "priority:10..1" })).hint).toBe(
    "Nothing is in a range that ends before it begins (priority:>=10 priority:<=1).",
  );
  expect((await page({ query: "created:1h..2h" })).hint).toMatch(
    /before it begins \(createdAt:>=.* createdAt:<.*\)\.$/,
  );
  expect((await page({ query: "completed:1h..2h status:failed" })).hint).toMatch(
    /^Nothing is in a range that ends before it begins \(completedAt:>=.* completedAt:<.*\)\.$/,
  );
  expect((await page({ query: "completed:<1h status:pending" })).hint).toBe(
    "No status that a task could have is asked for: only COMPLETED, FAILED and CANCELLED ones have a completedAt.",
  );
  expect(await page({ query: "priority:7..7 OR priority:10..1" })).not.toHaveProperty("hint");
  for (const fits of [{ query: "userId:99" }, { type: "resize-image", status: "FAILED" as const }]) {
    expect(await page(fits)).toEqual({ tasks: [], complete: true });
  }
  expect((await page({ query: "created:1h..1h" })).hint).toContain("a range that ends where it begins");
  expect(await page({ query: "-usrId:3" })).not.toHaveProperty("hint");
});

test("it is refused what a search is refused", async () => {
  await expect(explain({ query: "statsu:pending" })).rejects.toMatchObject({ code: "INVALID_QUERY" });
  await expect(explain({ updatedSince: "x" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
});
