/**
 * Tasks that cannot meet a condition are passed over before their rows are read: where a value at a place in a payload or
 * result is asked for, its JSON has the names of that place in it. The others are tested on their rows.
 */
import type { Condition } from "../../core/condition.ts";
import type { Connection } from "./connection.ts";
import type { Row } from "./rows.ts";
import { sql } from "./statements.ts";

/** The text stands in the JSON of each task that meets the condition, unless that has letters written as numbers. */
export interface RowFilter {
  of: "payload" | "result";
  text: string;
}

/** The one with the longest text; undefined where the condition says nothing of the kind. */
export function rowFilterOf(where: Condition): RowFilter | undefined {
  return filtersOf(where).sort((a, b) => b.text.length - a.text.length)[0];
}

function filtersOf(where: Condition): RowFilter[] {
  if (where.kind === "and") return where.parts.flatMap(filtersOf);
  if (!("field" in where) || where.field.of === "task" || where.field.of === "attribute") return [];
  // A task that has nothing there meets this one too.
  if (where.kind === "equals" && where.values.includes(null)) return [];
  const { of, path } = where.field;
  // A number may stand for an item of a list, and what is not plain may be written in several ways.
  return path.filter((name) => /^[A-Za-z_]\w*$/.test(name)).map((name) => ({ of, text: `"${name}"` }));
}

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
