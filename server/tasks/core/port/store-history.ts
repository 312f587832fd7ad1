/** What a store keeps of what workers ended: counts and durations by type and stretch of time. */

import { DurationSum, type Durations } from "../counts/duration-counts.ts";
import { compareText } from "../values/compare.ts";

/** The stretches of time that are kept, in UTC, in milliseconds. */
export const spansMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export type Span = keyof typeof spansMs;

/** How long each is kept, in milliseconds; days as long as `retention.history` says. */
export const keptMs: Partial<Record<Span, number>> = { minute: 2 * spansMs.day, hour: 60 * spansMs.day };

/** How attempts ended: tasks that became COMPLETED, FAILED or CANCELLED, and attempts that failed and are made again. */
export const endings = ["completed", "failed", "cancelled", "retried"] as const;
export type Ending = (typeof endings)[number];

/** Of one type in the stretch that begins at `start`. */
export interface HistoryRow extends Record<Ending, number> {
  type: string;
  /** Milliseconds since 1970. */
  start: number;
  /** From when the task was due to the start of the attempt. */
  waits: Durations;
  /** From the start of the attempt to its end. */
  runs: Durations;
}

export interface HistoryRead {
  span: Span;
  types?: readonly string[];
  /** Milliseconds since 1970: rows whose start is in between, `start` included, `end` excluded. */
  start: number;
  end: number;
  /** At most this many rows. */
  limit: number;
}

export interface HistoryPrune {
  span: Span;
  /** Only rows that start before this; milliseconds since 1970. */
  before: number;
  /** At most this many. */
  limit: number;
}

export type SpannedRow = HistoryRow & { span: Span };

/** Rows of minutes as what is to be added to each minute, hour and day: one row each, in the order of their keys. */
export function rollUp(minutes: readonly HistoryRow[]): SpannedRow[] {
  const spans = Object.keys(spansMs) as Span[];
  return spans.flatMap((span) => {
    const rows = minutes.map((row) => ({ ...row, start: startOf(row.start, span) }));
    return merged(rows).map((row) => ({ ...row, span }));
  });
}

/** The start of the stretch that an instant lies in; both in milliseconds since 1970. */
export function startOf(at: number, span: Span): number {
  return Math.floor(at / spansMs[span]) * spansMs[span];
}

/** One row for each start and type, in that order. */
export function merged(rows: readonly HistoryRow[]): HistoryRow[] {
  const sums = new Map<string, HistorySum>();
  for (const row of rows) {
    const key = `${row.start} ${row.type}`;
    const sum = sums.get(key) ?? new HistorySum(row.type, row.start);
    sum.add(row);
    sums.set(key, sum);
  }
  return [...sums.values()].sort(byStart);
}

function byStart(a: HistoryRow, b: HistoryRow): number {
  return a.start - b.start || compareText(a.type, b.type);
}

class HistorySum implements HistoryRow {
  readonly type: string;
  readonly start: number;
  completed = 0;
  failed = 0;
  cancelled = 0;
  retried = 0;
  readonly waits = new DurationSum();
  readonly runs = new DurationSum();

  constructor(type: string, start: number) {
    this.type = type;
    this.start = start;
  }

  add(row: HistoryRow): void {
    for (const ending of endings) this[ending] += row[ending];
    this.waits.add(row.waits);
    this.runs.add(row.runs);
  }
}
