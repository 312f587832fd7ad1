/** The order by priority, which no index has by itself, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newDefinition, newId, newSearch, newTask, startAt } from "../support/builders.ts";
import { pagesOf } from "../support/search-pages.ts";
import { ok, onEachLastingStore, type World } from "../support/stores.ts";

const types = ["resize-image", "send-receipt", "nightly-report"];
const hourMs = 3_600_000;

onEachLastingStore("the order by priority", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    await fill(world);
    all = (await world.store.searchTasks(newSearch({ limit: 1_000, definitions: true }))).tasks;
  });

  const at = (hours: number) => startAt + hours * hourMs;
  const high: Condition = {
    kind: "range",
    field: { of: "task", name: "priority" },
    from: { value: -3, isIncluded: true },
    to: { value: 5, isIncluded: false },
  };
  const once: Condition = { kind: "equals", field: { of: "task", name: "attempts" }, values: [1] };
  const filters: [Partial<StoreSearch>, (task: Task) => boolean][] = [
    [{}, () => true],
    [{ definitions: true }, () => true],
    [{ types: ["send-receipt"] }, ({ type }) => type === "send-receipt"],
    [{ statuses: ["PENDING"] }, ({ status }) => status === "PENDING"],
    [{ statuses: ["PENDING"], definitions: true }, ({ status }) => status === "PENDING"],
    [{ statuses: ["RUNNING", "FAILED"] }, ({ status }) => status === "RUNNING" || status === "FAILED"],
    [{ queues: ["mail"] }, ({ queue }) => queue === "mail"],
    [{ created: { start: at(2), end: at(7) } }, (task) => isIn(task.createdAt, at(2), at(7))],
    [{ created: { start: at(2) }, definitions: true }, (task) => isIn(task.createdAt, at(2))],
    [{ updated: { end: at(7) }, definitions: true }, (task) => isIn(task.updatedAt, 0, at(7))],
    [{ updated: { start: at(5) } }, (task) => isIn(task.updatedAt, at(5))],
    [{ updated: { end: at(5) } }, (task) => isIn(task.updatedAt, 0, at(5))],
    [
      { created: { end: at(6) }, updated: { start: at(3) }, statuses: ["PENDING", "COMPLETED"] },
      (task) =>
        isIn(task.createdAt, 0, at(6)) && isIn(task.updatedAt, at(3)) && /PEND|COMP/.test(task.status),
    ],
    [{ where: high }, ({ priority = 0 }) => priority >= -3 && priority < 5],
    [{ where: once, types: types.slice(0, 2) }, ({ attempts, type }) => attempts === 1 && type !== types[2]],
  ];

  test("a page at a time, both ways, whatever the filters", async () => {
    for (const [place, [filter, fits]] of filters.entries()) {
      for (const descending of [true, false]) {
        const wanted = ordered(
          all,
          descending,
          (task) => (filter.definitions || !task.isDefinition) && fits(task),
        );
        const asked = JSON.stringify({ filter, descending });
        expect(wanted.length, asked).toBeGreaterThan(20);
        const search = newSearch({
          ...{ sortBy: "priority", definitions: false, ...filter, descending },
          limit: [3, 7, 11][place % 3]!,
        });
        expect(await pagesOf(world, search), asked).toEqual(wanted);
        const last = all.find(({ id }) => id === wanted.at(-1))!;
        const after = { value: last.priority!, id: last.id, backwards: true };
        expect(await pagesOf(world, { ...search, after }), asked).toEqual(wanted.slice(0, -1).reverse());
        const offset = Math.floor(wanted.length / 2);
        const { tasks } = await world.store.searchTasks({ ...search, offset });
        expect(tasks.map(({ id }) => id)).toEqual(wanted.slice(offset, offset + search.limit));
      }
    }
  }, 60_000);
});

function isIn(at: Date, start: number, end = Number.POSITIVE_INFINITY): boolean {
  return at.getTime() >= start && at.getTime() < end;
}

function ordered(tasks: readonly Task[], descending: boolean, fits: (task: Task) => boolean): string[] {
  const sign = descending ? -1 : 1;
  const order = (a: Task, b: Task) => a.priority! - b.priority! || (a.id < b.id ? -1 : 1);
  return tasks
    .filter(fits)
    .sort((a, b) => sign * order(a, b))
    .map(({ id }) => id);
}

/** Over ten hours: with few priorities, changed at once or long after, of ids of both kinds, in every status; and definitions. */
async function fill(world: World): Promise<void> {
  const random = () => world.clock.random();
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  ok(
    await world.store.saveDefinitions([
      { ...newDefinition("nightly-report"), priority: 4 },
      { ...newDefinition("unused"), priority: 5 },
      newDefinition("unused-too"),
    ]),
  );
  await world.enqueue(
    ...Array.from({ length: 12 }, (_, n) => newTask({ type: pick(types), priority: n % 3 })),
  );
  await world.claim({ types, limit: 12 });
  const records = Array.from({ length: 280 }, (_, n): TaskRecord => {
    const createdAt = startAt + Math.floor(random() * 10 * hourMs);
    const updatedAt = createdAt + pick([0, 5, 400, hourMs, hourMs + 1, 3 * hourMs]);
    const ownId = random() < 0.3;
    const status = pick(["PENDING", "PENDING", "COMPLETED", "FAILED", "CANCELLED"] as const);
    const shared = {
      ...{ id: ownId ? `${pick(["a", "z", "리포트", "0"])}-${n}` : newId(createdAt), ownId, status },
      ...{ type: pick(types), queue: pick(["default", "mail"]), priority: pick([-3, 0, 0, 0, 5, 9]) },
      ...{ createdAt, updatedAt, dueAt: createdAt, attempts: 0, maxAttempts: 3, rerunAfterCrash: true },
      ...{
        fence: 0,
        crashes: n % 7 === 0 ? 1 : 0,
        snoozes: 0,
        version: 1,
        payload: { json: "{}" },
        history: [],
      },
    };
    if (status === "PENDING" && updatedAt === createdAt) return shared;
    const changed = { ...shared, version: 3, attempts: 1, startedAt: createdAt };
    return status === "PENDING" ? changed : { ...changed, completedAt: updatedAt };
  });
  ok(await world.store.writeRecords(records));
}
