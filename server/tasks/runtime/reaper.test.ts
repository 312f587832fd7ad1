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
