import { describe, expect, test } from "vitest";
import { parseQuery } from "./query.ts";

const now = Date.UTC(2026, 10, 23, 12, 30);
const time = { now, utcOffsetMinutes: 540 };
const filterOf = (query: string) => parseQuery(query, time).filter;
const at = (iso: string) => new Date(iso);

describe("a query is the filter that says the same", () => {
  test.each<[string, unknown]>([
    ["", {}],
    ["   ", {}],
    ["status:failed", { status: ["FAILED"] }],
    ["STATUS:Failed,cancelled", { status: ["FAILED", "CANCELLED"] }],
    ["type:email*", { type: { prefix: "email" } }],
    ["status:*", { status: ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] }],
    ["type:a,b queue:slow", { type: ["a", "b"], queue: "slow" }],
    ["type:email:send/now", { type: "email:send/now" }],
    ["type:리포트-생성", { type: "리포트-생성" }],
    ["userId:42", { attributes: { userId: { in: [42, "42"] } } }],
    ['userId:"42"', { attributes: { userId: { in: ["42"] } } }],
    ["vip:true", { attributes: { vip: { in: [true, "true"] } } }],
    ["attribute.status:new", { attributes: { status: { in: ["new"] } } }],
    ["amount:>=10.5", { attributes: { amount: { gte: 10.5 } } }],
    ["amount:10..20", { attributes: { amount: { gte: 10, lte: 20 } } }],
    ["amount:..20", { attributes: { amount: { lte: 20 } } }],
    ["payload.user.id:42", { payload: { user: { id: { in: [42, "42"] } } } }],
    ["result.rows:>10", { result: { rows: { gt: 10 } } }],
    ["payload.name:Kim*", { payload: { name: { prefix: "Kim" } } }],
    ["payload.gone:null", { payload: { gone: { in: [null] } } }],
    ["has:error has:result", { error: { exists: true }, result: { exists: true } }],
    ["-has:worker", { not: { workerId: { exists: true } } }],
    ["attempts:>=3", { attempts: { gte: 3 } }],
    ["priority:-5", { priority: -5 }],
    ["priority:1..3", { priority: { gte: 1, lte: 3 } }],
    ["duration:>30s wait:1h..", { duration: { gt: 30_000 }, wait: { gte: 3_600_000 } }],
    ["tag:vip tag:new", { tag: "vip", and: [{ tag: "new" }] }],
    ['"ETIMEDOUT"', { text: "ETIMEDOUT" }],
    ['"say \\"hi\\" \\\\"', { text: 'say "hi" \\' }],
    ["timeout refused", { text: "timeout", and: [{ text: "refused" }] }],
    ['errorGroup:"row … is gone"', { errorGroup: "row … is gone" }],
    ["has:errorGroup", { error: { exists: true } }],
    ["errorGroup:*", { error: { exists: true } }],
    ["errorGroup:null", { error: null }],
    ['errorGroup:"null"', { errorGroup: "null" }],
    ["has:status", { status: ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"] }],
    ['attribute."a.b":5', { attributes: { "a.b": { in: [5, "5"] } } }],
    ["payload.delta:-0", { payload: { delta: { in: [0, "-0"] } } }],
    ['-error:"rate limit"', { not: { error: { contains: "rate limit" } } }],
    ["NOT tag:vip", { not: { tag: "vip" } }],
    ["(queue:a OR queue:b) tag:x", { or: [{ queue: "a" }, { queue: "b" }], tag: "x" }],
    ["a OR b c", { or: [{ text: "a" }, { text: "b", and: [{ text: "c" }] }] }],
    ["a AND b", { text: "a", and: [{ text: "b" }] }],
    ["created:>2h", { createdAt: { gte: new Date(now - 7_200_000) } }],
    ["created:<7d", { createdAt: { lt: new Date(now - 7 * 86_400_000) } }],
    ["due:<+1h", { dueAt: { lt: new Date(now + 3_600_000) } }],
    [
      "created:2026-11-01",
      { createdAt: { gte: at("2026-10-31T15:00:00Z"), lt: at("2026-11-01T15:00:00Z") } },
    ],
    [
      "updated:2026-11-01..2026-11-08",
      { updatedAt: { gte: at("2026-10-31T15:00:00Z"), lt: at("2026-11-08T15:00:00Z") } },
    ],
    [
      "created:2026-11-01T10:00",
      { createdAt: { gte: at("2026-11-01T01:00:00Z"), lt: at("2026-11-01T01:01:00Z") } },
    ],
    ["created:>=2026-11-01T10:00:00Z", { createdAt: { gte: at("2026-11-01T10:00:00Z") } }],
    ["created:>2026-11-01", { createdAt: { gte: at("2026-11-01T15:00:00Z") } }],
    ["created:today", { createdAt: { gte: at("2026-11-22T15:00:00Z"), lt: at("2026-11-23T15:00:00Z") } }],
    ["created:<0001-01-01T00:00:00Z", { createdAt: { lt: at("0001-01-01T00:00:00Z") } }],
    [
      "paidAt:2026-11-01",
      {
        or: [
          { attributes: { paidAt: { in: ["2026-11-01"] } } },
          {
            attributes: {
              paidAt: { gte: at("2026-10-31T15:00:00Z"), lte: at("2026-11-01T14:59:59.999Z") },
            },
          },
        ],
      },
    ],
    [
      "paidAt:2026-11-01..2026-11-08",
      { attributes: { paidAt: { gte: at("2026-10-31T15:00:00Z"), lte: at("2026-11-08T14:59:59.999Z") } } },
    ],
    [
      "payload.paidAt:today",
      {
        or: [
          { payload: { paidAt: { in: ["today"] } } },
          { payload: { paidAt: { gte: "2026-11-22T15:00:00.000Z", lte: "2026-11-23T14:59:59.999Z" } } },
        ],
      },
    ],
    ["day:monday", { attributes: { day: { in: ["monday"] } } }],
    ['day:"today"', { attributes: { day: { in: ["today"] } } }],
    ["paidAt:>2026-11-01", { attributes: { paidAt: { gt: at("2026-11-01T14:59:59.999Z") } } }],
    ["paidAt:>=2026-11-01", { attributes: { paidAt: { gte: at("2026-10-31T15:00:00Z") } } }],
    ["payload.paidAt:<2026-11-01", { payload: { paidAt: { lt: "2026-10-31T15:00:00.000Z" } } }],
    ["payload.paidAt:<=2026-11-01", { payload: { paidAt: { lte: "2026-11-01T14:59:59.999Z" } } }],
    ['paidAt:"2026-11-01"', { attributes: { paidAt: { in: ["2026-11-01"] } } }],
    ["created:>=monday", { createdAt: { gte: at("2026-11-22T15:00:00Z") } }],
    ["created:sunday", { createdAt: { gte: at("2026-11-21T15:00:00Z"), lt: at("2026-11-22T15:00:00Z") } }],
    ["started:null", { startedAt: null }],
  ])("%s", (query, filter) => {
    expect(filterOf(query)).toEqual(filter);
  });
});

test("sort says the order, a sign its direction", () => {
  expect(parseQuery("sort:updated tag:x", time)).toEqual({
    filter: { tag: "x" },
    sortBy: "updatedAt",
    sortOrder: "desc",
    sortedAt: { start: 5, end: 12 },
  });
  expect(parseQuery("sort:+priority", time)).toMatchObject({ sortBy: "priority", sortOrder: "asc" });
  expect(parseQuery("sort:-createdAt", time)).toMatchObject({ sortBy: "createdAt", sortOrder: "desc" });
  expect(parseQuery("sort:id", time)).toMatchObject({ sortBy: "id", sortOrder: "asc" });
});

describe("what cannot be read is pointed at", () => {
  test.each<[string, number, string]>([
    ["priority:5*", 10, "* stands for how a text goes on; write a range such as 5..9 or >=5"],
    ["created:>2026-11-01*", 10, "* stands for how a text goes on; write a range such as 5..9 or >=5"],
    ["type:>a*", 7, "* cannot stand in a comparison or a range; leave it out, or put it in quotes"],
    ["userId:1*..9", 8, "* cannot stand in a comparison or a range; leave it out, or put it in quotes"],
    ["status:faild", 8, "pending, running, completed, failed and cancelled"],
    ["statsu:failed", 1, 'did you mean "status"'],
    ["tag:a created:soon", 15, "2026-11-23"],
    ["created:2026-02-30", 9, "no time"],
    ["duration:>fast", 11, "30s"],
    ["attempts:many", 10, "no number"],
    ['error:"abc', 7, "never closed"],
    ["errorGroup:a,b", 14, "use OR"],
    ["errorGroup:row*", 12, "as a whole"],
    ["errorGroup:>a", 13, "in no order"],
    ["(a OR b", 8, "parenthesis"],
    ["a)", 2, "closes nothing"],
    ["a OR", 5, "missing"],
    ["OR a", 1, "cannot stand here"],
    ["type:", 6, "no value"],
    ["type: a", 7, "right after the colon"],
    ["sort:colour", 6, "created"],
    ["(sort:id OR a)", 2, "once"],
    ["sort:id sort:due", 9, "once"],
    ['""', 1, "empty"],
    ["status:>failed", 9, "in no order"],
    ["type:a*,b", 6, "OR"],
    ["created:..", 1, "one side"],
    ["created:2026-11-01T10:00+99:99", 9, "no time"],
    ["tag:a payload..id:1", 7, "a key is missing"],
    ["payload.:1", 1, "a key is missing"],
    ['tag:a payload."a.b":5', 7, "a key with a dot in it"],
    ["result.a\\.b:5", 1, "a key with a dot in it"],
    ["status:faild", 8, 'Did you mean "failed"?'],
    ["has:statsu", 5, 'did you mean "status"'],
    ["created:2h", 9, "write >2h for what is after it"],
    ["due:+1d", 5, "write >+1d"],
    ["created:>99999d", 10, "too long"],
    ["duration:>99999d", 11, "too long"],
    ["type:*image", 7, "only how a text begins"],
    ["type:a*,b*", 6, "(type:a* OR type:b*)"],
    ["@bgi", 1, "no search is saved"],
    ["text:a,b", 1, "one text"],
    ["tag:a text:>b", 7, "one text"],
  ])("%s", (query, column, words) => {
    let met: any;
    try {
      parseQuery(query, time);
    } catch (error) {
      met = error;
    }
    expect(met).toMatchObject({ code: "INVALID_QUERY", details: { column } });
    expect(met.message).toContain(words);
    expect(met.message.split("\n")[2]).toMatch(/^ +\^+$/);
  });
});

test("an equals sign before a value says nothing new", () => {
  for (const field of [
    "status:%failed",
    "plan:%team",
    "payload.user.id:%42",
    "error:%'x",
    "created:%2026-11-01",
  ]) {
    const plain = parseQuery(field.replace("%", ""), time);
    expect(parseQuery(field.replace("%", "="), time)).toEqual(plain);
  }
});
