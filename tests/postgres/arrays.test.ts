/** Arrays that the store writes come to the server as they are. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { arrayText, arrayTextUnlessEmpty } from "../../server/tasks/stores/postgres/arrays.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

let schema: TestSchema;
beforeAll(async () => {
  schema = await takeTestSchema();
});
afterAll(() => schema.drop());

async function readBack(texts: readonly (string | null)[]): Promise<(string | null)[]> {
  const [row] = await schema.query("SELECT $1::text[] AS texts", [arrayText(texts)]);
  return row!.texts;
}

test("texts of an array come back as they are", async () => {
  const texts = [
    "",
    "NULL",
    " ",
    "{}",
    "a,b",
    '"',
    "\\",
    '\\"',
    "'",
    "two\nlines",
    'tab\t"quoted"',
    '\b\f\r"',
    '"\u001f"',
    '{"a":"b","c":[1,null]}',
    '{"path":"C:\\\\x\\n"}',
    '"결제"',
    '"🎉"',
    '🎉\\n"',
    '"\u2028\u2029"',
    '"\u007f"',
    null,
  ];
  expect(await readBack(texts)).toEqual(texts);
});

test("so do any", async () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('"', "\\", "\n", "n", "u", "0"),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
    ),
  });
  const texts = fc.sample(text, { numRuns: 500, seed: 42 }).map((one) => one.replaceAll("\0", ""));
  expect(await readBack(texts)).toEqual(texts);
});

test("nothing but null is no array", () => {
  expect(arrayTextUnlessEmpty([null, null])).toBe(null);
  expect(arrayTextUnlessEmpty([null, "a"])).toBe('{NULL,"a"}');
});
