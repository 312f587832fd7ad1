import { expect, test } from "vitest";
import { newTask, newTasks, newWorker, settlementOf, someError, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

const endings = ["completed", "failed", "timed-out", "cancelled", "snoozed", "released"] as const;

onEachStore("settleTasks", (world) => {
  const attempts = (id: string) => world.store.listAttempts(id);

  test("completed makes the task COMPLETED with its result", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.clock.advance(70);
    const settled = await world.settle(claimed, "completed", { result: { json: '{"files":3}' } });
    expect(settled).toEqual({ kind: "settled", status: "COMPLETED" });
    const endedAt = new Date(startAt + 70);
    expect(await world.get("a")).toMatchObject({
      status: "COMPLETED",
      result: { files: 3 },
      completedAt: endedAt,
      updatedAt: endedAt,
      attempts: 1,
      version: 3,
    });
    expect(await attempts("a")).toMatchObject([
      { outcome: "completed", startedAt: new Date(startAt), endedAt },
    ]);
  });

  test("a success after failures has no error, and the failures stay in the record", async () => {
    const first = await world.running(newTask({ id: "a", maxAttempts: 2 }));
    await world.settle(first, "failed", { error: someError, retryAt: startAt });
    const [second] = await world.claim();
    expect(second?.task.error).toBe("mailbox full");
    await world.settle(second!, "completed");
    expect((await world.get("a")).error).toBeUndefined();
    expect(await attempts("a")).toMatchObject([
      { fence: 1, number: 1, outcome: "failed", error: someError },
      { fence: 2, number: 2, outcome: "completed" },
    ]);
  });

  test.each(["failed", "timed-out"] as const)(
    "%s with retryAt goes back to PENDING while attempts are left",
    async (outcome) => {
      const claimed = await world.running(newTask({ id: "a", maxAttempts: 2 }));
      const settled = await world.settle(claimed, outcome, { error: someError, retryAt: startAt + 5_000 });
      expect(settled).toEqual({ kind: "settled", status: "PENDING", dueAt: startAt + 5_000 });
      expect(await world.get("a")).toMatchObject({
        status: "PENDING",
        attempts: 1,
        error: "mailbox full",
        dueAt: new Date(startAt + 5_000),
      });
      await world.clock.advance(5_000);
      const [again] = await world.claim();
      expect(await world.settle(again!, outcome, { error: someError, retryAt: startAt })).toMatchObject({
        status: "FAILED",
      });
      expect((await world.get("a")).attempts).toBe(2);
    },
  );

  test.each(["failed", "timed-out"] as const)("%s without retryAt is final", async (outcome) => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 9 }));
    expect(await world.settle(claimed, outcome, { error: someError })).toEqual({
      kind: "settled",
      status: "FAILED",
    });
    expect(await world.get("a")).toMatchObject({
      status: "FAILED",
      error: "mailbox full",
      completedAt: new Date(startAt),
    });
  });

  test("released gives the task back uncharged and due now", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    expect(await world.settle(claimed, "released")).toEqual({
      kind: "settled",
      status: "PENDING",
      dueAt: startAt,
    });
    expect(await world.get("a")).toMatchObject({ status: "PENDING", attempts: 0, snoozes: 0, crashes: 0 });
    expect((await world.claim())[0]?.task.attempts).toBe(1);
  });

  test("snoozed gives the task back uncharged, for later, and is counted", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    const settled = await world.settle(claimed, "snoozed", { retryAt: startAt + 1_000 });
    expect(settled).toEqual({ kind: "settled", status: "PENDING", dueAt: startAt + 1_000 });
    expect(await world.get("a")).toMatchObject({ status: "PENDING", attempts: 0, snoozes: 1 });
    expect(await attempts("a")).toMatchObject([{ outcome: "snoozed", number: 1 }]);
  });

  test("cancelled makes the task CANCELLED", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    expect(await world.settle(claimed, "cancelled")).toEqual({ kind: "settled", status: "CANCELLED" });
    expect(await world.get("a")).toMatchObject({ status: "CANCELLED", completedAt: new Date(startAt) });
  });

  test.each(endings)(
    "after a cancel request, %s ends as the rule says: a success wins, all else is CANCELLED",
    async (outcome) => {
      const claimed = await world.running(newTask({ id: "a", maxAttempts: 5 }));
      ok(await world.store.cancelTask("a"));
      const status = outcome === "completed" ? "COMPLETED" : "CANCELLED";
      expect(await world.settle(claimed, outcome, { retryAt: startAt })).toEqual({ kind: "settled", status });
      const task = await world.get("a");
      expect(task.status).toBe(status);
      expect(task.cancelRequestedAt).toBeUndefined();
      expect(await attempts("a")).toMatchObject([{ outcome: status.toLowerCase() }]);
    },
  );

  test.each(endings)("%s sent twice is answered as the first time, and done once", async (outcome) => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 2 }));
    const first = await world.settle(claimed, outcome, { retryAt: startAt + 5 });
    const before = await world.get("a");
    expect(await world.settle(claimed, outcome, { retryAt: startAt + 5 })).toEqual(first);
    expect(await world.get("a")).toEqual(before);
  });

  test.each(endings)(
    "%s of a task with a cancel request, sent twice, is answered as the first time",
    async (outcome) => {
      const claimed = await world.running(newTask({ id: "a", maxAttempts: 2 }));
      ok(await world.store.cancelTask("a"));
      const first = await world.settle(claimed, outcome, { retryAt: startAt + 5 });
      expect(await world.settle(claimed, outcome, { retryAt: startAt + 5 })).toEqual(first);
    },
  );

  test("its own commit is recognised after the task has gone on", async () => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 2 }));
    await world.settle(claimed, "failed", { retryAt: startAt });
    const [next] = await world.claim();
    expect(await world.settle(claimed, "failed", { retryAt: startAt })).toMatchObject({ kind: "settled" });
    expect(await world.settle(next!, "completed")).toEqual({ kind: "settled", status: "COMPLETED" });
  });

  test("another end than the one that was committed is refused", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.settle(claimed, "completed", { result: { json: "1" } });
    expect(await world.settle(claimed, "failed")).toEqual({ kind: "lease-lost", lostTo: "completed" });
    expect(await world.get("a")).toMatchObject({ status: "COMPLETED", result: 1 });
  });

  test.each(endings)("%s with an older fence changes nothing", async (outcome) => {
    const stale = await world.running(newTask({ id: "a", maxAttempts: 3 }));
    await world.settle(stale, outcome === "released" ? "snoozed" : "released", { retryAt: startAt });
    const [current] = await world.claim();
    const before = await world.get("a");
    expect(await world.settle(stale, outcome, { retryAt: startAt })).toMatchObject({ kind: "lease-lost" });
    expect(await world.get("a")).toEqual(before);
    expect(await world.settle(current!, "completed")).toMatchObject({ kind: "settled" });
  });

  test.each(endings)("%s by a worker that does not own the task changes nothing", async (outcome) => {
    await world.store.registerWorker(newWorker("worker-2"));
    const claimed = await world.running(newTask({ id: "a" }));
    const before = await world.get("a");
    for (const workerId of ["worker-2", "nobody"]) {
      expect(await world.settle(claimed, outcome, { workerId })).toMatchObject({ kind: "lease-lost" });
    }
    expect(await world.get("a")).toEqual(before);
  });

  test("an end that another worker committed is not taken for its own", async () => {
    await world.store.registerWorker(newWorker("worker-2"));
    const claimed = await world.running(newTask({ id: "a" }));
    await world.settle(claimed, "completed");
    expect(await world.settle(claimed, "completed", { workerId: "worker-2" })).toMatchObject({
      kind: "lease-lost",
    });
  });

  test.each(endings)(
    "%s by a buried worker is refused, and kept in the attempt's record",
    async (outcome) => {
      const claimed = await world.running(newTask({ id: "a", maxAttempts: 3 }));
      await world.bury();
      expect(await world.settle(claimed, outcome, { retryAt: startAt })).toEqual({
        kind: "lease-lost",
        lostTo: "lost",
      });
      expect((await world.get("a")).status).toBe("PENDING");
      expect(await attempts("a")).toMatchObject([{ fence: 1, outcome: "lost", lateOutcome: outcome }]);
    },
  );

  test("a late end of a task that another worker has by now leaves it alone", async () => {
    const stale = await world.running(newTask({ id: "a" }));
    await world.bury();
    await world.store.registerWorker(newWorker("worker-2"));
    const [current] = await world.claim({ workerId: "worker-2", suspect: true });
    expect(await world.settle(stale, "completed", { result: { json: '"stale"' } })).toMatchObject({
      kind: "lease-lost",
    });
    await world.settle(current!, "completed", { workerId: "worker-2", result: { json: '"right"' } });
    expect((await world.get("a")).result).toBe("right");
    expect(await attempts("a")).toMatchObject([
      { outcome: "lost", lateOutcome: "completed" },
      { outcome: "completed" },
    ]);
  });

  test("an end of a deleted task is refused", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.bury("worker-1", 1);
    ok(await world.store.deleteTask("a"));
    expect(await world.settle(claimed, "completed")).toEqual({ kind: "lease-lost", lostTo: "unknown" });
  });

  test("an end of a deleted task does not touch another that took its id or its place", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.bury("worker-1", 1);
    ok(await world.store.deleteTask("a"));
    await world.store.registerWorker(newWorker("worker-2"));
    await world.running(newTask({ id: "a" }), { workerId: "worker-2" });
    expect(await world.settle(claimed, "completed")).toMatchObject({ kind: "lease-lost" });
    expect((await world.get("a")).status).toBe("RUNNING");
  });

  test("every settlement of a batch has its own answer, in order", async () => {
    await world.enqueue(...newTasks(40, { maxAttempts: 2 }));
    const claimed = await world.claim({ limit: 40 });
    await world.settle(claimed[7]!, "released");
    const outcomes = claimed.map((_, place) => endings[place % endings.length]!);
    const settlements = claimed.map((one, place) =>
      settlementOf(one, outcomes[place]!, { retryAt: startAt }),
    );
    const settled = ok(await world.store.settleTasks(settlements));
    const statuses = {
      completed: "COMPLETED",
      failed: "PENDING",
      "timed-out": "PENDING",
      cancelled: "CANCELLED",
      snoozed: "PENDING",
      released: "PENDING",
    };
    settled.forEach((one, place) => {
      if (place === 7) expect(one).toEqual({ kind: "lease-lost", lostTo: "released" });
      else expect(one).toMatchObject({ kind: "settled", status: statuses[outcomes[place]!] });
    });
  });

  test("an empty batch is answered", async () => {
    expect(ok(await world.store.settleTasks([]))).toEqual([]);
  });

  test("logs and the whole error are kept with the attempt", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    const logs = [
      { at: new Date(startAt + 1), level: "info" as const, message: "크기 조정", fields: { widthPx: 5 } },
    ];
    const error = {
      ...someError,
      code: "E1",
      stack: "at line 1",
      cause: { name: "Error", message: "quota" },
    };
    await world.settle(claimed, "failed", { logs, error });
    expect(await attempts("a")).toMatchObject([
      { taskId: "a", workerId: "worker-1", outcome: "failed", logs, error },
    ]);
  });

  test("a completed attempt keeps the logs that were reported while it ran", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    const logs = [{ at: new Date(startAt), level: "info" as const, message: "half" }];
    await world.store.reportProgress([
      { ref: claimed.ref, taskId: "a", fence: 1, workerId: "worker-1", logs },
    ]);
    await world.clock.advance(9);
    await world.settle(claimed, "completed");
    expect(await attempts("a")).toMatchObject([
      { outcome: "completed", endedAt: new Date(startAt + 9), logs },
    ]);
  });

  test("a clock that went back puts no end before the creation", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    world.clock.jump(-60_000);
    await world.settle(claimed, "failed");
    const task = await world.get("a");
    expect(task.updatedAt.getTime()).toBeGreaterThanOrEqual(task.createdAt.getTime());
  });
});
