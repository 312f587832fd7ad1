import { expect, test } from "vitest";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { NewTask, StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { compareText } from "../../server/tasks/core/values/compare.ts";
import { newDefinition, newSearch, newTask, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";
import { createTable, narrowings, type Table } from "../support/table.ts";

const sorts = ["createdAt", "updatedAt", "id"] as const;
const orders = sorts.flatMap((sortBy) => [true, false].map((descending) => ({ sortBy, descending })));

onEachLastingStore("searchTasks", (world) => {
  const ids = async (search: Partial<StoreSearch>) =>
    (await tasksOf(world.store.searchTasks(newSearch(search)))).map(({ id }) => id);

  test("every filter with every other, in every order, finds what a plain filter and sort over all tasks finds", async () => {
    const table = await createTable(world);
    for (const narrowing of narrowings(table)) {
      for (const order of orders) {
        const search = newSearch({ ...narrowing, ...order, limit: 1_000, definitions: true });
        const expected = naive(table, search);
        const found = (await tasksOf(world.store.searchTasks(search))).map(({ id }) => id);
        if (JSON.stringify(found) !== JSON.stringify(expected))
          expect({ search, found }).toEqual({ search, found: expected });
      }
    }
  }, 60_000);

  test("limit and offset cut the same list, at any depth", async () => {
    const table = await createTable(world);
    for (const [index, narrowing] of narrowings(table).entries()) {
      const order = orders[index % orders.length]!;
      const search = { ...narrowing, ...order, definitions: index % 2 === 0 };
      const all = naive(table, newSearch(search));
      const offset = index % (all.length + 2);
      expect(await ids({ ...search, limit: 7, offset })).toEqual(all.slice(offset, offset + 7));
    }
  }, 60_000);

  test("a page after a cursor, and one before it, continue the same list", async () => {
    const table = await createTable(world);
    for (const [index, narrowing] of narrowings(table).entries()) {
      const order = orders[index % orders.length]!;
      const search = { ...narrowing, ...order, definitions: index % 3 === 0, limit: 5 };
      const all = naive(table, newSearch(search));
      if (all.length === 0) continue;
      const at = (index * 7) % all.length;
      const after = { ...placeOf(table, all[at]!, order.sortBy), backwards: false };
      expect(await ids({ ...search, after })).toEqual(all.slice(at + 1, at + 6));
      const before = await ids({ ...search, after: { ...after, backwards: true } });
      expect(before).toEqual(all.slice(Math.max(0, at - 5), at).reverse());
    }
  }, 60_000);

  test("a cursor whose task is gone keeps its place", async () => {
    await world.enqueue(...["a", "b", "c"].map((id) => newTask({ id })));
    await world.store.cancelTask("b");
    ok(await world.store.deleteTask("b"));
    const after = { value: startAt, id: "b", backwards: false };
    expect(await ids({ descending: false, after })).toEqual(["c"]);
    expect(await ids({ descending: false, after: { ...after, backwards: true } })).toEqual(["a"]);
  });

  test.each(orders.filter(({ sortBy }) => sortBy !== "updatedAt"))(
    "paging by $sortBy, descending $descending, meets every task once while they change status",
    async (order) => {
      const table = await createTable(world, 120);
      const seen: string[] = [];
      let after: StoreSearch["after"];
      for (let page = 0; page < 100; page++) {
        const found = await tasksOf(
          world.store.searchTasks(newSearch({ ...order, limit: 7, ...(after && { after }) })),
        );
        if (found.length === 0) break;
        seen.push(...found.map(({ id }) => id));
        after = { ...placeOf(table, seen.at(-1)!, order.sortBy), backwards: false };
        await world.clock.advance(3);
        for (const claimed of await world.claim({ types: table.types, limit: 3 })) {
          await world.settle(claimed, page % 2 === 0 ? "completed" : "failed");
        }
        await world.claim({ types: table.types, limit: 1 });
      }
      expect(seen.toSorted()).toEqual(table.tasks.map(({ id }) => id).toSorted());
    },
  );

  test("a definition without tasks is listed as a PENDING entry until its first task", async () => {
    ok(
      await world.store.saveDefinitions([
        { ...newDefinition("nightly-report"), description: "Every night", maxAttempts: 3 },
      ]),
    );
    const [entry] = await tasksOf(world.store.searchTasks(newSearch({ definitions: true })));
    expect(entry).toMatchObject({
      id: "nightly-report",
      type: "nightly-report",
      status: "PENDING",
      isDefinition: true,
      description: "Every night",
      attempts: 0,
      maxAttempts: 3,
    });
    expect(entry?.payload).toBeUndefined();
    expect(await ids({ definitions: false })).toEqual([]);
    expect(await ids({ definitions: true, statuses: ["FAILED"] })).toEqual([]);
    const task = newTask({ type: "nightly-report" });
    await world.enqueue(task);
    expect(await ids({ definitions: true })).toEqual([task.id]);
  });

  test("found tasks are whole", async () => {
    await world.settle(await world.running(newTask({ id: "a", payload: "x".repeat(9_000) })), "completed", {
      result: { json: "5" },
    });
    expect(await tasksOf(world.store.searchTasks(newSearch()))).toEqual([await world.get("a")]);
  });

  test("a limit of 0, an empty list and a range that ends before it starts find nothing", async () => {
    await world.enqueue(newTask());
    expect(await ids({ limit: 0 })).toEqual([]);
    expect(await ids({ types: [] })).toEqual([]);
    expect(await ids({ statuses: [] })).toEqual([]);
    expect(await ids({ queues: [] })).toEqual([]);
    expect(await ids({ created: { start: startAt + 1, end: startAt } })).toEqual([]);
  });

  test("a range includes its start and excludes its end", async () => {
    await world.enqueue(newTask());
    expect(await ids({ created: { start: startAt, end: startAt + 1 } })).toHaveLength(1);
    expect(await ids({ created: { end: startAt } })).toHaveLength(0);
    expect(await ids({ created: { start: startAt + 1 } })).toHaveLength(0);
    expect(await ids({ updated: { start: startAt, end: startAt + 1 } })).toHaveLength(1);
  });

  test("values that look like SQL are only values", async () => {
    const odd = "a'; DROP TABLE tasks; --";
    const task: NewTask = newTask({ id: "x'y", type: odd, queue: odd });
    await world.enqueue(task);
    expect(await ids({ types: [odd], queues: [odd] })).toEqual(["x'y"]);
    expect(await ids({ id: "x' OR '1'='1" })).toEqual([]);
  });
});

/** What a search should find, by filtering and sorting all there is. */
function naive(table: Table, search: StoreSearch): string[] {
  const entries = search.definitions ? table.entries : [];
  const sign = search.descending ? -1 : 1;
  const within = (at: Date, range?: { start?: number; end?: number }) =>
    at.getTime() >= (range?.start ?? -Infinity) && at.getTime() < (range?.end ?? Infinity);
  return [...table.tasks, ...entries]
    .filter((task) => search.id === undefined || task.id === search.id)
    .filter((task) => !search.types || search.types.includes(task.type))
    .filter((task) => !search.statuses || search.statuses.includes(task.status))
    .filter((task) => !search.queues || search.queues.includes(task.queue!))
    .filter((task) => within(task.createdAt, search.created) && within(task.updatedAt, search.updated))
    .sort((a, b) => sign * (instant(a, search.sortBy) - instant(b, search.sortBy) || compareText(a.id, b.id)))
    .map(({ id }) => id);
}

function instant(task: Task, sortBy: StoreSearch["sortBy"]): number {
  return sortValueOf(sortBy, task) ?? 0;
}

function placeOf(
  table: Table,
  id: string,
  sortBy: StoreSearch["sortBy"],
): { value: number | null; id: string } {
  const task = [...table.tasks, ...table.entries].find((one) => one.id === id)!;
  return { value: sortBy === "id" ? null : instant(task, sortBy), id };
}
