import { expect, test } from "vitest";
import { FakeStore } from "../../../tests/support/fake-store.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import type { WorkerRecord } from "../core/store.ts";
import { Reaper } from "./reaper.ts";

const logger = { info() {}, warn() {}, error() {} };

function makeReaper(workers: () => Partial<WorkerRecord>[]) {
  const store = new FakeStore();
  const clock = new TestClock();
  const suspected = new Set<string>();
  store.listWorkers = async () => workers() as WorkerRecord[];
  store.reapWorkers = async ({ suspects }) => {
    for (const { workerId, renewals } of suspects) suspected.add(`${workerId}@${renewals}`);
    return { kind: "ok", value: { buried: [], tasks: [] } };
  };
  const reaper = new Reaper({
    store: store.asStore(),
    clock,
    logger,
    observerId: () => "self",
    abortGraceMs: () => 5_000,
    onTakenBack: () => {},
  });
  reaper.start();
  return { clock, suspected, reaper };
}

test("a worker whose renewals stand still for its lease is suspected, with the count that was seen", async () => {
  let renewals = 0;
  const { clock, suspected, reaper } = makeReaper(() => [
    { id: "quiet", state: "alive", renewals: 4, leaseMs: 15_000 },
    { id: "lively", state: "alive", renewals: renewals++, leaseMs: 15_000 },
    { id: "gone", state: "dead", renewals: 1, leaseMs: 15_000 },
    { id: "self", state: "alive", renewals: 1, leaseMs: 15_000 },
  ]);
  await clock.advance(14_000);
  expect(suspected.size).toBe(0);
  await clock.advance(4_000);
  expect([...suspected]).toEqual(["quiet@4"]);
  await reaper.stop();
});

test("what was taken back is said once, in words that fit the number", async () => {
  const said: string[] = [];
  const store = new FakeStore();
  const clock = new TestClock();
  const task = { id: "a", type: "resize-image", status: "PENDING" } as const;
  const answers = [
    { buried: ["w"], tasks: [task] },
    { buried: [], tasks: [task, task] },
    { buried: ["v", "w"], tasks: [] },
  ];
  store.reapWorkers = async () => ({ kind: "ok", value: answers.shift() ?? { buried: [], tasks: [] } });
  const reaper = new Reaper({
    store: store.asStore(),
    clock,
    logger: { ...logger, warn: (message: string) => void said.push(message) },
    observerId: () => "self",
    abortGraceMs: () => 5_000,
    onTakenBack: () => {},
  });
  reaper.start();
  await clock.advance(5_000);
  expect(said).toEqual([
    "Took back 1 task of 1 dead worker.",
    "Took back 2 tasks.",
    "Took back 0 tasks of 2 dead workers.",
  ]);
  await reaper.stop();
});

test("a jump of the machine's clock makes nobody suspect", async () => {
  let renewals = 0;
  const { clock, suspected, reaper } = makeReaper(() => [
    { id: "lively", state: "alive", renewals: Math.floor(renewals++ / 2), leaseMs: 15_000 },
  ]);
  await clock.advance(5_000);
  clock.jump(3_600_000);
  await clock.advance(5_000);
  clock.jump(-7_200_000);
  await clock.advance(30_000);
  expect(suspected.size).toBe(0);
  await reaper.stop();
});

/** A reaper of a store whose beats tell of the others; `beat` is one of this worker's. */
async function makeToldReaper() {
  const store = new FakeStore();
  const clock = new TestClock();
  const rounds: string[][] = [];
  store.pace = { pollMs: 1_000, reapMs: 60_000 };
  store.reapWorkers = async ({ suspects }) => {
    rounds.push(suspects.map(({ workerId, renewals }) => `${workerId}@${renewals} at ${clock.monotonic()}`));
    return { kind: "ok", value: { buried: [], tasks: [] } };
  };
  const reaper = new Reaper({
    store: store.asStore(),
    clock,
    logger,
    observerId: () => "self",
    abortGraceMs: () => 5_000,
    onTakenBack: () => {},
  });
  reaper.start();
  await clock.advance(0);
  rounds.length = 0;
  const beat = (renewals: number, ageMs: number, more = {}) =>
    reaper.onBeat({
      alive: true,
      owned: [],
      peers: [{ workerId: "other", renewals, leaseMs: 15_000, ageMs }],
      ...more,
    });
  return { clock, rounds, reaper, beat };
}

test("where beats tell of the others, nothing is asked while all is well", async () => {
  const { clock, rounds, reaper, beat } = await makeToldReaper();
  for (let renewals = 0; renewals < 8; renewals += 1) {
    beat(renewals, 100);
    await clock.advance(5_000);
  }
  expect(rounds).toEqual([]);
  await clock.advance(0);
  await reaper.stop();
});

test("where beats tell of the others, a lease that is over is known at once, by when it was renewed last", async () => {
  const { clock, rounds, reaper, beat } = await makeToldReaper();
  beat(7, 0);
  await clock.advance(5_000);
  beat(8, 4_000);
  await clock.advance(5_000);
  beat(8, 9_000);
  await clock.advance(5_999);
  expect(rounds).toEqual([]);
  await clock.advance(1);
  expect(rounds).toEqual([["other@8 at 16000"]]);
  await reaper.stop();
});

test("a store's clock that jumps makes a lease seem older by the time between two beats at most", async () => {
  const { clock, rounds, reaper, beat } = await makeToldReaper();
  beat(7, 0);
  await clock.advance(5_000);
  beat(8, 3_600_000);
  await clock.advance(14_999);
  beat(9, -3_600_000);
  await clock.advance(14_000);
  expect(rounds).toEqual([["other@8 at 15000"]]);
  await reaper.stop();
});

test("where beats tell that something is to be reaped, it is", async () => {
  const { clock, rounds, reaper, beat } = await makeToldReaper();
  beat(7, 0, { reapable: true });
  await clock.advance(0);
  expect(rounds).toEqual([[]]);
  await reaper.stop();
});
