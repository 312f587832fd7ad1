/**
 * What workers ended, by type and stretch of time: the sum of `history` and of the rows of `history_changes`. Those are
 * written by the statements that end attempts, a row for each lane, minute and status, and wait for nobody; any process folds
 * them later.
 */
import { bucketsMax, type Durations, shortestOf } from "../../../core/counts/duration-counts.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "../../../core/port/store-history.ts";
import { merged, spansMs } from "../../../core/port/store-history.ts";
import type { Written } from "../../../core/store.ts";
import type { ResultRow } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { plainText } from "../rows.ts";
import { statement } from "../statement.ts";

/** Changes, and their attempts, after which one statement folds no further: some tenths of a second at most. */
const foldedMax = 10_000;
const foldedAttemptsMax = 50_000;

/** Does nothing while another process does so. Answers whether there may be more to fold. */
export async function foldHistory({ lull }: Context): Promise<boolean> {
  const [row] = await lull.query(fold);
  const [changes, attempts] = row!;
  return changes === foldedMax || attempts >= foldedAttemptsMax;
}

/** What the first call stored is passed over by the second, so an answer that was lost is no matter. */
export function writeHistory({ database }: Context, rows: readonly SpannedRow[]): Promise<Written<void>> {
  return database.written(async () => {
    if (rows.length === 0) return { kind: "ok", value: undefined };
    await database.query(write, [
      rows.map(({ span }) => spansMs[span]),
      rows.map(({ start }) => start),
      rows.map(({ type }) => plainText(type)),
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
  const rows = await database.read(read, [spansMs[span], start, end, asked, limit]);
  const found = rows.map(toHistoryRow);
  return rows.some(isChange) ? merged(found).slice(0, limit) : found;
}

export function pruneHistory(
  context: Context,
  { span, before, limit }: HistoryPrune,
): Promise<Written<number>> {
  const { database } = context;
  return database.written(async () => {
    await foldHistory(context);
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

function isChange(row: ResultRow): boolean {
  return row[10];
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

/** The index of a duration's bucket: how many buckets begin at or below it, but for the first. */
function bucketSql(ms: string): string {
  return `width_bucket(${ms}::float8, '{${bucketStarts}}'::float8[])::smallint`;
}

const bucketStarts = Array.from({ length: bucketsMax - 1 }, (_, bucket) => shortestOf(bucket + 1)).join();

/**
 * Adds attempts to the history, as a part of the statement that ends them (WITH … AS), which has its instant as `clock.at`.
 * @param ended a table with lane, status (its task's after it), wait_ms and run_ms (null where nobody knows) of each
 */
export function addingToHistory(ended: string): string {
  const buckets = (ms: string) =>
    `coalesce(array_agg(${bucketSql(`own.${ms}`)}) FILTER (WHERE own.${ms} IS NOT NULL), '{}')`;
  return `INSERT INTO :schema.history_changes (start, lane, status, attempts, wait_max, run_max, waits, runs)
    SELECT ${startSql("clock.at", spansMs.minute)}, own.lane, own.status, count(*), coalesce(greatest(max(own.wait_ms), 0), 0),
      coalesce(greatest(max(own.run_ms), 0), 0), ${buckets("wait_ms")}, ${buckets("run_ms")}
    FROM ${ended} AS own, clock GROUP BY 1, 2, 3`;
}

/** The store's clock never stands before 1970. */
function startSql(instant: string, span: number | string): string {
  return `${instant} / ${span} * ${span}`;
}

/**
 * Changes as rows of the history, `summed`, and what they need (WITH …).
 * @param changes a table like `history_changes`
 * @param spans a table of (span)
 */
function summing(changes: string, spans: string): string {
  return `buckets AS MATERIALIZED (
    SELECT changed.start, changed.lane, one.is_run, one.bucket, count(*) AS counted FROM ${changes} AS changed
      CROSS JOIN LATERAL (SELECT false, unnest(changed.waits) UNION ALL SELECT true, unnest(changed.runs)) AS one (is_run, bucket)
    GROUP BY 1, 2, 3, 4),
  objects AS (
    SELECT span, start, type, json_object_agg(bucket, counted) FILTER (WHERE NOT is_run)::text AS waits,
      json_object_agg(bucket, counted) FILTER (WHERE is_run)::text AS runs
    FROM (
      SELECT spans.span, ${startSql("buckets.start", "spans.span")} AS start, lanes.type, is_run, bucket, sum(counted) AS counted
      FROM buckets JOIN :schema.lanes USING (lane) CROSS JOIN ${spans} GROUP BY 1, 2, 3, 4, 5) AS rolled
    GROUP BY 1, 2, 3),
  sums AS (
    SELECT spans.span, ${startSql("changed.start", "spans.span")} AS start, lanes.type,
      coalesce(sum(attempts) FILTER (WHERE status = 3), 0) AS completed, coalesce(sum(attempts) FILTER (WHERE status = 4), 0) AS failed,
      coalesce(sum(attempts) FILTER (WHERE status = 5), 0) AS cancelled, coalesce(sum(attempts) FILTER (WHERE status = 1), 0) AS retried,
      max(wait_max) AS wait_max, max(run_max) AS run_max
    FROM ${changes} AS changed JOIN :schema.lanes USING (lane) CROSS JOIN ${spans} GROUP BY 1, 2, 3),
  summed AS (
    SELECT span, start, type, completed, failed, cancelled, retried, wait_max, run_max, coalesce(waits, '{}') AS waits,
      coalesce(runs, '{}') AS runs FROM sums LEFT JOIN objects USING (span, start, type))`;
}

const insert = `INSERT INTO :schema.history AS kept
      (span, start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs)`;

const write = statement(
  "writeHistory",
  `${insert}
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
      $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[]) AS given (span, start, type)
    ORDER BY given.span, given.start, given.type COLLATE "C"
    ON CONFLICT (span, start, type) DO NOTHING`,
);

/** In the order of the keys, as older workers add theirs, so that none waits for another for ever. */
const fold = statement(
  "foldHistory",
  `WITH free AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(1148547685, hashtext('history ' || (SELECT tableoid FROM :schema.migrations LIMIT 1))) AS mine),
  taken AS (
    DELETE FROM :schema.history_changes WHERE (SELECT mine FROM free) AND ctid = ANY(ARRAY(
      SELECT place FROM (
        SELECT ctid AS place, sum(attempts) OVER (ROWS UNBOUNDED PRECEDING) - attempts AS attempts_before
        FROM (SELECT ctid, attempts FROM :schema.history_changes LIMIT ${foldedMax}) AS found) AS summed_up
      WHERE attempts_before < ${foldedAttemptsMax}))
    RETURNING start, lane, status, attempts, wait_max, run_max, waits, runs),
  ${summing("taken", `(VALUES ${Object.values(spansMs).map((span) => `(${span})`)}) AS spans (span)`)},
  folded AS (
    ${insert}
    SELECT * FROM summed ORDER BY span, start, type COLLATE "C"
    ON CONFLICT (span, start, type) DO UPDATE SET
      completed = kept.completed + excluded.completed, failed = kept.failed + excluded.failed,
      cancelled = kept.cancelled + excluded.cancelled, retried = kept.retried + excluded.retried,
      wait_max = greatest(kept.wait_max, excluded.wait_max), run_max = greatest(kept.run_max, excluded.run_max),
      waits = coalesce(${sumOf("waits")}, '{}'), runs = coalesce(${sumOf("runs")}, '{}'))
  SELECT count(*)::integer, coalesce(sum(attempts), 0)::float8 FROM taken`,
);

/** `$1` is the span, `$2` and `$3` between which starts lie, `$4` the types, `$5` at most how many rows of those folded. */
const read = statement(
  "readHistory",
  `WITH asked AS MATERIALIZED (
    SELECT changed.* FROM :schema.history_changes AS changed JOIN :schema.lanes USING (lane)
    WHERE ${startSql("changed.start", "$1::integer")} >= $2::bigint AND ${startSql("changed.start", "$1::integer")} < $3::bigint
      AND ($4::text[] IS NULL OR lanes.type = ANY($4::text[]))),
  ${summing("asked", "(VALUES ($1::integer)) AS spans (span)")}
  SELECT * FROM ((SELECT start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs, false
    FROM :schema.history WHERE span = $1::integer AND start >= $2::bigint AND start < $3::bigint
      AND ($4::text[] IS NULL OR type = ANY($4::text[]))
    ORDER BY start, type LIMIT $5)
  UNION ALL SELECT start, type, completed, failed, cancelled, retried, wait_max, run_max, waits, runs, true
    FROM summed) AS found
  ORDER BY 1, 2`,
);

const prune = statement(
  "pruneHistory",
  `WITH gone AS (
    DELETE FROM :schema.history WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM :schema.history WHERE span = $1 AND start < $2 ORDER BY start LIMIT $3 FOR UPDATE SKIP LOCKED))
    RETURNING 1)
  SELECT count(*)::integer FROM gone`,
);
