/** The statements of tasks that wait, are due within a range and were not due when they were created. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { type DueRange, delayedMax } from "../../shared/due-ranges.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import { shape } from "../statement.ts";
import { elsewhere } from "./elsewhere-keys.ts";
import {
  instantMax,
  instantMin,
  ordered,
  ownOf,
  type Pair,
  type SearchStatement,
  Text,
  unnested,
} from "./search-statements.ts";

export function placesOf(rows: readonly any[][]): Place[] {
  return rows.map(([value, id]) => ({ value, id }));
}

export function asked(session: Session, { statement, values }: SearchStatement): Promise<any[][]> {
  return session.query(statement, values);
}

/**
 * How many are due within the range and were not when they were created, as far as they are looked at; and how
 * many of these were not created within the range, and when the first and the last of them was.
 */
export function delayedStatement(pairs: readonly Pair[], range: DueRange): SearchStatement {
  const text = new Text();
  const most = text.add(delayedMax + 1);
  const delayed = `SELECT keys.created_at FROM ${unnested(text, groupOf(pairs))} CROSS JOIN LATERAL (
    SELECT tasks.created_at FROM :schema.tasks WHERE ${delayedIn(text, range)} LIMIT ${most}) AS keys LIMIT ${most}`;
  const isOther = `created_at NOT BETWEEN ${text.add(range.from)}::bigint AND ${text.add(range.to)}::bigint`;
  const ofOthers = ["count", "min", "max"].map((of) => `${of}(created_at) FILTER (WHERE ${isOther})`);
  return {
    statement: shape("countDelayed", `SELECT count(*), ${ofOthers.join(", ")} FROM (${delayed}) AS delayed`),
    values: text.values,
  };
}

/** The first of those that were not created within the range. */
export function delayedKeys(
  search: StoreSearch,
  range: DueRange,
  pairs: readonly Pair[],
  limit: number,
): SearchStatement {
  const text = new Text();
  const { created, updated, after } = search;
  const isDown = isDownwards(search);
  const at = (value: number) => `${text.add(value)}::bigint`;
  const place = [
    at(after?.value ?? (isDown ? instantMax : instantMin)),
    `${text.add(after?.id ?? "")}::text`,
  ];
  const conditions = [
    delayedIn(text, range),
    `tasks.created_at NOT BETWEEN ${at(range.from)} AND ${at(range.to)}`,
    `tasks.created_at >= ${at(created?.start ?? instantMin)}`,
    `tasks.created_at < ${at(created?.end ?? instantMax)}`,
    `tasks.updated_at >= ${at(updated?.start ?? instantMin)}`,
    `tasks.updated_at < ${at(updated?.end ?? instantMax)}`,
    `(tasks.created_at, tasks.id) ${isDown ? "<" : ">"} (${place.join(", ")})`,
  ];
  return {
    statement: shape(
      "delayedKeys",
      `SELECT keys.created_at, keys.id FROM ${unnested(text, groupOf(pairs))} CROSS JOIN LATERAL (
        SELECT tasks.created_at, tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS keys
      ORDER BY ${ordered(search, ["keys.created_at", "keys.id"])} LIMIT ${text.add(limit)}`,
    ),
    values: text.values,
  };
}

export function delayedIn(text: Text, { from, to }: DueRange): string {
  const due = `tasks.due_at BETWEEN ${text.add(from)}::bigint AND ${text.add(to)}::bigint`;
  return `${ownOf("pair").join(" AND ")} AND ${elsewhere.delayed} AND ${due}`;
}

export function groupOf(pairs: readonly Pair[]): { lanes: number[]; statuses: number[] } {
  return { lanes: pairs.map(({ lane }) => lane), statuses: pairs.map(({ status }) => status) };
}
