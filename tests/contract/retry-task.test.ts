import { expect, test } from "vitest";
import { newTask, someError, startAt } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("retryTask", (world) => {
  const finished = async (outcome: "completed" | "failed" | "cancelled") => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 2 }));
    await world.settle(claimed, outcome, { error: someError });
  };

  test.each(["failed", "cancelled"] as const)(
    "a task that was %s is PENDING again, due now, with a fresh budget",
    async (outcome) => {
      await finished(outcome);
      await world.clock.advance(5);
      const { task } = ok(await world.store.retryTask("a"));
      expect(task).toMatchObject({
        status: "PENDING",
        attempts: 0,
        crashes: 0,
        snoozes: 0,
        dueAt: new Date(startAt + 5),
        version: 4,
      });
      expect(task.completedAt).toBeUndefined();
      expect(task).toEqual(await world.get("a"));
      expect((await world.claim())[0]?.task.id).toBe("a");
    },
  );

  test("the attempts so far stay in the record and the fence goes on", async () => {
    await finished("failed");
    await world.store.retryTask("a");
    const [again] = await world.claim();
    expect(again?.fence).toBe(2);
    await world.settle(again!, "completed");
    expect(await world.store.listAttempts("a")).toMatchObject([
      { fence: 1, number: 1, outcome: "failed" },
      { fence: 2, number: 1, outcome: "completed" },
    ]);
  });

  test("a task that crashed too often is a fresh one: no suspect", async () => {
    await world.running(newTask({ id: "a" }));
    await world.bury("worker-1", 1);
    const { task } = ok(await world.store.retryTask("a"));
    expect(task.crashes).toBe(0);
    await world.store.registerWorker({
      id: "w",
      host: "h",
      pid: 1,
      concurrency: 1,
      types: [],
      leaseMs: 1_000,
    });
    expect(await world.claim({ workerId: "w" })).toHaveLength(1);
  });

  test("a cancelled task that never ran may be retried", async () => {
    await world.enqueue(newTask({ id: "a" }));
    await world.store.cancelTask("a");
    ok(await world.store.retryTask("a"));
    expect(await world.claim()).toHaveLength(1);
  });

  test("a COMPLETED task is refused", async () => {
    await finished("completed");
    expect(reasonOf(await world.store.retryTask("a"))).toBe("completed");
  });

  test("a task that has not ended is refused", async () => {
    await world.enqueue(newTask({ id: "a" }));
    expect(reasonOf(await world.store.retryTask("a"))).toBe("not-finished");
    await world.claim();
    expect(reasonOf(await world.store.retryTask("a"))).toBe("not-finished");
  });

  test("an unknown task is not found", async () => {
    expect(reasonOf(await world.store.retryTask("a"))).toBe("not-found");
  });

  test("another version than expected is refused", async () => {
    await finished("failed");
    expect(reasonOf(await world.store.retryTask("a", 2))).toBe("version");
    ok(await world.store.retryTask("a", 3));
  });

  test("of two retries at once one is done", async () => {
    await finished("failed");
    const answers = await Promise.all([world.store.retryTask("a"), world.store.retryTask("a")]);
    expect(answers.map(({ kind }) => kind).sort()).toEqual(["ok", "rejected"]);
  });
});
