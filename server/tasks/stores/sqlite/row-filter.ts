/** Tasks that cannot meet a condition are passed over before their rows are read; the others are tested on their rows. */
import type { RowFilter } from "../row-filter.ts";
import type { Connection } from "./connection.ts";
import type { Row } from "./rows.ts";
import { rowsOf } from "./rows-within.ts";
import { sql } from "./statements.ts";

/** The rows of these tasks that may meet the condition, in their order, one by one. */
export function readRows(
  connection: Connection,
  seqs: readonly number[],
  filter: RowFilter | undefined,
): Generator<Row, undefined> {
  const wanted = JSON.stringify(seqs);
  return filter
    ? rowsOf(connection, readBy[filter.of], [wanted, filter.text])
    : rowsOf(connection, sql.readTasks, [wanted]);
}

/** Without what they were given and have given. */
export function readBareRows(connection: Connection, seqs: readonly number[]): Generator<Row, undefined> {
  return rowsOf(connection, sql.readBareTasks, [JSON.stringify(seqs)]);
}

const readBy = { payload: sql.readByPayload, result: sql.readByResult } as const;
