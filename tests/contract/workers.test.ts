import { expect, test } from "vitest";
import type { Beat } from "../../server/tasks/core/store.ts";
import { newTask, newWorker, startAt } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("registerWorker, holdLease, stopWorker, listWorkers", (world) => {
  const hold = (onBeat: (beat: Beat) => void = () => undefined, beatMs = 60_000) =>
    world.store.holdLease({ workerId: "worker-1", leaseMs: 30_000, beatMs, maxBlockMs: 60_000, onBeat });

  test("a registered worker is alive and listed with what it said", async () => {
    const worker = { ...newWorker("w"), name: "reports", queues: ["a"], types: [] };
    ok(await world.store.registerWorker(worker));
    expect((await world.store.listWorkers())[0]).toEqual({
      ...worker,
      state: "alive",
      startedAt: new Date(startAt),
      beatAt: new Date(startAt),
      renewals: 0,
      running: 0,
    });
  });

  test("registering the same incarnation again, after an unknown answer, is safe", async () => {
    ok(await world.store.registerWorker(newWorker()));
    expect(await world.store.listWorkers()).toHaveLength(1);
  });

  test("alive workers are listed first, the newest first", async () => {
    for (const id of ["w2", "w3", "w4"]) await world.store.registerWorker(newWorker(id));
    await world.store.stopWorker("w4");
    expect((await world.store.listWorkers()).map(({ id }) => id)).toEqual(["w3", "w2", "worker-1", "w4"]);
  });

  test("a beat renews and tells what the worker owns", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    await world.running(newTask({ id: "b" }));
    await world.store.cancelTask("b");
    const lease = hold();
    await world.clock.advance(7);
    const beat = await lease.beat();
    expect(beat.alive).toBe(true);
    expect(beat.owned).toContainEqual({ taskId: "a", fence: 1, ref: claimed.ref, cancelRequested: false });
    expect(beat.owned).toContainEqual(expect.objectContaining({ taskId: "b", cancelRequested: true }));
    expect(await world.store.listWorkers()).toMatchObject([
      { renewals: 1, beatAt: new Date(startAt + 7), running: 2 },
    ]);
    await lease.release();
  });

  test("a beat keeps how late the event loop was", async () => {
    const lease = hold();
    lease.alive(120.4);
    await lease.beat();
    expect((await world.store.listWorkers())[0]?.loopDelayMs).toBe(120);
    lease.alive();
    await lease.beat();
    expect((await world.store.listWorkers())[0]?.loopDelayMs).toBe(0);
    await lease.release();
  });

  test("beats come by themselves until the lease is released", async () => {
    const { promise, resolve } = Promise.withResolvers<Beat>();
    const lease = hold(resolve, 5);
    lease.alive();
    const beat = await promise;
    expect(beat).toMatchObject({ alive: true, owned: [], ageMs: expect.any(Number) });
    expect(beat.ageMs).toBeGreaterThanOrEqual(0);
    await lease.release();
    const [worker] = await world.store.listWorkers();
    await world.store.stats();
    expect((await world.store.listWorkers())[0]?.renewals).toBe(worker?.renewals);
  });

  test("an unknown worker is not alive", async () => {
    const lease = world.store.holdLease({
      workerId: "nobody",
      leaseMs: 1,
      beatMs: 60_000,
      maxBlockMs: 1,
      onBeat: () => undefined,
    });
    expect(await lease.beat()).toEqual({ alive: false, owned: [] });
    await lease.release();
  });

  test("a worker that owns running tasks may not stop", async () => {
    const claimed = await world.running(newTask());
    expect(reasonOf(await world.store.stopWorker("worker-1"))).toBe("owns-tasks");
    await world.settle(claimed, "released");
    ok(await world.store.stopWorker("worker-1"));
    expect((await world.store.listWorkers())[0]?.state).toBe("stopped");
  });

  test("stopping twice, or a dead worker, changes nothing", async () => {
    await world.bury();
    ok(await world.store.stopWorker("worker-1"));
    ok(await world.store.stopWorker("nobody"));
    expect((await world.store.listWorkers())[0]?.state).toBe("dead");
  });

  test("a stopped worker does not beat", async () => {
    await world.store.stopWorker("worker-1");
    const lease = hold();
    expect(await lease.beat()).toMatchObject({ alive: false });
    await lease.release();
  });

  test("cancel requests are listed for the worker that has the task", async () => {
    await world.running(newTask({ id: "a" }));
    await world.running(newTask({ id: "b" }));
    await world.store.cancelTask("b");
    expect(await world.store.listCancelRequests("worker-1")).toEqual([{ taskId: "b", fence: 1 }]);
    expect(await world.store.listCancelRequests("nobody")).toEqual([]);
  });
});
