import { beforeEach, expect, test } from "vitest";
import { newTask, newWorker } from "../support/builders.ts";
import { claimRequest, ok, onEachStore } from "../support/stores.ts";

onEachStore("endClaimWait", (world) => {
  const hold = (workerId = "worker-1") => world.store.claimTasks(claimRequest({ workerId, waitMs: 20_000 }));

  beforeEach(({ skip }) => {
    if (!world.holdsClaims) skip("this store answers every claim at once");
  });

  test("the worker's held claim is answered with nothing", async () => {
    const held = hold();
    world.store.endClaimWait("worker-1");
    expect(ok(await held).claimed).toEqual([]);
  });

  test("other workers' claims stay held", async () => {
    await world.store.registerWorker(newWorker("worker-2"));
    const held = hold("worker-2");
    world.store.endClaimWait("worker-1");
    await world.enqueue(newTask());
    expect(ok(await held).claimed).toHaveLength(1);
  });

  test("without a held claim nothing happens", async () => {
    world.store.endClaimWait("worker-1");
    world.store.endClaimWait("nobody");
    await world.enqueue(newTask());
    expect(ok(await hold()).claimed).toHaveLength(1);
  });
});
