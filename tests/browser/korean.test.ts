/** What the server says in English is told in Korean on the Korean page: every objection, completion and code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes, httpStatuses } from "../../server/http/errors.ts";
import type { DureError } from "../../server/tasks/core/errors.ts";
import { parseQuery } from "../../server/tasks/core/query/query.ts";
import { completeQuery } from "../../server/tasks/core/query/query-complete.ts";
import { queryFields } from "../../server/tasks/core/query/query-fields.ts";
import { en } from "../../web/i18n/en.ts";
import { ko } from "../../web/i18n/ko.ts";
import { refusals, said, sentences } from "../../web/i18n/ko-said.ts";

const serverFolder = join(import.meta.dirname, "../../server");
const deep = (count: number, text: string) => "(".repeat(count) + text + ")".repeat(count);
const saved = new Map([
  ["a", "status:faild"],
  ["loop", "@loop"],
  ["wide", Array.from({ length: 60 }, () => "@twice").join(" ")],
  ["twice", "tag:x"],
  ["many", Array.from({ length: 900 }, (_, index) => `tag:${index}`).join(" ")],
  ...Array.from({ length: 12 }, (_, index): [string, string] => [`d${index}`, `@d${index + 1}`]),
]);

/** One for each objection at least. */
const unreadable = [
  ...[
    "x".repeat(10_001),
    "a\\",
    "priority:5*",
    "type:>a*",
    'error:"abc',
    'a"b"',
    deep(51, "a"),
    "attempts:>",
    "type:a,",
    "type:(a OR b)",
  ],
  ...[
    "type: a",
    "type:",
    "type:a,>b",
    "type:a*b",
    "due:1..2..3",
    "type:a,,b",
    "()",
    "(a",
    "-",
    "a OR",
    "a AND",
  ],
  ...["a)", "OR a", `payload.${"a.".repeat(30)}a:1`, `type:${"a,".repeat(1_001)}a`],
  ...[Array.from({ length: 1_001 }, () => "a").join(" "), `${"-(".repeat(21)}a b${")".repeat(21)}`],
  ...['""', "payload.a..b:1", "@loop", "@nobody", "@d0", "@wide @wide", "@a", "@many @many @many @many"],
  ...[
    "text:a,b",
    "sort:colour",
    "sort:id sort:due",
    "has:a,b",
    "statsu:failed",
    "type:a*,b",
    "status:>failed",
  ],
  ...[
    "error:a,b",
    "errorGroup:a*",
    "status:faild",
    "attempts:..",
    "created:..",
    "attempts:many",
    "duration:>fast",
  ],
  ...["created:soon", "created:2026-11-01,2026-11-02", "created:2h", "created:>99999d"],
  ...["type:*image", 'payload."a.b":1'],
];

test("every objection to a query", () => {
  const met = new Set(unreadable.map((query) => objectionTo(query)));
  for (const problem of met) {
    expect(said(problem), problem).toMatch(/[가-힣]/u);
    expect(said(problem), problem).not.toMatch(/[a-z]{2,} [a-z]{2,} [a-z]{2,}/);
    expect(ko.queryUnreadable(1, problem), problem).toMatch(/[^\s.?:][.?:]$/);
  }
});

test("every detail of a completion", () => {
  const sources = {
    ...{
      types: ["a"],
      queues: ["a"],
      tags: ["a"],
      workers: [{ id: "a", host: "b" }],
      ids: ["a"],
      searches: ["a"],
    },
    attributes: { userId: ["42"] },
  };
  const places = ["", "@", "has:", "sort:", "userId:", ...["duration:>", "attempts:>"]];
  places.push(...Object.keys(queryFields).map((name) => `${name}:`));
  const details = places.flatMap((text) => completeQuery(text, text.length, sources).items);
  for (const { detail } of details) expect(said(detail), detail).toMatch(/[가-힣]/u);
});

test("every code of an answer, but for faults that are never told", () => {
  const told = errorCodes.filter((code) => !(code in httpStatuses) || httpStatuses[code as never] < 500);
  expect(told.filter((code) => refusals[code] === undefined)).toEqual(["ENQUEUE_LIMIT"]);
});

test("a database that takes no writes is told by its code, in English too", () => {
  for (const code of ["DATABASE_READ_ONLY", "DATABASE_FULL", "DATABASE_UNAVAILABLE", "COMMIT_UNKNOWN"])
    expect(en.refusal(code, "The log says why.")).toMatch(/written to|full|not answer|not known/);
  expect(en.refusal("INVALID_QUERY", "What it is.")).toBe("What it is.");
});

test("what the Korean table translates is what the server says", () => {
  const names = readdirSync(serverFolder, { recursive: true, encoding: "utf8" });
  const sources = names
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(serverFolder, name), "utf8"))
    .join("\n");
  for (const [english] of sentences) {
    for (const part of english.split("{}").filter(({ length }) => length > 3)) {
      const written = JSON.stringify(part).slice(1, -1);
      const isThere = sources.includes(part) || sources.includes(written) || isOfSeveral(part, sources);
      expect(isThere, part).toBe(true);
    }
  }
});

/** Two constants that are said one after the other. */
function isOfSeveral(text: string, sources: string): boolean {
  return text.split(/(?<=\.) /).every((sentence) => sources.includes(sentence.trim()));
}

function objectionTo(query: string): string {
  try {
    parseQuery(query, { now: 0 }, saved);
  } catch (error) {
    return String((error as DureError).details.problem);
  }
  throw new Error(`This can be read: ${query.slice(0, 80)}`);
}
