/**
 * Tasks that are not indexed as they are now are candidates of every search for a text while they are few. To make the text of one
 * takes longer than to find ten by the index, so SQLite passes over those that cannot have what is looked for: what is stored
 * of them has it as it is, but for the case of letters, unless there are characters that have several forms or are written as others.
 */
import { foldText } from "../../../core/filters/condition.ts";
import type { Connection } from "../connection.ts";
import { freshTo } from "./texts.ts";

/**
 * Those that may have the text, which is folded; undefined where more than `limit` are not indexed as they are now. One that
 * is new and has changed is there once.
 */
export function unindexedWith(connection: Connection, text: string, limit: number): number[] | undefined {
  const fresh = freshTo(connection);
  const [newer] = connection.prepare(sql.countFresh).get(fresh, limit + 1) as unknown as [number];
  if (newer > limit) return undefined;
  const most = limit + 1 - newer;
  const [changed] = connection.prepare(sql.countChanged).get(fresh, most) as unknown as [number];
  if (changed === most) return undefined;
  const { condition, values } = maybe(connection, text);
  const seqs = [sql.fresh, sql.changed].flatMap((tasks) =>
    connection.prepare(`${tasks} AND ${condition}`).all(fresh, ...values),
  ) as unknown as [number][];
  return seqs.map(([seq]) => seq);
}

/** What is stored of every task that may have it. */
function maybe(connection: Connection, text: string): { condition: string; values: string[] } {
  if (text.includes("\n") || isDescribed(connection, text)) return { condition: "true", values: [] };
  return isPlain(text)
    ? { condition: mayHave, values: [`%${text}%`] }
    : { condition: mayHaveOther, values: [] };
}

/** Tasks without a description of their own have that of their definition. */
function isDescribed(connection: Connection, text: string): boolean {
  const rows = connection.prepare(sql.descriptions).all() as unknown as [string][];
  return rows.some(([description]) => foldText(description).includes(text));
}

function isPlain(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

const columns = ["payload", "result", "error", "description", "tags"];
const hasOtherCharacters = (column: string) =>
  `octet_length(${column}) <> length(${column}) OR instr(${column}, '\\') > 0`;
/** A long payload is not in the row; attempts have errors and logs. */
const isElsewhere = "payload IS NULL OR EXISTS (SELECT 1 FROM attempts WHERE attempts.seq = tasks.seq)";
const mayHaveOther = `(${[...columns.map(hasOtherCharacters), isElsewhere].join(" OR ")})`;
/**
 * LIKE takes letters of ASCII as the same in either case; its wildcards let more pass. What is bound to it alone the planner looks
 * at, and plans anew each time.
 */
const mayHave = `(${[...columns.map((column) => `${column} LIKE ?2 || ''`), mayHaveOther].join(" OR ")})`;

const changed = `FROM tallies CROSS JOIN tasks INDEXED BY tasks_lane_updated
    WHERE unindexed_at IS NOT NULL AND tasks.status <> 2 AND version > 1 AND tasks.lane = tallies.lane
      AND tasks.status = tallies.status AND (updated_at, id) > (unindexed_at, unindexed_id) AND seq <= ?1`;

export const sql = {
  countFresh: "/* dure:countFresh */ SELECT count(*) FROM (SELECT 1 FROM tasks WHERE seq > ?1 LIMIT ?2)",
  countChanged: `/* dure:countUnindexed */ SELECT count(*) FROM (SELECT 1 ${changed} LIMIT ?2)`,
  fresh: "/* dure:freshWith */ SELECT seq FROM tasks WHERE seq > ?1",
  changed: `/* dure:changedWith */ SELECT seq ${changed}`,
  descriptions: "/* dure:descriptions */ SELECT description FROM definitions WHERE description IS NOT NULL",
} as const;
