import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { newTask } from "../../../../../tests/support/builders.ts";
import type { Database } from "../connections/database.ts";
import { Lull } from "../connections/lull.ts";
import { Notifier, readTold } from "./notifier.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const database = { location: { listen: true, schema: "dure" }, query: async () => [] } as unknown as Database;
const notifier = () => new Notifier(database, new Lull(database));

/** What is sent with an insert that ends at once. */
async function behind(of: Notifier) {
  const found = of.behind("tasks", [newTask()])!;
  found.done();
  await vi.waitFor(() => expect(found).toBeDefined());
  return found;
}

test("an announcement that could not be sent at once is the last for a minute", async () => {
  const of = notifier();
  (await behind(of)).ahead!.failed();
  vi.advanceTimersByTime(59_000);
  expect((await behind(of)).ahead).toBeUndefined();
  vi.advanceTimersByTime(2_000);
  expect((await behind(of)).ahead).toBeDefined();
});

test("what is announced, and what is told of it, are read with their number", async () => {
  const { ahead, values } = await behind(notifier());
  const { number } = ahead!;
  expect(readTold(ahead!.values[1] as string)).toEqual({ news: "soon", number });
  expect(readTold(values[1] as string)).toEqual({ news: "tasks", number });
  expect(Buffer.byteLength(values[1] as string)).toBeLessThanOrEqual(64);
});

test("what is told without a number is known by its kind; anything else may be anything", () => {
  expect(readTold("sender tasks")).toEqual({ news: "tasks" });
  expect(readTold("sender ends")).toEqual({ news: "ends" });
  for (const payload of ["sender", "sender tasks ends", "sender soon", "sender ends 1", "sender later 1"])
    expect(readTold(payload)).toBeUndefined();
});
