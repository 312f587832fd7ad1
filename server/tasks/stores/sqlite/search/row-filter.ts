/** Tasks that cannot meet a condition are passed over before their rows are read; the others are tested on their rows. */
import type { SQLInputValue } from "node:sqlite";
import { numbersInRow, type RowFilter } from "../../shared/row-filter.ts";
import type { Connection } from "../connection.ts";
import type { Row } from "../rows.ts";
import { sql } from "../statements.ts";
import { allRows, areSmall, rowsOf } from "./rows-within.ts";

/** The rows of these tasks that may meet the condition, in their order; one by one where they are large. */
export function readRows(
  connection: Connection,
  seqs: readonly number[],
  filter: RowFilter | undefined,
): readonly Row[] | Generator<Row, undefined> {
  const wanted = JSON.stringify(seqs);
  const [text, ...values] = filter ? filtered(filter, wanted) : [sql.readTasks, wanted];
  return areSmall(connection, wanted) ? allRows(connection, text, values) : rowsOf(connection, text, values);
}

/** Without what they were given and have given. */
export function readBareRows(connection: Connection, seqs: readonly number[]): readonly Row[] {
  return allRows(connection, sql.readBareTasks, [JSON.stringify(seqs)]);
}

function filtered(filter: RowFilter, wanted: string): [text: string, ...values: SQLInputValue[]] {
  if (filter.of === "task") return [readBy[filter.name], wanted, filter.from, filter.to];
  return [readBy[filter.of], wanted, filter.text];
}

const within = (name: keyof typeof numbersInRow) =>
  `${sql.readTasks.replace("readTasks", `readBy:${name}`)} WHERE ${numbersInRow[name]} BETWEEN ? AND ?`;

const readBy = {
  payload: sql.readByPayload,
  result: sql.readByResult,
  duration: within("duration"),
  wait: within("wait"),
  attempts: within("attempts"),
  priority: within("priority"),
  dueAt: within("dueAt"),
} as const;
