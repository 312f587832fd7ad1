import { expect, test } from "vitest";
import { newTask } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("deleteTask", (world) => {
  test("a finished task goes with its attempts", async () => {
    const claimed = await world.running(newTask({ id: "a", payload: "x".repeat(10_000) }));
    await world.settle(claimed, "failed", { error: { name: "Error", message: "m" } });
    ok(await world.store.deleteTask("a"));
    expect(await world.store.getTask("a")).toBeUndefined();
    expect(await world.store.listAttempts("a")).toEqual([]);
    expect((await world.store.stats()).byType).toEqual([]);
  });

  test("a new task of the same id has nothing of the old one", async () => {
    const claimed = await world.running(newTask({ id: "a", payload: "x".repeat(10_000) }));
    await world.settle(claimed, "failed", { error: { name: "Error", message: "m" } });
    ok(await world.store.deleteTask("a"));
    await world.enqueue(newTask({ id: "a", payload: 2 }));
    expect(await world.get("a")).toMatchObject({ status: "PENDING", payload: 2, version: 1 });
    expect(await world.store.listAttempts("a")).toEqual([]);
  });

  test("a task that has not ended is refused", async () => {
    await world.enqueue(newTask({ id: "a" }));
    expect(reasonOf(await world.store.deleteTask("a"))).toBe("not-finished");
    await world.claim();
    expect(reasonOf(await world.store.deleteTask("a"))).toBe("not-finished");
  });

  test("an unknown task is not found, also the second time", async () => {
    expect(reasonOf(await world.store.deleteTask("a"))).toBe("not-found");
    await world.enqueue(newTask({ id: "a" }));
    await world.store.cancelTask("a");
    ok(await world.store.deleteTask("a"));
    expect(reasonOf(await world.store.deleteTask("a"))).toBe("not-found");
  });

  test("another version than expected is refused", async () => {
    await world.enqueue(newTask({ id: "a" }));
    await world.store.cancelTask("a");
    expect(reasonOf(await world.store.deleteTask("a", 1))).toBe("version");
    ok(await world.store.deleteTask("a", 2));
  });
});
