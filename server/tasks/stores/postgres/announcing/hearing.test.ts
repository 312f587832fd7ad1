import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Hearing } from "./hearing.ts";

let checks: number;
let told: (boolean | undefined)[];
let hearing: Hearing;

beforeEach(() => {
  vi.useFakeTimers();
  checks = 0;
  told = [];
  hearing = new Hearing({
    prove: () => {
      checks += 1;
    },
    listening: (works) => told.push(works),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** With a look every three seconds. */
function pass(seconds: number): void {
  for (let second = 1; second <= seconds; second += 1) {
    vi.advanceTimersByTime(1_000);
    if (second % 3 === 0) hearing.look();
  }
}

test("a connection that listens is proved by a check that is heard", () => {
  hearing.begin();
  expect([checks, told]).toEqual([1, []]);
  hearing.heard();
  expect(told).toEqual([true]);
});

test("what is heard proves it for a while, and then it is proved anew", () => {
  hearing.begin();
  hearing.heard();
  pass(9);
  expect(checks).toBe(1);
  for (let minute = 0; minute < 4; minute += 1) {
    pass(9);
    hearing.heard();
  }
  const before = checks;
  for (let seconds = 0; seconds < 24 && checks === before; seconds += 3) pass(3);
  expect(checks).toBe(before + 1);
});

test("notifications that stop to arrive are known to within half a minute, and tried again", () => {
  hearing.begin();
  hearing.heard();
  pass(30);
  expect(told).toEqual([true, false]);
  expect(checks).toBe(3);
  pass(65);
  expect(checks).toBe(4);
  hearing.heard();
  expect(told).toEqual([true, false, true]);
});

test("one check that does not arrive is followed by another at once, two by none for a minute", () => {
  hearing.begin();
  pass(6);
  expect([checks, told]).toEqual([2, [false]]);
  hearing.heard();
  expect(told).toEqual([false, true]);
  pass(36);
  expect([checks, told]).toEqual([4, [false, true, false]]);
  pass(40);
  expect(checks).toBe(4);
});

test("of a connection that is gone nothing is known, and nothing is sent for it", () => {
  hearing.begin();
  hearing.heard();
  hearing.end();
  pass(120);
  expect([checks, told]).toEqual([1, [true, undefined]]);
});

test("where LISTEN is refused, notifications do not arrive", () => {
  hearing.refused();
  pass(120);
  expect([checks, told]).toEqual([0, [false]]);
});
