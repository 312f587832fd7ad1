import { expect, test } from "vitest";
import { relevanceOf, textsAskedFor } from "./relevance.ts";

const best = (texts: string[], ...searched: string[]) =>
  [...searched].sort((a, b) => relevanceOf(texts, b) - relevanceOf(texts, a));

test("a value of its own comes before a word of a line, that before part of a word, and short lines before long ones", () => {
  const expected = [
    "etimedout\nmail",
    "connect etimedout",
    "connect etimedout 10.0.0.1:443 and then nothing",
    "the etimedouts",
    `at send (file:///srv/mail.js:13) ${"x".repeat(500)} etimedout`,
    "nothing of it",
  ];
  expect(best(["etimedout"], ...expected.toReversed())).toEqual(expected);
});

test("what has it more often comes first, and what has more of the texts", () => {
  expect(best(["tea"], "tea\nsugar", "tea\ntea")).toEqual(["tea\ntea", "tea\nsugar"]);
  expect(best(["tea", "cup"], "tea\ntea\ntea", "tea and a cup")).toEqual(["tea and a cup", "tea\ntea\ntea"]);
});

test("letters of any script make words", () => {
  expect(best(["결제"], "결제승인", "결제 승인")).toEqual(["결제 승인", "결제승인"]);
});

test("a line break may be asked for", () => {
  expect(relevanceOf(["a\nb"], "a\nb")).toBe(6_020);
  expect(relevanceOf(["zz"], "")).toBe(0);
});

test("the texts of a search are those that may be there", () => {
  const text = (asked: string) => ({ kind: "text", text: asked }) as const;
  const where = {
    kind: "and",
    parts: [
      text("a"),
      { kind: "or", parts: [text("b"), text("c")] },
      { kind: "not", part: text("d") },
      text(""),
    ],
  } as const;
  expect(textsAskedFor(where)).toEqual(["a", "b", "c"]);
  expect(textsAskedFor(undefined)).toEqual([]);
});
