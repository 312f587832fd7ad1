import { describe, expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import type { DureError } from "../errors.ts";
import type { TaskFilter } from "../filters/filter.ts";
import { toPlainFilters } from "../filters/filter-condition.ts";
import { nested, type ParsedQuery, parseQuery } from "./query.ts";
import { completeQuery } from "./query-complete.ts";
import { formatQuery } from "./query-text.ts";

const time = { now: Date.UTC(2026, 10, 23, 12, 30), utcOffsetMinutes: 540 };

describe("a query comes back from its filter", () => {
  test.each([
    "status:failed,cancelled",
    "type:email*",
    "type:a,b queue:slow",
    "userId:42",
    'userId:"42"',
    "userId:42..42",
    'name:kim,"true",42,null',
    'attribute.status:new attribute."user id":7',
    'payload.user.id:42 payload."user id".0:x',
    "attempts:>=3 priority:1..3 duration:>30s wait:<=1h",
    'error:"rate limit" -error:"quota"',
    'errorGroup:"row … is gone" -errorGroup:quota',
    "has:result -has:worker has:payload.user",
    "payload:42",
    "payload.not:x",
    "-payload.in.prefix:1 has:result.exists",
    'timeout "rate limit" "OR" "-x" "a:b"',
    "(queue:a OR queue:b tag:vip) -(tag:x tag:y)",
    "created:2026-11-01T00:00:00.000Z..2026-11-08T00:00:00.000Z",
    "sort:updated",
    "tag:x sort:+created",
    "sort:id",
    "sort:-id",
    "",
  ])("%s", (query) => {
    expect(formatQuery(parseQuery(query, time))).toBe(query);
  });
});

test("what no query can say has no text", () => {
  const unsayable: TaskFilter[] = [
    { error: "mailbox full" },
    { attributes: { vip: true } },
    { attributes: { sum: { gt: 1, lt: 5 } } },
    { type: { in: [] } },
    { or: [] },
    { payload: { "a.b": 1 } },
    { error: { gt: "mailbox" } },
    { description: { gte: "a", lt: "b" } },
    { text: "x".repeat(257) },
    { payload: { note: "x".repeat(10_001) } },
    { tag: Array.from({ length: 1_001 }, (_, n) => `tag-${n}`) },
    { tag: Array.from({ length: 900 }, (_, n) => `a tag ${n}`) },
  ];
  for (const filter of unsayable) {
    expect(formatQuery({ filter })).toBeUndefined();
  }
});

const text = fc.oneof(
  fc.constantFrom(
    "a",
    "42",
    "true",
    "null",
    "*",
    "..",
    "a..b",
    'say "hi"',
    "2026-11-01",
    "\\",
    "-x",
    "OR",
    "한글",
    "a:b",
    "a\nb",
  ),
  fc.string({ minLength: 1, unit: "binary" }).filter((one) => one.trim() !== ""),
);
const instant = fc.date({ min: new Date("1970-01-01"), max: new Date("2999-01-01"), noInvalidDate: true });
const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const key = fc.oneof(
  fc.constantFrom("id", "not", "in", "user id", "status", "statsu", "0", 'a"b', "이름"),
  text,
);
const name = fc.oneof(fc.constantFrom("userId", "status", "statsu", "has", "user.id", "x-y"), text);
const instants = fc.oneof(
  fc.record({ gte: instant, lt: instant }),
  fc.record({ gt: instant }),
  fc.record({ lte: instant }),
  fc.constant(null),
  fc.constant({ exists: true }),
);
const numbers = fc.oneof(
  number,
  fc.array(number, { minLength: 1 }),
  fc.record({ gt: number }),
  fc.record({ gte: number, lte: number }),
  fc.constant({ exists: false }),
);
const texts = fc.oneof(
  text,
  fc.array(text, { minLength: 1 }),
  text.map((prefix) => ({ prefix })),
  text.map((not) => ({ not })),
);
const values = fc.oneof(
  texts,
  numbers,
  fc.array(fc.oneof(text, number, fc.constant(null)), { minLength: 1 }),
  text.map((gte) => ({ gte })),
);
const { filter } = fc.letrec<{ filter: TaskFilter; one: TaskFilter }>((tie) => ({
  one: fc.oneof(
    fc.record({ type: texts }),
    fc.record({ tag: texts }),
    fc.record({
      status: fc.uniqueArray(fc.constantFrom("FAILED" as const, "RUNNING" as const), { minLength: 1 }),
    }),
    fc.record({ createdAt: instants }),
    fc.record({ dueAt: instants }),
    fc.record({ attempts: numbers }),
    fc.record({ duration: fc.record({ gte: fc.nat(1e9) }) }),
    fc.record({ error: text.map((contains) => ({ contains })) }),
    fc.record({ text: fc.oneof(text, fc.array(text, { minLength: 1 })) }),
    fc.tuple(name, values).map(([each, value]) => ({ attributes: { [each]: value } })),
    fc.tuple(key, values).map(([each, value]) => ({ payload: { user: nested([each], value) } })),
  ) as fc.Arbitrary<TaskFilter>,
  filter: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    tie("one") as fc.Arbitrary<TaskFilter>,
    fc.array(tie("filter"), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie("filter"), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie("filter").map((not) => ({ not })),
  ) as fc.Arbitrary<TaskFilter>,
}));

/** The condition, with and in and taken apart, and everything in one form. */
function meaning({ filter: one }: ParsedQuery): unknown {
  return canonical({ kind: "and", parts: [toPlainFilters("filter", { and: [{ or: [one] }] }).where] });
}

function canonical(condition: any): any {
  switch (condition?.kind) {
    case "and":
    case "or": {
      const parts = condition.parts
        .map(canonical)
        .flatMap((part: any) => (part.kind === condition.kind ? part.parts : [part]));
      return parts.length === 1 ? parts[0] : { kind: condition.kind, parts };
    }
    case "not": {
      const part = canonical(condition.part);
      return part.kind === "not" ? part.part : { kind: "not", part };
    }
    case "range":
      return canonicalRange(condition);
    case "equals":
      return canonicalEquals(condition);
    default:
      return condition;
  }
}

const wholeNumbers = ["createdAt", "dueAt", "duration"];

function canonicalRange({ field, from, to }: any): any {
  const isWhole = wholeNumbers.includes(field.name);
  const bound = (given: any, sign: number) =>
    given && isWhole && !given.isIncluded
      ? { value: given.value + sign, isIncluded: true }
      : given && { ...given, value: given.value === 0 ? 0 : given.value };
  const ends = { from: bound(from, 1), to: bound(to, -1) };
  return ends.from?.isIncluded && ends.to?.isIncluded && ends.from.value === ends.to.value
    ? { kind: "equals", field, values: [ends.from.value + 0] }
    : { kind: "range", field, ...ends };
}

/** One part per value, in one order: what a list says, ranges of one value say too. */
function canonicalEquals({ field, values: given }: any): any {
  const each = [...new Set(given.map((value: any) => (value === 0 ? 0 : value)))];
  const parts = each.map((value) => ({ kind: "equals", field, values: [value] }));
  return parts.length === 1 ? parts[0] : { kind: "or", parts };
}

/** The order of parts does not matter. */
function sorted(value: any): any {
  if (!value?.parts) return value?.part ? { ...value, part: sorted(value.part) } : value;
  const parts = value.parts.map(sorted).map((part: any) => JSON.stringify(part));
  return { ...value, parts: [...new Set(parts)].sort() };
}

test("a filter that has a text means the same as that text", () => {
  let said = 0;
  fc.assert(
    fc.property(filter, (one) => {
      const query = formatQuery({ filter: one });
      if (query === undefined) return;
      said += 1;
      const back = parseQuery(query, time);
      expect(sorted(meaning(back)), query).toEqual(sorted(meaning({ filter: one })));
      expect(formatQuery(back)).toBeDefined();
    }),
    { numRuns: 2_000 },
  );
  expect(said).toBeGreaterThan(1_000);
});

test("whatever is typed is read, or refused at a column within it", () => {
  const signs = fc.constantFrom(
    ...'ab1-.:"\\(),*<>= \n',
    "..",
    "OR ",
    "NOT ",
    "status:",
    "created:",
    "payload.a:",
    "sort:",
    "has:",
    "2h",
    "2026-11-01",
    "0001-01-01",
    "+99:99",
    "null",
    "한",
    "\ud800",
    "constructor:",
    "text:",
    "payload..",
    "1e308",
    "36500d",
  );
  fc.assert(
    fc.property(fc.string({ unit: signs, maxLength: 20 }), (query) => {
      try {
        const parsed = parseQuery(query, time);
        // What is read is taken: no option is refused that has no column.
        toPlainFilters("searchTasks(options)", { and: [parsed.filter] });
        expect(formatQuery(parsed)).toBeDefined();
      } catch (error) {
        expect(error).toMatchObject({ code: "INVALID_QUERY" });
        const { column, length } = (error as DureError).details as { column: number; length: number };
        expect(column).toBeGreaterThanOrEqual(1);
        expect(column - 1 + length).toBeLessThanOrEqual(query.length + 1);
      }
      completeQuery(query, query.length >> 1, { attributes: { userId: ["1"] } });
      completeQuery(query, query.length, { attributes: { userId: ["1"] } });
    }),
    { numRuns: 5_000 },
  );
});

test("what a message shows of a query is its place, however long that is, with the marks below Hangul too", () => {
  const messageOf = (query: string) => {
    try {
      parseQuery(query, time);
    } catch (error) {
      return (error as DureError).message;
    }
    throw new Error("It was read.");
  };
  expect(messageOf("x".repeat(20_000)).length).toBeLessThan(500);
  expect(messageOf(`tag:vip ${"한".repeat(300)}`).length).toBeLessThan(700);
  const [, line, marks] = messageOf("태그:없음 status:실패 tag:x").split("\n");
  expect(line).toBe("  태그:없음 status:실패 tag:x");
  expect(marks).toBe(`  ${" ".repeat(9 + 1 + 7)}^^^^`);
});

test("a query that is too large is refused at a column, and the largest is taken", () => {
  const terms = (count: number, sign = "") => Array(count).fill(`${sign}tag:x`).join(" ");
  const levels = (count: number) =>
    Array(count)
      .fill(0)
      .reduce((inner) => `-(${inner} tag:x)`, "tag:y");
  const path = (count: number) => `payload${".k".repeat(count)}:1`;
  const list = (count: number) => `tag:${Array(count).fill("x").join(",")}`;
  const text = (length: number) => `a:1 ${"%".repeat(length)}`;
  const phrase = (length: number) => `"${"x ".repeat(length / 2)}"`;
  const fits = [terms(1_000), terms(1_000, "-"), levels(20), path(20), list(1_000), text(256), phrase(256)];
  for (const query of fits) {
    toPlainFilters("searchTasks(options)", { and: [{ and: [parseQuery(query, time).filter] }] });
  }
  const tooLarge: [string, number][] = [
    [terms(1_001), 6_001],
    [levels(21), 43],
    [text(257), 5],
    [phrase(258), 1],
    [path(21), 1],
    [list(1_001), 2_005],
    ["x".repeat(10_001), 10_001],
  ];
  for (const [query, column] of tooLarge) {
    expect(() => parseQuery(query, time)).toThrow(
      expect.objectContaining({ code: "INVALID_QUERY", details: expect.objectContaining({ column }) }),
    );
  }
});
