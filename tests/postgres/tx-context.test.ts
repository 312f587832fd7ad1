/** `context.tx()`: what the handler writes and its COMPLETED are stored together, or neither is (I11). */
import { drizzle } from "drizzle-orm/node-postgres";
import { integer, pgSchema } from "drizzle-orm/pg-core";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createDure,
  type Dure,
  type DureOptions,
  type Task,
  type TaskContext,
  type TaskOptions,
} from "../../server/index.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

let schema: TestSchema;
let proxy: CuttingProxy;
let dure: Dure;
let logged: string[];

beforeEach(async () => {
  schema = await takeTestSchema();
  proxy = await CuttingProxy.start(schema.url);
  logged = [];
  dure = connect();
  await dure.stats();
  await schema.query("CREATE TABLE :schema.receipts (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
});
afterEach(async () => {
  await dure.close();
  await proxy.close();
  await schema.query("DROP TABLE :schema.receipts");
  await schema.drop();
});

function connect(options: DureOptions = {}): Dure {
  const log = (message: string) => void logged.push(message);
  return createDure({
    database: proxy.url(schema.url),
    logger: { info: log, warn: log, error: log },
    ...options,
  });
}

const receipts = async () =>
  (await schema.query("SELECT id FROM :schema.receipts ORDER BY id")).map(({ id }) => id);
const openTransactions = async () =>
  (
    await schema.query(
      "SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE $1",
      [`%${schema.quoted}%`],
    )
  ).length;

/** Runs one task to its end and waits for it. */
async function run(
  handler: (task: Task, context: TaskContext) => Promise<unknown>,
  options: TaskOptions = {},
): Promise<Task> {
  const sendReceipt = dure.defineTask("send-receipt", handler, { maxAttempts: 1, ...options });
  await dure.start();
  const { id } = await sendReceipt.enqueue({ order: 17 });
  return dure.waitForTask(id, { timeout: "20s" });
}

const insert = async (context: TaskContext, id = 17) =>
  (await context.tx()).query(`INSERT INTO ${schema.quoted}.receipts VALUES ($1)`, [id]);

describe("an attempt that completes", () => {
  test("commits what it wrote, and its result", async () => {
    const ended = await run(async (_task, context) => {
      expect(await context.tx()).toBe(await context.tx());
      await insert(context);
      expect(await receipts()).toEqual([]);
      return { receipts: 1 };
    });
    expect(ended).toMatchObject({ status: "COMPLETED", result: { receipts: 1 }, attempts: 1 });
    expect(await receipts()).toEqual([17]);
    expect(await openTransactions()).toBe(0);
  });

  test("with the tasks that it enqueued in the transaction", async () => {
    const remind = dure.defineTask("send-reminder", async (task) => task.payload);
    let reminder: Task | undefined;
    await run(async (_task, context) => {
      reminder = await remind.enqueue({ order: 17 }, { tx: await context.tx() });
      expect(await dure.getTaskById(reminder.id)).toBeUndefined();
    });
    expect(await dure.waitForTask(reminder!.id, { timeout: "10s" })).toMatchObject({ result: { order: 17 } });
  });

  test("by a query builder on the client", async () => {
    const table = pgSchema(schema.name).table("receipts", { id: integer().primaryKey() });
    const ended = await run(async (_task, context) => {
      const db = drizzle((await context.tx()) as unknown as pg.Client);
      await db.insert(table).values({ id: 17 });
      return db.select().from(table);
    });
    expect(ended.result).toEqual([{ id: 17 }]);
    expect(await receipts()).toEqual([17]);
  });

  test("with statements that nobody waited for", async () => {
    await run(async (_task, context) => {
      const client = await context.tx();
      void client.query(`INSERT INTO ${schema.quoted}.receipts VALUES (1)`);
      void client.query(`INSERT INTO ${schema.quoted}.receipts VALUES (2)`);
    });
    expect(await receipts()).toEqual([1, 2]);
  });

  test("many at once, more than there are connections", async () => {
    const sendReceipt = dure.defineTask("send-receipt", async (task, context) => {
      await insert(context, task.payload);
    });
    await dure.close();
    dure = createDure({ database: `${schema.url}&pool_size=2`, worker: { concurrency: 20 } });
    const again = dure.defineTask("send-receipt", async (task: Task<number>, context) => {
      await insert(context, task.payload);
    });
    expect(again.id).toBe(sendReceipt.id);
    await dure.start();
    const tasks = await again.enqueueMany(Array.from({ length: 100 }, (_, payload) => ({ payload })));
    for (const { id } of tasks) await dure.waitForTask(id, { timeout: "20s" });
    expect(await receipts()).toHaveLength(100);
    expect(await dure.countTasks({ status: "COMPLETED" })).toBe(100);
  });
});

describe("an attempt that ends otherwise leaves nothing", () => {
  const ends: [string, (context: TaskContext) => Promise<unknown>, Partial<Task>, TaskOptions?][] = [
    [
      "by a throw",
      () => Promise.reject(new Error("mailbox full")),
      { status: "FAILED", error: "mailbox full" } as Partial<Task>,
    ],
    [
      "by a failure envelope",
      async () => ({ status: "failure", message: "mailbox full" }),
      { error: "mailbox full" },
    ],
    ["by a result that cannot be stored", async () => () => 5, { status: "FAILED" } as Partial<Task>],
    [
      "by its timeout, with a statement under way",
      async (context) => (await context.tx()).query("SELECT pg_sleep(30)"),
      { error: expect.stringContaining("longer than its timeout") as unknown as string },
      { timeout: 300, abortGrace: 100 },
    ],
    [
      "by its timeout, idle",
      (context) =>
        new Promise((_, reject) =>
          context.signal.addEventListener("abort", () => reject(context.signal.reason)),
        ),
      { error: expect.stringContaining("longer than its timeout") as unknown as string },
      { timeout: 300 },
    ],
    [
      "by a constraint that is checked at the commit",
      async (context) => void (await insert(context)),
      { error: expect.stringContaining("duplicate key") as unknown as string },
    ],
    [
      "by a failed statement that it passed over",
      async (context) => void (await (await context.tx()).query("SELECT 1 / 0").catch(() => undefined)),
      { error: expect.stringContaining("SAVEPOINT") as unknown as string },
    ],
  ];
  test.each(ends)("%s", async (_, end, facts, options) => {
    const ended = await run(async (_task, context) => {
      await insert(context);
      return end(context);
    }, options);
    expect(ended).toMatchObject({ status: "FAILED", attempts: 1, ...facts });
    expect(await receipts()).toEqual([]);
    await expect.poll(openTransactions).toBe(0);
  });

  test("and a later attempt finds nothing of it", async () => {
    const ended = await run(
      async (_task, context) => {
        await insert(context);
        if (context.attempt < 3) throw new Error("mailbox full");
        return receipts();
      },
      { maxAttempts: 3, backoff: { first: 1 } },
    );
    expect(ended).toMatchObject({ status: "COMPLETED", attempts: 3, result: [] });
    expect(await receipts()).toEqual([17]);
  });

  test("when it is cancelled", async () => {
    const sendReceipt = dure.defineTask("send-receipt", async (_task, context) => {
      await insert(context);
      await new Promise((_, reject) =>
        context.signal.addEventListener("abort", () => reject(context.signal.reason)),
      );
    });
    await dure.start();
    const { id } = await sendReceipt.enqueue({ order: 17 });
    await expect.poll(openTransactions).toBe(1);
    await dure.cancelTask(id);
    expect(await dure.waitForTask(id, { timeout: "10s" })).toMatchObject({ status: "CANCELLED" });
    expect(await receipts()).toEqual([]);
  });

  test("when the worker stops", async () => {
    const sendReceipt = dure.defineTask("send-receipt", async (_task, context) => {
      await insert(context);
      await new Promise(() => undefined);
    });
    await dure.start();
    const { id } = await sendReceipt.enqueue({ order: 17 });
    await expect.poll(openTransactions).toBe(1);
    expect(await dure.stop({ now: true })).toEqual({ released: 1 });
    expect(await dure.getTaskById(id)).toMatchObject({ status: "PENDING", attempts: 0 });
    expect(await receipts()).toEqual([]);
    await expect.poll(openTransactions).toBe(0);
  });

  test("and its client takes no further statement", async () => {
    let late: Promise<unknown> | undefined;
    const going = Promise.withResolvers<void>();
    const sendReceipt = dure.defineTask(
      "send-receipt",
      async (_task, context) => {
        const client = await context.tx();
        late = going.promise.then(() => client.query(`INSERT INTO ${schema.quoted}.receipts VALUES (17)`));
        late.catch(() => undefined);
        await going.promise;
      },
      { abortGrace: 1 },
    );
    await dure.start();
    const { id } = await sendReceipt.enqueue({ order: 17 });
    // By a signal and not by the task's time, which may run out before a busy machine gave it the transaction.
    await expect.poll(() => late !== undefined).toBe(true);
    await dure.cancelTask(id);
    await dure.waitForTask(id, { timeout: "20s" });
    going.resolve();
    await expect(late).rejects.toMatchObject({ code: "TRANSACTION_UNUSABLE" });
    expect(await receipts()).toEqual([]);
  });
});

describe("a handler that ends the transaction itself fails with a clear error", () => {
  test.each(["COMMIT", "ROLLBACK", "COMMIT; BEGIN", "/* my own */ END", "ROLLBACK AND CHAIN"])(
    "%s",
    async (sql) => {
      const ended = await run(async (_task, context) => {
        await (await context.tx()).query(sql);
      });
      expect(ended.status).toBe("FAILED");
      expect(ended.error).toContain("ended the transaction of context.tx() itself");
    },
  );

  test("and can write no more outside it", async () => {
    const ended = await run(async (_task, context) => {
      await (await context.tx()).query("ROLLBACK");
      await insert(context);
    });
    expect(ended.error).toContain("ended the transaction of context.tx() itself");
    expect(await receipts()).toEqual([]);
  });
});

describe("the connection", () => {
  test("is lost before the commit: nothing is stored, and the task runs again", async () => {
    const ended = await run(
      async (_task, context) => {
        await insert(context);
        if (context.attempt === 1) {
          const { rows } = await (await context.tx()).query("SELECT pg_backend_pid() AS pid");
          await schema.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
        }
      },
      { maxAttempts: 2, backoff: { first: 1 } },
    );
    expect(ended).toMatchObject({ status: "COMPLETED", attempts: 2 });
    expect(await receipts()).toEqual([17]);
  });

  test("is lost with the answer to the commit: found out by fence, and reported once", async () => {
    let lost: Promise<unknown> | undefined;
    const ended = await run(
      async (_task, context) => {
        await insert(context);
        lost ??= proxy.loseAnswer(/^COMMIT/);
      },
      { maxAttempts: 3 },
    );
    await lost;
    expect(ended).toMatchObject({ status: "COMPLETED", attempts: 1 });
    expect(await receipts()).toEqual([17]);
    expect(await dure.listAttempts(ended.id)).toHaveLength(1);
  });

  test("is lost before the server saw the commit: rolled back, and run again", async () => {
    let lost: Promise<unknown> | undefined;
    const ended = await run(
      async (_task, context) => {
        await insert(context);
        lost ??= proxy.loseAnswer(/^COMMIT/, { forward: false });
      },
      { maxAttempts: 2, backoff: { first: 1 } },
    );
    await lost;
    expect(ended).toMatchObject({ status: "COMPLETED", attempts: 2 });
    expect(await receipts()).toEqual([17]);
  });

  test("ends when the handler's process no longer talks, after the task's time", async () => {
    let setting: string | undefined;
    await run(
      async (_task, context) => {
        const { rows } = await (await context.tx()).query("SHOW idle_in_transaction_session_timeout");
        setting = rows[0].idle_in_transaction_session_timeout;
      },
      { timeout: "10s", abortGrace: "2s" },
    );
    expect(setting).toBe("13s");
  });
});

test("a task that another worker has takes nothing from the first", async () => {
  await dure.close();
  // The worker learns of its own death by its next heartbeat.
  dure = connect({ worker: { lease: "3s" } });
  let taken = false;
  const ended = await run(
    async (task, context) => {
      await insert(context, context.fence);
      if (taken) return;
      taken = true;
      // As a reaper that took this worker for dead would.
      await schema.query("UPDATE :schema.workers SET state = 'dead'");
      await schema.query("UPDATE :schema.tasks SET fence = fence + 1 WHERE id = $1", [task.id]);
    },
    { maxAttempts: 3 },
  );
  expect(ended).toMatchObject({ status: "COMPLETED", crashes: 1 });
  expect(await receipts()).toEqual([3]);
});
