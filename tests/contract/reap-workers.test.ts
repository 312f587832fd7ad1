import { expect, test } from "vitest";
import { newTask, newTasks, newWorker, startAt } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

onEachStore("reapWorkers", (world) => {
  const reap = async (facts = {}) =>
    ok(await world.store.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 60_000, ...facts }));
  const renewals = async (id = "worker-1") =>
    (await world.store.listWorkers()).find((worker) => worker.id === id)!.renewals;

  test("without suspects and dead workers nothing happens", async () => {
    await world.running(newTask({ id: "a" }));
    expect(await reap()).toEqual({ buried: [], tasks: [] });
    expect((await world.get("a")).status).toBe("RUNNING");
  });

  test("a worker whose renewals stand still is buried and its tasks are PENDING again, uncharged", async () => {
    await world.running(newTask({ id: "a" }));
    await world.clock.advance(9);
    expect(await world.bury()).toEqual({
      buried: ["worker-1"],
      tasks: [{ id: "a", type: "resize-image", status: "PENDING" }],
    });
    expect(await world.get("a")).toMatchObject({
      status: "PENDING",
      attempts: 0,
      crashes: 1,
      dueAt: new Date(startAt + 9),
      version: 3,
    });
    expect(await world.store.listAttempts("a")).toMatchObject([
      { fence: 1, number: 1, outcome: "lost", workerId: "worker-1", endedAt: new Date(startAt + 9) },
    ]);
    expect((await world.store.listWorkers())[0]).toMatchObject({ id: "worker-1", state: "dead", running: 0 });
  });

  test("a worker that has renewed since it was seen is left alone", async () => {
    await world.running(newTask({ id: "a" }));
    const seen = await renewals();
    const lease = world.store.holdLease({
      workerId: "worker-1",
      leaseMs: 30_000,
      beatMs: 60_000,
      maxBlockMs: 60_000,
      onBeat: () => undefined,
    });
    await lease.beat();
    expect(await reap({ suspects: [{ workerId: "worker-1", renewals: seen }] })).toEqual({
      buried: [],
      tasks: [],
    });
    expect((await world.get("a")).status).toBe("RUNNING");
    await lease.release();
  });

  test("a worker is buried once", async () => {
    await world.running(newTask({ id: "a" }));
    await world.bury();
    expect(await reap({ suspects: [{ workerId: "worker-1", renewals: await renewals() }] })).toEqual({
      buried: [],
      tasks: [],
    });
    expect((await world.get("a")).crashes).toBe(1);
  });

  test("unknown and stopped workers are passed over", async () => {
    await world.store.stopWorker("worker-1");
    expect(
      await reap({
        suspects: [
          { workerId: "worker-1", renewals: 0 },
          { workerId: "nobody", renewals: 0 },
        ],
      }),
    ).toEqual({ buried: [], tasks: [] });
    expect((await world.store.listWorkers())[0]?.state).toBe("stopped");
  });

  test("only the dead worker's tasks are taken back", async () => {
    await world.store.registerWorker(newWorker("worker-2"));
    await world.running(newTask({ id: "a" }));
    await world.running(newTask({ id: "b" }), { workerId: "worker-2" });
    await world.bury("worker-2");
    expect((await world.get("a")).status).toBe("RUNNING");
    expect((await world.get("b")).status).toBe("PENDING");
  });

  test("a buried worker does not come back by a heartbeat", async () => {
    await world.bury();
    const lease = world.store.holdLease({
      workerId: "worker-1",
      leaseMs: 30_000,
      beatMs: 60_000,
      maxBlockMs: 60_000,
      onBeat: () => undefined,
    });
    expect(await lease.beat()).toEqual({ alive: false, owned: [] });
    await lease.release();
    expect((await world.store.listWorkers())[0]?.state).toBe("dead");
  });

  test("past the crash budget a task is FAILED, with the reason and the count", async () => {
    await world.enqueue(newTask({ id: "a", maxAttempts: 5 }));
    for (const [index, status] of ["PENDING", "PENDING", "FAILED"].entries()) {
      const workerId = `crasher-${index}`;
      await world.store.registerWorker(newWorker(workerId));
      expect(await world.claim({ workerId, suspect: true })).toHaveLength(1);
      expect(await world.bury(workerId)).toMatchObject({ tasks: [{ id: "a", status }] });
    }
    expect(await world.get("a")).toMatchObject({
      status: "FAILED",
      crashes: 3,
      attempts: 0,
      completedAt: new Date(startAt),
    });
    expect((await world.get("a")).error).toMatch(/crash budget/);
    expect((await world.store.listAttempts("a")).map(({ outcome }) => outcome)).toEqual([
      "lost",
      "lost",
      "lost",
    ]);
  });

  test("a task with rerunAfterCrash: false is FAILED at the first crash", async () => {
    await world.running(newTask({ id: "a", maxAttempts: 5, rerunAfterCrash: false }));
    expect(await world.bury()).toMatchObject({ tasks: [{ id: "a", status: "FAILED" }] });
    expect(await world.get("a")).toMatchObject({ status: "FAILED", crashes: 1, attempts: 0 });
    expect((await world.get("a")).error).toMatch(/rerunAfterCrash/);
  });

  test("a task with a cancel request is CANCELLED", async () => {
    await world.running(newTask({ id: "a", rerunAfterCrash: false }));
    ok(await world.store.cancelTask("a"));
    expect(await world.bury()).toMatchObject({ tasks: [{ id: "a", status: "CANCELLED" }] });
    expect((await world.get("a")).status).toBe("CANCELLED");
  });

  test("an earlier error is kept through a crash", async () => {
    const claimed = await world.running(newTask({ id: "a", maxAttempts: 3 }));
    await world.settle(claimed, "failed", {
      error: { name: "Error", message: "mailbox full" },
      retryAt: startAt,
    });
    await world.claim();
    await world.bury();
    expect(await world.get("a")).toMatchObject({ status: "PENDING", attempts: 1, error: "mailbox full" });
  });

  test("a cancel request older than the grace is done without its worker, and the worker stays alive", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.running(newTask({ id: "b" }));
    ok(await world.store.cancelTask("a"));
    await world.clock.advance(60_000);
    expect(await reap()).toEqual({ buried: [], tasks: [] });
    await world.clock.advance(1);
    expect(await reap()).toEqual({
      buried: [],
      tasks: [{ id: "a", type: "resize-image", status: "CANCELLED" }],
    });
    expect((await world.get("b")).status).toBe("RUNNING");
    expect(await world.settle(claimed, "cancelled")).toMatchObject({ kind: "lease-lost" });
    expect((await world.store.listWorkers())[0]).toMatchObject({ state: "alive", running: 1 });
  });

  test("a repeated cancel request does not put the end off", async () => {
    await world.running(newTask({ id: "a" }));
    ok(await world.store.cancelTask("a"));
    await world.clock.advance(50_000);
    ok(await world.store.cancelTask("a"));
    await world.clock.advance(10_001);
    expect((await reap()).tasks).toEqual([{ id: "a", type: "resize-image", status: "CANCELLED" }]);
  });

  test("all tasks of a dead worker come back at once, many as they are", async () => {
    await world.enqueue(...newTasks(1_500));
    await world.claim({ limit: 1_500 });
    expect((await world.bury()).tasks).toHaveLength(1_500);
    expect((await world.store.stats()).byType).toEqual([
      { type: "resize-image", queue: "default", status: "PENDING", count: 1_500 },
    ]);
  });

  test("two observers take a task back once", async () => {
    await world.running(newTask({ id: "a" }));
    const suspects = [{ workerId: "worker-1", renewals: await renewals() }];
    const [one, two] = await Promise.all([reap({ suspects }), reap({ suspects })]);
    expect([...one.tasks, ...two.tasks]).toHaveLength(1);
    expect((await world.get("a")).crashes).toBe(1);
  });
});
