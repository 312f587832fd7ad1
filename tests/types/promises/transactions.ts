/** What may be passed as `tx`, and what `context.tx()` gives. Compiled, never run. */
import { DatabaseSync } from "node:sqlite";
import { defineTask, type TaskContext } from "dure";
import {
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPostgresJs,
  fromPrisma,
  type TransactionClient,
} from "dure/postgres";
import type pg from "pg";
import { type Equal, expectType } from "./expect.ts";

const sendReceipt = defineTask("send-receipt", async (_task, context) => {
  expectType<Equal<Awaited<ReturnType<TaskContext["tx"]>>, TransactionClient>>();
  const client = await context.tx();
  const { rows } = await client.query("SELECT $1::integer AS order", [17]);
  await sendReceipt.enqueue(rows[0].order, { tx: client });
});

declare const client: pg.Client;
declare const pooled: pg.PoolClient;
void sendReceipt.enqueue({}, { tx: client });
void sendReceipt.enqueueMany([{ payload: {} }], { tx: pooled });
void sendReceipt.enqueue({}, { tx: new DatabaseSync("tasks.db") });
void sendReceipt.enqueue({}, { tx: { query: async () => ({ rows: [] }) } });
// @ts-expect-error: a text is no client
void sendReceipt.enqueue({}, { tx: "BEGIN" });
// @ts-expect-error: one transaction for all items
void sendReceipt.enqueueMany([{ payload: {}, tx: client }]);
// @ts-expect-error: it would wait for what is not committed
void sendReceipt.run({}, { tx: client });

declare const drizzle: Parameters<typeof fromDrizzle>[0];
declare const kysely: Parameters<typeof fromKysely>[0];
declare const knex: Parameters<typeof fromKnex>[0];
declare const prisma: Parameters<typeof fromPrisma>[0];
declare const sql: Parameters<typeof fromPostgresJs>[0];
for (const tx of [
  fromDrizzle(drizzle),
  fromKysely(kysely),
  fromKnex(knex),
  fromPrisma(prisma),
  fromPostgresJs(sql),
]) {
  expectType<Equal<typeof tx, TransactionClient>>();
}
