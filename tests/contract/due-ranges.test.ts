/** Tasks that wait and are due within a range, in the order of their creation, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const minuteMs = 60_000;
const types = ["resize-image", "send-receipt"];

onEachLastingStore("ranges of due time", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    ok(await world.store.enqueueTasks([newTask()]));
    const [first] = await world.store.readRecords({ limit: 1 });
    const { id: _id, ...sample } = first!;
    const tasks = Array.from({ length: 300 }, (_, place): TaskRecord => {
      const createdAt = startAt + Math.floor(place / 3) * minuteMs;
      // Most are due at once, some later, a few before they were created.
      const delay = place % 4 === 0 ? (place % 60) * minuteMs : place % 25 === 1 ? -40 * minuteMs : 0;
      return {
        ...{ ...sample, id: `own-${String(place).padStart(3, "0")}`, ownId: true },
        ...{ createdAt, updatedAt: createdAt, dueAt: createdAt + delay },
        ...{ type: types[place % 2]!, queue: place % 3 ? "default" : "mail", priority: place % 5 },
      };
    });
    ok(await world.store.writeRecords(tasks));
    await world.store.cancelTask(tasks[100]!.id);
    await world.store.editTask(tasks[40]!.id, { dueAt: startAt + 50 * minuteMs });
    all = (await world.store.searchTasks(newSearch({ limit: 1_000 }))).tasks;
  });

  const dueWithin = (from: number, to: number): Condition => ({
    kind: "range",
    field: { of: "task", name: "dueAt" },
    from: { value: startAt + from * minuteMs, isIncluded: true },
    to: { value: startAt + to * minuteMs, isIncluded: false },
  });

  test("a page at a time, both ways, and counted", () => checkPages());

  test("the same where none is due before it was created", async () => {
    const early = all.filter(({ dueAt, createdAt }) => dueAt! < createdAt);
    expect(early.length).toBeGreaterThan(4);
    for (const { id } of early) ok(await world.store.cancelTask(id));
    all = all.filter((task) => !early.includes(task));
    await checkPages();
  });

  async function checkPages(): Promise<void> {
    const urgent: Condition = { kind: "equals", field: { of: "task", name: "priority" }, values: [0, 1, 2] };
    const created = { start: startAt + 10 * minuteMs, end: startAt + 70 * minuteMs };
    const asked = [
      [dueWithin(50, 60), {}],
      [dueWithin(95, 140), {}],
      [dueWithin(-30, 5), {}],
      [dueWithin(20, 90), { created }],
      [{ kind: "and", parts: [dueWithin(30, 80), urgent] } as Condition, { types: ["send-receipt"] }],
    ] as const;
    for (const [where, filter] of asked) {
      const range = where.kind === "and" ? (where.parts[0] as typeof where) : where;
      const { from, to } = range as Extract<Condition, { kind: "range" }>;
      const fits = ({ status, dueAt, createdAt, type, priority }: Task) =>
        status === "PENDING" &&
        dueAt!.getTime() >= (from!.value as number) &&
        dueAt!.getTime() < (to!.value as number) &&
        (where.kind !== "and" || (priority! < 3 && type === "send-receipt")) &&
        (!("created" in filter) ||
          (createdAt.getTime() >= created.start && createdAt.getTime() < created.end));
      const newestFirst = all.filter(fits).map(({ id }) => id);
      expect(newestFirst.length).toBeGreaterThan(4);
      for (const descending of [true, false]) {
        const wanted = descending ? newestFirst : newestFirst.toReversed();
        const search = newSearch({ ...filter, where, statuses: ["PENDING"], descending, limit: 7 });
        const pages: string[] = [];
        for (let after: typeof search.after; ; ) {
          const { tasks } = await world.store.searchTasks({ ...search, ...(after && { after }) });
          pages.push(...tasks.map(({ id }) => id));
          const last = tasks.at(-1);
          if (tasks.length < search.limit || !last) break;
          after = { value: last.createdAt.getTime(), id: last.id, backwards: false };
        }
        expect(pages, JSON.stringify({ where, descending })).toEqual(wanted);
        const { id, createdAt } = all.find((task) => task.id === wanted.at(-1))!;
        const after = { value: createdAt.getTime(), id, backwards: true };
        const back = await world.store.searchTasks({ ...search, after, limit: 1_000 });
        expect(back.tasks.map((task) => task.id)).toEqual(wanted.slice(0, -1).reverse());
        const { tasks } = await world.store.searchTasks({ ...search, offset: 3 });
        expect(tasks.map((task) => task.id)).toEqual(wanted.slice(3, 10));
        expect(await world.store.countTasks(search)).toEqual({ count: wanted.length, errorMax: 0 });
      }
    }
  }
});
