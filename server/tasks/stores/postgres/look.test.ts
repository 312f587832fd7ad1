import { expect, test } from "vitest";
import type { ClaimRequest } from "../../core/store.ts";
import { Lookout } from "./look.ts";

const request: ClaimRequest = { workerId: "worker-1", types: ["resize-image"], limit: 10, suspect: true };

function lookoutOf(lanes: number): Lookout {
  const lookout = new Lookout();
  lookout.sawLanes(request, lanes);
  return lookout;
}

test("after a claim that brought all that was due, the next one is small, and nothing needs to be looked for before it", () => {
  const lookout = lookoutOf(1);
  lookout.claimed(request, 1, lookout.news, true);
  expect(lookout.wasIdle("worker-1")).toBe(true);
  expect(lookout.expectsNothing("worker-1")).toBe(false);
});

test("after a claim that brought as much as it asked for, the next one is large", () => {
  const lookout = lookoutOf(1);
  lookout.claimed(request, 10, lookout.news, true);
  expect(lookout.wasIdle("worker-1")).toBe(false);
});

test("where tasks are claimed from several lanes, one statement goes on to bring them", () => {
  const lookout = lookoutOf(2);
  lookout.claimed(request, 1, lookout.news, true);
  expect(lookout.wasIdle("worker-1")).toBe(false);
  lookout.claimed(request, 0, lookout.news, true);
  expect(lookout.wasIdle("worker-1")).toBe(true);
});

test("a small claim is followed by a look at all lanes, unless it is told of something new", () => {
  const lookout = lookoutOf(2);
  lookout.claimed(request, 1, lookout.news, false);
  expect(lookout.expectsNothing("worker-1")).toBe(true);
  lookout.tell();
  expect(lookout.expectsNothing("worker-1")).toBe(false);
  expect(lookout.wasIdle("worker-1")).toBe(true);
});
