/** A random history for the tests of search and of its plans, and every way of narrowing it down. */
import { expect } from "vitest";
import type { StoreSearch } from "../../server/tasks/core/store.ts";
import type { Task, TaskStatusName } from "../../server/tasks/core/task.ts";
import { newDefinition, newSearch, newTask, startAt } from "./builders.ts";
import { tasksOf } from "./found.ts";
import { ok, type World } from "./stores.ts";

export interface Table {
  types: string[];
  tasks: Task[];
  /** The entries of definitions without tasks. */
  entries: Task[];
}

const ownIds = [
  "a",
  "A",
  "Z",
  "z",
  "é",
  "리포트",
  "\uffee-half",
  "🖼-1",
  "𐐷",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "~",
];
const outcomes = ["completed", "failed", "cancelled", "snoozed", "released"] as const;

/** Ties in time, ids of both kinds, every status, several types and queues, definitions with and without tasks. */
export async function createTable(world: World, size = 160): Promise<Table> {
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(world.clock.random() * values.length)]!;
  const types = ["resize-image", "send-receipt", "리포트-생성"];
  ok(
    await world.store.saveDefinitions(
      ["resize-image", "nightly-report", "m-unused", "🗂-unused"].map(newDefinition),
    ),
  );
  const instants = Array.from({ length: 12 }, (_, step) => startAt - step * 1_000);
  const tasks = Array.from({ length: size }, (_, place) => {
    const createdAt = pick(instants);
    const id = place < ownIds.length ? ownIds[place] : pick([undefined, undefined, `own-${place}`]);
    return newTask({ ...(id && { id }), createdAt, type: pick(types), queue: pick(["default", "mail"]) });
  });
  await world.enqueue(...tasks);
  for (let round = 0; round < 8; round++) {
    await world.clock.advance(pick([0, 5]));
    const claimed = await world.claim({ types, limit: Math.ceil(size / 10) });
    for (const one of claimed.slice(0, -2)) {
      const outcome = pick(outcomes);
      await world.settle(one, outcome, outcome === "snoozed" ? { retryAt: startAt + 1e9 } : {});
    }
  }
  return readTable(world, types);
}

async function readTable(world: World, types: string[]): Promise<Table> {
  const all = await tasksOf(world.store.searchTasks(newSearch({ limit: 10_000, definitions: true })));
  const tasks = await Promise.all(all.filter((task) => !task.isDefinition).map(({ id }) => world.get(id)));
  expect(new Set(tasks.map(({ status }) => status)).size).toBe(5);
  return { types, tasks, entries: all.filter((task) => task.isDefinition) };
}

/** Every combination of filters over the table, a few hundred. */
export function narrowings({ tasks }: Pick<Table, "tasks">): Partial<StoreSearch>[] {
  const middle = tasks[Math.floor(tasks.length / 2)]!;
  const created = middle.createdAt.getTime();
  const updated = middle.updatedAt.getTime();
  const types = [undefined, ["resize-image"], ["리포트-생성", "nothing", "nightly-report", "resize-image"]];
  const statuses: (TaskStatusName[] | undefined)[] = [
    undefined,
    ["RUNNING"],
    ["PENDING"],
    ["COMPLETED", "FAILED", "RUNNING"],
  ];
  const queues = [undefined, ["mail"], ["mail", "default"]];
  const createdRanges = [undefined, { start: created }, { start: created - 4_000, end: created + 1 }];
  const updatedRanges = [undefined, { end: updated + 1 }, { start: updated, end: updated + 6 }];
  const ids = [undefined, middle.id];
  return ids.flatMap((id) =>
    types.flatMap((type) =>
      statuses.flatMap((status) =>
        queues.flatMap((queue) =>
          createdRanges.flatMap((createdRange) =>
            updatedRanges.map((updatedRange) => ({
              ...(id !== undefined && { id }),
              ...(type && { types: type }),
              ...(status && { statuses: status }),
              ...(queue && { queues: queue }),
              ...(createdRange && { created: createdRange }),
              ...(updatedRange && { updated: updatedRange }),
            })),
          ),
        ),
      ),
    ),
  );
}
