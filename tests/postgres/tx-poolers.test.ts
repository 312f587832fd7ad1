/** Transactions through a pooler that hands out another session for every transaction (F51). */
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure, type Task } from "../../server/index.ts";
import { poolers, type RunningPooler } from "../support/poolers.ts";
import { createTestSchema, postgresUrl, type TestSchema } from "../support/postgres.ts";

describe.each(poolers)("through $name", ({ missing, start }) => {
  let schema: TestSchema;
  let pooler: RunningPooler;
  let dure: Dure;

  beforeEach(async ({ skip }) => {
    if (missing) skip(missing);
    schema = await createTestSchema();
    pooler = await start(schema.url, { size: 4 });
    dure = createDure({ database: pooler.url(schema.url), worker: { concurrency: 2 } });
    await dure.stats();
    await schema.query("CREATE TABLE :schema.receipts (id integer PRIMARY KEY)");
  });
  afterEach(async () => {
    await dure?.close();
    await pooler?.close();
    await schema?.drop();
  });

  test("a task is there if and only if its caller commits", async () => {
    const sendReceipt = dure.defineTask("send-receipt", async () => undefined);
    const client = new pg.Client({ connectionString: pooler.url(await postgresUrl()) });
    await client.connect();
    for (const end of ["ROLLBACK", "COMMIT"]) {
      await client.query("BEGIN");
      await sendReceipt.enqueue({ order: 17 }, { tx: client });
      expect(await dure.countTasks()).toBe(0);
      await client.query(end);
    }
    await expect(sendReceipt.enqueue({ order: 18 }, { tx: client })).rejects.toThrow("no transaction open");
    await client.end();
    expect(await dure.countTasks()).toBe(1);
  });

  test("what handlers write is there if and only if their tasks completed", async () => {
    const write = dure.defineTask(
      "write-receipt",
      async (task: Task<number>, context) => {
        const client = await context.tx();
        await client.query(`INSERT INTO ${schema.quoted}.receipts VALUES ($1)`, [task.payload]);
        if (task.payload % 2 === 0) throw new Error("mailbox full");
      },
      { maxAttempts: 1 },
    );
    await dure.start();
    const tasks = await write.enqueueMany(Array.from({ length: 20 }, (_, payload) => ({ payload })));
    const ends = await Promise.all(tasks.map(({ id }) => dure.waitForTask(id, { timeout: "20s" })));
    const completed = ends.filter(({ status }) => status === "COMPLETED").map(({ payload }) => payload);
    const written = await schema.query("SELECT id FROM :schema.receipts ORDER BY id");
    expect(written.map(({ id }) => id)).toEqual(completed);
    expect(completed).toHaveLength(10);
  });
});
