/** The orders by start and by due time, which no index has by itself, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/condition.ts";
import { sortValueOf } from "../../server/tasks/core/meets.ts";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { ok, onEachStore, type World } from "../support/stores.ts";

const types = ["resize-image", "send-receipt"];

onEachStore("near orders", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    all = await fill(world);
  });

  test("a page at a time, both ways, whatever the filters", async () => {
    for (const sortBy of ["startedAt", "dueAt"] as const) {
      for (const [place, [filter, fits]] of filtersOf(all).entries()) {
        for (const descending of place === 0 ? [true, false] : [place % 2 === (sortBy === "dueAt" ? 0 : 1)]) {
          const wanted = ordered(all.filter(fits), sortBy, descending);
          expect(wanted.length).toBeGreaterThan(0);
          const search = newSearch({ ...filter, sortBy, descending, limit: [5, 11, 30][place % 3]! });
          const forth = await pagesOf(world, search, false);
          expect(forth, `${sortBy} ${descending} ${JSON.stringify(filter)}`).toEqual(wanted);
          const back = await pagesOf(world, { ...search, after: placeAfter(all, wanted, search) }, true);
          expect(back).toEqual(wanted.slice(0, -1).reverse());
          const offset = Math.floor(wanted.length / 2);
          const { tasks } = await world.store.searchTasks({ ...search, offset });
          expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(offset, offset + search.limit));
        }
      }
    }
  }, 60_000);

  test("thousands that ran within one second: each page goes on where the last one ended", async () => {
    const sample = (await world.store.readRecords({ limit: 500 })).find(
      ({ status }) => status === "COMPLETED",
    )!;
    const records = Array.from({ length: 2_400 }, (_, n) => {
      const startedAt = startAt + 1_000_000 + Math.floor(n / 3);
      const times = { startedAt, updatedAt: startedAt + 1, completedAt: startedAt + 1 };
      return { ...sample, ...times, type: "dense", id: `dense-${String(n).padStart(4, "0")}` };
    });
    ok(await world.store.writeRecords(records));
    const ids = records.map(({ id }) => id);
    for (const descending of [true, false]) {
      const wanted = descending ? ids.toReversed() : ids;
      const search = newSearch({ types: ["dense"], sortBy: "startedAt", descending, limit: 250 });
      expect(await pagesOf(world, search, false)).toEqual(wanted);
      const { tasks } = await world.store.searchTasks({ ...search, offset: 2_200 });
      expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(2_200));
    }
  });
});

type Order = "startedAt" | "dueAt";

function ordered(tasks: readonly Task[], sortBy: Order, descending: boolean): string[] {
  const sign = descending ? -1 : 1;
  const order = (a: Task, b: Task) => a[sortBy]!.getTime() - b[sortBy]!.getTime() || (a.id < b.id ? -1 : 1);
  return tasks
    .filter((task) => task[sortBy])
    .sort((a, b) => sign * order(a, b))
    .map(({ id }) => id);
}

function placeAfter(all: readonly Task[], wanted: readonly string[], { sortBy }: StoreSearch) {
  const last = all.find(({ id }) => id === wanted.at(-1))!;
  return { value: sortValueOf(sortBy, last)!, id: last.id, backwards: true };
}

async function pagesOf(world: World, search: StoreSearch, backwards: boolean): Promise<string[]> {
  const found: string[] = [];
  let { after } = search;
  for (;;) {
    const page = await world.store.searchTasks({ ...search, ...(after && { after }) });
    expect(page.isPartial).toBeUndefined();
    const last = page.tasks.at(-1);
    if (!last) return found;
    found.push(...page.tasks.map(({ id }) => id));
    after = { value: sortValueOf(search.sortBy, last)!, id: last.id, backwards };
  }
}

function filtersOf(all: readonly Task[]): [Partial<StoreSearch>, (task: Task) => boolean][] {
  const at = (task: Task, name: "createdAt" | "updatedAt") => task[name].getTime();
  const created = at(all[Math.floor(all.length / 3)]!, "createdAt");
  const updated = all.map((task) => at(task, "updatedAt")).sort()[Math.floor(all.length / 3)]!;
  const priority: Condition = { kind: "equals", field: { of: "task", name: "priority" }, values: [5] };
  const started: Condition = {
    kind: "range",
    field: { of: "task", name: "startedAt" },
    from: { value: startAt + 4_000, isIncluded: false },
    to: { value: startAt + 40_000, isIncluded: true },
  };
  return [
    [{}, () => true],
    [{ types: ["send-receipt"] }, ({ type }) => type === "send-receipt"],
    [{ statuses: ["PENDING"] }, ({ status }) => status === "PENDING"],
    [{ statuses: ["COMPLETED", "RUNNING"] }, ({ status }) => status === "COMPLETED" || status === "RUNNING"],
    [
      { queues: ["mail"], statuses: ["FAILED", "CANCELLED", "PENDING"] },
      ({ queue, status }) => {
        return queue === "mail" && status !== "COMPLETED" && status !== "RUNNING";
      },
    ],
    [{ created: { start: created } }, (task) => at(task, "createdAt") >= created],
    [{ created: { end: created } }, (task) => at(task, "createdAt") < created],
    [{ updated: { start: updated } }, (task) => at(task, "updatedAt") >= updated],
    [{ updated: { end: updated } }, (task) => at(task, "updatedAt") < updated],
    [{ where: priority }, (task) => task.priority === 5],
    [
      { where: started },
      ({ startedAt: start }) => {
        return (
          start !== undefined && start.getTime() > startAt + 4_000 && start.getTime() <= startAt + 40_000
        );
      },
    ],
  ];
}

/** Quick and slow ones, some retried, delayed, cancelled, some that wait for one instant; chosen ids; a lost worker's. */
async function fill(world: World): Promise<Task[]> {
  const random = () => world.clock.random();
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const make = (n: number) => {
    const createdAt = world.clock.now();
    return newTask({
      ...(n % 5 === 0 && { id: pick([`own-${n}`, `z${n}`, `리포트-${n}`]) }),
      ...{
        type: pick(types),
        queue: pick(["default", "mail"]),
        priority: pick([0, 0, 5]),
        maxAttempts: 3,
        createdAt,
      },
      dueAt: createdAt + pick([0, 0, 0, -500, 2_000, 60_000]),
    });
  };
  for (let round = 0; round < 12; round += 1) {
    await world.enqueue(...Array.from({ length: 12 }, (_, n) => make(round * 12 + n)));
    await world.clock.advance(pick([0, 1, 400]));
    for (const one of (await world.claim({ types, limit: 7 })).slice(0, 6)) {
      await world.clock.advance(pick([0, 1, 30, 999, 1_000, 1_001, 4_000]));
      const outcome = pick([
        "completed",
        "completed",
        "completed",
        "failed",
        "cancelled",
        "snoozed",
        "released",
      ] as const);
      await world.settle(one, outcome, outcome === "snoozed" ? { retryAt: world.clock.now() + 5_000 } : {});
    }
  }
  // Many that are due at once, in lines of two priorities, and some that come to wait again.
  const dueAt = world.clock.now() + 90_000;
  const together = Array.from({ length: 70 }, (_, n) =>
    newTask({ dueAt, priority: n % 2, type: types[n % 2]! }),
  );
  await world.enqueue(...together.reverse());
  const search = newSearch({ limit: 1_000, definitions: false });
  const ended = (await world.store.searchTasks({ ...search, statuses: ["CANCELLED"] })).tasks;
  for (const { id } of ended.slice(0, 2)) await world.store.retryTask(id);
  await world.store.cancelTask(together[3]!.id);
  return (await world.store.searchTasks(search)).tasks;
}
