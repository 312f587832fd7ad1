import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { TaskDefinition } from "./task.ts";

const silent = { info: () => {}, warn: () => {}, error: () => {} };
let dure: Dure;
let resize: TaskDefinition<{ widthPx: number }>;
beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  resize = dure.defineTask("resize-image", async () => "done");
  const other = dure.defineTask("send-receipt", async () => "done");
  for (let widthPx = 0; widthPx < 5; widthPx += 1) {
    await resize.enqueue({ widthPx });
    await other.enqueue({ widthPx });
  }
});
afterAll(() => dure.close());

test("a definition's pages are of its own tasks, and go on by their cursors", async () => {
  const widths: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await resize.searchPage({
      payload: { widthPx: { gte: 1 } },
      limit: 3,
      ...(cursor && { cursor }),
    });
    widths.push(...page.tasks.map(({ payload }) => payload.widthPx));
    expect(page.complete).toBe(true);
    cursor = page.nextCursor;
  } while (cursor);
  expect(widths).toEqual([4, 3, 2, 1]);
  expect((await resize.searchPage({ payload: { widthPx: { gt: 3, lt: 1 } } })).hint).toMatch(
    /before it begins/,
  );
});

test("a definition counts its own tasks", async () => {
  expect(await resize.count()).toBe(5);
  expect(await resize.count({ payload: { widthPx: [1, 2] } })).toBe(2);
  const ofOther = { type: "send-receipt" } as object;
  expect(await resize.count(ofOther)).toBe(5);
});
