import { expect, test } from "vitest";
import { following, isFinished, mayFollow } from "./lifecycle.ts";
import { TaskStatus } from "./task.ts";

const statuses = Object.values(TaskStatus);

test("every status has its followers, and every follower is a status", () => {
  expect(Object.keys(following).sort()).toEqual([...statuses].sort());
  for (const next of Object.values(following).flat()) expect(statuses).toContain(next);
});

test("COMPLETED is final; FAILED and CANCELLED are left only for PENDING", () => {
  expect(statuses.filter((to) => mayFollow("COMPLETED", to))).toEqual([]);
  expect(statuses.filter((to) => mayFollow("FAILED", to))).toEqual(["PENDING"]);
  expect(statuses.filter((to) => mayFollow("CANCELLED", to))).toEqual(["PENDING"]);
});

test("only a running task can complete or fail", () => {
  for (const end of ["COMPLETED", "FAILED"] as const) {
    expect(statuses.filter((from) => mayFollow(from, end))).toEqual(["RUNNING"]);
  }
});

test("a task is finished unless it waits or runs", () => {
  expect(statuses.filter(isFinished)).toEqual(["COMPLETED", "FAILED", "CANCELLED"]);
});
