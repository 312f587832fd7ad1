import { expect, test } from "vitest";
import { FakeStore } from "../../../tests/support/fake-store.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import { bucketOf } from "../core/duration-counts.ts";
import { DureError } from "../core/errors.ts";
import type { HistoryPrune, Settled, Settlement } from "../core/store.ts";
import { merged } from "../core/store-history.ts";
import { HistoryRecorder } from "./history-recorder.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;

function makeRecorder(keptMs: number | null = null) {
  const store = new FakeStore();
  const clock = new TestClock();
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const pruned: HistoryPrune[] = [];
  store.pruneHistory = async (request) => {
    pruned.push(request);
    return { kind: "ok", value: pruned.length === 1 ? request.limit : 0 };
  };
  const logger = { info: log, warn: log, error: log };
  const recorder = new HistoryRecorder({ store: store.asStore(), clock, logger, keptMs });
  const record = (
    status: Extract<Settled, { kind: "settled" }>["status"],
    facts: {
      type?: string;
      outcome?: Settlement["outcome"];
      waitMs?: number;
      runMs?: number;
      endedAt?: number;
    } = {},
  ) => {
    const {
      type = "send-receipt",
      outcome = "completed",
      waitMs = 5,
      runMs = 3,
      endedAt = clock.now(),
    } = facts;
    const settlement = { ref: 1, taskId: "a", fence: 1, workerId: "w", outcome };
    recorder.record({ ...settlement, ended: { type, endedAt, waitMs, runMs } }, { kind: "settled", status });
  };
  return { store, clock, logged, pruned, recorder, record };
}

test("attempts are counted by how they ended, by type and minute, and sent every few seconds", async () => {
  const { store, clock, recorder, record } = makeRecorder();
  recorder.start();
  const minute = clock.now();
  record("COMPLETED");
  record("COMPLETED", { runMs: 9 });
  record("FAILED", { outcome: "failed", type: "resize-image" });
  record("PENDING", { outcome: "failed" });
  record("PENDING", { outcome: "timed-out", runMs: 70 });
  record("CANCELLED", { outcome: "failed" });
  record("COMPLETED", { endedAt: minute + minuteMs });
  expect(store.history).toEqual([]);
  await clock.advance(7_000);
  const none = { completed: 0, failed: 0, cancelled: 0, retried: 0 };
  const one = { waits: { counts: { 5: 1 }, max: 5 }, runs: { counts: { 3: 1 }, max: 3 } };
  expect(store.history).toEqual([
    { ...none, ...one, type: "resize-image", start: minute, failed: 1 },
    {
      ...{ ...none, type: "send-receipt", start: minute, completed: 2, retried: 2, cancelled: 1 },
      waits: { counts: { 5: 5 }, max: 5 },
      runs: { counts: { 3: 3, 9: 1, [bucketOf(70)]: 1 }, max: 70 },
    },
    { ...none, ...one, type: "send-receipt", start: minute + minuteMs, completed: 1 },
  ]);
  await clock.advance(60_000);
  expect(store.history).toHaveLength(3);
  await recorder.stop();
});

test("what was given back, put off or lost is not counted", async () => {
  const { store, recorder, record } = makeRecorder();
  record("PENDING", { outcome: "released" });
  record("PENDING", { outcome: "snoozed" });
  const settlement = { ref: 1, taskId: "a", fence: 1, workerId: "w", outcome: "completed" } as const;
  const ended = { type: "a", endedAt: 0, waitMs: 0, runMs: 0 };
  recorder.record({ ...settlement, ended }, { kind: "lease-lost", lostTo: "unknown" });
  recorder.record(settlement, { kind: "settled", status: "COMPLETED" });
  await recorder.stop();
  expect(store.history).toEqual([]);
});

test("attempts of dead workers are counted, without times", async () => {
  const { store, clock, recorder } = makeRecorder();
  const type = "send-receipt";
  recorder.recordReaped([
    { id: "a", type, status: "PENDING" },
    { id: "b", type, status: "FAILED" },
    { id: "c", type, status: "CANCELLED" },
  ]);
  await recorder.stop();
  const none = { counts: {}, max: 0 };
  expect(store.history).toEqual([
    { type, start: clock.now(), completed: 0, failed: 1, cancelled: 1, retried: 1, waits: none, runs: none },
  ]);
});

test("what could not be sent is sent later, once, with what came since", async () => {
  const { store, clock, recorder, record } = makeRecorder();
  recorder.start();
  const addNow = store.addHistory;
  store.addHistory = async () => {
    throw new DureError("DATABASE_FULL", "The disk is full.");
  };
  for (let n = 0; n < 30; n += 1) {
    record("COMPLETED");
    await clock.advance(1_000);
  }
  store.addHistory = addNow;
  await clock.advance(10_000);
  expect(merged(store.history)).toMatchObject([{ completed: 30, runs: { counts: { 3: 30 } } }]);
  await recorder.stop();
});

test("what may have been stored is not sent again", async () => {
  const { store, clock, recorder, record } = makeRecorder();
  recorder.start();
  let calls = 0;
  store.addHistory = async () => {
    calls += 1;
    return { kind: "unknown", cause: new Error("gone") };
  };
  record("COMPLETED");
  await clock.advance(30_000);
  expect(calls).toBe(1);
  await recorder.stop();
});

test("a stop sends the rest, also when the store needs a moment, and says so when it cannot", async () => {
  const { store, clock, logged, recorder, record } = makeRecorder();
  const addNow = store.addHistory;
  let failures = 2;
  store.addHistory = async (minutes) => {
    if (failures-- > 0) throw new DureError("DATABASE_UNAVAILABLE", "Busy.");
    return addNow(minutes);
  };
  recorder.start();
  record("COMPLETED");
  const stopped = recorder.stop();
  expect(recorder.stop()).toBe(stopped);
  await clock.advance(1_000);
  await stopped;
  expect(store.history).toHaveLength(1);
  expect(logged).toEqual([]);

  const other = makeRecorder();
  other.store.addHistory = async () => {
    throw new DureError("DATABASE_FULL", "The disk is full.");
  };
  other.record("COMPLETED");
  const ended = other.recorder.stop();
  await other.clock.advance(1_000);
  await ended;
  expect(other.logged).toEqual([expect.stringContaining("The last seconds are missing in the history")]);
});

test.each([null, 400 * dayMs])(
  "what is kept no longer (days for %s ms) is deleted, once an hour",
  async (keptMs) => {
    const { clock, pruned, recorder } = makeRecorder(keptMs);
    recorder.start();
    await clock.advance(3_700_000);
    await recorder.stop();
    const ages = new Map(
      pruned.map(({ span, before }) => [span, Math.round((clock.now() - before) / dayMs)]),
    );
    expect(Object.fromEntries(ages)).toEqual({ minute: 2, hour: 60, ...(keptMs !== null && { day: 400 }) });
    expect(
      pruned.filter(({ span }) => span === "minute"),
      "until a batch is not full",
    ).toHaveLength(2);
  },
);
