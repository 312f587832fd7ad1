/** readHistory: throughput, failures, wait and run time by stretches of time, also of tasks that were deleted long ago. */

import { DureError } from "../errors.ts";
import type { Instance } from "../instance.ts";
import { checkOptions, dateRule, listOf, oneOf, stringUpTo } from "../options.ts";
import { endings, type HistoryRow, keptMs, type Span, spansMs, startOf } from "../port/store-history.ts";
import { DurationSum, type Percentiles, percentilesOf } from "./duration-counts.ts";

export interface HistoryOptions {
  /** Only these types. Default: all. */
  types?: readonly string[];
  /** From the stretch that this lies in. Default: an hour of minutes, a day of hours, 30 days of days before `end`. */
  start?: Date;
  /** Up to here, not included. Default: now. */
  end?: Date;
  /** How long a stretch is; in UTC. Minutes are kept for 2 days, hours for 60, days for `retention.history`. Default 'hour'. */
  bucket?: Span;
  /** One row for each type of a stretch, instead of one for all. */
  by?: "type";
}

/** What workers ended in one stretch of time. */
export interface HistoryBucket {
  start: Date;
  /** With `by: 'type'`. */
  type?: string;
  /** Tasks that became COMPLETED. */
  completed: number;
  /** Tasks that became FAILED. */
  failed: number;
  /** Tasks that became CANCELLED while they ran; those cancelled before are not counted. */
  cancelled: number;
  /** Attempts that failed and are followed by another. */
  retried: number;
  /** Tasks that ended (the first three) per second of the stretch, or of what has passed of it. */
  throughput: number;
  /** Of the tasks that completed or failed, the share that failed: 0 to 1. */
  failureRate: number;
  /** From when each attempt's task was due to the attempt's start. */
  waitMs?: Percentiles;
  /** From each attempt's start to its end. */
  runMs?: Percentiles;
}

const defaultLengths = { minute: spansMs.hour, hour: spansMs.day, day: 30 * spansMs.day } as const;
const typesMax = 1_000;
/** Of one type and stretch each. */
const rowsMax = 100_000;

/**
 * What workers ended, the earliest stretch first; stretches in which nothing ended are left out.
 * @throws DureError INVALID_OPTION, also when `start` lies before what is kept of such stretches
 */
export async function readHistoryIn(
  instance: Instance,
  options: HistoryOptions = {},
): Promise<HistoryBucket[]> {
  checkOptions("readHistory", options, rules);
  checkSpan(options);
  const { bucket = "hour", types, by } = options;
  const store = await instance.store();
  const now = instance.clock.now();
  const end = options.end?.getTime() ?? now + 1;
  const start = startOf(options.start?.getTime() ?? end - defaultLengths[bucket], bucket);
  checkKept(bucket, start, now);
  const rows = await store.readHistory({
    span: bucket,
    start,
    end,
    limit: rowsMax + 1,
    ...(types && { types }),
  });
  checkRows(rows.length);
  const groups = by === "type" ? rows.map((row) => [row]) : Map.groupBy(rows, (row) => row.start).values();
  return [...groups].map((group) => ({
    start: new Date(group[0]!.start),
    ...(by === "type" && { type: group[0]!.type }),
    ...summed(group, Math.min(spansMs[bucket], Math.max(1_000, now - group[0]!.start))),
  }));
}

const rules = {
  types: listOf(stringUpTo(128), typesMax),
  start: dateRule,
  end: dateRule,
  bucket: oneOf("minute", "hour", "day"),
  by: oneOf("type"),
};

/** What ends before it begins holds nothing, which would look as if nothing had ended. */
function checkSpan({ start, end }: HistoryOptions): void {
  if (!start || !end || start < end) return;
  const [from, to] = [start.toISOString(), end.toISOString()];
  throw new DureError(
    "INVALID_OPTION",
    `readHistory: start is ${from} and end is ${to}; expected a start before the end.`,
    { details: { start: from, end: to } },
  );
}

/** A question about what is kept no more would be answered as if nothing had ended. */
function checkKept(bucket: Span, start: number, now: number): void {
  const kept = keptMs[bucket];
  if (kept === undefined || start >= startOf(now - kept, bucket)) return;
  const longer = bucket === "minute" ? "hour" : "day";
  throw new DureError(
    "INVALID_OPTION",
    `The history by ${bucket} goes back ${kept / spansMs.day} days, and start is ${new Date(start).toISOString()}. ` +
      `Ask with bucket: "${longer}", or for a later start.`,
    { details: { bucket, start: new Date(start).toISOString() } },
  );
}

function checkRows(count: number): void {
  if (count <= rowsMax) return;
  throw new DureError(
    "INVALID_OPTION",
    `The history of this time has more than ${rowsMax} rows of one type and stretch each. Ask for fewer types, a shorter time or longer stretches.`,
    { details: { rowsMax } },
  );
}

function summed(rows: readonly HistoryRow[], lengthMs: number): Omit<HistoryBucket, "start" | "type"> {
  const counts = { completed: 0, failed: 0, cancelled: 0, retried: 0 };
  const waits = new DurationSum();
  const runs = new DurationSum();
  for (const row of rows) {
    for (const ending of endings) counts[ending] += row[ending];
    waits.add(row.waits);
    runs.add(row.runs);
  }
  const { completed, failed, cancelled } = counts;
  const waitMs = percentilesOf(waits);
  const runMs = percentilesOf(runs);
  return {
    ...counts,
    throughput: ((completed + failed + cancelled) * 1_000) / lengthMs,
    failureRate: failed === 0 ? 0 : failed / (completed + failed),
    ...(waitMs && { waitMs }),
    ...(runMs && { runMs }),
  };
}
