/** What workers ended, by type and stretch of time: added up in place, since there is one writer. */
import type { Durations } from "../../core/duration-counts.ts";
import type { Written } from "../../core/store.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "../../core/store-history.ts";
import { rollUp, spansMs } from "../../core/store-history.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./write-context.ts";

type Row = [
  start: number,
  type: string,
  completed: number,
  failed: number,
  cancelled: number,
  retried: number,
  waitMax: number,
  runMax: number,
  waits: string,
  runs: string,
];

export function addHistory(context: WriteContext, rows: readonly HistoryRow[]): Written<void> {
  return store(context, sql.addHistory, rollUp(rows));
}

export function writeHistory(context: WriteContext, rows: readonly SpannedRow[]): Written<void> {
  return store(context, sql.writeHistory, rows);
}

function store({ connection }: WriteContext, text: string, rows: readonly SpannedRow[]): Written<void> {
  const add = connection.prepare(text);
  for (const row of rows) {
    const { span, start, type, completed, failed, cancelled, retried, waits, runs } = row;
    add.run(
      ...[spansMs[span], start, type, completed, failed, cancelled, retried, waits.max, runs.max],
      ...[JSON.stringify(waits.counts), JSON.stringify(runs.counts)],
    );
  }
  return { kind: "ok", value: undefined };
}

export function readHistory(
  connection: Connection,
  { span, types, start, end, limit }: HistoryRead,
): HistoryRow[] {
  const asked = types === undefined ? null : JSON.stringify(types);
  const rows = connection.prepare(sql.readHistory).all(spansMs[span], start, end, asked, limit);
  return (rows as unknown as Row[]).map(toHistoryRow);
}

export function pruneHistory(
  { connection }: WriteContext,
  { span, before, limit }: HistoryPrune,
): Written<number> {
  const { changes } = connection.prepare(sql.pruneHistory).run(spansMs[span], before, limit);
  return { kind: "ok", value: Number(changes) };
}

function toHistoryRow(row: Row): HistoryRow {
  const [start, type, completed, failed, cancelled, retried, waitMax, runMax, waits, runs] = row;
  return {
    ...{ type, start, completed, failed, cancelled, retried },
    waits: toDurations(waits, waitMax),
    runs: toDurations(runs, runMax),
  };
}

function toDurations(counts: string, max: number): Durations {
  return { counts: JSON.parse(counts), max };
}

/** Both objects of counts as one. */
function sumOf(column: string): string {
  return `(SELECT json_group_object(bucket, counted) FROM (
      SELECT key AS bucket, sum(value) AS counted FROM (
        SELECT key, value FROM json_each(history.${column})
        UNION ALL SELECT key, value FROM json_each(excluded.${column})
      ) GROUP BY key))`;
}

const insert = `INSERT INTO history
    (span, start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const sql = {
  addHistory: `/* dure:addHistory */ ${insert}
    ON CONFLICT (span, start, type) DO UPDATE SET
      completed = completed + excluded.completed, failed = failed + excluded.failed,
      cancelled = cancelled + excluded.cancelled, retried = retried + excluded.retried,
      wait_max = max(wait_max, excluded.wait_max), run_max = max(run_max, excluded.run_max),
      waits = ${sumOf("waits")}, runs = ${sumOf("runs")}`,
  writeHistory: `/* dure:writeHistory */ ${insert} ON CONFLICT (span, start, type) DO NOTHING`,
  readHistory: `/* dure:readHistory */ SELECT
      start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs
    FROM history WHERE span = ?1 AND start >= ?2 AND start < ?3
      AND (?4 IS NULL OR type IN (SELECT value FROM json_each(?4)))
    ORDER BY start, type LIMIT ?5`,
  pruneHistory: `/* dure:pruneHistory */ DELETE FROM history WHERE rowid IN (
    SELECT rowid FROM history WHERE span = ? AND start < ? ORDER BY start LIMIT ?)`,
} as const;
