/**
 * What workers ended, by type and stretch of time: the sum of `history` and of the rows of `history_changes`, which the
 * transactions that ended attempts wrote (history-tally.ts) and which are not folded yet.
 */
import type { Durations } from "../../core/duration-counts.ts";
import type { Written } from "../../core/store.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "../../core/store-history.ts";
import { type Ending, merged, rollUp, spansMs, startOf } from "../../core/store-history.ts";
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

type Change = [
  start: number,
  type: string,
  status: number,
  attempts: number,
  waitMax: number,
  runMax: number,
  waits: string,
  runs: string,
];

/** By the status that the attempt left its task with; 1 is PENDING. */
const endings: Readonly<Record<number, Ending>> = {
  1: "retried",
  3: "completed",
  4: "failed",
  5: "cancelled",
};

/** Adds what is not folded yet to its minutes, hours and days. Call inside a write transaction. */
export function foldHistory(connection: Connection): void {
  const changes = readHistoryChanges(connection);
  if (changes.length === 0) return;
  store(connection, historySql.addHistory, rollUp(changes));
  connection.prepare(historySql.deleteHistoryChanges).run();
}

export function writeHistory({ connection }: WriteContext, rows: readonly SpannedRow[]): Written<void> {
  store(connection, historySql.writeHistory, rows);
  return { kind: "ok", value: undefined };
}

function store(connection: Connection, text: string, rows: readonly SpannedRow[]): void {
  const add = connection.prepare(text);
  for (const row of rows) {
    const { span, start, type, completed, failed, cancelled, retried, waits, runs } = row;
    add.run(
      ...[spansMs[span], start, type, completed, failed, cancelled, retried, waits.max, runs.max],
      ...[JSON.stringify(waits.counts), JSON.stringify(runs.counts)],
    );
  }
}

export function readHistory(connection: Connection, request: HistoryRead): HistoryRow[] {
  return withChanges(readFolded(connection, request), readHistoryChanges(connection), request);
}

export function readFolded(
  connection: Connection,
  { span, types, start, end, limit }: HistoryRead,
): HistoryRow[] {
  const asked = types === undefined ? null : JSON.stringify(types);
  const rows = connection.prepare(historySql.readHistory).all(spansMs[span], start, end, asked, limit);
  return (rows as unknown as Row[]).map(toHistoryRow);
}

/** @param changes of minutes, of any time and type */
export function withChanges(
  folded: HistoryRow[],
  changes: readonly HistoryRow[],
  { span, types, start, end, limit }: HistoryRead,
): HistoryRow[] {
  const own = changes
    .map((change) => ({ ...change, start: startOf(change.start, span) }))
    .filter((row) => row.start >= start && row.start < end && (types?.includes(row.type) ?? true));
  return own.length === 0 ? folded : merged([...folded, ...own]).slice(0, limit);
}

/** What is not folded yet, by minutes. */
export function readHistoryChanges(connection: Connection): HistoryRow[] {
  const changes = connection.prepare(historySql.readHistoryChanges).all() as unknown as Change[];
  return changes.map(([start, type, status, attempts, waitMax, runMax, waits, runs]) => ({
    ...{ type, start, completed: 0, failed: 0, cancelled: 0, retried: 0 },
    [endings[status]!]: attempts,
    waits: toDurations(waits, waitMax),
    runs: toDurations(runs, runMax),
  }));
}

export function pruneHistory(
  { connection }: WriteContext,
  { span, before, limit }: HistoryPrune,
): Written<number> {
  foldHistory(connection);
  const { changes } = connection.prepare(historySql.pruneHistory).run(spansMs[span], before, limit);
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

export const historySql = {
  startOfTask: "/* dure:startOfTask */ SELECT started_at, started_at - due_at FROM tasks WHERE seq = ?",
  insertHistoryChange: `/* dure:insertHistoryChange */ INSERT INTO history_changes
    (start, type, status, attempts, wait_max, run_max, waits, runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  readHistoryChanges: `/* dure:readHistoryChanges */ SELECT start, type, status, attempts, wait_max, run_max, waits, runs
    FROM history_changes`,
  deleteHistoryChanges: "/* dure:deleteHistoryChanges */ DELETE FROM history_changes",
  addHistory: `/* dure:foldHistory */ ${insert}
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
