/** Pages by cursor: what is there all the time is met once, in every order, while tasks come, change, move and go. */
import { expect, test } from "vitest";
import { searchTaskPageIn } from "../../server/tasks/core/find.ts";
import type { Instance } from "../../server/tasks/core/instance.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newTask, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const tasksMax = 300;
const pageSize = 17;

onEachLastingStore("pages while rows move", (world) => {
  test.each<TaskSearchOptions>([
    { sortBy: "createdAt" },
    { sortBy: "createdAt", sortOrder: "asc" },
    { sortBy: "id" },
    { sortBy: "updatedAt" },
    { sortBy: "updatedAt", sortOrder: "asc" },
    { sortBy: "createdAt", payload: { part: { gte: 0 } } },
    { sortBy: "createdAt", attributes: { part: { in: [0, 1, 2] } } },
    { sortBy: "createdAt", status: ["PENDING", "CANCELLED"] },
  ])("%o", async (order) => {
    const { store, clock } = world;
    const instance = { clock, store: async () => store } as unknown as Instance;
    await world.enqueue(...Array.from({ length: tasksMax }, (_, at) => numbered(at)));
    let pagesLeft = true;
    const moving = moveAll(world, () => pagesLeft);
    const met: Task[] = [];
    const search = { ...order, limit: pageSize, definitions: false, budget: "none" } as const;
    let cursor: string | undefined;
    do {
      const page = await searchTaskPageIn(instance, { ...search, ...(cursor && { cursor }) });
      met.push(...page.tasks);
      cursor = page.nextCursor;
      // By change, newest last, those that move are met for as long as they do.
    } while (cursor && met.length < 4 * tasksMax);
    pagesLeft = false;
    const moves = await moving;
    expect(moves).toBeGreaterThan(50);
    const ids = met.map(({ id }) => id);
    const still = Array.from({ length: tasksMax }, (_, at) => at).filter((at) => at % 3 === 0);
    for (const at of still) expect(ids.filter((id) => id === nameOf(at))).toHaveLength(1);
    const once = order.sortBy === "updatedAt" ? met.map(({ id, version }) => `${id} ${version}`) : ids;
    expect(new Set(once).size).toBe(once.length);
    for (const at of order.sortBy === "updatedAt" ? [] : kept) expect(ids).toContain(nameOf(at));
  });
});

onEachLastingStore("pages by the end of tasks", (world) => {
  test("skip nothing behind one that ended before it was created, by a clock that was ahead", async () => {
    const { store, clock } = world;
    const instance = { clock, store: async () => store } as unknown as Instance;
    const ahead = newTask({ id: "a", createdAt: startAt + 40_000, dueAt: startAt });
    await world.enqueue(ahead, newTask({ id: "b" }), newTask({ id: "c" }));
    const claimed = await world.claim();
    await clock.advance(5_000);
    for (const one of claimed) await world.settle(one, "completed");
    for (const sortOrder of ["desc", "asc"] as const) {
      const search: TaskSearchOptions = { sortBy: "completedAt", sortOrder, limit: 1, definitions: false };
      const met: string[] = [];
      let page = await searchTaskPageIn(instance, search);
      for (;;) {
        met.push(...page.tasks.map(({ id }) => id));
        if (!page.nextCursor) break;
        page = await searchTaskPageIn(instance, { ...search, cursor: page.nextCursor });
      }
      expect(met).toEqual(sortOrder === "desc" ? ["a", "c", "b"] : ["b", "c", "a"]);
    }
  });
});

const nameOf = (at: number) => `own-${String(at).padStart(4, "0")}`;
/** These change and stay. */
const kept = Array.from({ length: tasksMax }, (_, at) => at).filter((at) => at % 3 === 1);

function numbered(at: number) {
  const createdAt = startAt + Math.floor(at / 4);
  return newTask({ id: nameOf(at), createdAt, payload: { part: at % 3 }, attributes: { part: at % 3 } });
}

/** Of three tasks one stays as it is, one is cancelled, retried and edited again and again, and one is deleted. */
async function moveAll({ store, clock }: World, goesOn: () => boolean): Promise<number> {
  let moves = 0;
  for (let round = 0; moves < 120 || goesOn(); round += 1) {
    await clock.advance(1);
    const changing = kept[(round * 7) % kept.length]!;
    ok(await store.cancelTask(nameOf(changing)));
    ok(await store.retryTask(nameOf(changing)));
    const leaving = nameOf((round * 3 + 2) % tasksMax);
    if ((await store.cancelTask(leaving)).kind === "ok") ok(await store.deleteTask(leaving));
    const at = tasksMax + round;
    const created = startAt + (round % (tasksMax / 4));
    ok(await store.enqueueTasks([newTask({ id: nameOf(at), createdAt: created, payload: { part: 9 } })]));
    moves += 1;
  }
  return moves;
}
