/** The order by duration, the shortest and the longest first, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import { createIds } from "../../server/tasks/core/ids.ts";
import type { Place, StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import { foundInTime, pagesOf } from "../support/search-pages.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const field = { of: "task", name: "duration" } as const;
const hourMs = 3_600_000;
const spanMs = 6 * hourMs;
/** With three statuses each so many that of none as much is read as of all; most tasks are of the first. */
const types = ["resize-image", "send-receipt", ...Array.from({ length: 6 }, (_, n) => `other-${n}`)];

onEachLastingStore("duration order", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    ok(await world.store.writeRecords(await records(world)));
    all = (await world.store.searchTasks(newSearch({ limit: 2_000 }))).tasks;
    expect(all).toHaveLength(601);
  });

  test("page by page, both ways, whatever the filters", async () => {
    for (const [place, [filter, fits]] of filters().entries()) {
      for (const descending of [false, true]) {
        const wanted = ordered(all.filter(fits), descending);
        expect(wanted.length).toBeGreaterThan(5);
        const search = newSearch({
          ...filter,
          sortBy: "duration",
          descending,
          limit: [19, 45, 90][place % 3]!,
        });
        const asked = `${descending} ${JSON.stringify(filter)}`;
        expect(await pagesOf(world, search), asked).toEqual(wanted);
        const back = await pagesOf(world, { ...search, after: placeOf(all, wanted.at(-1)!, true) });
        expect(back, asked).toEqual(wanted.slice(0, -1).reverse());
        const whole = await world.store.searchTasks({ ...search, limit: 1_000 });
        expect(
          whole.tasks.map(({ id }) => id),
          asked,
        ).toEqual(wanted);
        const offset = Math.floor(wanted.length / 2);
        const { tasks } = await world.store.searchTasks({ ...search, offset });
        expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(offset, offset + search.limit));
      }
    }
  }, 60_000);

  test("a page that ends at its budget goes on where it ended", async () => {
    for (const [filter, fits] of filters()) {
      for (const descending of [false, true]) {
        const search = newSearch({ ...filter, sortBy: "duration", descending, limit: 20 });
        const asked = `${descending} ${JSON.stringify(filter)}`;
        expect(await foundInTime(world, search), asked).toEqual(ordered(all.filter(fits), descending));
      }
    }
  }, 60_000);

  test("bounds that exclude each other find nothing", async () => {
    const where: StoreSearch["where"] = {
      kind: "and",
      parts: [
        { kind: "range", field, from: { value: 1_000, isIncluded: true } },
        { kind: "range", field, to: { value: 20, isIncluded: true } },
      ],
    };
    for (const descending of [false, true])
      for (const types of [undefined, ["resize-image"]]) {
        const search = newSearch({ where, sortBy: "duration", descending, ...(types && { types }) });
        expect(await world.store.searchTasks(search)).toMatchObject({ tasks: [] });
      }
  });

  test("tasks that end in any way have their place, and those that come back or are deleted have none", async () => {
    const clock = world.clock;
    const settled = async (type: string, ms: number, outcome: "completed" | "failed" | "cancelled") => {
      const claimed = await world.running(newTask({ type, maxAttempts: 2 }), { types: [type] });
      await clock.advance(ms);
      await world.settle(claimed, outcome, outcome === "failed" ? { retryAt: clock.now() } : {});
      return claimed.task.id;
    };
    const ids = [
      await settled("end-1", 70_000, "completed"),
      await settled("end-2", 80_000, "cancelled"),
      await settled("end-3", 90_000, "failed"),
    ];
    // One that failed waits again; cancelled, it counts from its first start.
    await clock.advance(5_000);
    ok(await world.store.cancelTask(ids[2]!));
    const search = newSearch({ sortBy: "duration", types: ["end-1", "end-2", "end-3"], limit: 5 });
    const found = async (descending: boolean) =>
      (await world.store.searchTasks({ ...search, descending })).tasks.map(({ id }) => id);
    expect(await found(true)).toEqual(ids.toReversed());
    expect(await found(false)).toEqual(ids);
    ok(await world.store.retryTask(ids[1]!));
    ok(await world.store.deleteTask(ids[0]!));
    expect(await found(true)).toEqual([ids[2]]);
    expect(await found(false)).toEqual([ids[2]]);
    const health = await world.store.checkHealth({ full: true });
    expect(health.filter(({ level }) => level === "error")).toEqual([]);
  });
});

/** Over six hours: generated and chosen ids, some of one duration, some changed or started long after their creation. */
async function records(world: World): Promise<TaskRecord[]> {
  const claimed = await world.running(newTask());
  await world.settle(claimed, "completed");
  const { id: _id, history: _history, ...sample } = (await world.store.readRecords({ limit: 1 }))[0]!;
  const random = () => world.clock.random();
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  let createdAt = startAt;
  const ids = createIds(
    () => createdAt,
    (count) => crypto.getRandomValues(new Uint8Array(count)),
  );
  const instants = Array.from({ length: 600 }, () => startAt + Math.floor(random() * spanMs)).sort(
    (a, b) => a - b,
  );
  return instants.map((instant, n): TaskRecord => {
    createdAt = instant;
    const ownId = n % 7 === 3;
    const startedAt = createdAt + pick([0, 10, 500, 4_000_000]);
    const completedAt =
      startedAt +
      pick([0, 20, 20, 20, 21, 63, 64, 400, 999, 1_000, 1_001, 30_000, -40, Math.floor(random() * 3_000)]);
    const updatedAt = Math.max(createdAt, completedAt);
    const id = ownId ? `order-${String((n * 7_919) % 1_000).padStart(4, "0")}` : ids.taskId();
    const times = { createdAt, dueAt: createdAt, startedAt, completedAt, updatedAt };
    const status = pick(["COMPLETED", "COMPLETED", "FAILED", "CANCELLED"] as const);
    const shared = {
      ...sample,
      ...times,
      id,
      ownId,
      type: types[n % 4 === 0 ? Math.floor(n / 4) % types.length : 0]!,
      status,
      history: [],
    };
    if (status !== "CANCELLED" || n % 2 === 0) return shared;
    const { startedAt: _startedAt, ...unstarted } = shared;
    return unstarted;
  });
}

function filters(): [Partial<StoreSearch>, (task: Task) => boolean][] {
  const at = (share: number) => startAt + Math.floor(share * spanMs);
  const [start, end] = [at(0.3), at(0.62)];
  const within = (instant: Date) => instant.getTime() >= start && instant.getTime() < end;
  const took = (task: Task) => sortValueOf("duration", task) ?? -1_000;
  return [
    [{}, () => true],
    [{ types: ["send-receipt"] }, ({ type }) => type === "send-receipt"],
    [{ statuses: ["FAILED", "PENDING"] }, ({ status }) => status === "FAILED"],
    [{ created: { start, end } }, ({ createdAt }) => within(createdAt)],
    [{ updated: { start, end } }, ({ updatedAt }) => within(updatedAt)],
    [
      { created: { start }, updated: { end }, statuses: ["COMPLETED"] },
      (task) =>
        task.status === "COMPLETED" && task.createdAt.getTime() >= start && task.updatedAt.getTime() < end,
    ],
    [
      {
        where: {
          kind: "range",
          field,
          from: { value: 20, isIncluded: false },
          to: { value: 1_000, isIncluded: true },
        },
      },
      (task) => took(task) > 20 && took(task) <= 1_000,
    ],
    [{ where: { kind: "range", field, from: { value: 20, isIncluded: false } } }, (task) => took(task) > 20],
    [
      {
        created: { start, end },
        updated: { start },
        where: {
          kind: "range",
          field,
          from: { value: 5, isIncluded: true },
          to: { value: 63, isIncluded: true },
        },
      },
      (task) =>
        within(task.createdAt) && task.updatedAt.getTime() >= start && took(task) >= 5 && took(task) <= 63,
    ],
    [
      { where: { kind: "range", field, to: { value: 20.5, isIncluded: false } } },
      (task) => took(task) > -1_000 && took(task) < 20.5,
    ],
    [
      { where: { kind: "range", field, from: { value: 1_001, isIncluded: true } } },
      (task) => took(task) >= 1_001,
    ],
  ];
}

function ordered(tasks: readonly Task[], descending: boolean): string[] {
  const sign = descending ? -1 : 1;
  const took = (task: Task) => sortValueOf("duration", task) as number;
  return tasks
    .filter((task) => sortValueOf("duration", task) !== undefined)
    .sort((a, b) => sign * (took(a) - took(b) || (a.id < b.id ? -1 : 1)))
    .map(({ id }) => id);
}

function placeOf(all: readonly Task[], id: string, backwards: boolean): Place & { backwards: boolean } {
  const task = all.find((one) => one.id === id)!;
  return { value: sortValueOf("duration", task)!, id, backwards };
}
