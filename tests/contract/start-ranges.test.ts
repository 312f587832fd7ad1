/** Tasks that started within a range, in the other orders, against a look at every task. */
import { expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { gatheredStartsMax, outsideMax } from "../../server/tasks/stores/shared/start-ranges.ts";
import { newSearch, newTask, newTasks, startAt } from "../support/builders.ts";
import { ok, onEachLastingStore } from "../support/stores.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** By which a task starts after its creation, and is changed after its start. Those of an odd clock start before. */
const usual = [
  [-700, 999],
  [30 * minuteMs, 1_500],
  [0, 0],
  [20, 999],
  [1_500, 1_000],
  [0, hourMs],
  [400, 300_000],
  [5_000, 0],
  [-2 * hourMs, 3 * hourMs],
  [-1, 1],
  [3 * hourMs, 20],
  [90 * minuteMs, 2 * hourMs],
] as const;
const statuses = ["COMPLETED", "FAILED", "CANCELLED", "PENDING"] as const;
/** Some thousands, so that ranges of a few hours are walked. */
const [tasks, everyMs] = [4_000, 12_000];

onEachLastingStore("ranges of the start", (world) => {
  let all: Task[] = [];

  async function fill(kinds: readonly (readonly [wait: number, run: number])[]): Promise<void> {
    ok(await world.store.enqueueTasks([newTask()]));
    const [first] = await world.store.readRecords({ limit: 1 });
    const { id: _id, ...sample } = first!;
    const records = Array.from({ length: tasks }, (_, place): TaskRecord => {
      // Three of one instant.
      const createdAt = startAt + Math.floor(place / 3) * 3 * everyMs;
      const [wait, run] = kinds[place % kinds.length]!;
      const status = place % 10 < 7 ? "COMPLETED" : statuses[place % 4]!;
      const startedAt = createdAt + wait;
      const isEnded = status !== "PENDING";
      const updatedAt = Math.max(createdAt, startedAt + run);
      return {
        ...{ ...sample, id: `own-${String(place).padStart(4, "0")}`, ownId: true, version: 3, attempts: 1 },
        ...{ createdAt, updatedAt, dueAt: isEnded ? createdAt : updatedAt, status },
        ...(place % 50 !== 7 && { startedAt }),
        ...(isEnded && { completedAt: updatedAt }),
        ...{ type: place % 3 ? "resize-image" : "send-receipt", priority: place % 5 },
      };
    });
    for (let from = 0; from < tasks; from += 500)
      ok(await world.store.writeRecords(records.slice(from, from + 500)));
  }

  async function readAll(): Promise<void> {
    all = [];
    for (let after: StoreSearch["after"]; ; ) {
      const found = (await world.store.searchTasks(newSearch({ limit: 1_000, ...(after && { after }) })))
        .tasks;
      all.push(...found);
      const last = found.at(-1);
      if (found.length < 1_000 || !last) return;
      after = { value: last.createdAt.getTime(), id: last.id, backwards: false };
    }
  }

  const startedWithin = (from: number, to: number): Condition => ({
    kind: "range",
    field: { of: "task", name: "startedAt" },
    from: { value: startAt + from, isIncluded: true },
    to: { value: startAt + to, isIncluded: false },
  });
  const urgent: Condition = { kind: "equals", field: { of: "task", name: "priority" }, values: [0, 1] };

  function placeOf(sortBy: string, task: Task): number | null {
    return sortBy === "id" ? null : task[sortBy === "updatedAt" ? "updatedAt" : "createdAt"].getTime();
  }

  function ordered(
    sortBy: StoreSearch["sortBy"],
    descending: boolean,
    fits: (task: Task) => boolean,
  ): Task[] {
    const sign = descending ? -1 : 1;
    return all
      .filter(fits)
      .sort(
        (a, b) =>
          sign *
          ((placeOf(sortBy, a) ?? 0) - (placeOf(sortBy, b) ?? 0) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
      );
  }

  async function compare(where: Condition, fits: (task: Task) => boolean, filter: Partial<StoreSearch> = {}) {
    for (const sortBy of ["createdAt", "updatedAt", "id"] as const) {
      for (const descending of [true, false]) {
        const what = JSON.stringify({ where, filter, sortBy, descending });
        const wanted = ordered(sortBy, descending, fits);
        const ids = wanted.map(({ id }) => id);
        const search = newSearch({ ...filter, where, sortBy, descending, limit: 300 });
        const pages: string[] = [];
        for (let after: StoreSearch["after"]; ; ) {
          const found = await world.store.searchTasks({ ...search, ...(after && { after }) });
          pages.push(...found.tasks.map(({ id }) => id));
          const last = found.tasks.at(-1);
          if (found.tasks.length < search.limit || !last) break;
          after = { value: placeOf(sortBy, last), id: last.id, backwards: false };
        }
        expect(pages, what).toEqual(ids);
        const end = wanted.at(-1);
        if (!end) continue;
        const after = { value: placeOf(sortBy, end), id: end.id, backwards: true };
        const back = await world.store.searchTasks({ ...search, after });
        expect(
          back.tasks.map(({ id }) => id),
          what,
        ).toEqual(ids.slice(0, -1).reverse().slice(0, 300));
        const offset = Math.floor(ids.length / 2);
        const far = await world.store.searchTasks({ ...search, offset, limit: 20 });
        expect(
          far.tasks.map(({ id }) => id),
          what,
        ).toEqual(ids.slice(offset, offset + 20));
      }
    }
    const { length } = all.filter(fits);
    expect(await world.store.countTasks(newSearch({ ...filter, where }))).toEqual({
      count: length,
      errorMax: 0,
    });
    return length;
  }

  const isWithin = (from: number, to: number) => (task: Task) =>
    task.startedAt !== undefined &&
    task.startedAt.getTime() >= startAt + from &&
    task.startedAt.getTime() < startAt + to;

  /** Some of them were created after they were started. */
  async function run(at: number): Promise<void> {
    const type = "nightly-report";
    const created = [-6 * hourMs, -minuteMs, -1, 0, 2, 30_000, 5 * hourMs, 8 * hourMs].map(
      (wait) => startAt + at + wait,
    );
    await world.enqueue(...created.map((createdAt) => newTask({ type, createdAt, dueAt: startAt })));
    await world.clock.advance(at);
    expect(await world.claim({ types: [type] })).toHaveLength(created.length);
  }

  const narrow = [6 * hourMs, 6 * hourMs + 9 * minuteMs] as const;
  const wide = [5 * hourMs, 12 * hourMs] as const;

  test("few and many, of odd clocks and long waits, that run and that wait again", async () => {
    await fill(usual);
    await run(6 * hourMs + minuteMs);
    await readAll();
    expect(await compare(startedWithin(...narrow), isWithin(...narrow))).toBeGreaterThan(10);
    expect(await compare(startedWithin(...wide), isWithin(...wide))).toBeGreaterThan(gatheredStartsMax);
    const created = { start: startAt + 3 * hourMs, end: startAt + 9 * hourMs };
    const updated = { start: startAt + 4 * hourMs, end: startAt + 8 * hourMs };
    const isBoth = ({ createdAt, updatedAt }: Task) =>
      createdAt.getTime() >= created.start &&
      createdAt.getTime() < created.end &&
      updatedAt.getTime() >= updated.start &&
      updatedAt.getTime() < updated.end;
    for (const range of [narrow, wide]) {
      const fits = isWithin(...range);
      const where: Condition = { kind: "and", parts: [startedWithin(...range), urgent] };
      const isUrgent = (task: Task) => fits(task) && task.priority! < 2;
      await compare(where, (task) => isUrgent(task) && task.type === "send-receipt", {
        types: ["send-receipt"],
      });
      await compare(startedWithin(...range), (task) => fits(task) && isBoth(task), { created, updated });
      const ended = ["FAILED", "PENDING", "RUNNING", "CANCELLED"] as const;
      const isOf = (task: Task) => fits(task) && task.status !== "COMPLETED";
      await compare(startedWithin(...range), isOf, { statuses: ended });
    }
    await compare(startedWithin(9, 3), () => false);
  });

  test("many that waited long, so that most were created outside of what the range bounds", async () => {
    const late = [6 * hourMs, 20] as const;
    await fill([late, late, late, [-5 * hourMs, 6 * hourMs]]);
    await run(8 * hourMs);
    await readAll();
    const range = [6 * hourMs, 13 * hourMs] as const;
    const fits = isWithin(...range);
    expect(await compare(startedWithin(...range), fits)).toBeGreaterThan(gatheredStartsMax);
    const created = all.filter(fits).map(({ createdAt }) => createdAt.getTime() - startAt);
    expect(created.filter((at) => at < range[0] - hourMs).length).toBeGreaterThan(outsideMax);
    expect(created.filter((at) => at > range[1]).length).toBeGreaterThan(10);
  });

  test("a page is found where its tasks lie, before the clock is looked at once", async () => {
    await fill(usual);
    for (const sortBy of ["createdAt", "updatedAt"] as const) {
      for (const descending of [true, false]) {
        const search = newSearch({ types: ["resize-image"], sortBy, descending, budgetMs: 0 });
        for (const range of [narrow, wide]) {
          const { tasks } = await world.store.searchTasks({ ...search, where: startedWithin(...range) });
          expect(tasks.length, JSON.stringify({ sortBy, descending, range })).toBeGreaterThan(10);
        }
      }
    }
  });

  test("a count that ends at its budget is an estimate of those that may have started then, not of all", async () => {
    await fill(usual);
    await readAll();
    // Many that have nothing to do with them.
    const later = newTasks(4_000, { createdAt: startAt + 40 * hourMs });
    for (let from = 0; from < later.length; from += 1_000)
      await world.enqueue(...later.slice(from, from + 1_000));
    const search = newSearch({ where: startedWithin(...wide), budgetMs: 0 });
    const { count, errorMax } = await world.store.countTasks(search);
    const { length } = all.filter(isWithin(...wide));
    expect(Math.abs(count - length)).toBeLessThanOrEqual(errorMax);
    expect(count).toBeLessThan(3_200);
    expect(errorMax).toBeLessThan(3_200);
  });

  test("what need not hold, or holds of others, bounds nothing", async () => {
    await fill(usual);
    await readAll();
    const [some, others] = [startedWithin(...narrow), startedWithin(5 * hourMs, 5 * hourMs + minuteMs)];
    const [isSome, isOther] = [isWithin(...narrow), isWithin(5 * hourMs, 5 * hourMs + minuteMs)];
    await compare({ kind: "or", parts: [some, others] }, (task) => isSome(task) || isOther(task));
    await compare({ kind: "or", parts: [some, urgent] }, (task) => isSome(task) || task.priority! < 2);
    await compare({ kind: "not", part: some }, (task) => !isSome(task));
    await compare({ kind: "and", parts: [some, others] }, () => false);
  });
});
