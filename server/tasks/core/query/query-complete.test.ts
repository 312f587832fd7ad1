import { expect, test } from "vitest";
import { parseQuery } from "./query.ts";
import { completeQuery } from "./query-complete.ts";

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

test("what is offered for a value can be read", () => {
  for (const field of ["status", "type", "queue", "tag", "created", "duration", "attempts", "sort", "has"]) {
    for (const { text } of completeQuery(`${field}:`, undefined, sources).items) {
      expect(() => parseQuery(`${field}:${text}`, { now: 0 })).not.toThrow();
    }
  }
});
