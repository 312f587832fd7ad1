import { expect, test } from "vitest";
import type { Attributes, NewTask, TaskStore } from "../../server/tasks/core/store.ts";
import { copyTasks } from "../../server/tasks/runtime/copier.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newTask } from "../support/builders.ts";
import { ok, onEachStore } from "../support/stores.ts";

const lists: Record<string, Attributes> = {
  none: { tags: [] },
  one: { tags: ["a"] },
  twice: { tags: ["a", "a"] },
  some: { tags: ["b", "a", "b"], sizes: [1, "1", 1.5, true] },
  plain: { tags: "a", sizes: [] },
};

onEachStore("copy", (world) => {
  async function fresh(): Promise<TaskStore> {
    const store = createSqliteStore({ path: ":memory:", clock: world.clock });
    await store.open();
    return store;
  }

  const tasksWithLists = (): NewTask[] =>
    Object.entries(lists).map(([id, attributes]) => newTask({ id, attributes }));

  test("attributes with lists are copied as the sets that they are, to and from it", async () => {
    const source = await fresh();
    ok(await source.enqueueTasks(tasksWithLists()));
    expect(await copyTasks(source, world.store, "elsewhere")).toMatchObject({ copied: 5, present: 0 });
    expect(await copyTasks(source, world.store, "elsewhere")).toMatchObject({ copied: 0, present: 5 });
    await source.close();
    await world.bury();
    const back = await fresh();
    expect(await copyTasks(await world.owner(), back, "elsewhere")).toMatchObject({ copied: 5 });
    await back.close();
  });

  test("a copy of which the target has nothing yet leaves the source open", async () => {
    const target = await fresh();
    ok(await target.enqueueTasks([newTask({ id: "there", idempotencyKey: "once" })]));
    await world.enqueue(newTask({ id: "here", idempotencyKey: "once", payload: { json: "2" } }));
    await world.bury();
    const source = await world.owner();
    const refused = { code: "IDEMPOTENCY_CONFLICT", message: expect.not.stringContaining("--reopen") };
    await expect(copyTasks(source, target, "elsewhere")).rejects.toMatchObject(refused);
    ok(await source.enqueueTasks([newTask({ id: "later" })]));
    await target.close();
  });

  test("a copy that fails once the target may have tasks leaves the source shut, and says so and what to do", async () => {
    const target = await fresh();
    const failing = readingNothing(target);
    await world.enqueue(newTask({ id: "a" }));
    await world.bury();
    const source = await world.owner();
    const shut = { code: "DATABASE_CORRUPT", message: expect.stringMatching(/takes no changes.*--reopen/) };
    await expect(copyTasks(source, failing, "elsewhere")).rejects.toMatchObject(shut);
    const unfinished = { code: "DATABASE_MOVED", message: expect.stringContaining("is not finished") };
    await expect(source.enqueueTasks([newTask({ id: "later" })])).rejects.toMatchObject(unfinished);
    expect(await copyTasks(source, target, "elsewhere")).toMatchObject({ copied: 0, present: 1 });
    await target.close();
  });
});

/** As a database that gives nothing back of what is written. */
function readingNothing(store: TaskStore): TaskStore {
  return new Proxy(store, {
    get(_, name) {
      if (name === "readRecords") return async () => [];
      const value = store[name as keyof TaskStore] as unknown;
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
}
