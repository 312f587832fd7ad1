import { describe, expect, test } from "vitest";
import { attributesRule } from "../attributes.ts";
import type { Task } from "../task.ts";
import type { Condition } from "./condition.ts";
import type { TaskFilter } from "./filter.ts";
import { filterProblems, toPlainFilters } from "./filter-condition.ts";
import { meets } from "./meets.ts";

const asked = (filter: TaskFilter) => toPlainFilters("searchTasks(options)", filter);
const attribute = (name: string) => ({ of: "attribute", name }) as const;

describe("plain filters and a condition", () => {
  test("equality on type, status, queue and id, and ranges of both instants, need no condition", () => {
    const at = new Date(5_000);
    const filter: TaskFilter = {
      id: "a",
      type: ["b", "c"],
      status: "FAILED",
      queue: "d",
      createdAt: { gt: at },
      updatedAt: { lte: at },
    };
    expect(asked(filter)).toEqual({
      ...{ id: "a", types: ["b", "c"], statuses: ["FAILED"], queues: ["d"] },
      ...{ created: { start: 5_001 }, updated: { end: 5_001 } },
    });
  });

  test("a second filter on the same field is joined to the first", () => {
    const { types, where } = asked({ type: "a", and: [{ type: ["a", "b"] }] });
    expect(types).toEqual(["a"]);
    expect(where).toMatchObject({ kind: "equals", values: ["a", "b"] });
  });

  test("a date in a payload is its ISO text, in an attribute its milliseconds", () => {
    const at = new Date(0);
    expect(asked({ payload: { at }, attributes: { at } }).where).toMatchObject({
      parts: [{ values: ["1970-01-01T00:00:00.000Z"] }, { values: [0] }],
    });
  });
});

describe("what is wrong is said, all of it", () => {
  test.each<[unknown, string]>([
    [{ statsu: "FAILED" }, "status"],
    [{ status: "DONE" }, "COMPLETED"],
    [{ priority: "high" }, "expected a number"],
    [{ duration: { gt: "soon" } }, "30s"],
    [{ createdAt: { gt: new Date(0), gte: new Date(0) } }, "both gt and gte"],
    [{ tag: { prefx: "a" } }, "prefix"],
    [{ text: " " }, "none of them empty"],
    [{ text: ["a", ""] }, 'text[1] is ""'],
    [{ text: "x".repeat(10_001) }, "at most 10000 characters"],
    [{ payload: { note: { contains: "x".repeat(1_000_000) } } }, "at most 10000 characters"],
    [{ or: { type: "a" } }, "list"],
    [{ attempts: { prefix: "1" } }, "text"],
    [{ payload: { a: Symbol("a") } }, "expected a string"],
  ])("%o", (filter, words) => {
    expect(filterProblems(filter).join(" ")).toContain(words);
  });

  test("a bigint is asked for as a whole: its text has another order than its numbers", () => {
    expect(toPlainFilters("search", { payload: { grams: 12n } }).where).toEqual({
      kind: "equals",
      field: { of: "payload", path: ["grams"] },
      values: ["12"],
    });
    expect(filterProblems({ payload: { grams: { gt: 5n } } })).toEqual([
      "payload.grams.gt is 5n; a bigint is kept as text, whose order is not that of its numbers. It can be asked for as a whole.",
    ]);
  });

  test("a query within a filter", () => {
    expect(filterProblems({ or: [{ query: "tag:vip" }] })).toEqual([
      '"query" stands among the options of the search alone; parseQuery(text) gives the filters of one.',
    ]);
  });

  test("matchers that stand in each other without end, and filters without number", () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.not = cyclic;
    expect(filterProblems({ priority: cyclic }).join(" ")).toContain("nested more than 20 deep");
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`key${n}`, n]));
    expect(filterProblems({ payload: many }).join(" ")).toContain("more than 1000");
    expect(filterProblems({ attributes: many }).join(" ")).toContain("more than 1000");
    let deep: TaskFilter = { type: "a" };
    for (let n = 0; n < 30; n++) deep = { not: deep };
    expect(filterProblems(deep).join(" ")).toContain("nested more than 20 deep");
  });
});

test("an attribute is a task's own, whatever objects have by themselves", () => {
  const exists: Condition = { kind: "exists", field: attribute("constructor") };
  const task = {} as Task;
  expect(meets(exists, { task, attributes: { userId: 1 } })).toBe(false);
  expect(meets(exists, { task, attributes: { constructor: "x" } as never })).toBe(true);
  expect(
    meets({ kind: "equals", field: attribute("toString"), values: [null] }, { task, attributes: {} }),
  ).toBe(true);
  expect(attributesRule({ 고객번호: () => 42 }, "attributes")).toBeUndefined();
  expect(attributesRule({ "고객 번호": () => 42 }, "attributes")).toContain("of any script");
  expect(attributesRule(JSON.parse('{"__proto__":1}'), "attributes")).toContain("name");
});

test("what completed within a range was changed last within it, and has ended", () => {
  const [from, to] = [new Date(1_000), new Date(2_000)];
  const ended = ["COMPLETED", "FAILED", "CANCELLED"];
  expect(asked({ completedAt: { gte: from, lt: to } })).toEqual({
    statuses: ended,
    updated: { start: 1_000, end: 2_000 },
  });
  expect(asked({ completedAt: { gt: from }, updatedAt: { lte: to }, status: ["PENDING", "FAILED"] })).toEqual(
    {
      statuses: ["FAILED"],
      updated: { start: 1_001, end: 2_001 },
    },
  );
  // Elsewhere than at the top, it is tested on each task.
  expect(asked({ not: { completedAt: { gte: from } } })).toMatchObject({ where: { kind: "not" } });
});
