/** A pause waits for the claims that cannot see it, and for nobody else. */
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { claimDue, claimFirstDue } from "../../server/tasks/stores/postgres/claim.ts";
import { inSchema } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newWorker } from "../support/builders.ts";
import { postgresUrl, type TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";

let schema: TestSchema;
let store: TaskStore;
let client: pg.Client;

beforeEach(async () => {
  schema = await takeTestSchema();
  store = createPostgresStore({ url: schema.url });
  await store.open();
  await store.registerWorker(newWorker());
  ok(await store.enqueueTasks([newTask({ id: "a" })]));
  client = new pg.Client(await postgresUrl());
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await store.close();
  await schema.drop();
});

const target = { kind: "type", name: "resize-image" } as const;
const whole = [null, "worker-1", ["resize-image"], null, 10, false];

/** Resolves when somebody waits for a lock on the table of pauses. */
async function isWaiting(): Promise<void> {
  const waiting = async () => {
    const [row] = await schema.query(
      "SELECT count(*)::int AS waiting FROM pg_locks WHERE relation = ':schema.pauses'::regclass AND NOT granted",
    );
    return row!.waiting;
  };
  await expect.poll(waiting).toBe(1);
}

test.each([
  {
    claim: claimDue,
    values: [...whole, "tasks", [], [], [], [], false],
  },
  { claim: claimFirstDue, values: whole.slice(0, 5) },
])("a claim that began before ($claim.name) is over when the pause answers", async ({ claim, values }) => {
  await client.query("BEGIN");
  await client.query(`SET LOCAL search_path TO ${schema.quoted}`);
  const { rowCount } = await client.query({
    text: inSchema(claim.text, schema.name),
    values,
    rowMode: "array",
  });
  // One row tells of the claim, one of the task.
  expect(rowCount).toBe(2);
  let isPaused = false;
  const paused = store.pause(target).then((answer) => {
    isPaused = true;
    return answer;
  });
  await isWaiting();
  expect(isPaused).toBe(false);
  await client.query("COMMIT");
  ok(await paused);
  expect((await store.getTask("a"))?.status).toBe("RUNNING");
});

test("neither a dump, nor an enqueue that is not committed, holds a pause up", async () => {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query(`LOCK TABLE ${schema.quoted}.pauses, ${schema.quoted}.tasks IN ACCESS SHARE MODE`);
  await client.query(`SELECT * FROM ${schema.quoted}.pauses`);
  await client.query(`UPDATE ${schema.quoted}.tasks SET priority = priority`);
  ok(await store.pause(target));
  await client.query("COMMIT");
  expect(ok(await store.claimTasks(claimRequest())).claimed).toEqual([]);
});

test("claims go on beside each other", async () => {
  const other = createPostgresStore({ url: schema.url });
  await other.open();
  try {
    await client.query("BEGIN");
    await client.query(`SELECT 1 FROM ${schema.quoted}.pauses WHERE kind = '' FOR KEY SHARE`);
    expect(ok(await other.claimTasks(claimRequest())).claimed).toHaveLength(1);
    await client.query("COMMIT");
  } finally {
    await other.close();
  }
});

test.each([1, 10])(
  "a claim that meets a pause under way sees it, whether it was planned %d time(s) before",
  async (times) => {
    for (let time = 0; time < times; time += 1)
      ok(await store.claimTasks(claimRequest({ types: ["send-receipt"] })));
    await client.query("BEGIN");
    await client.query(`LOCK TABLE ${schema.quoted}.pauses IN EXCLUSIVE MODE`);
    await client.query(`INSERT INTO ${schema.quoted}.pauses VALUES ('type', 'resize-image', 0, NULL)`);
    const claim = store.claimTasks(claimRequest());
    await isWaiting();
    await client.query("COMMIT");
    expect(ok(await claim).claimed).toEqual([]);
  },
);
