import { expect, test } from "vitest";
import { newTask, startAt } from "../support/builders.ts";
import { detailsOf, ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("cancelTask", (world) => {
  test("a PENDING task is CANCELLED at once and never claimed", async () => {
    await world.enqueue(newTask({ id: "a" }));
    await world.clock.advance(5);
    const { task, requested } = ok(await world.store.cancelTask("a"));
    expect(requested).toBe(false);
    expect(task).toMatchObject({
      status: "CANCELLED",
      completedAt: new Date(startAt + 5),
      updatedAt: new Date(startAt + 5),
      version: 2,
    });
    expect(task).toEqual(await world.get("a"));
    expect(await world.claim()).toEqual([]);
    expect(await world.store.listAttempts("a")).toEqual([]);
  });

  test("a RUNNING task is asked to stop", async () => {
    const { fence } = await world.running(newTask({ id: "a" }));
    await world.clock.advance(5);
    const { task, requested } = ok(await world.store.cancelTask("a"));
    expect(requested).toBe(true);
    expect(task).toMatchObject({ status: "RUNNING", cancelRequestedAt: new Date(startAt + 5), version: 3 });
    expect(await world.store.listCancelRequests("worker-1")).toEqual([{ taskId: "a", fence }]);
  });

  test("asking again changes nothing", async () => {
    await world.running(newTask({ id: "a" }));
    const { task } = ok(await world.store.cancelTask("a"));
    await world.clock.advance(5);
    expect(ok(await world.store.cancelTask("a"))).toEqual({ task, requested: true });
  });

  test.each(["completed", "failed", "cancelled"] as const)(
    "a task that has %s is refused",
    async (outcome) => {
      await world.settle(await world.running(newTask({ id: "a" })), outcome);
      const before = await world.get("a");
      const refused = await world.store.cancelTask("a");
      expect(reasonOf(refused)).toBe("finished");
      expect(detailsOf(refused)).toMatchObject({ id: "a", status: before.status });
      expect(await world.get("a")).toEqual(before);
    },
  );

  test("an unknown task is not found, nor is a definition", async () => {
    await world.store.saveDefinitions([
      { id: "d", maxAttempts: 1, queue: "q", priority: 0, timeoutMs: null, tags: [], rerunAfterCrash: true },
    ]);
    expect(reasonOf(await world.store.cancelTask("a"))).toBe("not-found");
    expect(reasonOf(await world.store.cancelTask("d"))).toBe("not-found");
  });

  test("another version than expected is refused", async () => {
    await world.enqueue(newTask({ id: "a" }));
    const refused = await world.store.cancelTask("a", 2);
    expect(reasonOf(refused)).toBe("version");
    expect(detailsOf(refused)).toMatchObject({ version: 1, expectedVersion: 2 });
    expect((await world.get("a")).status).toBe("PENDING");
    ok(await world.store.cancelTask("a", 1));
  });

  test("of a cancel and a claim at once, one comes first and both agree", async () => {
    await world.enqueue(newTask({ id: "a" }));
    const [cancelled, claimed] = await Promise.all([world.store.cancelTask("a"), world.claim()]);
    expect(ok(cancelled).requested).toBe(claimed.length === 1);
  });
});
