/**
 * `dure/postgres`: adapters that make the transaction of a query builder into what `tx` takes. Each only passes SQL and
 * values through, so that the task is part of that very transaction. They are typed by shape: none of the packages is
 * needed by `dure`, and versions that keep the shape go on working.
 */
import type { TransactionClient } from "./tasks/core/transaction.ts";

export type { TransactionClient } from "./tasks/core/transaction.ts";

/** A Drizzle transaction on PostgreSQL, over whichever driver. */
export interface DrizzleTransaction {
  execute(query: any): PromiseLike<unknown>;
}

/** A Kysely transaction on PostgreSQL. */
export interface KyselyTransaction {
  executeQuery(query: any): Promise<{ rows: unknown[] }>;
}

/** A Knex transaction on PostgreSQL. */
export interface KnexTransaction {
  raw(sql: string, bindings: any): PromiseLike<any>;
}

/** What Prisma's `$transaction(async (tx) => …)` gives. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: any[]): PromiseLike<unknown>;
}

/** What postgres.js gives to the function of `sql.begin`. */
export interface PostgresJsTransaction {
  unsafe(query: string, parameters?: any[]): PromiseLike<any>;
}

/** `db.transaction(async (tx) => sendReceipt.enqueue(payload, { tx: fromDrizzle(tx) }))` */
export function fromDrizzle(tx: DrizzleTransaction): TransactionClient {
  return adapted(tx, async (text, values) => {
    // What Drizzle's `sql` makes, and asks of every query: something that says its text and its values.
    const sql = { toQuery: () => ({ sql: text, params: values, typings: [] }) };
    return rowsOf(await tx.execute({ getSQL: () => sql }));
  });
}

/** `db.transaction().execute(async (trx) => sendReceipt.enqueue(payload, { tx: fromKysely(trx) }))` */
export function fromKysely(trx: KyselyTransaction): TransactionClient {
  return adapted(trx, (text, values) => {
    const query = { kind: "RawNode", sqlFragments: [text], parameters: [] };
    return trx.executeQuery({ sql: text, parameters: values, query, queryId: { queryId: "dure" } });
  });
}

/** `knex.transaction(async (trx) => sendReceipt.enqueue(payload, { tx: fromKnex(trx) }))` */
export function fromKnex(trx: KnexTransaction): TransactionClient {
  return adapted(trx, async (text, values) => {
    const bindings: unknown[] = [];
    const sql = text.replaceAll("?", "\\?").replaceAll(/\$(\d+)/g, (_, place) => {
      bindings.push(values[Number(place) - 1]);
      return "?";
    });
    return rowsOf(await trx.raw(sql, bindings));
  });
}

/** `prisma.$transaction(async (tx) => sendReceipt.enqueue(payload, { tx: fromPrisma(tx) }))` */
export function fromPrisma(tx: PrismaTransaction): TransactionClient {
  return adapted(tx, async (text, values) => rowsOf(await tx.$queryRawUnsafe(text, ...values)));
}

/** `sql.begin(async (sql) => sendReceipt.enqueue(payload, { tx: fromPostgresJs(sql) }))` */
export function fromPostgresJs(sql: PostgresJsTransaction): TransactionClient {
  return adapted(sql, async (text, values) => rowsOf(await sql.unsafe(text, values)));
}

const clients = new WeakMap<object, TransactionClient>();

/** The same client for the same transaction, so that what was found out about it once is known. */
function adapted(
  tx: object,
  query: (text: string, values: any[]) => Promise<{ rows: unknown[] }>,
): TransactionClient {
  let client = clients.get(tx);
  if (!client) {
    client = { query: (text, values = []) => query(text, values) };
    clients.set(tx, client);
  }
  return client;
}

/** Drivers answer with rows, or with a result that has them. */
function rowsOf(result: any): { rows: unknown[] } {
  return { rows: Array.isArray(result) ? [...result] : (result?.rows ?? []) };
}
