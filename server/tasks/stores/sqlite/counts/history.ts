/**
 * What workers ended, by type and stretch of time: the sum of `history` and of the rows of `history_changes`, which the
 * transactions that ended attempts wrote (history-tally.ts) and which are not folded yet.
 */
import type { Durations } from "../../../core/counts/duration-counts.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "../../../core/port/store-history.ts";
import { type Ending, merged, rollUp, spansMs } from "../../../core/port/store-history.ts";
import type { Written } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import type { WriteContext } from "../threads/write-context.ts";

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

/** Rows that are folded in one transaction, so that a file that has many of them keeps nobody waiting. */
const foldedMax = 1_000;

/**
 * Adds what is not folded yet to its minutes, hours and days, the oldest first. Call inside a write transaction.
 * Answers whether there may be more.
 */
export function foldHistory(connection: Connection): boolean {
  const oldest = connection.prepare(historySql.oldestHistoryChanges).all(foldedMax);
  const rows = oldest as unknown as [...Change, rowid: number][];
  if (rows.length === 0) return false;
  store(connection, historySql.addHistory, rollUp(rows.map(changeToHistoryRow)));
  connection.prepare(historySql.deleteHistoryChanges).run(rows.at(-1)![8]);
  return rows.length === foldedMax;
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
  return withChanges(readFolded(connection, request), readHistoryChanges(connection, request), request);
}

export function readFolded(connection: Connection, request: HistoryRead): HistoryRow[] {
  const rows = connection.prepare(historySql.readHistory).all(...conditions(request), request.limit);
  return (rows as unknown as Row[]).map(toHistoryRow);
}

/** What is not folded yet, of what is asked for. */
export function readHistoryChanges(connection: Connection, request: HistoryRead): HistoryRow[] {
  const rows = connection.prepare(historySql.readHistoryChanges).all(...conditions(request));
  return (rows as unknown as Change[]).map(changeToHistoryRow);
}

function conditions({ span, types, start, end }: HistoryRead): [number, number, number, string | null] {
  return [spansMs[span], start, end, types === undefined ? null : JSON.stringify(types)];
}

export function withChanges(
  folded: HistoryRow[],
  changes: readonly HistoryRow[],
  { limit }: HistoryRead,
): HistoryRow[] {
  return changes.length === 0 ? folded : merged([...folded, ...changes]).slice(0, limit);
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

function changeToHistoryRow(change: readonly [...Change, ...unknown[]]): HistoryRow {
  const [start, type, status, attempts, waitMax, runMax, waits, runs] = change;
  return {
    ...{ type, start, completed: 0, failed: 0, cancelled: 0, retried: 0 },
    [endings[status]!]: attempts,
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

const isOfTypes = "(?4 IS NULL OR type IN (SELECT value FROM json_each(?4)))";

export const historySql = {
  startOfTask:
    "/* dure:startOfTask */ SELECT created_at, started_at, started_at - due_at FROM tasks WHERE seq = ?",
  insertHistoryChange: `/* dure:insertHistoryChange */ INSERT INTO history_changes
    (start, type, status, attempts, wait_max, run_max, waits, runs) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  readHistoryChanges: `/* dure:readHistoryChanges */ SELECT
      start - start % ?1 AS start, type, status, attempts, wait_max, run_max, waits, runs
    FROM history_changes WHERE start - start % ?1 >= ?2 AND start - start % ?1 < ?3 AND ${isOfTypes}`,
  oldestHistoryChanges: `/* dure:oldestHistoryChanges */ SELECT
      start, type, status, attempts, wait_max, run_max, waits, runs, rowid
    FROM history_changes ORDER BY rowid LIMIT ?`,
  deleteHistoryChanges: "/* dure:deleteHistoryChanges */ DELETE FROM history_changes WHERE rowid <= ?",
  addHistory: `/* dure:foldHistory */ ${insert}
    ON CONFLICT (span, start, type) DO UPDATE SET
      completed = completed + excluded.completed, failed = failed + excluded.failed,
      cancelled = cancelled + excluded.cancelled, retried = retried + excluded.retried,
      wait_max = max(wait_max, excluded.wait_max), run_max = max(run_max, excluded.run_max),
      waits = ${sumOf("waits")}, runs = ${sumOf("runs")}`,
  writeHistory: `/* dure:writeHistory */ ${insert} ON CONFLICT (span, start, type) DO NOTHING`,
  readHistory: `/* dure:readHistory */ SELECT
      start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs
    FROM history WHERE span = ?1 AND start >= ?2 AND start < ?3 AND ${isOfTypes}
    ORDER BY start, type LIMIT ?5`,
  pruneHistory: `/* dure:pruneHistory */ DELETE FROM history WHERE rowid IN (
    SELECT rowid FROM history WHERE span = ? AND start < ? ORDER BY start LIMIT ?)`,
} as const;
