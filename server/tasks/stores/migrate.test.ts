import { expect, test } from "vitest";
import { olderWorkersError } from "./migrate.ts";

test("of older workers five are named, and it says when there are more", () => {
  const named = (count: number) =>
    olderWorkersError("tasks.db", 14, ["a", "b", "c", "d", "e", "f", "g"].slice(0, count)).message;
  expect(named(5)).toContain("alive: a, b, c, d, e. They");
  expect(named(6)).toContain("alive: a, b, c, d, e and more. They");
});
