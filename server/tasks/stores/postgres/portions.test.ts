import { expect, test } from "vitest";
import { portions } from "./portions.ts";

const mebi = 1024 * 1024;

test("what is small stays together", () => {
  expect(portions([1, 2, 3], (size) => size)).toEqual([[1, 2, 3]]);
});

test("nothing makes no portion", () => {
  expect(portions([], () => 1)).toEqual([]);
});

test("a portion ends where the next item would exceed it; an item that is too large is alone", () => {
  const sizes = [20, 12, 1, 40, 5, 5].map((size) => size * mebi);
  const all = portions(sizes, (size) => size);
  expect(all.map((portion) => portion.map((size) => size / mebi))).toEqual([[20, 12], [1], [40], [5, 5]]);
});
