import { expect, test } from "vitest";
import { FakeStore } from "../../../tests/support/fake-store.ts";
import { TestClock } from "../../../tests/support/test-clock.ts";
import type { Task, TaskStatusName } from "../core/task.ts";
import { Waiter } from "./waiter.ts";

function makeWaiter() {
  const clock = new TestClock();
  const fake = new FakeStore();
  let status: TaskStatusName = "RUNNING";
  let reads = 0;
  const store = Object.assign(fake.asStore(), {
    getTask: async (id: string) => {
      reads += 1;
      return id === "a" ? ({ id, type: "resize-image", status } as Task) : undefined;
    },
    findNearIds: async () => ["a"],
  });
  const waiter = new Waiter(clock, async () => store);
  return {
    clock,
    waiter,
    store: fake,
    end: (as: TaskStatusName) => {
      status = as;
    },
    reads: () => reads,
  };
}

test("a wait ends at once when the task has ended", async () => {
  const { waiter, end } = makeWaiter();
  end("COMPLETED");
  expect((await waiter.waitForEnd("a", {})).status).toBe("COMPLETED");
});

test("a settlement of this process ends the wait at once", async () => {
  const { clock, waiter, end } = makeWaiter();
  const waited = waiter.waitForEnd("a", {});
  await clock.advance(10);
  end("FAILED");
  waiter.onEnded("a");
  expect((await waited).status).toBe("FAILED");
  expect(clock.waiting).toBe(0);
});

test("the store is asked to tell of changes once, when somebody waits, and other news are none", async () => {
  const { clock, waiter, store, end, reads } = makeWaiter();
  expect(store.listeners.size).toBe(0);
  const waits = [waiter.waitForEnd("a", {}), waiter.waitForEnd("a", {})];
  await clock.advance(60);
  expect(store.listeners.size).toBe(1);
  const [listener] = store.listeners;
  const before = reads();
  listener!("tasks");
  await clock.advance(60);
  expect(reads()).toBe(before);
  end("COMPLETED");
  listener!("ends");
  await clock.advance(60);
  expect((await Promise.all(waits)).length).toBe(2);
});

test("hints are followed at most every 50 ms", async () => {
  const { clock, waiter, end, reads } = makeWaiter();
  const waited = waiter.waitForEnd("a", {});
  for (let hint = 0; hint < 100; hint += 1) {
    waiter.onChange();
    await clock.advance(5);
  }
  expect(reads()).toBeLessThanOrEqual(13);
  end("CANCELLED");
  waiter.onChange();
  await clock.advance(60);
  expect((await waited).status).toBe("CANCELLED");
});

test("without any hint the end is found by looking each second", async () => {
  const { clock, waiter, end } = makeWaiter();
  const waited = waiter.waitForEnd("a", {});
  await clock.advance(10);
  end("COMPLETED");
  await clock.advance(1_000);
  expect((await waited).status).toBe("COMPLETED");
});

test("a wait can be timed, and the task goes on", async () => {
  const { clock, waiter } = makeWaiter();
  const waited = waiter.waitForEnd("a", { timeoutMs: 200 }).catch((error) => error);
  await clock.advance(250);
  expect(await waited).toMatchObject({ code: "WAIT_TIMEOUT", details: { id: "a", status: "RUNNING" } });
  expect(clock.waiting).toBe(0);
});

test("a wait can be aborted, with the signal's reason", async () => {
  const { clock, waiter } = makeWaiter();
  const abort = new AbortController();
  const waited = waiter.waitForEnd("a", { signal: abort.signal }).catch((error) => error);
  await clock.advance(10);
  abort.abort(new Error("enough"));
  expect((await waited).message).toBe("enough");
  await expect(waiter.waitForEnd("a", { signal: abort.signal })).rejects.toThrow("enough");
});

test("waiting for a task that does not exist names the near ids", async () => {
  const { waiter } = makeWaiter();
  await expect(waiter.waitForEnd("abc", {})).rejects.toMatchObject({
    code: "TASK_NOT_FOUND",
    details: { near: ["a"] },
  });
});
