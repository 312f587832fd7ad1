/** The stretches of time that the overview's charts show, each filled in where nothing ended. */
import type { HistoryBucket } from "./contract.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** How far back, in how many steps, and how often to look again. Days are of UTC. */
export const periods = {
  hour: { bucket: "minute", bucketMs: minuteMs, count: 60, refreshMs: 10_000 },
  day: { bucket: "hour", bucketMs: hourMs, count: 24, refreshMs: 10_000 },
  week: { bucket: "hour", bucketMs: hourMs, count: 7 * 24, refreshMs: 60_000 },
  month: { bucket: "day", bucketMs: dayMs, count: 30, refreshMs: 60_000 },
} as const;

export type Period = keyof typeof periods;

export const periodNames = Object.keys(periods) as Period[];
export const usualPeriod: Period = "day";

export function isPeriod(value: unknown): value is Period {
  return typeof value === "string" && Object.hasOwn(periods, value);
}

/** What is shown of one step; times are undefined where nothing ended. In milliseconds. */
export interface Step {
  at: number;
  completed: number;
  failed: number;
  wait: { p50: number; p95: number } | undefined;
  run: { p50: number; p95: number } | undefined;
}

/** The start of the first step of a period that ends now; milliseconds since 1970. */
export function startOf(period: Period, now: number): number {
  const { bucketMs, count } = periods[period];
  return (Math.floor(now / bucketMs) - count + 1) * bucketMs;
}

/** Every step of the period, the earliest first. */
export function stepsOf(buckets: readonly HistoryBucket[], period: Period, from: number): Step[] {
  const { bucketMs, count } = periods[period];
  const byStart = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
  return Array.from({ length: count }, (_, index) => {
    const at = from + index * bucketMs;
    const { completed = 0, failed = 0, waitMs: wait, runMs: run } = byStart.get(at) ?? {};
    return { at, completed, failed, wait, run };
  });
}
