import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import { isLongerThan, utf8Length } from "./utf8.ts";

test("property: the length is that of the encoded bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(60), (text, bytesMax) => {
      const bytes = new TextEncoder().encode(text).length;
      expect(utf8Length(text)).toBe(bytes);
      expect(isLongerThan(text, bytesMax)).toBe(bytes > bytesMax);
    }),
    { numRuns: 1000 },
  );
});

test("half of a surrogate pair counts as its replacement", () => {
  for (const text of ["\ud83d", "a\udc00b", "\ud83d\ud83d\ude00"]) {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
  }
});
