/** How often a page by start, by due time or by priority waits for the server; what it answers the contract tells. */
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { recordOf } from "../../bench/search/records.ts";
import type { StoreSearch, TaskRecord, TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, startAt } from "../support/builders.ts";
import { tasksOf } from "../support/found.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

/** A second lies between one task and the next. */
const tasks = 900;
const secondMs = 1_000;
/** The last of all run for half a minute each, so that they end behind all others. */
const slow = 60;
const slowMs = 30_000;

const all = Array.from({ length: tasks }, (_, n) => completed(n));

let schema: TestSchema;
let store: TaskStore;

beforeAll(async () => {
  schema = await createTestSchema();
  // Of so small a pool no connection is spared for texts to be planned ahead, which would be counted here.
  store = createPostgresStore({ url: `${schema.url}&pool_size=2` });
  await store.open();
  ok(await store.writeRecords(all));
});

afterAll(async () => {
  await store?.close();
  await schema?.drop();
});

const many = { created: { start: startAt + 100 * secondMs } };
const few = { created: { start: startAt + 700 * secondMs } };

test.each<[string, Partial<StoreSearch>]>([
  ["the latest by start, behind whose ends slow ones ended", { sortBy: "startedAt" }],
  ["the first by start of a range of many", { sortBy: "startedAt", descending: false, ...many }],
  ["the latest by start of a range of few", { sortBy: "startedAt", ...few }],
  ["the latest by due time", { sortBy: "dueAt" }],
  ["the latest by due time of a range of many", { sortBy: "dueAt", ...many }],
  ["the first by due time of a range of few", { sortBy: "dueAt", descending: false, ...few }],
  ["the most urgent", { sortBy: "priority" }],
  ["the least urgent of a range of many", { sortBy: "priority", descending: false, ...many }],
  ["the most urgent of a range of few", { sortBy: "priority", ...few }],
])("a page is one wait: %s", async (_which, asked) => {
  const search = newSearch({ limit: 50, definitions: false, ...asked });
  const wanted = firstOf(search);
  const ids = async () => (await tasksOf(store.searchTasks(search))).map(({ id }) => id);
  // Only then are the lanes known.
  expect(await ids()).toEqual(wanted);
  const bind = vi.spyOn(pg.Connection.prototype as unknown as { bind(portal: object): void }, "bind");
  const query = vi.spyOn(pg.Client.prototype, "query");
  try {
    expect(await ids()).toEqual(wanted);
    const sent = bind.mock.calls.map(([portal]) => (portal as { statement: string }).statement.split(":")[0]);
    expect(sent).toEqual(["beginReading", "planOnce", "otherPairs", "nearKeys", "endReading"]);
    expect(query).toHaveBeenCalledTimes(1);
  } finally {
    bind.mockRestore();
    query.mockRestore();
  }
});

function firstOf({ sortBy, descending, created }: StoreSearch): string[] {
  const value = (record: TaskRecord) => record[sortBy as "startedAt" | "dueAt" | "priority"]!;
  const sign = descending ? -1 : 1;
  return all
    .filter(({ createdAt }) => createdAt >= (created?.start ?? startAt))
    .sort((a, b) => sign * (value(a) - value(b) || (a.id < b.id ? -1 : 1)))
    .slice(0, 50)
    .map(({ id }) => id);
}

function completed(n: number): TaskRecord {
  const createdAt = startAt + n * secondMs;
  const endedAt = createdAt + (n < tasks - slow ? 20 : slowMs);
  return {
    ...recordOf(n, tasks, startAt, "history"),
    ...{ id: `task-${String(n).padStart(3, "0")}`, ownId: true, type: `type-${n % 3}`, queue: "default" },
    ...{
      status: "COMPLETED",
      priority: n % 10 === 0 ? 5 : 0,
      dueAt: createdAt,
      createdAt,
      startedAt: createdAt,
    },
    ...{ updatedAt: endedAt, completedAt: endedAt, fence: 1, attempts: 1, version: 3, history: [] },
  };
}
