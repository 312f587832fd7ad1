/** docs/reference/query.md against the code: every query in it is read, every field is in it. */
import { describe, expect, test } from "vitest";
import { filterProblems } from "../../server/tasks/core/filters/filter-condition.ts";
import { parseQuery } from "../../server/tasks/core/query/query.ts";
import { queryFields, sortNames } from "../../server/tasks/core/query/query-fields.ts";
import { formatQuery } from "../../server/tasks/core/query/query-text.ts";
import { read } from "./markdown.ts";

const document = read("docs/reference/query.md");
const time = { now: Date.UTC(2026, 10, 23, 12), utcOffsetMinutes: 0 };
const rows = [...document.matchAll(/^\| `([^`]+)` \| (.+?) \|$/gm)].map(
  ([, query, rest]) => [query!, rest!] as const,
);
const refused = rows.filter(([, rest]) => /^\d+ \| /.test(rest));
const fields = rows.filter(([name]) => Object.hasOwn(queryFields, name));
const examples = rows.filter((row) => !refused.includes(row) && !fields.includes(row));

test("has every field", () => {
  expect(fields.map(([name]) => name)).toEqual(Object.keys(queryFields));
});

test("has every order", () => {
  const order = document.split("## Order")[1]!.split(". ")[0]!;
  expect([...order.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(Object.keys(sortNames));
});

describe("a query in it can be read, asked for, and written back", () => {
  test.each(examples)("%s", (query) => {
    const parsed = parseQuery(query, time);
    expect(filterProblems(parsed.filter)).toEqual([]);
    expect(formatQuery(parsed)).toBeDefined();
  });
});

describe("a query that cannot be read is refused as it says", () => {
  test.each(refused)("%s", (query, rest) => {
    const [column, problem] = rest.split(" | ");
    let met: any;
    try {
      parseQuery(query, time);
    } catch (error) {
      met = error;
    }
    expect(met).toMatchObject({ code: "INVALID_QUERY", details: { column: Number(column) } });
    expect(met.message).toContain(problem);
  });
});
