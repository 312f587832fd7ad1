/** What the overview calls attention to. */
import { expect, test } from "vitest";
import { attentionOf, type Facts } from "./attention.ts";
import type { Status } from "./contract.ts";

const worker = (types: string[], state: "alive" | "dead" = "alive") => ({ state, types });
const counts = (given: Record<string, number>) => new Map(Object.entries(given));

function facts(pending: Record<string, number>, more: Partial<Facts> = {}): Facts {
  const byType = Object.entries(pending).map(([type, count]) => ({
    ...{ type, count, queue: "default", status: "PENDING" as Status },
  }));
  const none = counts({});
  return {
    stats: { byType, workers: { alive: 1, dead: 0, stopped: 0 } },
    workers: [worker(["send-receipt"])],
    paused: { types: new Set(), queues: new Set() },
    ...{ failed: none, ended: none, arrived: none, departed: none, stuck: 0, searches: [] },
    ...more,
  };
}

const late = (pending: Record<string, number>, oldestDueMs: number, more: Partial<Facts> = {}): Facts => {
  const given = facts(pending, more);
  return { ...given, stats: { ...given.stats, oldestDueMs } };
};

test("a healthy store needs no attention", () => {
  expect(attentionOf(facts({ "send-receipt": 3 }))).toEqual([]);
});

test("pending tasks without any worker come first, and make what waits no news of its own", () => {
  const found = attentionOf(late({ "send-receipt": 4 }, 900_000, { workers: [worker([], "dead")] }));
  expect(found).toEqual([{ kind: "no-workers", count: 4, query: "status:pending" }]);
});

test("an alert that has gone off, or that fails, leads to its search; one in bounds is no news", () => {
  const at = new Date();
  const searches = [
    { name: "calm", alertState: { checkedAt: at, count: 3, lastEnqueuedAt: at } },
    { name: "soon", alertState: { checkedAt: at, count: 300, since: at } },
    { name: "stuck", alertState: { checkedAt: at, count: 134, since: at, enqueuedAt: at } },
    { name: "torn", alertState: { checkedAt: at, problem: "No task is defined." } },
    { name: "unwatched" },
  ];
  expect(attentionOf(facts({}, { searches }))).toEqual([
    { kind: "alert", name: "stuck", count: 134, query: "@stuck" },
    { kind: "alert-fails", name: "torn", query: "@torn" },
  ]);
});

test("a type that waits and that no live worker runs is named", () => {
  expect(attentionOf(facts({ "resize:image": 3, "send-receipt": 1 }))).toEqual([
    { kind: "no-worker", type: "resize:image", count: 3, query: 'status:pending type:"resize:image"' },
  ]);
});

test("types that failed of late are sorted by how often, with their share of what ended", () => {
  const failed = counts({ "resize-image": 1, "send-receipt": 2 });
  const ended = counts({ "resize-image": 4, "send-receipt": 2 });
  expect(attentionOf(facts({}, { failed, ended }))).toMatchObject([
    { kind: "failing", type: "send-receipt", count: 2, share: 1 },
    { type: "resize-image", share: 0.25, query: "status:failed type:resize-image updated:>24h" },
  ]);
});

test("what runs for long, a due task that waits a minute and a worker that fell silent are told", () => {
  const given = late({ "send-receipt": 1 }, 60_000, { stuck: 2 });
  given.stats.workers.dead = 2;
  expect(attentionOf(given)).toEqual([
    { kind: "stuck", count: 2, query: "status:running started:<15m sort:+started" },
    { kind: "oldest-due", ms: 60_000, query: "status:pending due:<+0s sort:+due" },
    { kind: "dead-workers", count: 2 },
  ]);
});

test("what is paused waits because somebody wants it to", () => {
  const paused = { types: new Set(["resize-image"]), queues: new Set(["mail"]) };
  expect(attentionOf(facts({ "resize-image": 3 }, { paused }))).toEqual([]);
  const [oldest] = attentionOf(late({ "send-receipt": 1 }, 60_000, { paused }));
  expect(oldest).toMatchObject({ query: "status:pending due:<+0s -type:resize-image -queue:mail sort:+due" });
});

test("a backlog grows where more comes than ends, and waits", () => {
  const arrived = counts({ "send-receipt": 1_000, "resize-image": 1_000, "nightly-report": 99 });
  const departed = counts({ "send-receipt": 700, "resize-image": 950 });
  const pending = { "send-receipt": 400, "resize-image": 500, "nightly-report": 99 };
  const workers = [worker(Object.keys(pending))];
  expect(attentionOf(late(pending, 61_000, { arrived, departed, workers }))).toMatchObject([
    {
      kind: "backlog",
      type: "send-receipt",
      count: 300,
      query: "status:pending type:send-receipt sort:+due",
    },
    { kind: "oldest-due" },
  ]);
  expect(attentionOf(late(pending, 59_000, { arrived, departed, workers })), "nothing waits long").toEqual(
    [],
  );
});
