/** Pages of many lanes of which one has all, more than its share of the tasks makes likely. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

const tasks = 1_280;
/** The first and the last are of a lane each, all between them of thirty. */
const alone = 40;
const secondMs = 1_000;

/** In every order, each behind the one before it. */
const all = Array.from({ length: tasks }, (_, n) => completed(n));

let schema: TestSchema;
let store: TaskStore;

beforeAll(async () => {
  schema = await createTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  ok(await store.writeRecords(all));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
});

const wide = { start: startAt - secondMs, end: startAt + 10 * tasks * secondMs };
const ranges: [string, Partial<StoreSearch>][] = [
  ["of all", {}],
  ["of a range of creation", { created: wide }],
  ["of a range of change", { updated: wide }],
];
const orders = ["createdAt", "updatedAt", "id", "startedAt", "dueAt", "priority", "duration"] as const;

test.each(orders.flatMap((sortBy) => ranges.map(([which, range]) => [sortBy, which, range] as const)))(
  "the first and the last by %s %s",
  async (sortBy, _which, range) => {
    for (const limit of [10, alone])
      for (const descending of [false, true]) {
        const found = await tasksOf(
          store.searchTasks(newSearch({ ...range, sortBy, descending, limit, definitions: false })),
        );
        const ordered = descending ? all.toReversed() : all;
        expect(found.map(({ id }) => id)).toEqual(ordered.slice(0, limit).map(({ id }) => id));
      }
  },
);

function completed(n: number): TaskRecord {
  const createdAt = startAt + n * secondMs;
  const startedAt = createdAt + 20 * secondMs;
  const endedAt = startedAt + 1 + n;
  const [isFirst, isLast] = [n < alone, n >= tasks - alone];
  return {
    ...recordOf(n, tasks, startAt, "history"),
    ...{ id: `task-${String(n).padStart(4, "0")}`, ownId: true, queue: "default" },
    type: isFirst ? "first" : isLast ? "last" : `other-${n % 30}`,
    ...{ status: "COMPLETED", priority: isFirst ? 1 : isLast ? 9 : 5, dueAt: createdAt + 10 * secondMs },
    ...{ createdAt, startedAt, updatedAt: endedAt, completedAt: endedAt },
    ...{ fence: 1, attempts: 1, version: 3, history: [] },
  };
}
