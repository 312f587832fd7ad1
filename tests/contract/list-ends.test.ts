/** Where the list of all tasks is read for an order near that of creation, and where it ends: before late tasks, and among chosen ids. */
import { expect, test } from "vitest";
import { createIds } from "../../server/tasks/core/ids.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const hourMs = 3_600_000;
const begin = startAt + hourMs;

onEachLastingStore("orders near that of creation", (world) => {
  test.each(
    ["dueAt", "priority", "createdAt"].flatMap((sortBy) => [
      [sortBy, true],
      [sortBy, false],
    ]) as [StoreSearch["sortBy"], boolean][],
  )("by %s (down: %s) a range of the last change has the late tasks, too", async (sortBy, descending) => {
    const add = await recorder(world);
    for (let n = 0; n < 60; n += 1) add(n, startAt + n * 1_000, begin + 1_000 + n);
    for (let n = 0; n < 700; n += 1) add(n, begin + n * 1_000, begin + n * 1_000 + 50);
    await add.all();
    const found = await allBy(world.store, { sortBy, descending, updated: { start: begin } });
    expect(new Set(found).size).toBe(760);
    expect(found).toHaveLength(760);
  });

  test.each([true, false])(
    "by due time (down: %s) the first come first beside chosen ids of others",
    async (descending) => {
      const add = await recorder(world);
      const wanted: string[] = [];
      for (let n = 0; n < 1_500; n += 1) {
        const at = startAt + n * 20_000;
        wanted.push(add(n, at, at + 50));
        if (n % 3 === 0) add(n, at, at + 50, `order-${n}`);
      }
      await add.all();
      if (descending) wanted.reverse();
      const search = newSearch({ queues: ["default"], sortBy: "dueAt", descending, limit: 51 });
      const found = await tasksOf(world.store.searchTasks(search));
      expect(found.map(({ id }) => id)).toEqual(wanted.slice(0, 51));
    },
  );
});

/** Makes records of tasks that have ended, of 29 types; the ones with an id of their own are in a queue of theirs. */
async function recorder(world: World) {
  await world.settle(await world.running(newTask()), "completed");
  const [sample] = await world.store.readRecords({ limit: 1 });
  ok(await world.store.deleteTask(sample!.id));
  let at = startAt;
  const ids = createIds(
    () => at,
    (count) => crypto.getRandomValues(new Uint8Array(count)),
  );
  const records: TaskRecord[] = [];
  const add = (n: number, createdAt: number, endedAt: number, ownId?: string): string => {
    at = createdAt;
    const id = ownId ?? ids.taskId();
    records.push({
      ...sample!,
      ...{ id, ownId: ownId !== undefined, type: `type-${n % 29}`, queue: ownId ? "orders" : "default" },
      ...{ createdAt, dueAt: createdAt, startedAt: endedAt - 20, completedAt: endedAt, updatedAt: endedAt },
    });
    return id;
  };
  add.all = async () => ok(await world.store.writeRecords(records));
  return add;
}

/** The ids on all pages. */
async function allBy(store: TaskStore, filter: Partial<StoreSearch>): Promise<string[]> {
  const ids: string[] = [];
  let after: StoreSearch["after"];
  for (;;) {
    const search = newSearch({ ...filter, limit: 50, ...(after && { after }) });
    const page = await tasksOf(store.searchTasks(search));
    ids.push(...page.map(({ id }) => id));
    const last = page.at(-1);
    if (!last || page.length < 50) return ids;
    const value = {
      dueAt: last.dueAt!.getTime(),
      priority: last.priority,
      createdAt: last.createdAt.getTime(),
    };
    after = { value: value[filter.sortBy as keyof typeof value] ?? null, id: last.id, backwards: false };
  }
}
