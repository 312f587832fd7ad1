import { expect, test } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import { undelayedSearch } from "../../shared/near-orders.ts";
import { depthsOf, evenPartsOf, weightOf } from "./foremost.ts";

test("where few of the pairs have all of a stretch, so many are looked at that an edge is found", () => {
  const depths = depthsOf(Array<number>(120).fill(100), 12_000, 204, 4);
  const some = depths.slice(0, 30).reduce((sum, depth) => sum + depth, 0);
  expect(some).toBeGreaterThanOrEqual(204);
});

test("of a pair that has nearly all tasks as many are looked at as are wanted, of others a few", () => {
  expect(depthsOf([99_000, 500, 500], 100_000, 51, 1)).toEqual([51, 17, 17]);
  expect(depthsOf([0], 0, 51, 1)).toEqual([51]);
});

test("those that wait may all be of one of the two kinds that are counted together", () => {
  expect(weightOf({ status: 0, tasks: 5 })).toBe(10);
  expect(weightOf({ status: 3, tasks: 5 })).toBe(5);
});

test("a range that leaves nothing out is none", () => {
  const search = newSearch({ sortBy: "dueAt" });
  expect(evenPartsOf(undelayedSearch(search))).toBe(evenPartsOf(search));
  expect(evenPartsOf(undelayedSearch({ ...search, created: { start: 5 } }))).toBeGreaterThan(1);
});
