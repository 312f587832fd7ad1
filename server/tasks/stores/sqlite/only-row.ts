import type { SQLInputValue } from "node:sqlite";
import { DureError } from "../../core/errors.ts";
import type { Connection } from "./connection.ts";
import { recoverStep } from "./sqlite-errors.ts";

/**
 * The row of a statement that finds one in every sound file.
 * @throws DureError DATABASE_CORRUPT where it is missing
 */
export function onlyRow<Row>(connection: Connection, sql: string, ...values: SQLInputValue[]): Row {
  const row = connection.prepare(sql).get(...values);
  if (row !== undefined) return row as unknown as Row;
  const { path } = connection;
  const name = /dure:(\w+)/.exec(sql)?.[1] ?? sql;
  throw new DureError("DATABASE_CORRUPT", `${path}: a row is missing (${name}). ${recoverStep(path)}`, {
    details: { location: path },
  });
}
