/** Enqueue in the caller's transaction: the task is there if and only if that commits (I13). */
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure, DureError, type TaskDefinition } from "../../server/index.ts";
import { grantStatements } from "../../server/tasks/stores/postgres/grants.ts";
import { postgresUrl, type TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

let schema: TestSchema;
let dure: Dure;
let client: pg.Client;
let sendReceipt: TaskDefinition<any, any>;
let ran: unknown[];

beforeEach(async () => {
  schema = await takeTestSchema();
  dure = createDure({ database: schema.url });
  ran = [];
  sendReceipt = dure.defineTask("send-receipt", async (task) => void ran.push(task.payload));
  client = new pg.Client({ connectionString: await postgresUrl() });
  await client.connect();
  await dure.stats();
  await schema.query("CREATE TABLE :schema.orders (id integer PRIMARY KEY)");
});
afterEach(async () => {
  await dure.close();
  await client.end().catch(() => undefined);
  await schema.query("DROP TABLE :schema.orders");
  await schema.drop();
});

async function refused(work: Promise<unknown>): Promise<DureError> {
  const error = await work.then(
    () => expect.fail("it was not refused"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DureError);
  return error as DureError;
}

async function orders(): Promise<number> {
  return (await schema.query("SELECT count(*)::integer AS orders FROM :schema.orders"))[0].orders;
}

describe("what commits", () => {
  test("is there after the commit and not before, and runs", async () => {
    await client.query("BEGIN");
    await client.query(`INSERT INTO ${schema.quoted}.orders VALUES (17)`);
    const task = await sendReceipt.enqueue({ order: 17 }, { tx: client });
    expect(await dure.getTaskById(task.id)).toBeUndefined();
    await client.query("COMMIT");
    expect(await dure.getTaskById(task.id)).toMatchObject({ status: "PENDING", payload: { order: 17 } });
    await dure.start();
    expect(await dure.waitForTask(task.id, { timeout: "10s" })).toMatchObject({ status: "COMPLETED" });
    expect(ran).toEqual([{ order: 17 }]);
  });

  test("starts soon on a worker that was idle", async () => {
    await dure.start();
    await client.query("BEGIN");
    const task = await sendReceipt.enqueue({ order: 17 }, { tx: client });
    await client.query("COMMIT");
    await dure.waitForTask(task.id, { timeout: "10s" });
    expect(await dure.countTasks()).toBe(1);
  });

  test("keeps every value and setting", async () => {
    await client.query("BEGIN");
    const payload = { at: new Date(5), big: 12n, text: `그림 "\\ {a,b} \u0000 $1 ? 'x'`, none: undefined };
    const task = await sendReceipt.enqueue(payload, {
      tx: client,
      id: "receipt-1",
      queue: "mail",
      priority: -7,
      tags: ["a,b", '"{}"'],
      maxAttempts: 4,
      description: 'The "first"',
      idempotencyKey: "order {17}",
      timeout: "1m",
      delay: "1h",
    });
    await client.query("COMMIT");
    expect(await dure.getTaskById("receipt-1")).toEqual(task);
  });

  test("is counted", async () => {
    await client.query("BEGIN");
    await sendReceipt.enqueueMany([{ payload: 1 }, { payload: 2 }, { payload: 3 }], { tx: client });
    expect(await dure.countTasks({ type: "send-receipt" })).toBe(0);
    await client.query("COMMIT");
    expect(await dure.countTasks({ type: "send-receipt" })).toBe(3);
  });

  test("thousands in one call", async () => {
    await client.query("BEGIN");
    const items = Array.from({ length: 2_500 }, (_, order) => ({ payload: { order } }));
    const tasks = await sendReceipt.enqueueMany(items, { tx: client });
    await client.query("COMMIT");
    expect(tasks).toHaveLength(2_500);
    expect(await dure.countTasks()).toBe(2_500);
  });

  test("by the type's id, and from a pool's client", async () => {
    const pool = new pg.Pool({ connectionString: await postgresUrl(), max: 1 });
    const pooled = await pool.connect();
    await pooled.query("BEGIN");
    const task = await dure.enqueueTask("send-receipt", { order: 17 }, { tx: pooled });
    await pooled.query("COMMIT");
    pooled.release();
    await pool.end();
    expect(await dure.getTaskById(task.id)).toBeDefined();
  });

  test("whatever the client makes of numbers and names", async () => {
    const odd = new pg.Client({
      connectionString: await postgresUrl(),
      types: { getTypeParser: () => (value: unknown) => `odd ${value}` } as unknown as pg.CustomTypesConfig,
    });
    await odd.connect();
    // Only the text of a text is as it was sent.
    const asText = {
      query: async (text: string, values: any[]) => {
        const { rows } = await odd.query(text, values);
        return {
          rows: rows.map((row) =>
            Object.fromEntries(Object.entries(row).map(([key, value]) => [key, String(value).slice(4)])),
          ),
        };
      },
    };
    await odd.query("BEGIN");
    const first = await sendReceipt.enqueue({ order: 17 }, { tx: asText, idempotencyKey: "order-17" });
    const second = await sendReceipt.enqueue({ order: 17 }, { tx: asText, idempotencyKey: "order-17" });
    await odd.query("COMMIT");
    await odd.end();
    expect(second).toEqual(first);
  });
});

describe("what rolls back", () => {
  test("never was", async () => {
    await client.query("BEGIN");
    await client.query(`INSERT INTO ${schema.quoted}.orders VALUES (17)`);
    const task = await sendReceipt.enqueue({ order: 17 }, { tx: client });
    await client.query("ROLLBACK");
    expect(await dure.getTaskById(task.id)).toBeUndefined();
    expect(await dure.countTasks()).toBe(0);
    expect(await orders()).toBe(0);
  });

  test("to a savepoint", async () => {
    await client.query("BEGIN; SAVEPOINT one");
    await sendReceipt.enqueue({ order: 17 }, { tx: client });
    await client.query("ROLLBACK TO one");
    await sendReceipt.enqueue({ order: 18 }, { tx: client });
    await client.query("COMMIT");
    expect((await dure.searchTasks()).map(({ payload }) => payload)).toEqual([{ order: 18 }]);
  });

  test("with a connection that dies", async () => {
    await client.query("BEGIN");
    client.on("error", () => undefined);
    await sendReceipt.enqueue({ order: 17 }, { tx: client });
    const [{ pid }] = (await client.query("SELECT pg_backend_pid() AS pid")).rows;
    await schema.query("SELECT pg_terminate_backend($1)", [pid]);
    await client.query("COMMIT").catch(() => undefined);
    expect(await dure.countTasks()).toBe(0);
  });
});

describe("keys and ids", () => {
  test("a key of the same transaction, of another, and of none answer the first task", async () => {
    const first = await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17" });
    await client.query("BEGIN");
    const second = await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17", tx: client });
    const inside = await sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-18", tx: client });
    const again = await sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-18", tx: client });
    await client.query("COMMIT");
    expect([second.id, again.id]).toEqual([first.id, inside.id]);
    expect(await dure.countTasks()).toBe(2);
  });

  test("a key with another payload is refused, and the transaction may go on", async () => {
    await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17" });
    await client.query("BEGIN");
    const error = await refused(
      sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-17", tx: client }),
    );
    expect(error.code).toBe("IDEMPOTENCY_CONFLICT");
    expect(error.message).toContain("Nothing was enqueued.");
    await sendReceipt.enqueue({ order: 18 }, { tx: client });
    await client.query("COMMIT");
    expect(await dure.countTasks()).toBe(2);
  });

  test("an id that is taken, in a batch: the error says that the rollback is the caller's", async () => {
    await sendReceipt.enqueue({ order: 17 }, { id: "receipt-17" });
    await client.query("BEGIN");
    const items = [{ payload: { order: 16 } }, { payload: { order: 18 }, id: "receipt-17" }];
    const error = await refused(sendReceipt.enqueueMany(items, { tx: client }));
    expect(error).toMatchObject({ code: "TASK_ID_TAKEN", details: { index: 1, id: "receipt-17" } });
    expect(error.message).toContain("Roll back your transaction");
    await client.query("ROLLBACK");
    expect(await dure.countTasks()).toBe(1);
  });

  test("a key that a transaction still holds is waited for", async () => {
    const other = new pg.Client({ connectionString: await postgresUrl() });
    await other.connect();
    await client.query("BEGIN");
    await other.query("BEGIN");
    const first = await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17", tx: client });
    const waiting = sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17", tx: other });
    await client.query("COMMIT");
    expect((await waiting).id).toBe(first.id);
    await other.query("COMMIT");
    await other.end();
    expect(await dure.countTasks()).toBe(1);
  });

  test("a bad item leaves the transaction as it was", async () => {
    await client.query("BEGIN");
    const items = [{ payload: 1 }, { payload: () => 2 }];
    const error = await refused(sendReceipt.enqueueMany(items, { tx: client }));
    expect(error).toMatchObject({ code: "VALUE_NOT_STORABLE", details: { index: 1 } });
    await client.query("COMMIT");
    expect(await dure.countTasks()).toBe(0);
  });
});

test("a full queue is told before anything is stored, and leaves the transaction as it was", async () => {
  const limited = createDure({ database: schema.url, queueDepthMax: 1 });
  const remind = limited.defineTask("send-reminder", async () => undefined);
  await client.query("BEGIN");
  await remind.enqueue({ order: 17 }, { tx: client });
  const error = await refused(remind.enqueue({ order: 18 }, { tx: client }));
  expect(error).toMatchObject({ code: "QUEUE_FULL", details: { queue: "default", max: 1 } });
  expect(error.message).toContain("Nothing was enqueued.");
  await client.query("COMMIT");
  expect(await limited.countTasks()).toBe(1);
  await limited.close();
});

describe("what is no open transaction of this database is refused", () => {
  test("no transaction open", async () => {
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: client }));
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("no transaction open");
    expect(await dure.countTasks()).toBe(0);
  });

  test("a transaction that has ended, on a client that was used before", async () => {
    await client.query("BEGIN");
    await sendReceipt.enqueue({ order: 17 }, { tx: client });
    await client.query("COMMIT");
    expect((await refused(sendReceipt.enqueue({ order: 18 }, { tx: client }))).code).toBe(
      "TRANSACTION_UNUSABLE",
    );
    expect(await dure.countTasks()).toBe(1);
  });

  test("a pool", async () => {
    const pool = new pg.Pool({ connectionString: await postgresUrl(), max: 1 });
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: pool as any }));
    await pool.end();
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("a pool");
  });

  test("a client that was closed", async () => {
    await client.query("BEGIN");
    await client.end();
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: client }));
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("closed");
  });

  test("a transaction that was aborted", async () => {
    await client.query("BEGIN");
    await client.query("SELECT 1 / 0").catch(() => undefined);
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: client }));
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("aborted");
  });

  test.each([
    ["null", null, "no PostgreSQL client"],
    ["a text", "BEGIN", "no PostgreSQL client"],
    ["a Drizzle transaction", { execute: () => undefined }, "fromDrizzle"],
    ["a Kysely transaction", { executeQuery: () => undefined }, "fromKysely"],
    ["a Knex transaction", { raw: () => undefined }, "fromKnex"],
    ["a Prisma transaction", { $queryRawUnsafe: () => undefined }, "fromPrisma"],
    [
      "a postgres.js transaction",
      Object.assign(() => undefined, { unsafe: () => undefined }),
      "fromPostgresJs",
    ],
    ["an SQLite database", { exec: () => undefined, prepare: () => undefined }, "SQLite"],
  ])("%s", async (_, tx, text) => {
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: tx as any }));
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain(text);
  });

  test("a database without this schema", async () => {
    const url = new URL(await postgresUrl());
    url.pathname = "/template1";
    const elsewhere = new pg.Client({ connectionString: url.href });
    await elsewhere.connect();
    await elsewhere.query("BEGIN");
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: elsewhere }));
    await elsewhere.end();
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("another database");
  });

  test("run, which would wait for what is not committed", async () => {
    await client.query("BEGIN");
    const error = await refused(sendReceipt.run({ order: 17 }, { tx: client } as any));
    expect(error.code).toBe("INVALID_OPTION");
  });
});

describe("a caller with a role of its own", () => {
  const role = "dure_test_shop";
  let shop: pg.Client;

  beforeEach(async () => {
    await schema.query(
      `DO $$ BEGIN CREATE ROLE ${role} LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    const url = new URL(await postgresUrl());
    url.username = role;
    url.password = "x";
    shop = new pg.Client({ connectionString: url.href });
    await shop.connect();
    await shop.query("BEGIN");
  });
  afterEach(async () => {
    await shop.end();
    await schema.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  test("needs what a client needs, and no more", async () => {
    for (const grant of grantStatements(schema.name, role, "client")) await schema.query(grant);
    const task = await sendReceipt.enqueue(
      { order: 17 },
      { tx: shop, id: "receipt-17", idempotencyKey: "order-17" },
    );
    expect(await sendReceipt.enqueue({ order: 17 }, { tx: shop, idempotencyKey: "order-17" })).toEqual(task);
    await shop.query("COMMIT");
    expect(await dure.countTasks()).toBe(1);
  });

  test("is told that it lacks rights", async () => {
    const error = await refused(sendReceipt.enqueue({ order: 17 }, { tx: shop }));
    expect(error.code).toBe("DATABASE_UNAVAILABLE");
    expect(error.message).toContain("dure migrate --grants");
  });
});

test("a serialization failure reaches the caller's own retry as the driver threw it", async () => {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query("SELECT count(*) FROM pg_class");
  await sendReceipt.enqueue({ order: 17 }, { idempotencyKey: "order-17" });
  const thrown = await sendReceipt
    .enqueue({ order: 17 }, { idempotencyKey: "order-17", tx: client })
    .catch((error) => error);
  expect(thrown.code).toBe("40001");
});
