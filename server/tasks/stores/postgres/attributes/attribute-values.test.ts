import { expect, test } from "vitest";
import type { AttributeKey } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { arrayLiteral, attributesOf, foundKeyOf, keyOf, keysOf, readKey } from "./attribute-values.ts";

test("greater values have greater keys", () => {
  const numbers = [-1e300, -42.5, -1, -1e-300, 0, 1e-300, 0.5, 1, 2, 10, 1e21, Number.MAX_VALUE];
  const keys = numbers.map((value) => keyOf(7, value));
  expect([...keys].sort(compareText)).toEqual(keys);
  expect(compareText(keyOf(7, "a"), keyOf(7, "ab"))).toBeLessThan(0);
  const low = ["a", "a\0", "a\0\x02", "a\x01", "a\x01\0", "a\x02", "b"].map((value) => keyOf(7, value));
  expect([...low].sort(compareText)).toEqual(low);
  expect(compareText(keyOf(7, false), keyOf(7, true))).toBeLessThan(0);
});

test("a key tells its attribute and value, and values of different types differ", () => {
  const values: AttributeKey[] = [
    "1",
    1,
    true,
    "",
    "n1",
    '한국어 \\ "x"',
    -0.25,
    0,
    false,
    1_700_000_000_000,
  ];
  for (const value of values) expect(readKey(keyOf(12, value))).toEqual({ attribute: 12, value });
  expect(new Set(values.map((value) => keyOf(12, value))).size).toBe(values.length);
  expect(keyOf(1, -0)).toBe(keyOf(1, 0));
});

test("a task has each key once", () => {
  expect(keysOf({ tag: ["a", "b", "a"], size: 1 }, (name) => (name === "tag" ? 1 : 2))).toEqual([
    "1 sa",
    "1 sb",
    keyOf(2, 1),
  ]);
});

test("long texts have a short key that differs as they do, and one that says all", () => {
  const long = "한".repeat(900);
  expect(foundKeyOf(keyOf(1, "short"))).toBe("1 sshort");
  expect(Buffer.byteLength(foundKeyOf(keyOf(1, long)))).toBeLessThan(1_000);
  expect(foundKeyOf(keyOf(1, `${long}a`))).not.toBe(foundKeyOf(keyOf(1, `${long}b`)));
  const keys = keysOf({ text: [long, "short"] }, () => 1);
  expect(keys).toEqual([foundKeyOf(keyOf(1, long)), `1 S${long}`, "1 sshort"]);
  expect(attributesOf(keys, () => "text")).toEqual({ text: [long, "short"] });
});

test("an array's literal quotes what needs it", () => {
  expect(arrayLiteral(['a"b', "c\\d", "e,f"])).toBe('{"a\\"b","c\\\\d","e,f"}');
  expect(arrayLiteral([])).toBeNull();
});
