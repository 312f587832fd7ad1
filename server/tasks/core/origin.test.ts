import { expect, test } from "vitest";
import type { Origin } from "./origin.ts";
import { chained, chainGapMs, countChild } from "./origin.ts";

function origin(facts: Partial<Origin> = {}): Origin {
  return {
    type: "resize-image",
    depth: 0,
    limits: { childrenMax: 2, depthMax: 3 },
    over: false,
    children: 0,
    ...facts,
  };
}

test("an attempt enqueues as many tasks as it may, and is told what to do beyond", () => {
  const attempt = origin();
  countChild(attempt);
  countChild(attempt);
  expect(() => countChild(attempt)).toThrow(
    expect.objectContaining({
      code: "ENQUEUE_LIMIT",
      details: { limit: "children", max: 2, type: "resize-image" },
      message: expect.stringContaining("worker.childrenMax"),
    }),
  );
});

test("what a handler left behind is not counted against it", () => {
  const attempt = origin({ over: true, children: 2 });
  countChild(attempt);
  expect(attempt.children).toBe(2);
});

test("a chain ends where it may not become longer", () => {
  expect(chained(origin({ depth: 2 }), undefined, 0)).toEqual({ depth: 3 });
  expect(() => chained(origin({ depth: 3 }), undefined, chainGapMs - 1)).toThrow(
    expect.objectContaining({
      code: "ENQUEUE_LIMIT",
      details: { limit: "depth", max: 3, type: "resize-image" },
      message: expect.stringContaining("worker.depthMax"),
    }),
  );
});

test("a link that waits for a minute begins a chain of its own", () => {
  expect(chained(origin({ depth: 3 }), undefined, chainGapMs)).toBeUndefined();
  expect(chained(origin({ depth: 3 }), { timeoutMs: 1 }, chainGapMs)).toEqual({ timeoutMs: 1 });
});

test("the children of an attempt share their settings, except those with settings of their own", () => {
  const attempt = origin();
  expect(chained(attempt, undefined, 0)).toBe(chained(attempt, undefined, 0));
  expect(chained(attempt, { timeoutMs: 1 }, 0)).toEqual({ timeoutMs: 1, depth: 1 });
});
