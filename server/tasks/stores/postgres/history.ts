/**
 * What workers ended, by type and stretch of time. Each worker adds its own every few seconds, in the order of the keys,
 * so that none waits for another for longer than one statement takes, and none for ever.
 */
import type { Durations } from "../../core/duration-counts.ts";
import type { Written } from "../../core/store.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "../../core/store-history.ts";
import { rollUp, spansMs } from "../../core/store-history.ts";
import type { Context } from "./context.ts";
import type { ResultRow } from "./database.ts";
import { plainText } from "./rows.ts";
import { type Statement, statement } from "./statement.ts";

export function addHistory(context: Context, given: readonly HistoryRow[]): Promise<Written<void>> {
  return store(context, add, rollUp(given.map(plain)));
}

/** What the first call stored is passed over by the second, so an answer that was lost is no matter. */
export function writeHistory(context: Context, given: readonly SpannedRow[]): Promise<Written<void>> {
  return store(context, write, given.map(plain));
}

function plain<Row extends HistoryRow>(row: Row): Row {
  return { ...row, type: plainText(row.type)! };
}

function store(
  { database }: Context,
  inserting: Statement,
  rows: readonly SpannedRow[],
): Promise<Written<void>> {
  return database.written(async () => {
    if (rows.length === 0) return { kind: "ok", value: undefined };
    await database.query(inserting, [
      rows.map(({ span }) => spansMs[span]),
      rows.map(({ start }) => start),
      rows.map(({ type }) => type),
      rows.map(({ completed }) => completed),
      rows.map(({ failed }) => failed),
      rows.map(({ cancelled }) => cancelled),
      rows.map(({ retried }) => retried),
      rows.map(({ waits }) => waits.max),
      rows.map(({ runs }) => runs.max),
      rows.map(({ waits }) => JSON.stringify(waits.counts)),
      rows.map(({ runs }) => JSON.stringify(runs.counts)),
    ]);
    return { kind: "ok", value: undefined };
  });
}

export async function readHistory(
  { database }: Context,
  { span, types, start, end, limit }: HistoryRead,
): Promise<HistoryRow[]> {
  const asked = types?.map((type) => plainText(type)!) ?? null;
  return (await database.read(read, [spansMs[span], start, end, asked, limit])).map(toHistoryRow);
}

export function pruneHistory(
  { database }: Context,
  { span, before, limit }: HistoryPrune,
): Promise<Written<number>> {
  return database.written(async () => {
    const [row] = await database.query(prune, [spansMs[span], before, limit]);
    return { kind: "ok", value: row![0] };
  });
}

function toHistoryRow(row: ResultRow): HistoryRow {
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
  return `(SELECT json_object_agg(bucket, counted)::text FROM (
      SELECT key AS bucket, sum(value::bigint) AS counted FROM (
        SELECT * FROM json_each_text(kept.${column}::json)
        UNION ALL SELECT * FROM json_each_text(excluded.${column}::json)
      ) AS both_counts GROUP BY key) AS summed)`;
}

const insert = `INSERT INTO :schema.history AS kept
      (span, start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs)
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
      $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[]) AS given (span, start, type)
    ORDER BY given.span, given.start, given.type COLLATE "C"`;

const write = statement("writeHistory", `${insert} ON CONFLICT (span, start, type) DO NOTHING`);

const add = statement(
  "addHistory",
  `${insert}
    ON CONFLICT (span, start, type) DO UPDATE SET
      completed = kept.completed + excluded.completed, failed = kept.failed + excluded.failed,
      cancelled = kept.cancelled + excluded.cancelled, retried = kept.retried + excluded.retried,
      wait_max = greatest(kept.wait_max, excluded.wait_max), run_max = greatest(kept.run_max, excluded.run_max),
      waits = coalesce(${sumOf("waits")}, '{}'), runs = coalesce(${sumOf("runs")}, '{}')`,
);

const read = statement(
  "readHistory",
  `SELECT start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs
    FROM :schema.history WHERE span = $1 AND start >= $2 AND start < $3
      AND ($4::text[] IS NULL OR type = ANY($4::text[]))
    ORDER BY start, type LIMIT $5`,
);

const prune = statement(
  "pruneHistory",
  `WITH gone AS (
    DELETE FROM :schema.history WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM :schema.history WHERE span = $1 AND start < $2 ORDER BY start LIMIT $3 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*)::integer FROM gone`,
);
