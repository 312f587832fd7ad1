/** Tasks that cannot meet a condition are passed over before their rows are read; the others are tested on their rows. */
import type { RowFilter } from "../row-filter.ts";
import type { Connection } from "./connection.ts";
import type { Row } from "./rows.ts";
import { sql } from "./statements.ts";

/** The rows of these tasks that may meet the condition, in their order. */
export function readRows(
  connection: Connection,
  seqs: readonly number[],
  filter: RowFilter | undefined,
): Row[] {
  const wanted = JSON.stringify(seqs);
  const rows = filter
    ? connection.prepare(readBy[filter.of]).all(wanted, filter.text)
    : connection.prepare(sql.readTasks).all(wanted);
  return rows as unknown as Row[];
}

const readBy = { payload: sql.readByPayload, result: sql.readByResult } as const;
