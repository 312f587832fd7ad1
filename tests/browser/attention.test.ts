/** What the overview calls attention to, from counts and workers alone. */
import { expect, test } from "vitest";
import { attentionOf } from "../../web/attention.ts";
import type { Stats, Status, WorkerDocument } from "../../web/contract.ts";

const at = "2026-11-23T09:00:00.000Z";

function stats(counts: [type: string, status: Status, count: number][], more: Partial<Stats> = {}): Stats {
  const byType = counts.map(([type, status, count]) => ({ type, status, count, queue: "default" }));
  return { byType, workers: { alive: 1, dead: 0, stopped: 0 }, sizeBytes: 4096, ...more };
}

function worker(types: string[], state: WorkerDocument["state"] = "alive"): WorkerDocument {
  return {
    id: "w",
    state,
    host: "app",
    pid: 1,
    concurrency: 8,
    types,
    startedAt: at,
    beatAt: at,
    leaseMs: 30_000,
    running: 0,
  };
}

test("a healthy store needs no attention", () => {
  expect(attentionOf(stats([["send-receipt", "COMPLETED", 9]]), [worker(["send-receipt"])])).toEqual([]);
});

test("pending tasks without any worker come first, and make what waits no news of its own", () => {
  const found = attentionOf(stats([["send-receipt", "PENDING", 4]], { oldestDueMs: 900_000 }), [
    worker([], "dead"),
  ]);
  expect(found).toEqual([{ kind: "no-workers", count: 4 }]);
});

test("a type that waits and that no live worker runs is named", () => {
  const counts: [string, Status, number][] = [
    ["resize-image", "PENDING", 3],
    ["send-receipt", "PENDING", 1],
  ];
  expect(attentionOf(stats(counts), [worker(["send-receipt"])])).toEqual([
    { kind: "no-worker", type: "resize-image", count: 3 },
  ]);
});

test("failing types are sorted by how many failed, with their share of what ended", () => {
  const counts: [string, Status, number][] = [
    ["resize-image", "FAILED", 1],
    ["resize-image", "COMPLETED", 3],
    ["send-receipt", "FAILED", 2],
  ];
  expect(attentionOf(stats(counts), [worker(["resize-image", "send-receipt"])])).toEqual([
    { kind: "failing", type: "send-receipt", count: 2, share: 1 },
    { kind: "failing", type: "resize-image", count: 1, share: 0.25 },
  ]);
});

test("a due task that waits a minute and a worker that fell silent are told", () => {
  const found = attentionOf(
    stats([["send-receipt", "PENDING", 1]], {
      oldestDueMs: 60_000,
      workers: { alive: 1, dead: 2, stopped: 0 },
    }),
    [worker(["send-receipt"])],
  );
  expect(found).toEqual([
    { kind: "oldest-due", ms: 60_000 },
    { kind: "dead-workers", count: 2 },
  ]);
});
