import { expect, test } from "vitest";
import { newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore, reasonOf } from "../support/stores.ts";

onEachStore("editTask", (world) => {
  test("only what is named changes", async () => {
    await world.enqueue(newTask({ id: "a", priority: 3 }));
    const before = await world.get("a");
    await world.clock.advance(5);
    const { task } = ok(await world.store.editTask("a", { dueAt: startAt + 9_000 }));
    expect(task).toEqual({
      ...before,
      dueAt: new Date(startAt + 9_000),
      updatedAt: new Date(startAt + 5),
      version: 2,
    });
    const edited = ok(await world.store.editTask("a", { priority: -3 })).task;
    expect(edited).toEqual({ ...task, priority: -3, version: 3 });
    expect(edited).toEqual(await world.get("a"));
  });

  test("the order of claims follows", async () => {
    await world.enqueue(newTask({ id: "a" }), newTask({ id: "b" }), newTask({ id: "c" }));
    await world.store.editTask("c", { priority: 1 });
    await world.store.editTask("a", { dueAt: startAt + 1 });
    expect((await world.claim()).map(({ task }) => task.id)).toEqual(["c", "b"]);
  });

  test("priority 0 and instant 0 are values", async () => {
    await world.enqueue(newTask({ id: "a", priority: 5 }));
    expect(ok(await world.store.editTask("a", { priority: 0, dueAt: 0 })).task).toMatchObject({
      priority: 0,
      dueAt: new Date(0),
    });
  });

  test("a task that runs or has ended is refused", async () => {
    const claimed = await world.running(newTask({ id: "a" }));
    expect(reasonOf(await world.store.editTask("a", { priority: 1 }))).toBe("not-pending");
    await world.settle(claimed, "failed");
    expect(reasonOf(await world.store.editTask("a", { priority: 1 }))).toBe("not-pending");
  });

  test("an unknown task is not found", async () => {
    expect(reasonOf(await world.store.editTask("a", { priority: 1 }))).toBe("not-found");
  });

  test("another version than expected is refused", async () => {
    await world.enqueue(newTask({ id: "a" }));
    expect(reasonOf(await world.store.editTask("a", { priority: 1 }, 7))).toBe("version");
    ok(await world.store.editTask("a", { priority: 1 }, 1));
  });
});
