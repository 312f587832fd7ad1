import { expect, test } from "vitest";
import { DureError } from "../errors.ts";
import { parseQuery } from "./query.ts";
import { completeQuery } from "./query-complete.ts";
import { formatQuery } from "./query-text.ts";

const now = Date.UTC(2026, 10, 23);
const saved = new Map([
  ["failed", "status:failed"],
  ["stuck-emails", "type:send-receipt (status:pending OR queue:mail) sort:created"],
  ["either", "@failed OR tag:vip"],
  ["everything", ""],
  ["broken", "status:nonsense"],
  ["loop-a", "@loop-b"],
  ["loop-b", "tag:x @loop-a"],
  ["팀/a.b:c", "tag:team"],
]);
const filterOf = (query: string) => parseQuery(query, { now }, saved).filter;
const plain = (query: string) => parseQuery(query, { now }).filter;

test.each([
  ["@failed", "status:failed"],
  ["@failed type:a", "status:failed type:a"],
  ["type:a AND @failed", "type:a status:failed"],
  ["-@failed", "-status:failed"],
  ["NOT (@failed OR type:a)", "-(status:failed OR type:a)"],
  ["@either type:a", "(status:failed OR tag:vip) type:a"],
  ["type:a @either", "type:a (status:failed OR tag:vip)"],
  ["@팀/a.b:c", "tag:team"],
  ["@everything type:a", "type:a"],
  ["@everything", ""],
])("%s is read as %s", (query, meant) => {
  expect(filterOf(query)).toEqual(plain(meant));
});

test("a saved search stands as if in parentheses, and the same one may stand twice", () => {
  expect(filterOf("tag:a OR @stuck-emails")).toEqual(
    plain("tag:a OR (type:send-receipt (status:pending OR queue:mail))"),
  );
  expect(filterOf("@failed @failed")).toEqual(plain("status:failed status:failed"));
});

test("the order of a saved search counts where the query says none and where it must hold", () => {
  const orderOf = (query: string) => {
    const { sortBy, sortOrder } = parseQuery(query, { now }, saved);
    return [sortBy, sortOrder];
  };
  expect(orderOf("@stuck-emails tag:a")).toEqual(["createdAt", "desc"]);
  expect(orderOf("@stuck-emails sort:+due")).toEqual(["dueAt", "asc"]);
  expect(orderOf("tag:a OR @stuck-emails")).toEqual([undefined, undefined]);
});

test("what was used is told, also what stands in a saved search", () => {
  expect(parseQuery("@either tag:a", { now }, saved).saved).toEqual({
    either: "@failed OR tag:vip",
    failed: "status:failed",
  });
  expect(parseQuery("tag:a", { now }, saved).saved).toBeUndefined();
});

test.each([
  ["tag:a @fialed", 7, 7, /no search is saved as "fialed"\. Did you mean "failed"\?/],
  ["@failed,tag:a", 1, 13, /no search is saved as "failed,tag:a"/],
  ["(@loop-a)", 2, 7, /cannot stand in itself: @loop-a → @loop-b → @loop-a/],
  ["tag:a OR @broken", 10, 7, /@broken cannot be read: status: /],
])("%s is refused at column %i", (query, column, length, problem) => {
  const error = problemOf(query);
  expect(error.code).toBe("INVALID_QUERY");
  expect(error.details).toMatchObject({ column, length, query });
  expect(error.message).toMatch(problem);
});

test("a text that begins with @ is looked for in quotes, or with a backslash", () => {
  for (const query of ['"@failed"', "\\@failed"]) expect(filterOf(query)).toEqual({ text: "@failed" });
  expect(formatQuery({ filter: { text: "@failed" } })).toBe('"@failed"');
  expect(filterOf("kim@example.com @")).toEqual({ text: "kim@example.com", and: [{ text: "@" }] });
});

test("nesting and repetition have a bound", () => {
  const deep = new Map(Array.from({ length: 12 }, (_, n) => [`s${n}`, n === 0 ? "tag:a" : `@s${n - 1}`]));
  expect(() => parseQuery("@s9", { now }, deep)).not.toThrow();
  expect(() => parseQuery("@s10", { now }, deep)).toThrow(/more than 10 deep/);
  const wide = new Map(
    Array.from({ length: 9 }, (_, n) => [`s${n}`, n === 0 ? "tag:a" : `@s${n - 1} @s${n - 1}`]),
  );
  expect(() => parseQuery("@s8", { now }, wide)).toThrow(/more than 100 saved searches/);
});

test("names of saved searches are offered", () => {
  const searches = [...saved.keys()];
  const offered = (text: string, position?: number) => completeQuery(text, position, { searches });
  expect(offered("tag:a @st")).toEqual({
    from: 6,
    to: 9,
    items: [{ text: "@stuck-emails", detail: "a saved search" }],
  });
  expect(offered("@").items.map(({ text }) => text)).toEqual(searches.map((name) => `@${name}`));
  expect(offered("@fa tag:a", 3)).toMatchObject({ from: 0, to: 3, items: [{ text: "@failed" }] });
  expect(offered("stuck").items.map(({ text }) => text)).toContain("@stuck-emails");
});

function problemOf(query: string): DureError {
  try {
    parseQuery(query, { now }, saved);
  } catch (error) {
    if (error instanceof DureError) return error;
  }
  throw new Error(`${query} was not refused.`);
}
