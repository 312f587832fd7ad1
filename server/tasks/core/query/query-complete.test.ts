import { expect, test } from "vitest";
import fc from "../../../../tests/support/fast-check.ts";
import { parseQuery } from "./query.ts";
import { completeQuery } from "./query-complete.ts";
import { queryFields } from "./query-fields.ts";

const sources = {
  types: ["resize-image", "send-receipt", "nightly report"],
  queues: ["mail"],
  tags: ["vip"],
  attributes: { userId: ["42"], status: [] },
};

/** `|` is the caret. */
function offered(marked: string) {
  const position = marked.indexOf("|");
  const { from, to, items } = completeQuery(marked.replace("|", ""), position, sources);
  return { from, to, texts: items.map(({ text }) => text) };
}

test("attributes are found by their whole names, too", () => {
  const textsOf = (text: string) => completeQuery(text, text.length, sources).items.map((item) => item.text);
  expect(textsOf("attribute.")).toEqual(["userId:", "attribute.status:", "attribute."]);
  expect(textsOf("attribute.us")).toEqual(["userId:"]);
});

test("an empty query is offered every field, attributes among them", () => {
  const { texts } = offered("|");
  expect(texts).toEqual(
    expect.arrayContaining(["status:", "userId:", "attribute.status:", "payload.", "sort:"]),
  );
});

test("the beginning of a word is offered the fields that begin so, then those that have it in them", () => {
  expect(offered("tag:x sta|")).toEqual({
    from: 6,
    to: 9,
    texts: ["status:", "started:", "attribute.status:"],
  });
  expect(offered("-(us|er")).toMatchObject({ from: 2, to: 6 });
});

test("a slip is offered what was meant", () => {
  expect(offered("statsu|").texts).toContain("status:");
});

test("after the colon come the field's values", () => {
  expect(offered("status:|").texts).toEqual(["pending", "running", "completed", "failed", "cancelled"]);
  expect(offered("status:fa|")).toEqual({ from: 7, to: 9, texts: ["failed"] });
  expect(offered("status:failed,c|").texts).toEqual(["completed", "cancelled"]);
  expect(offered("status:|failed").from).toBe(7);
  expect(offered("type:re|").texts[0]).toBe("resize-image");
  expect(offered("userId:|").texts).toEqual(["42"]);
  expect(offered("created:|").texts).toContain("today");
  expect(offered("sort:up|").texts).toEqual(["updated", "+updated"]);
  expect(offered("sort:-up|").texts).toEqual(["updated"]);
  expect(offered("sort:+id|").texts).toEqual(["id"]);
  expect(offered("sort:-id|").texts).toEqual(["-id"]);
  expect(offered("has:res|").texts).toEqual(["result"]);
});

test("a value with a space is offered in quotes, and found with and without them", () => {
  expect(offered("type:night|")).toEqual({ from: 5, to: 10, texts: ['"nightly report"'] });
  expect(offered('type:"nightly r|')).toEqual({ from: 5, to: 15, texts: ['"nightly report"'] });
});

test("a number and the same number as text are one offer, as they are one question", () => {
  const known = { attributes: { userId: ["42", "43", "42"] } };
  const texts = completeQuery("userId:4", 8, known).items.map(({ text }) => text);
  expect(texts).toEqual(["42", "43"]);
});

test("a place in a payload is not taken for a slip of what stands before its dot", () => {
  expect(offered("payload.us|").texts).toEqual([]);
  expect(offered("paylod|").texts).toEqual(["payload."]);
});

test("text in quotes is offered nothing", () => {
  expect(offered('"sta|').texts).toEqual([]);
});

test("a sign that stands there already is not offered once more", () => {
  expect(offered("created:>=|").texts).toEqual(["1h", "24h", "7d", "today", "yesterday", "monday"]);
  expect(offered("duration:>|").texts).toEqual(["1s", "30s", "5m"]);
  expect(offered("attempts:>|").texts).toEqual(["1"]);
  expect(offered("created:7d..|").texts).toContain("1h");
  expect(offered("created:today,|").texts).toEqual([]);
  expect(offered("status:>|").texts).toEqual([]);
  expect(offered("(tag:vip OR sort:|").texts).not.toEqual([]);
  expect(offered("(tag:vip OR sort:|)").texts).toEqual([]);
});

test("a negative number is offered as one, and a text that would be read otherwise in quotes", () => {
  const known = { attributes: { delta: ["-5", "null", "-x"] } };
  const texts = completeQuery("delta:", 6, known).items.map(({ text }) => text);
  expect(texts).toEqual(["-5", '"null"', '"-x"']);
});

test("whatever is offered for a value can be read", () => {
  const odd = ["null", "a b", "..", "a..b", '"', "\\", "*", "-5", "now", "2026-11-01", "이름", "a,b", ">1"];
  const known = { ...sources, types: odd, queues: odd, tags: odd, ids: odd, attributes: { userId: odd } };
  const names = [...Object.keys(queryFields), "sort", "has", "userId", "payload.user", "attribute.userId"];
  const signs = ["", ">", ">=", "<", "<=", "=", "5..", "1h..", "..", "a,", "1,", "failed,", "a*,", '"a'];
  const around = fc.tuple(
    fc.constantFrom("", "tag:a ", "-", "(queue:b OR ", "sort:id "),
    fc.constantFrom("", " tag:a", ")", "..9", ",b"),
  );
  let offers = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.constantFrom(...signs),
      around,
      fc.constantFrom("", "1", "fa", "n", "-"),
      (name, sign, [before, after], typed) => {
        const term = `${name}:${sign}${typed}`;
        const text = before + term + after;
        const { from, to, items } = completeQuery(text, before.length + term.length, known);
        const written = (offer: string) => text.slice(0, from) + offer + text.slice(to);
        const stands = (query: string) => {
          try {
            parseQuery(query, { now: 0 });
            return true;
          } catch {
            return false;
          }
        };
        const isSound = stands(`${before}tag:x${after.startsWith(" ") || after === ")" ? after : ""}`);
        for (const { text: offer } of isSound ? items : []) {
          offers += 1;
          expect({ query: written(offer), reads: stands(written(offer)) }).toMatchObject({ reads: true });
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(offers).toBeGreaterThan(500);
});
