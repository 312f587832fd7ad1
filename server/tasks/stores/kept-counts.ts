/**
 * Counts that are kept by the hour and by the minute: of tasks by when they were created, and of ended ones by their latest
 * change too. Which whole hours and minutes make up a range of time, and what is left of it to count.
 */
import type { Buckets, StoreSearch } from "../core/store.ts";
import { hourMs } from "./hours.ts";

export const minuteMs = 60_000;
/** Minutes from year 1, the earliest instant a task can have, to 1970; no task was created before and after these. */
export const minutesBefore1970 = 1_035_593_280;
const instantMin = -minutesBefore1970 * minuteMs;
const instantMax = 253_402_300_800_000;

/** Minutes since 1970; as an integer while it is one of 32 bits, for a field of fractions costs each claimed task an object. */
export function minuteOf(instant: number): number {
  const minute = Math.floor(instant / minuteMs);
  const small = minute | 0;
  return small === minute ? small : minute;
}

/** The same in SQL, where division cuts off towards zero. */
export function minuteSql(column: string): string {
  return `((${column} + ${minutesBefore1970 * minuteMs}) / ${minuteMs} - ${minutesBefore1970})`;
}

export function hourOfMinute(minute: number): number {
  return Math.floor(minute / 60);
}

/** The instant by which kept counts can answer; undefined where none can. */
export function keptTime(
  { created, updated }: StoreSearch,
  buckets: Buckets | undefined,
): Buckets["time"] | undefined {
  if (created && updated) return undefined;
  const time = buckets?.time ?? (updated ? "updatedAt" : "createdAt");
  if (buckets ? buckets.bucketMs % minuteMs !== 0 : !created && !updated) return undefined;
  return (time === "createdAt" ? updated : created) ? undefined : time;
}

/** A part of a stretch of time: it is in the range and in no whole stretch, or in a whole stretch and not in the range. */
export interface Edge {
  /** Milliseconds since 1970. */
  start: number;
  /** Excluded. */
  end: number;
  sign: 1 | -1;
}

/** Stretches since 1970, from one on, included, up to another, excluded. */
interface Whole {
  from: number;
  to: number;
}

export interface KeptParts {
  hours: Whole;
  /** Each a part of an hour. */
  minutes: (Whole & { sign: 1 | -1 })[];
  /** Each a part of a minute, to be counted besides. */
  edges: Edge[];
  /** What hours and minutes are together, in milliseconds. */
  start: number;
  end: number;
}

/** @param range milliseconds since 1970; `start` included, `end` excluded */
export function keptParts(range: StoreSearch["created"], buckets: Buckets | undefined): KeptParts {
  const start = Math.max(range?.start ?? -Infinity, instantMin);
  const end = Math.min(range?.end ?? Infinity, instantMax);
  const { from, to, edges } = wholesOf(start, end, minuteMs);
  const whole = { edges, start: from * minuteMs, end: to * minuteMs };
  if (buckets && buckets.bucketMs % hourMs !== 0)
    return { hours: { from: 0, to: 0 }, minutes: from < to ? [{ from, to, sign: 1 }] : [], ...whole };
  const hours = wholesOf(whole.start, whole.end, hourMs);
  const minutes = hours.edges.map((edge) => ({
    from: edge.start / minuteMs,
    to: edge.end / minuteMs,
    sign: edge.sign,
  }));
  return { hours: { from: hours.from, to: hours.to }, minutes, ...whole };
}

/** Of a stretch that is partly in the range the shorter part is counted. */
function wholesOf(start: number, end: number, lengthMs: number): Whole & { edges: Edge[] } {
  if (start >= end) return { from: 0, to: 0, edges: [] };
  const first = Math.floor(start / lengthMs);
  const last = Math.ceil(end / lengthMs);
  const before: Edge = { start: first * lengthMs, end: start, sign: -1 };
  const behind: Edge = { start: end, end: last * lengthMs, sign: -1 };
  if (last - first === 1 && 2 * (end - start) <= lengthMs)
    return { from: 0, to: 0, edges: [{ start, end, sign: 1 }] };
  const isHead = last - first > 1 && 2 * (start - before.start) > lengthMs;
  const isTail = last - first > 1 && 2 * (behind.end - end) > lengthMs;
  const head: Edge = isHead ? { start, end: before.start + lengthMs, sign: 1 } : before;
  const tail: Edge = isTail ? { start: behind.end - lengthMs, end, sign: 1 } : behind;
  return {
    from: isHead ? first + 1 : first,
    to: isTail ? last - 1 : last,
    edges: [head, tail].filter((edge) => edge.start < edge.end),
  };
}
