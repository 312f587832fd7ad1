/** Tasks that change between when they are found and when their values are read. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { StoreSearch, TaskStore } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTask, startAt } from "../support/builders.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { ok } from "../support/stores.ts";

const count = 230;
const limit = 205;

let schema: TestSchema;
let store: TaskStore;
let ids: string[];

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
});
afterEach(async () => {
  expect(isDone).toBe(true);
  vi.restoreAllMocks();
  await store?.close();
  await schema?.drop();
});

/** In the order of all searches here. */
async function enqueue(payload: unknown = { widthPx: 640 }): Promise<void> {
  const tasks = Array.from({ length: count }, (_, n) =>
    newTask({ payload, createdAt: startAt + n, priority: n }),
  );
  ids = tasks.map(({ id }) => id);
  ok(await store.enqueueTasks(tasks));
}

let isDone = false;

/** Does something once the tasks of a search were found, and before their values are read. */
function meanwhile(change: () => Promise<unknown>): void {
  const { read } = Database.prototype;
  isDone = false;
  vi.spyOn(Database.prototype, "read").mockImplementation(async function (this: Database, statement, values) {
    if (!isDone && statement.name === "tasksByIds") {
      isDone = true;
      await change();
    }
    return read.call(this, statement, values);
  });
}

/** Few enough to be put in order by the store, not by an index. */
const sorted = { sortBy: "priority", descending: false, created: { start: startAt }, limit } as const;
/** Their values are too large to travel with the rows. */
const walked: Partial<StoreSearch> = {
  ...{ sortBy: "createdAt", descending: false, limit: 5 },
  where: { kind: "equals", field: { of: "task", name: "attempts" }, values: [0] },
};

test.each([
  ["sorted", sorted, undefined],
  ["walked through", walked, { text: "x".repeat(50_000) }],
])("in the place of those that were deleted come further ones: %s", async (_, asked, payload) => {
  await enqueue(payload);
  for (const id of ids.slice(0, 3)) ok(await store.cancelTask(id));
  meanwhile(async () => {
    for (const id of ids.slice(0, 3)) ok(await store.deleteTask(id));
  });
  const found = await store.searchTasks(newSearch({ ...asked, definitions: false }));
  expect(found.tasks.map(({ id }) => id)).toEqual(ids.slice(3, 3 + asked.limit!));
});

test("what does not fit any more is not answered", async () => {
  await enqueue();
  meanwhile(async () => ok(await store.cancelTask(ids[1]!)));
  const { tasks } = await store.searchTasks(
    newSearch({ ...sorted, statuses: ["PENDING"], definitions: false }),
  );
  expect(tasks.map(({ id }) => id)).toEqual(ids.filter((_, n) => n !== 1).slice(0, limit));
});

test("what does not meet its conditions any more is not answered, what was changed otherwise is", async () => {
  await enqueue({ text: "x".repeat(50_000) });
  meanwhile(async () => {
    ok(await store.editTask(ids[2]!, { priority: -1 }));
    ok(await store.editTask(ids[3]!, { priority: 1_000 }));
  });
  const priority = { of: "task", name: "priority" } as const;
  const where: Condition = { kind: "range", field: priority, from: { value: 1, isIncluded: true } };
  const { tasks } = await store.searchTasks(newSearch({ ...walked, where, definitions: false }));
  expect(tasks.map(({ id, priority }) => [id, priority])).toEqual(
    [1, 3, 4, 5, 6].map((n) => [ids[n], n === 3 ? 1_000 : n]),
  );
});

test("a page goes on behind where its last task was found, wherever that is now", async () => {
  await enqueue();
  meanwhile(async () => ok(await store.editTask(ids[limit - 1]!, { priority: 1_000 })));
  const { tasks, values } = await store.searchTasks(newSearch({ ...sorted, definitions: false }));
  expect([tasks.at(-1)!.id, values?.at(-1)]).toEqual([ids[limit - 1], limit - 1]);
});
