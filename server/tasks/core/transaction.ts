/** Transactions that are not the store's own: what a caller may pass as `tx`, and how one is refused. */
import { DureError } from "./errors.ts";

/**
 * Runs SQL in one open PostgreSQL transaction: a `pg` Client or PoolClient on which BEGIN was sent, `context.tx()`, or
 * what an adapter of `dure/postgres` makes of a query builder's transaction.
 */
export interface TransactionClient {
  query(text: string, values?: any[]): Promise<{ rows: any[]; rowCount?: number | null }>;
}

/** A `DatabaseSync` of `node:sqlite`, opened on the same file as the instance, with a transaction open. */
export interface SqliteDatabase {
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): unknown;
  location(): string | null;
}

/** The caller's transaction, which stores the task if and only if it commits. */
export type Transaction = TransactionClient | SqliteDatabase;

/** Whether it is a handle of SQLite's, of whichever library. */
export function isSqlite(tx: unknown): boolean {
  const database = tx as { exec?: unknown; prepare?: unknown } | null;
  return (
    typeof database === "object" &&
    typeof database?.exec === "function" &&
    typeof database.prepare === "function"
  );
}

/** @param met what was met, what was expected, what to do, in sentences */
export function unusable(
  met: string,
  options: { cause?: unknown; [detail: string]: unknown } = {},
): DureError {
  const { cause, ...details } = options;
  return new DureError("TRANSACTION_UNUSABLE", met, { details, cause });
}
