import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import { diffLines } from "./line-diff.ts";

const shown = (earlier: string, later: string) =>
  diffLines(earlier, later)?.map(
    ({ kind, text, count }) => `${kind[0]} ${kind === "omitted" ? count : text}`,
  );

test("lines of one text alone are told from those of both", () => {
  expect(shown("a\nb\nc", "a\nx\nc")).toEqual(["s a", "r b", "a x", "s c"]);
  expect(shown("", "a")).toEqual(["a a"]);
  expect(shown("a", "")).toEqual(["r a"]);
});

test("equal lines away from a change are counted, not shown", () => {
  expect(shown("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\n7")).toEqual(["o 4", "s 5", "r 6", "a 7"]);
  expect(shown("1\n2", "1\n2")).toEqual(["o 2"]);
  expect(shown("", "")).toEqual([]);
});

test("texts of more than 400 lines are not compared", () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => index).join("\n");
  expect(diffLines(lines(401), "")).toBeUndefined();
  expect(diffLines("", lines(401))).toBeUndefined();
  expect(diffLines(lines(400), lines(399))).toBeDefined();
});

test("property: what is kept and removed is the earlier text, what is kept and added the later one", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(`${before.join("\n")}\nx`, `${after.join("\n")}\nx`)!;
      const count = (kind: string) =>
        lines.reduce((sum, line) => sum + (line.kind === kind ? (line.count ?? 1) : 0), 0);
      const same = count("same") + count("omitted");
      expect(same + count("removed")).toBe(before.length + 1);
      expect(same + count("added")).toBe(after.length + 1);
      const ofKind = (kind: string) => lines.filter((line) => line.kind === kind).map((line) => line.text);
      for (const line of ofKind("removed")) expect(before).toContain(line);
      for (const line of ofKind("added")) expect(after).toContain(line);
    }),
  );
});
