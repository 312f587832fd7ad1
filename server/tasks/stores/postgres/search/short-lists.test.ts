import { expect, test, vi } from "vitest";
import { newSearch } from "../../../../../tests/support/builders.ts";
import { ShortLists } from "./short-lists.ts";

const search = newSearch({ statuses: ["FAILED"] });

test("the newest of the same filters in the same order are known to be too few, for a while", () => {
  const lists = new ShortLists();
  expect(lists.isShort(search)).toBe(false);
  lists.saw(search);
  expect(lists.isShort(search)).toBe(true);
  expect(lists.isShort({ ...search, created: { start: 5 }, limit: 7 })).toBe(true);
  expect(lists.isShort({ ...search, statuses: ["COMPLETED"] })).toBe(false);
  expect(lists.isShort({ ...search, sortBy: "dueAt" })).toBe(false);
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 70_000);
  expect(lists.isShort(search)).toBe(false);
  vi.restoreAllMocks();
});

test("nothing is told of any other place in the list, nor learned there", () => {
  const lists = new ShortLists();
  const elsewhere = [
    { ...search, descending: false },
    { ...search, created: { end: 5 } },
    { ...search, updated: { end: 5 } },
    { ...search, after: { value: 5, id: "5", backwards: false } },
  ];
  for (const other of elsewhere) lists.saw(other);
  expect(lists.isShort(search)).toBe(false);
  lists.saw(search);
  for (const other of elsewhere) expect(lists.isShort(other)).toBe(false);
});
