import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { News } from "../../../core/store.ts";
import { Announcements } from "./announcements.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** Another process's words as they come, and what this one is told. */
function begin() {
  const announcements = new Announcements();
  const told: (News | undefined)[] = [];
  const hear = (news?: News, number?: string) =>
    announcements.hear(news && { news, ...(number !== undefined && { number }) }, (one) => told.push(one));
  return { announcements, told, hear };
}

test("what has no number is told as it came", () => {
  const { told, hear } = begin();
  hear("tasks");
  hear("ends");
  hear();
  expect(told).toEqual(["tasks", "ends", undefined]);
});

test("one claim waits for an insert that was announced, and only for the latest", () => {
  const { announcements, told, hear } = begin();
  expect(announcements.take()).toBeUndefined();
  hear("soon", "1");
  hear("soon", "2");
  expect(told).toEqual(["soon", "soon"]);
  expect(announcements.take()?.number).toBe("2");
  expect(announcements.take()).toBeUndefined();
});

test("what a claim has waited for is stored, and not to be looked for again", () => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  announcements.take()!.end(true);
  hear("tasks", "1");
  expect(told).toEqual(["soon", "stored"]);
});

test("what a claim did not find under way is to be looked for: the insert may not have begun then", () => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  announcements.take()!.end(false);
  hear("tasks", "1");
  expect(told).toEqual(["soon", "tasks"]);
});

test("what no claim waited for is to be looked for, and is not waited for any more", () => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  hear("tasks", "1");
  expect(told).toEqual(["soon", "tasks"]);
  expect(announcements.take()).toBeUndefined();
});

test.each([
  [true, "stored"],
  [false, "tasks"],
  [undefined, "tasks"],
])("what is told while a claim waits is judged by how that ends: %s", (didWait, news) => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  const announced = announcements.take()!;
  hear("tasks", "1");
  expect(told).toEqual(["soon"]);
  announced.end(didWait);
  expect(told).toEqual(["soon", news]);
});

test("after a wait that took too long nothing is waited for, for a minute", () => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  announcements.take()!.end(undefined);
  vi.advanceTimersByTime(59_000);
  hear("soon", "2");
  expect(announcements.take()).toBeUndefined();
  hear("tasks", "2");
  vi.advanceTimersByTime(2_000);
  hear("soon", "3");
  expect(told).toEqual(["soon", "tasks", "soon"]);
  expect(announcements.take()?.number).toBe("3");
});

test("an end is told once, however late it comes", () => {
  const { announcements, told, hear } = begin();
  hear("soon", "1");
  announcements.take()!.end(true);
  hear("tasks", "1");
  hear("tasks", "1");
  expect(told).toEqual(["soon", "stored", "tasks"]);
});
