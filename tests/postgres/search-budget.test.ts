/** A search ends soon after its budget, also where the server is in the midst of a statement. */
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newSearch, newTasks } from "../support/builders.ts";
import { createTestSchema, postgresUrl } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

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

  // Whoever reads tasks waits for this, as for a disk that does not answer.
  const client = new pg.Client({ connectionString: await postgresUrl() });
  closing.push(() => client.end());
  await client.connect();
  await client.query("BEGIN");
  await client.query(`LOCK TABLE ${schema.quoted}.tasks IN ACCESS EXCLUSIVE MODE`);
  expect(await store.searchTasks(search)).toEqual({ tasks: [], isPartial: true });
  expect(await store.searchTasks({ ...search, sortBy: "duration" })).toEqual({ tasks: [], isPartial: true });
  // It goes on where it was.
  expect(await store.searchTasks({ ...search, after })).toMatchObject({ tasks: [], stoppedAt: after });
  expect(await store.countTasks(search)).toMatchObject({ count: 0 });
  await client.query("ROLLBACK");

  const { tasks } = await store.searchTasks({ ...search, after, budgetMs: 60_000 });
  expect(tasks).toHaveLength(5);
});
