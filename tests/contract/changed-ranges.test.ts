/** Tasks that were changed within a range and created before it, at once and long ago, against a look at every task. */
import { beforeEach, expect, test } from "vitest";
import { ulidStart } from "../../server/tasks/core/ids.ts";
import type { StoreSearch, TaskRecord } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { newSearch, newTask, newWorker, startAt } from "../support/builders.ts";
import { pagesOf } from "../support/search-pages.ts";
import { claimRequest, ok, onEachLastingStore } from "../support/stores.ts";

const minuteMs = 60_000;
const types = ["resize-image", "send-receipt", "nightly-report"];
const queues = ["default", "mail", "media"];
const statuses = ["COMPLETED", "FAILED", "CANCELLED"] as const;
/** After their creation. */
const changedAfter = [0, 1, 30, 60, 61, 100, 300];

onEachLastingStore("ranges of the latest change", (world) => {
  let all: Task[] = [];

  beforeEach(async () => {
    await world.store.registerWorker(newWorker());
    ok(await world.store.enqueueTasks([newTask()]));
    const [first] = await world.store.readRecords({ limit: 1 });
    const { id: _id, ...sample } = first!;
    const at = (place: number) => startAt - 600 * minuteMs + Math.floor(place / 2) * minuteMs;
    const tasks = Array.from({ length: 600 }, (_, place): TaskRecord => {
      const createdAt = at(place);
      const changedAt = createdAt + changedAfter[place % changedAfter.length]! * minuteMs;
      const isOwn = place % 60 === 2;
      return {
        ...sample,
        id: isOwn ? `own-${place}` : `${ulidStart(createdAt).slice(0, 10)}${String(place).padStart(16, "0")}`,
        ...{
          ownId: isOwn,
          createdAt,
          dueAt: createdAt,
          updatedAt: changedAt,
          startedAt: createdAt,
          completedAt: changedAt,
        },
        ...{
          type: types[place % 3]!,
          queue: queues[Math.floor(place / 3) % 3]!,
          status: statuses[(place % 7) % 3]!,
          version: 3,
        },
      };
    });
    ok(await world.store.writeRecords(tasks));
    // One that runs is changed by the claim.
    world.clock.advance(minuteMs);
    ok(await world.store.claimTasks(claimRequest({ limit: 1 })));
    all = (await world.store.searchTasks(newSearch({ limit: 1_000 }))).tasks;
  });

  const ranges = [
    { start: startAt - 500 * minuteMs },
    { start: startAt - 450 * minuteMs, end: startAt - 440 * minuteMs },
    { start: startAt - 320 * minuteMs, end: startAt - 290 * minuteMs },
    { start: startAt - 100 * minuteMs },
    { start: startAt + 1 },
  ];
  const filters: Partial<StoreSearch>[] = [
    {},
    { types: ["send-receipt"] },
    // No id of these was chosen.
    { types: ["resize-image", "send-receipt"] },
    { statuses: ["FAILED", "RUNNING"] },
    { created: { end: startAt - 445 * minuteMs } },
    { created: { start: startAt - 470 * minuteMs } },
    {
      created: { start: startAt - 520 * minuteMs, end: startAt - 310 * minuteMs },
      queues: ["mail", "media"],
    },
  ];

  test.each(["createdAt", "id", "updatedAt"] as const)(
    "in the order of %s, a page at a time",
    async (sortBy) => {
      for (const updated of ranges) {
        for (const filter of filters) {
          for (const descending of [true, false]) {
            const search = newSearch({ ...filter, updated, sortBy, descending, limit: 17 });
            const wanted = all.filter((task) => fits(task, search)).sort(order(search));
            expect(await pagesOf(world, search), JSON.stringify(search)).toEqual(wanted.map(({ id }) => id));
          }
        }
      }
    },
  );
});

function fits(task: Task, { updated, created, types, statuses, queues }: StoreSearch): boolean {
  return (
    isWithin(task.updatedAt, updated) &&
    isWithin(task.createdAt, created) &&
    (types?.includes(task.type) ?? true) &&
    (statuses?.includes(task.status) ?? true) &&
    (queues?.includes(task.queue!) ?? true)
  );
}

function isWithin(
  at: Date,
  { start = -Infinity, end = Infinity }: { start?: number; end?: number } = {},
): boolean {
  return at.getTime() >= start && at.getTime() < end;
}

function order({ sortBy, descending }: StoreSearch): (a: Task, b: Task) => number {
  const sign = descending ? -1 : 1;
  const at = (task: Task) => (sortBy === "id" ? 0 : task[sortBy as "createdAt" | "updatedAt"].getTime());
  return (a, b) => sign * (at(a) - at(b) || (a.id < b.id ? -1 : 1));
}
