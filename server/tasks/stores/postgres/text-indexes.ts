/**
 * The indexes of trigrams: one for each status that texts have, so that a word is not looked for among tasks of other
 * statuses. A planner takes such an index where its condition is among those of the statement, in the same words.
 */
import type { StoreSearch } from "../../core/store.ts";
import { quoted } from "./statement.ts";

/** Of what a text says of its task's status: 0 until it has ended; nothing where a worker of an older version wrote it. */
const parts = [
  { index: "texts_waiting", status: 0 },
  { index: "texts_completed", status: 3 },
  { index: "texts_failed", status: 4 },
  { index: "texts_cancelled", status: 5 },
  { index: "texts_unknown", status: undefined },
] as const;

export const textIndexes: readonly string[] = parts.map(({ index }) => index);

/** As the migration makes them. */
export function textIndexStatements(schema: string): string[] {
  return parts.map(
    ({ index, status }) =>
      `CREATE INDEX CONCURRENTLY ${index} ON ${quoted(schema)}.texts USING gin (body public.gin_trgm_ops) ` +
      `WHERE status ${status === undefined ? "IS NULL" : `= ${status}`};`,
  );
}

/** What the texts of a search's tasks say of their status, besides nothing; undefined where that may be anything. */
export function textStatuses({ statuses }: StoreSearch): number[] | undefined {
  return statuses && [...new Set(statuses.map((name) => ended[name] ?? 0))];
}

const ended: Readonly<Record<string, number>> = { COMPLETED: 3, FAILED: 4, CANCELLED: 5 };

/** Those that fit, of the statuses of the search; by the indexes. @param fits a condition on `body` */
export function byTextIndexes(search: StoreSearch, fits: string): string {
  const wanted = textStatuses(search);
  const asked = parts.filter(({ status }) => status === undefined || !wanted || wanted.includes(status));
  const conditions = asked.map(({ status }) =>
    status === undefined ? "status IS NULL" : `status = ${status}`,
  );
  return `(${conditions.map((condition) => `(${condition} AND ${fits})`).join(" OR ")})`;
}
