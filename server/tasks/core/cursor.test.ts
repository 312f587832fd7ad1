import { expect, test } from "vitest";
import fc from "../../../tests/support/fast-check.ts";
import { type Cursor, decodeCursor, encodeCursor, searchFingerprint } from "./cursor.ts";

const cursors = fc.record<Cursor>({
  sortBy: fc.constantFrom("createdAt", "updatedAt", "id"),
  descending: fc.boolean(),
  value: fc.option(fc.integer({ min: 0, max: 8.64e15 })),
  id: fc.string({ unit: "grapheme", minLength: 1 }),
  backwards: fc.boolean(),
  search: fc.string({ unit: "grapheme-ascii" }),
});
const refusal = expect.objectContaining({ code: "INVALID_CURSOR" });

test("property: a cursor comes back as it was, in characters fit for a URL", () => {
  fc.assert(
    fc.property(cursors, (cursor) => {
      const text = encodeCursor(cursor);
      expect(text).toMatch(/^[\w-]+$/);
      expect(decodeCursor(text)).toEqual(cursor);
    }),
  );
});

test("property: any text is refused with INVALID_CURSOR", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(() => decodeCursor(text)).toThrow(refusal);
    }),
    { numRuns: 2000 },
  );
  for (const value of [undefined, null, 1, {}, "", "x".repeat(1e6)]) {
    expect(() => decodeCursor(value as string)).toThrow(refusal);
  }
});

test("property: a cursor with one character changed, cut or added is refused", () => {
  fc.assert(
    fc.property(cursors, fc.nat(), fc.constantFrom("A", "z", "_", ""), (cursor, at, character) => {
      const text = encodeCursor(cursor);
      const index = at % text.length;
      const changed = text.slice(0, index) + character + text.slice(index + 1);
      if (changed !== text) expect(() => decodeCursor(changed)).toThrow(refusal);
      expect(() => decodeCursor(`${text}A`)).toThrow(refusal);
    }),
    { numRuns: 2000 },
  );
});

test("the fingerprint is equal for equal filters, in any order of keys", () => {
  const a = { types: ["x"], created: { start: new Date(5), end: 7 }, id: undefined };
  const b = { created: { end: 7, start: 5 }, types: ["x"] };
  expect(searchFingerprint(a)).toBe(searchFingerprint(b));
  expect(searchFingerprint(undefined)).toMatch(/^[0-9a-f]{16}$/);
});

test("the fingerprint is equal for the same values, in any order and however often", () => {
  const a = searchFingerprint({ types: ["resize-image", "send-receipt"], queues: ["mail"] });
  expect(searchFingerprint({ queues: ["mail"], types: ["send-receipt", "resize-image"] })).toBe(a);
  const again = ["send-receipt", "resize-image", "send-receipt"];
  expect(searchFingerprint({ types: again, queues: ["mail"] })).toBe(a);
});

test("the fingerprint differs for other filters", () => {
  const filters = [
    {},
    [],
    null,
    { a: 1 },
    { a: "1" },
    { b: 1 },
    { a: { b: 1 } },
    { a: ["b", 1] },
    { a: [1, 2] },
    { a: [12] },
    { a: [[1], 2] },
    { a: null },
  ];
  expect(new Set(filters.map(searchFingerprint)).size).toBe(filters.length);
});
