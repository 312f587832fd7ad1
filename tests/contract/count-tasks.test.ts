import { expect, test } from "vitest";
import { newDefinition, newSearch, newTask } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { ok, onEachStore } from "../support/stores.ts";
import { createTable, narrowings } from "../support/table.ts";

onEachStore("countTasks", (world) => {
  test("with every filter, as many tasks are counted as are found", async () => {
    const table = await createTable(world);
    for (const narrowing of narrowings(table)) {
      const search = newSearch({ ...narrowing, limit: 1_000 });
      const found = await tasksOf(world.store.searchTasks(search));
      expect(await countOf(world.store.countTasks(search)), JSON.stringify(narrowing)).toBe(found.length);
    }
  }, 60_000);

  test("order, limit, offset and place do not matter", async () => {
    await world.enqueue(newTask(), newTask(), newTask());
    const after = { value: 0, id: "a", backwards: true };
    expect(
      await countOf(world.store.countTasks(newSearch({ limit: 1, offset: 2, after, sortBy: "id" }))),
    ).toBe(3);
    const created = { start: 0 };
    expect(await countOf(world.store.countTasks(newSearch({ limit: 0, offset: 2, after, created })))).toBe(3);
    const id = "own";
    await world.enqueue(newTask({ id }));
    expect(await countOf(world.store.countTasks(newSearch({ limit: 0, offset: 2, after, id })))).toBe(1);
  });

  test("definitions are not counted", async () => {
    ok(await world.store.saveDefinitions([newDefinition("nightly-report")]));
    expect(await countOf(world.store.countTasks(newSearch({ definitions: true })))).toBe(0);
    expect(
      await countOf(world.store.countTasks(newSearch({ definitions: true, id: "nightly-report" }))),
    ).toBe(0);
  });
});
