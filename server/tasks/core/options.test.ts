import { expect, test } from "vitest";
import type { DureError } from "./errors.ts";
import { checkTag } from "./names.ts";
import {
  booleanRule,
  checkOptions,
  dateRule,
  durationRule,
  integerBetween,
  listOf,
  type OptionRule,
  oneOf,
  problemOf,
  stringUpTo,
} from "./options.ts";

const rules: Record<string, OptionRule> = {
  maxAttempts: integerBetween(1, 1000),
  timeout: durationRule({ minMs: 1, maxMs: 3_600_000, also: ["none"] }),
  tags: listOf((value) => problemOf(() => checkTag(value)), 3),
  replace: booleanRule,
  description: stringUpTo(5),
  sortBy: oneOf("createdAt", "updatedAt", "id"),
  runAt: dateRule,
};

function problemsOf(input: unknown): readonly string[] {
  try {
    checkOptions("defineTask", input, rules);
    return [];
  } catch (error) {
    expect((error as DureError).code).toBe("INVALID_OPTION");
    return (error as DureError).details.problems as string[];
  }
}

test("good options pass, and undefined ones are passed over", () => {
  const good = {
    maxAttempts: 1,
    timeout: "5m",
    tags: ["a", "b"],
    replace: false,
    description: "",
    sortBy: "id",
    runAt: new Date(0),
  };
  expect(problemsOf(good)).toEqual([]);
  expect(problemsOf({ timeout: "none", maxAttempts: undefined })).toEqual([]);
  expect(problemsOf({})).toEqual([]);
  expect(problemsOf(undefined)).toEqual([]);
  expect(problemsOf(Object.create(null))).toEqual([]);
});

test("every problem is reported at once", () => {
  const bad = {
    maxAttempts: 1.5,
    timeout: "2h",
    tags: ["ok", "", 7],
    replace: 1,
    description: "too long",
    sortBy: "createdat",
    runAt: "now",
  };
  const problems = problemsOf(bad);
  expect(problems).toHaveLength(7);
  for (const [index, name] of Object.keys(bad).entries())
    expect(problems[index]).toContain(name === "tags" ? "tag" : name);
  expect(problems[1]).toMatch(/Or pass 'none'/);
  expect(problems[5]).toMatch(/Did you mean "createdAt"/);
  expect(() => checkOptions("defineTask", bad, rules)).toThrow(
    /^defineTask cannot take these options:\n- maxAttempts/,
  );
});

test("an unknown option is named with the nearest known one", () => {
  expect(problemsOf({ maxAtempts: 3 })).toEqual([
    '"maxAtempts" is no option here. Did you mean "maxAttempts"?',
  ]);
  expect(problemsOf({ zzz: undefined })[0]).toMatch(/Known are maxAttempts, timeout/);
});

test("prototype tricks are unknown options", () => {
  expect(problemsOf(JSON.parse('{"__proto__":{"replace":true}}'))[0]).toContain('"__proto__" is no option');
  expect(problemsOf({ constructor: 1 })).toHaveLength(1);
  expect(problemsOf({ toString: 1 })).toHaveLength(1);
});

test("what is no plain object is refused", () => {
  for (const input of [null, 1, "x", [], new Map(), new Date(), () => 1]) {
    expect(problemsOf(input)[0]).toMatch(/must be a plain object/);
  }
});

test("a getter that throws is a problem, not an exception of its own", () => {
  const input = {
    get replace() {
      throw new Error("no");
    },
  };
  expect(problemsOf(input)).toEqual(["replace cannot be read: its getter throws."]);
});

test("numbers and dates are checked for what they are", () => {
  for (const value of ["3", 0, 1001, Number.NaN, Number.POSITIVE_INFINITY, 2n, null]) {
    expect(problemsOf({ maxAttempts: value })).toHaveLength(1);
  }
  for (const value of [new Date(Number.NaN), 5, "2020-01-01", null])
    expect(problemsOf({ runAt: value })).toHaveLength(1);
});

test("lists are bounded", () => {
  expect(problemsOf({ tags: "a" })[0]).toMatch(/array/);
  expect(problemsOf({ tags: new Array(1e9) })[0]).toMatch(/at most 3/);
});

test("a failure of a check that is no DureError is not hidden", () => {
  expect(() =>
    problemOf(() => {
      throw new TypeError("bug");
    }),
  ).toThrow("bug");
});
