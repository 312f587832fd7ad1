import { expect, test } from "vitest";
import fc from "../../../tests/support/fast-check.ts";
import {
  checkDefinitionId,
  checkIdempotencyKey,
  checkQueue,
  checkTag,
  checkTaskId,
  didYouMean,
  nearest,
} from "./names.ts";

const idChecks = { checkDefinitionId, checkTaskId, checkQueue };
const refusal = (pattern: RegExp) =>
  expect.objectContaining({ code: "INVALID_ID", message: expect.stringMatching(pattern) });

for (const [name, check] of Object.entries(idChecks) as [string, (id: unknown) => void][]) {
  test(`${name} takes letters and digits of any script and . _ : / -`, () => {
    for (const id of [
      "a",
      "resize-image",
      "mail/send:v1.2_x",
      "보고서-생성",
      "عربي",
      "नमस्ते",
      "𝒳1",
      "𝒳".repeat(128),
      "x".repeat(128),
    ]) {
      expect(() => check(id)).not.toThrow();
    }
  });

  test(`${name} refuses everything else and says why`, () => {
    expect(() => check("")).toThrow(refusal(/empty/));
    expect(() => check("a b")).toThrow(refusal(/Replace " " \(U\+0020\)/));
    expect(() => check("a\n")).toThrow(refusal(/control character U\+000A/));
    expect(() => check("\ud800")).toThrow(refusal(/surrogate/));
    expect(() => check("x".repeat(129))).toThrow(refusal(/Shorten/));
    expect(() => check("x".repeat(1e6))).toThrow(refusal(/1000000 characters/));
    for (const id of ["a\u0000", "a*", "a'b", "a\u200db", "😀"])
      expect(() => check(id)).toThrow(refusal(/must be/));
    for (const id of [1, null, undefined, {}, [], Symbol("x")])
      expect(() => check(id)).toThrow(refusal(/Pass a string/));
  });
}

test("tags are 1 to 128 characters of anything visible", () => {
  for (const tag of ["a", "customer 7", "😀".repeat(128), "a\u2028b"])
    expect(() => checkTag(tag)).not.toThrow();
  for (const tag of ["", "x".repeat(129), "a\tb", "a\u0085", "\udc00", 1, null]) {
    expect(() => checkTag(tag)).toThrow(refusal(/^The tag is/));
  }
});

test("idempotency keys are 1 to 255 bytes", () => {
  for (const key of ["a", "order 7 | receipt", "x".repeat(255), "é".repeat(127)]) {
    expect(() => checkIdempotencyKey(key)).not.toThrow();
  }
  for (const key of ["", "x".repeat(256), "é".repeat(128), "a\u0000", "\n", "\ud800a", 7]) {
    expect(() => checkIdempotencyKey(key)).toThrow(refusal(/^The idempotency key is/));
  }
});

test("property: a check passes or throws INVALID_ID", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      for (const check of [checkTag, checkTaskId, checkIdempotencyKey] as ((value: unknown) => void)[]) {
        try {
          check(value);
        } catch (error) {
          expect((error as { code: string }).code).toBe("INVALID_ID");
        }
      }
    }),
  );
});

test("near names are found: edits, case, and beginnings; the nearest first", () => {
  const known = ["resize-image", "send-receipt", "nightly-report", "resize-video"];
  expect(nearest("resize-imgae", known)).toEqual(["resize-image"]);
  expect(nearest("Send-Receipt", known)).toEqual(["send-receipt"]);
  expect(nearest("resize", known)).toEqual(["resize-image", "resize-video"]);
  expect(nearest("nightly", known)).toEqual(["nightly-report"]);
  expect(nearest("purge", known)).toEqual([]);
  expect(nearest("nope", ["type", "copy", "top"])).toEqual([]);
  expect(nearest("a", ["b", "c"])).toEqual([]);
  expect(nearest("", known)).toEqual([]);
  expect(nearest("aa", ["ab", "ac", "ad", "ae", "ab"], 2)).toEqual(["ab", "ac"]);
});

test("the hint is a question, or nothing", () => {
  expect(didYouMean("retires", ["retries"])).toBe(' Did you mean "retries"?');
  expect(didYouMean("ab", ["ac", "ad"])).toBe(' Did you mean "ac" or "ad"?');
  expect(didYouMean("ab", ["ac", "ad", "ae"])).toBe(' Did you mean "ac", "ad" or "ae"?');
  expect(didYouMean("zzzz", ["retries"])).toBe("");
});

test("two neighbouring letters exchanged are one slip, in short names, too", () => {
  expect(nearest("bgi", ["big", "tag"])).toEqual(["big"]);
  expect(nearest("abd", ["bcd"])).toEqual([]);
});
