import { expect, test } from "vitest";
import { TestClock } from "../../../tests/support/test-clock.ts";
import { Loop } from "./loop.ts";

function makeLoop(tick: (signal: AbortSignal) => Promise<number>) {
  const clock = new TestClock();
  const errors: string[] = [];
  const logger = { info() {}, warn() {}, error: (message: string) => void errors.push(message) };
  const loop = new Loop({ name: "test", clock, logger, tick });
  return { clock, errors, loop };
}

test("a loop waits as long as its tick says", async () => {
  let ticks = 0;
  const { clock, loop } = makeLoop(async () => {
    ticks += 1;
    return 100;
  });
  loop.start();
  await clock.advance(99);
  expect(ticks).toBe(1);
  await clock.advance(1);
  expect(ticks).toBe(2);
  await loop.stop();
  await clock.advance(1_000);
  expect(ticks).toBe(2);
  expect(clock.waiting).toBe(0);
});

test("wake ends a wait, also when it comes during the tick", async () => {
  let ticks = 0;
  const { clock, loop } = makeLoop(async () => {
    ticks += 1;
    if (ticks === 1) loop.wake();
    return Number.POSITIVE_INFINITY;
  });
  loop.start();
  await clock.advance(0);
  expect(ticks).toBe(2);
  loop.wake();
  await clock.advance(0);
  expect(ticks).toBe(3);
  await loop.stop();
});

test("a tick that throws is tried again after a growing wait that wake does not shorten", async () => {
  let ticks = 0;
  const { clock, errors, loop } = makeLoop(async () => {
    ticks += 1;
    throw new Error("no database");
  });
  loop.start();
  for (let second = 0; second < 60; second += 1) {
    loop.wake();
    await clock.advance(1_000);
  }
  // 50, 100, 200 … 5,000 ms, each between half and all of it.
  expect(ticks).toBeGreaterThan(15);
  expect(ticks).toBeLessThan(35);
  expect(errors).toHaveLength(1);
  await loop.stop();
});

test("the same error is logged once a minute, another one at once", async () => {
  let message = "first";
  const { clock, errors, loop } = makeLoop(async () => {
    throw new Error(message);
  });
  loop.start();
  await clock.advance(30_000);
  message = "second";
  await clock.advance(10_000);
  expect(errors).toHaveLength(2);
  await clock.advance(90_000);
  expect(errors.length).toBeGreaterThan(2);
  expect(errors.length).toBeLessThan(5);
  await loop.stop();
});

test("a loop that failed and recovered ticks at its own pace again", async () => {
  let ticks = 0;
  const { clock, loop } = makeLoop(async () => {
    ticks += 1;
    if (ticks <= 3) throw new Error("for a while");
    return 100;
  });
  loop.start();
  await clock.advance(400);
  expect(loop.failing).toBe(false);
  const before = ticks;
  await clock.advance(1_000);
  expect(ticks - before).toBe(10);
  await loop.stop();
});
