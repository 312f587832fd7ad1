import { expect, test } from "vitest";
import { parseJson } from "./json-text.ts";

test.each([
  '{"a":1,"b":{"a":[{"a":1},{"a":2}]},"c":":{\\"a\\":,\\"a\\":"}',
  '[1,1,"a","a",-0,0.1,1e300,9007199254740994,123456789012345680000]',
  '{"__proto__":{"x":1}}',
  '"a:a"',
  "null",
])("%s is read as JSON.parse does", (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text));
});

test.each([
  ['{"a":1,"a":2}', 'The key "a" stands twice in one object'],
  ['[{"b":[{"a":1,"\\u0061":2}]}]', 'The key "\\u0061" stands twice in one object'],
  ['{"n":9007199254740993}', "The number 9007199254740993 cannot be kept as it is; write it as text"],
  [`[${"9".repeat(400)}]`, "cannot be kept as it is"],
  ["[-1e400]", "The number -1e400 cannot be kept as it is; write it as text"],
  ["{bad", "JSON"],
])("%s is refused, and what is wrong is said (F111)", (text, message) => {
  expect(() => parseJson(text)).toThrow(SyntaxError);
  expect(() => parseJson(text)).toThrow(message);
});

test("deep and long texts are no trouble", () => {
  const deep = "[".repeat(50_000) + "]".repeat(50_000);
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`k${n}`, n])));
  expect(() => parseJson(wide)).not.toThrow();
  expect(() => parseJson(deep)).not.toThrow();
});
