import { expect, test } from "vitest";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask, newWorker, startAt } from "../support/builders.ts";
import { claimRequest, ok, onEachStore, reasonOf, wait } from "../support/stores.ts";

onEachStore("pauses", (world) => {
  const type = { kind: "type", name: "resize-image" } as const;
  const queue = { kind: "queue", name: "reports" } as const;
  const ids = (tasks: readonly { task: { id: string } }[]) => tasks.map(({ task }) => task.id).sort();

  test("tasks of a paused type are not claimed, and are once it is resumed", async () => {
    await world.enqueue(
      newTask({ id: "a" }),
      newTask({ id: "b" }),
      newTask({ id: "c", type: "send-receipt" }),
    );
    ok(await world.store.pause(type));
    const types = ["resize-image", "send-receipt"];
    expect(ids(await world.claim({ types }))).toEqual(["c"]);
    expect(ok(await world.store.resume(type))).toBe(true);
    expect(ids(await world.claim({ types }))).toEqual(["a", "b"]);
  });

  test("tasks of a paused queue are not claimed, whatever their type", async () => {
    await world.enqueue(
      newTask({ id: "a", queue: "reports" }),
      newTask({ id: "b", type: "send-receipt", queue: "reports" }),
      newTask({ id: "c" }),
    );
    ok(await world.store.pause(queue));
    const types = ["resize-image", "send-receipt"];
    expect(ids(await world.claim({ types }))).toEqual(["c"]);
    expect(await world.claim({ types, queues: ["reports"] })).toEqual([]);
    ok(await world.store.resume(queue));
    expect(ids(await world.claim({ types }))).toEqual(["a", "b"]);
  });

  test("what is paused twice, by type and by queue, waits for both", async () => {
    await world.enqueue(newTask({ id: "a", queue: "reports" }));
    ok(await world.store.pause(type));
    ok(await world.store.pause(queue));
    ok(await world.store.resume(type));
    expect(await world.claim()).toEqual([]);
    ok(await world.store.resume(queue));
    expect(ids(await world.claim())).toEqual(["a"]);
  });

  test("the oldest due task is the oldest of those that are not paused", async () => {
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b", type: "send-receipt", queue: "reports" }));
    await world.clock.advance(100);
    await world.enqueue(newTask({ id: "c", type: "send-receipt", dueAt: startAt + 100 }));
    await world.clock.advance(50);
    const oldest = async () => (await world.store.stats()).oldestDueMs;
    expect(await oldest()).toBe(150);
    ok(await world.store.pause(type));
    expect(await oldest()).toBe(150);
    ok(await world.store.pause(queue));
    expect(await oldest()).toBe(50);
    ok(await world.store.pause({ kind: "queue", name: "default" }));
    expect(await oldest()).toBeUndefined();
    ok(await world.store.resume(type));
    ok(await world.store.resume(queue));
    expect(await oldest()).toBe(150);
  });

  test("a type and a queue of one name are two things", async () => {
    await world.enqueue(newTask({ id: "a", queue: "resize-image" }), newTask({ id: "b" }));
    ok(await world.store.pause({ kind: "queue", name: "resize-image" }));
    expect(ids(await world.claim())).toEqual(["b"]);
  });

  test("what is enqueued while its type is paused waits, also in a queue that is new", async () => {
    ok(await world.store.pause(type));
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b", queue: "never-seen" }));
    expect(await world.claim()).toEqual([]);
    ok(await world.store.resume(type));
    expect(ids(await world.claim())).toEqual(["a", "b"]);
  });

  test("a running attempt goes on and is settled; its retry waits", async () => {
    const running = await world.running(newTask({ id: "a", maxAttempts: 3 }));
    ok(await world.store.pause(type));
    const retryAt = world.clock.now() + 1_000;
    expect(await world.settle(running, "failed", { retryAt })).toMatchObject({ status: "PENDING" });
    await world.clock.advance(1_000);
    expect(await world.claim()).toEqual([]);
    ok(await world.store.resume(type));
    expect(ids(await world.claim())).toEqual(["a"]);
  });

  test("a task whose worker died waits as well, and while it does there is nothing to wait for", async () => {
    await world.running(newTask({ id: "a" }));
    await world.bury();
    await world.store.registerWorker({ ...newWorker(), id: "worker-2" });
    ok(await world.store.pause(type));
    await world.enqueue(newTask({ id: "b", dueAt: world.clock.now() + 60_000 }));
    const request = claimRequest({ workerId: "worker-2", suspect: true });
    const { claimed, nextDueAt } = ok(await world.store.claimTasks(request));
    expect([claimed, nextDueAt]).toEqual([[], undefined]);
    ok(await world.store.resume(type));
    expect(ids(ok(await world.store.claimTasks(request)).claimed)).toEqual(["a"]);
  });

  test("pausing once more keeps since when, and the reason unless there is another", async () => {
    const first = ok(await world.store.pause({ ...type, reason: "the disk is full" }));
    expect(first).toEqual({ ...type, pausedAt: new Date(startAt), reason: "the disk is full" });
    await world.clock.advance(1_000);
    expect(ok(await world.store.pause(type))).toEqual(first);
    const again = ok(await world.store.pause({ ...type, reason: "still" }));
    expect(again).toEqual({ ...first, reason: "still" });
    expect(await world.store.listPauses()).toEqual([again]);
  });

  test("types come before queues, each in the order of code points", async () => {
    for (const name of ["b", "B", "é", "a-1", "𐌰", "실패"]) {
      ok(await world.store.pause({ kind: "queue", name }));
      ok(await world.store.pause({ kind: "type", name }));
    }
    const names = ["B", "a-1", "b", "é", "실패", "𐌰"];
    expect((await world.store.listPauses()).map(({ kind, name }) => [kind, name])).toEqual([
      ...names.map((name) => ["type", name]),
      ...names.map((name) => ["queue", name]),
    ]);
  });

  test("resuming what is not paused says so", async () => {
    expect(ok(await world.store.resume(type))).toBe(false);
    ok(await world.store.pause(queue));
    expect(ok(await world.store.resume({ kind: "type", name: "reports" }))).toBe(false);
    expect(await world.store.listPauses()).toHaveLength(1);
  });

  test("no more than 1,000 are kept, and those that are may still be changed", async () => {
    for (let number = 0; number < 1_000; number += 1)
      ok(await world.store.pause({ kind: "queue", name: `q${number}` }));
    expect(reasonOf(await world.store.pause(type))).toBe("full");
    expect(ok(await world.store.pause({ kind: "queue", name: "q7", reason: "why" })).reason).toBe("why");
  });

  test("a pause of one process holds in the others, which hear of its end", async () => {
    if (!world.shared) return;
    const other = await world.connect();
    await world.enqueue(newTask({ id: "a" }));
    expect(await world.claim({ types: ["send-receipt"] })).toEqual([]);
    ok(await other.pause(type));
    expect(await world.claim()).toEqual([]);
    let isHeard = false;
    world.store.onChange(() => {
      isHeard = true;
    });
    // Whoever listens does so in the background, sooner or later.
    ok(await other.resume(type));
    while (!isHeard) {
      await wait(100);
      ok(await other.pause(type));
      ok(await other.resume(type));
    }
    expect(ids(await world.claim())).toEqual(["a"]);
  });

  test("a copy has the pauses of its source, so that nothing of them starts there", async () => {
    ok(await world.store.pause({ ...type, reason: "the disk is full" }));
    await world.enqueue(newTask({ id: "a" }));
    ok(await world.store.stopWorker("worker-1"));
    const target = createSqliteStore({ path: ":memory:", clock: world.clock });
    await target.open();
    await target.registerWorker(newWorker());
    await copyTasks(await world.owner(), target, "elsewhere");
    expect(await target.listPauses()).toMatchObject([{ ...type, reason: "the disk is full" }]);
    expect(ok(await target.claimTasks(claimRequest())).claimed).toEqual([]);
    await target.close();
  });

  test("a claim that is held back is answered when its type is resumed", async () => {
    if (!world.holdsClaims) return;
    await world.enqueue(newTask({ id: "a" }));
    ok(await world.store.pause(type));
    const claim = world.claim({ waitMs: 20_000 });
    await world.store.stats();
    const resumed = Date.now();
    ok(await world.store.resume(type));
    expect(ids(await claim)).toEqual(["a"]);
    expect(Date.now() - resumed).toBeLessThan(5_000);
  });
});
