import { expect, test } from "vitest";
import { FakeStore } from "../../../tests/support/fake-store.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import { DureError } from "../core/errors.ts";
import type { Settled, Settlement } from "../core/store.ts";
import { Settler } from "./settler.ts";

function makeSettler() {
  const store = new FakeStore();
  const clock = new TestClock();
  const answers: [string, Settled][] = [];
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  let recovered = 0;
  const settler = new Settler({
    store: store.asStore(),
    clock,
    logger: { info: log, warn: log, error: log },
    onSettled: ({ taskId }, settled) => void answers.push([taskId, settled]),
    onRecovered: () => {
      recovered += 1;
    },
  });
  return { store, clock, answers, logged, settler, recovered: () => recovered };
}

function completed(taskId: string): Settlement {
  return { ref: taskId, taskId, fence: 1, workerId: "worker", outcome: "completed" };
}

const full = () => new DureError("DATABASE_FULL", "The disk is full.");

test("what ends in one turn is settled in one call", async () => {
  const { store, clock, answers, settler } = makeSettler();
  for (let index = 0; index < 700; index += 1) settler.add(completed(`task-${index}`));
  await settler.idle();
  await clock.advance(0);
  expect(store.settleSizes).toEqual([700]);
  expect(answers).toHaveLength(700);
  expect(settler.unsettled).toBe(0);
});

test("at most two calls are in flight, of at most 1,000 settlements each", async () => {
  const { store, clock, settler } = makeSettler();
  const release: (() => void)[] = [];
  const settleNow = store.settleTasks;
  store.settleTasks = async (settlements) => {
    await new Promise<void>((resolve) => release.push(resolve));
    return settleNow(settlements);
  };
  for (let index = 0; index < 3_500; index += 1) settler.add(completed(`task-${index}`));
  await clock.advance(0);
  expect(release).toHaveLength(2);
  while (store.settled.length < 3_500) {
    release.shift()?.();
    await clock.advance(0);
    expect(release.length).toBeLessThanOrEqual(2);
  }
  expect(Math.max(...store.settleSizes)).toBe(1_000);
});

test("an outcome is sent again until the store takes it", async () => {
  const { store, clock, answers, logged, settler, recovered } = makeSettler();
  const settleNow = store.settleTasks;
  let tries = 0;
  store.settleTasks = async (settlements) => {
    tries += 1;
    if (tries < 8) throw full();
    return settleNow(settlements);
  };
  settler.add(completed("a"));
  settler.add(completed("b"));
  await clock.advance(200);
  expect(settler.failing).toBe(true);
  await clock.advance(60_000);
  expect(answers.map(([id]) => id)).toEqual(["a", "b"]);
  expect(settler.failing).toBe(false);
  expect(recovered()).toBe(1);
  expect(logged).toHaveLength(1);
});

test("an unknown answer is resolved by sending the same settlement again", async () => {
  const { store, clock, answers, settler } = makeSettler();
  const sent: Settlement[][] = [];
  store.settleTasks = async (settlements) => {
    sent.push([...settlements]);
    if (sent.length === 1) return { kind: "unknown", cause: new Error("connection lost") };
    return { kind: "ok", value: [{ kind: "settled", status: "COMPLETED" }] };
  };
  settler.add(completed("a"));
  await clock.advance(1_000);
  expect(sent[1]).toEqual(sent[0]);
  expect(answers).toEqual([["a", { kind: "settled", status: "COMPLETED" }]]);
});

test("after ten minutes an outcome is given up, and said so; then it is for claims to find out how the store does", async () => {
  const { store, clock, logged, settler, recovered } = makeSettler();
  store.settleTasks = async () => {
    throw full();
  };
  settler.add(completed("a"));
  await clock.advance(9 * 60_000);
  expect([settler.has("a", 1), settler.failing, recovered()]).toEqual([true, true, 0]);
  await clock.advance(2 * 60_000);
  expect([settler.has("a", 1), settler.failing, recovered()]).toEqual([false, false, 1]);
  expect(logged.at(-1)).toContain("given up");
});

test("one settlement that the store cannot take holds up no other", async () => {
  const { store, clock, answers, settler } = makeSettler();
  const settleNow = store.settleTasks;
  store.settleTasks = async (settlements) => {
    if (settlements.some(({ taskId, outcome }) => taskId === "b" && outcome === "completed"))
      throw new TypeError("b");
    return settleNow(settlements);
  };
  for (const id of ["a", "b", "c"]) settler.add(completed(id));
  await clock.advance(1_000);
  expect(answers.map(([id, settled]) => [id, settled.kind === "settled" && settled.status])).toEqual([
    ["a", "COMPLETED"],
    ["b", "FAILED"],
    ["c", "COMPLETED"],
  ]);
});
