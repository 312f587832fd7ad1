/** A search ends soon after its budget, also where the server is in the midst of a statement. */
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { createDure } from "../../server/dure.ts";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTasks } from "../support/builders.ts";
import { createTestSchema, postgresUrl } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Whoever reads tasks waits for this, as for a disk that does not answer. */
async function lock({ quoted }: { quoted: string }): Promise<() => Promise<unknown>> {
  const client = new pg.Client({ connectionString: await postgresUrl() });
  closing.push(() => client.end());
  await client.connect();
  await client.query("BEGIN");
  await client.query(`LOCK TABLE ${quoted}.tasks IN ACCESS EXCLUSIVE MODE`);
  return () => client.query("ROLLBACK");
}

test("what was not read in time is left out, and the answer says so", async () => {
  const schema = await createTestSchema();
  closing.push(() => schema.drop());
  const store = createPostgresStore({ url: schema.url });
  closing.push(() => store.close());
  await store.open();
  ok(await store.enqueueTasks(newTasks(20)));
  const where: Condition = {
    kind: "equals",
    field: { of: "payload", path: ["widthPx"] },
    values: [640],
  };
  const search = newSearch({ where, budgetMs: 100, limit: 5 });
  const page = await store.searchTasks({ ...search, budgetMs: 60_000 });
  expect(page.tasks).toHaveLength(5);
  const last = page.tasks.at(-1)!;
  const after = { value: last.createdAt.getTime(), id: last.id, backwards: false };

  const unlock = await lock(schema);
  const unread = { tasks: [], stoppedAt: "start" };
  expect(await store.searchTasks(search)).toEqual(unread);
  expect(await store.searchTasks({ ...search, sortBy: "duration" })).toEqual(unread);
  expect(await store.searchTasks({ ...search, offset: 3 })).toEqual({ ...unread, offsetLeft: 3 });
  // It goes on where it was.
  expect(await store.searchTasks({ ...search, after })).toMatchObject({ tasks: [], stoppedAt: after });
  expect(await store.countTasks(search)).toMatchObject({ count: 0 });
  await unlock();

  const { tasks } = await store.searchTasks({ ...search, after, budgetMs: 60_000 });
  expect(tasks).toHaveLength(5);
});

test("a first page without a look at any task leads to all of them, and neither counts nor actions take it for the last", async () => {
  const schema = await createTestSchema();
  closing.push(() => schema.drop());
  const dure = createDure({ database: schema.url });
  closing.push(() => dure.close());
  const resize = dure.defineTask("resize-image", async () => {});
  await resize.enqueueMany(Array.from({ length: 20 }, () => ({ payload: { widthPx: 640 } })));
  const filter = { payload: { widthPx: 640 }, budget: "1ms" } as const;
  const search: TaskSearchOptions = { ...filter, limit: 5, definitions: false };
  expect(await dure.countTasks(search)).toBe(20);
  const unlock = await lock(schema);
  const first = await dure.searchTaskPage(search);
  expect(first).toMatchObject({ tasks: [], complete: false, nextCursor: expect.any(String) });
  expect(first).not.toHaveProperty("searchedBackTo");
  const counted = await dure.summarizeTasks({ ...filter, by: "status" });
  expect(counted).toMatchObject({ groups: [], complete: false, sampled: 0 });
  expect(counted.total.errorMax).toBe(20);
  const acting = dure.actOnTasks(filter, "cancel");
  await unlock();
  let found = 0;
  for (let cursor = first.nextCursor; cursor; ) {
    const page = await dure.searchTaskPage({ ...search, cursor });
    found += page.tasks.length;
    cursor = page.nextCursor;
  }
  expect(found).toBe(20);
  expect(await acting).toMatchObject({ matched: 20, changed: 20 });
});
