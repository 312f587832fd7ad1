/** A page that ends at its budget always says how to look further: whoever goes on by its cursors meets all that there is. */
import { beforeEach, expect, test } from "vitest";
import { searchTaskPageIn } from "../../server/tasks/core/find.ts";
import { createIds } from "../../server/tasks/core/ids.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskPage, TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { sortFields } from "../../server/tasks/core/sort-fields.ts";
import type { TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { newTask, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const tasks = 1_500;

onEachLastingStore("pages that end at their budget", (world) => {
  beforeEach(async () => {
    ok(await world.store.writeRecords(await records(world)));
  });

  test.each(sortFields.filter((name) => name !== "relevance").flatMap((sortBy) => searchesBy(sortBy)))(
    "%j",
    async (asked) => {
      const whole = pagesBy(world.store, world);
      const search = { ...asked, limit: 130, definitions: false } satisfies TaskSearchOptions;
      const wanted = await all(whole, { ...search, budget: "none" }, "nextCursor");
      expect(wanted.ids).toHaveLength(tasks - (asked.offset ?? 0));

      const short = pagesBy(outOfTime(world.store), world);
      const found = await all(short, search, "nextCursor");
      expect(found.ids).toEqual(wanted.ids);
      // Backwards there is no offset.
      const back = { ...search, offset: 0, cursor: found.back };
      const before = await all(short, back, "previousCursor");
      expect(before.ids.length).toBeGreaterThan(asked.offset ?? 0);
      expect(before.ids.toSorted()).toEqual(
        (await all(whole, { ...back, budget: "none" }, "previousCursor")).ids.toSorted(),
      );
    },
  );

  test("one without a task among what was looked at has cursors both ways", async () => {
    const short = pagesBy(outOfTime(world.store), world);
    const search: TaskSearchOptions = { payload: { part: { gte: 0 } }, limit: 20, definitions: false };
    const { nextCursor } = await short(search);
    const rare = { ...search, payload: { part: { gte: tasks } }, sortOrder: "asc" } as const;
    const first = await short(rare);
    expect(nextCursor && first.nextCursor).toBeDefined();
    const unlooked = await short({ ...rare, cursor: first.nextCursor });
    expect(unlooked).toMatchObject({ tasks: [], complete: false, nextCursor: first.nextCursor });
    expect(unlooked).not.toHaveProperty("previousCursor");
    const empty = await short({ ...rare, cursor: unlooked.nextCursor });
    expect(empty).toMatchObject({ tasks: [], complete: false });
    expect(empty.previousCursor && empty.nextCursor).toBeDefined();
    const back = await short({ ...rare, cursor: empty.previousCursor });
    expect(back.tasks).toEqual([]);
  });
});

onEachLastingStore("a search by an id", (world) => {
  test.each(["asc", "desc"] as const)("is one page, however short its budget (%s)", async (sortOrder) => {
    const task = newTask({ payload: { part: 1, text: "x".repeat(100_000) } });
    await world.enqueue(task);
    const short = pagesBy(outOfTime(world.store), world);
    for (const [part, found] of [
      [1, 1],
      [2, 0],
    ] as const) {
      const page = await short({ id: task.id, payload: { part }, sortOrder, definitions: false });
      expect(page).toMatchObject({ complete: true });
      expect(page.tasks).toHaveLength(found);
      expect(page).not.toHaveProperty("nextCursor");
    }
  });
});

function searchesBy(sortBy: TaskSearchOptions["sortBy"] & string): TaskSearchOptions[] {
  const payload = { part: { gte: 0 } };
  return [
    { sortBy, sortOrder: "asc", payload, offset: 900 },
    { sortBy, sortOrder: "desc", offset: 1_100 },
  ];
}

type Pages = (options: TaskSearchOptions) => Promise<TaskPage>;

function pagesBy(store: TaskStore, { clock }: World): Pages {
  const instance = { clock, store: async () => store } as unknown as Instance;
  return (options) => searchTaskPageIn(instance, options);
}

/** Its searches are over as soon as they have come further, and every third before that. */
function outOfTime(store: TaskStore): TaskStore {
  let asked = 0;
  const searchTasks: TaskStore["searchTasks"] = async (search) => {
    asked += 1;
    const { after, offset } = search;
    if (asked % 3 > 0 || !(search.where || search.offset)) {
      const found = await store.searchTasks({ ...search, budgetMs: 0 });
      const { stoppedAt = "start" } = found;
      if (after && stoppedAt !== "start")
        expect([stoppedAt.value, stoppedAt.id]).not.toEqual([after.value, after.id]);
      return found;
    }
    return { tasks: [], stoppedAt: after ?? "start", ...(offset > 0 && { offsetLeft: offset }) };
  };
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = name === "searchTasks" ? searchTasks : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The ids on all pages in one direction, and the cursor that leads back from the last one with tasks. */
async function all(pages: Pages, search: TaskSearchOptions, way: "nextCursor" | "previousCursor") {
  const ids: string[] = [];
  let { cursor } = search;
  let back: string | undefined;
  for (;;) {
    const { offset, ...rest } = search;
    const page = await pages({ ...rest, ...(cursor ? { cursor } : offset ? { offset } : {}) });
    ids.push(...page.tasks.map(({ id }) => id));
    if (page.tasks.length > 0) back = page.previousCursor;
    cursor = page[way];
    if (cursor === undefined) {
      expect(page.complete).toBe(true);
      return { ids, back };
    }
  }
}

/** Of one type, each created 100 ms after the one before; they started, ended and were due in the same order, nearly. */
async function records(world: World): Promise<TaskRecord[]> {
  await world.settle(await world.running(newTask({ payload: { part: tasks - 1 } })), "completed");
  const [sample] = await world.store.readRecords({ limit: 1 });
  const { id: _id, ...settled } = sample!;
  let createdAt = startAt;
  const ids = createIds(
    () => createdAt,
    (count) => crypto.getRandomValues(new Uint8Array(count)),
  );
  return Array.from({ length: tasks - 1 }, (_, part): TaskRecord => {
    createdAt += 100;
    const startedAt = createdAt + 50 + ((7_919 * part) % 300);
    const endedAt = startedAt + 20 + ((104_729 * part) % 5_000);
    return {
      ...settled,
      ...{ id: ids.taskId(), createdAt: createdAt, dueAt: createdAt + (part % 5) * 10_000_000 },
      ...{ startedAt, completedAt: endedAt, updatedAt: endedAt, priority: part % 7 },
      payload: newTask({ payload: { part } }).payload,
    };
  });
}
