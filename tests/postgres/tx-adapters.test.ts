/** The adapters of `dure/postgres`, each over the real library: one transaction with the caller's own table (I13). */
import { PrismaPg } from "@prisma/adapter-pg";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { integer, pgSchema } from "drizzle-orm/pg-core";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import createKnex from "knex";
import { CamelCasePlugin, Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure, DureError, type TaskDefinition } from "../../server/index.ts";
import {
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPostgresJs,
  fromPrisma,
  type PrismaTransaction,
  type TransactionClient,
} from "../../server/postgres.ts";
import { postgresUrl, type TestSchema } from "../support/postgres.ts";
import { PrismaClient } from "../support/prisma.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

/** A transaction of the caller's: its own insert, then what the test does; and a handle outside any transaction. */
interface Library {
  transact(work: (tx: TransactionClient) => Promise<void>): Promise<void>;
  /** A statement of its own, outside any transaction. */
  ask(text: string): PromiseLike<unknown>;
  outside: TransactionClient;
  close(): Promise<unknown>;
}

const order = 17;

function ordersOf(schema: TestSchema) {
  return pgSchema(schema.name).table("orders", { id: integer().primaryKey() });
}

const failing = "BEGIN RAISE EXCEPTION 'others wrote it' USING ERRCODE = '40001'; END";

const libraries: Record<string, (url: string, schema: TestSchema) => Library> = {
  "Drizzle over pg": (url, schema) => {
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    const db = drizzlePg(pool);
    return {
      transact: (work) =>
        db.transaction(async (tx) => {
          await tx.insert(ordersOf(schema)).values({ id: order });
          await work(fromDrizzle(tx));
        }),
      ask: (text) => db.execute(text),
      outside: fromDrizzle(db),
      close: () => pool.end(),
    };
  },
  "Drizzle over postgres.js": (url, schema) => {
    const sql = postgres(url, { max: 1 });
    const db = drizzlePostgresJs(sql);
    return {
      transact: (work) =>
        db.transaction(async (tx) => {
          await tx.insert(ordersOf(schema)).values({ id: order });
          await work(fromDrizzle(tx));
        }),
      ask: (text) => db.execute(text),
      outside: fromDrizzle(db),
      close: () => sql.end(),
    };
  },
  Kysely: (url, schema) => {
    const db = new Kysely<any>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 1 }) }),
      plugins: [new CamelCasePlugin()],
    });
    return {
      transact: (work) =>
        db.transaction().execute(async (trx) => {
          await trx.withSchema(schema.name).insertInto("orders").values({ id: order }).execute();
          await work(fromKysely(trx));
        }),
      ask: (text) => sql.raw(text).execute(db),
      outside: fromKysely(db),
      close: () => db.destroy(),
    };
  },
  Knex: (url, schema) => {
    const knex = createKnex({ client: "pg", connection: url, pool: { min: 0, max: 1 } });
    return {
      transact: (work) =>
        knex.transaction(async (trx) => {
          await trx("orders").withSchema(schema.name).insert({ id: order });
          await work(fromKnex(trx));
        }),
      ask: (text) => knex.raw(text),
      outside: fromKnex(knex),
      close: () => knex.destroy(),
    };
  },
  Prisma: (url, schema) => {
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 1 }) });
    return {
      transact: (work) =>
        prisma.$transaction(async (tx: PrismaTransaction) => {
          await tx.$queryRawUnsafe(`INSERT INTO ${schema.quoted}.orders VALUES ($1)`, order);
          await work(fromPrisma(tx));
        }),
      ask: (text) => prisma.$executeRawUnsafe(text),
      outside: fromPrisma(prisma),
      close: () => prisma.$disconnect(),
    };
  },
  "postgres.js": (url, schema) => {
    const sql = postgres(url, { max: 1 });
    return {
      transact: (work) =>
        sql.begin(async (tx) => {
          await tx`INSERT INTO ${tx(schema.name)}.orders VALUES (${order})`;
          await work(fromPostgresJs(tx));
        }) as Promise<void>,
      ask: (text) => sql.unsafe(text),
      outside: fromPostgresJs(sql),
      close: () => sql.end(),
    };
  },
};

describe.each(Object.entries(libraries))("%s", (_, open) => {
  let schema: TestSchema;
  let dure: Dure;
  let library: Library;
  let sendReceipt: TaskDefinition<any, any>;

  beforeEach(async () => {
    schema = await takeTestSchema();
    dure = createDure({ database: schema.url });
    sendReceipt = dure.defineTask("send-receipt", async (task) => task.payload);
    await dure.stats();
    await schema.query("CREATE TABLE :schema.orders (id integer PRIMARY KEY)");
    library = open(await postgresUrl(), schema);
  });
  afterEach(async () => {
    await library.close();
    await dure.close();
    await schema.query("DROP TABLE :schema.orders");
    await schema.drop();
  });

  const orders = async () => (await schema.query("SELECT id FROM :schema.orders")).map(({ id }) => id);

  test("a commit makes both visible, and the task runs", async () => {
    const payload = { at: new Date(5), big: 12n, text: `그림 "\\ {a,b} \u0000 $1 ? 'x'` };
    const options = {
      id: "receipt-17",
      tags: ["a,b", '"?"'],
      priority: -7,
      idempotencyKey: "order {17}",
      delay: 1,
    };
    let enqueued: unknown;
    await library.transact(async (tx) => {
      enqueued = await sendReceipt.enqueue(payload, { ...options, tx });
      expect(await dure.getTaskById("receipt-17")).toBeUndefined();
    });
    expect(await dure.getTaskById("receipt-17")).toEqual(enqueued);
    expect(await orders()).toEqual([order]);
    await dure.start();
    const done = await dure.waitForTask("receipt-17", { timeout: "10s" });
    expect(done).toMatchObject({ status: "COMPLETED", result: payload });
  });

  test("a rollback leaves neither", async () => {
    const work = library.transact(async (tx) => {
      await sendReceipt.enqueueMany([{ payload: 1 }, { payload: 2 }], { tx });
      throw new Error("out of stock");
    });
    await expect(work).rejects.toThrow("out of stock");
    expect(await dure.countTasks()).toBe(0);
    expect(await orders()).toEqual([]);
  });

  test("a key that is taken answers the first task, or is refused, and the caller goes on", async () => {
    const first = await sendReceipt.enqueue({ order }, { idempotencyKey: "order-17" });
    await library.transact(async (tx) => {
      const again = await sendReceipt.enqueue({ order }, { idempotencyKey: "order-17", tx });
      expect(again).toEqual(first);
      await expect(sendReceipt.enqueue({ order: 18 }, { idempotencyKey: "order-17", tx })).rejects.toThrow(
        "Nothing was enqueued",
      );
    });
    expect(await orders()).toEqual([order]);
  });

  test("outside a transaction it is refused, and nothing is stored", async () => {
    const error = await sendReceipt.enqueue({ order }, { tx: library.outside }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(DureError);
    expect(error.code).toBe("TRANSACTION_UNUSABLE");
    expect(error.message).toContain("no transaction open");
    expect(await dure.countTasks()).toBe(0);
  });

  test("what the server undid because of others is thrown as the library throws it, for the caller's own retry", async () => {
    await schema.query(`CREATE FUNCTION :schema.fail() RETURNS trigger LANGUAGE plpgsql AS $$ ${failing} $$;
      CREATE TRIGGER fail BEFORE INSERT ON :schema.tasks FOR EACH ROW EXECUTE FUNCTION :schema.fail()`);
    const own: any = await Promise.resolve(library.ask(`DO $$ ${failing} $$`)).catch((thrown) => thrown);
    let thrown: any;
    const work = library.transact(async (tx) => {
      thrown = await sendReceipt.enqueue({ order }, { tx }).catch((refused) => refused);
      throw thrown;
    });
    expect(await work.catch((rethrown) => rethrown)).toBe(thrown);
    expect(own.message).toContain("others wrote it");
    expect(thrown.constructor).toBe(own.constructor);
    expect(thrown.code).toBe(own.code);
    expect(await orders()).toEqual([]);
  });
});
