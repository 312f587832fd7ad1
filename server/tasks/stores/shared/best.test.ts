import { expect, test } from "vitest";
import { seeded } from "../../../../tests/support/seeded.ts";
import { Best } from "./best.ts";

test("the first of many are kept, in order, whatever order they come in", () => {
  const random = seeded(1);
  const numbers = Array.from({ length: 10_000 }, () => Math.floor(random() * 5_000));
  const best = new Best<number>(7, (a, b) => b - a);
  for (const [place, number] of numbers.entries()) {
    best.add(number);
    if (place === 3) expect(best.sorted()).toEqual(numbers.slice(0, 4).sort((a, b) => b - a));
  }
  expect(best.sorted()).toEqual(numbers.sort((a, b) => b - a).slice(0, 7));
});

test("none are wanted", () => {
  const best = new Best<number>(0, (a, b) => a - b);
  best.add(1);
  expect(best.sorted()).toEqual([]);
});
