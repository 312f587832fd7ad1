/**
 * Counts that are kept by the hour and by the minute: of tasks by when they were created, and of ended ones by their latest
 * change too. Which whole hours and minutes make up a range of time, and what is left of it to count.
 */
import type { Buckets, StoreSearch } from "../../core/store.ts";
import { type Edge, hourMs, stretchSql, type Whole, wholesOf } from "./hours.ts";

export const minuteMs = 60_000;
export const dayMs = 86_400_000;
const hoursOfDay = 24;
/** Minutes from year 1, the earliest instant a task can have, to 1970. */
export const minutesBefore1970 = 1_035_593_280;

/** Minutes since 1970; as an integer while it is one of 32 bits, for a field of fractions costs each claimed task an object. */
export function minuteOf(instant: number): number {
  const minute = Math.floor(instant / minuteMs);
  const small = minute | 0;
  return small === minute ? small : minute;
}

/** The same in SQL. */
export function minuteSql(column: string): string {
  return stretchSql(column, minuteMs);
}

export function hourOfMinute(minute: number): number {
  return Math.floor(minute / 60);
}

/** The same in SQL, where division cuts off towards zero. */
export function hourOfMinuteSql(minute: string): string {
  return `((${minute} + ${minutesBefore1970}) / 60 - ${minutesBefore1970 / 60})`;
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
  const { from, to, edges } = wholesOf(range, minuteMs);
  const whole = { edges, start: from * minuteMs, end: to * minuteMs };
  if (buckets && buckets.bucketMs % hourMs !== 0)
    return { hours: { from: 0, to: 0 }, minutes: from < to ? [{ from, to, sign: 1 }] : [], ...whole };
  const hours = wholesOf(whole, hourMs);
  const minutes = hours.edges.map((edge) => ({
    from: edge.start / minuteMs,
    to: edge.end / minuteMs,
    sign: edge.sign,
  }));
  return { hours: { from: hours.from, to: hours.to }, minutes, ...whole };
}

/** Whole days of whole hours, as far as they lie before a day, and the hours that are left of them. */
export function daysOf({ from, to }: Whole, before: number): { days: Whole; hours: KeptParts["minutes"] } {
  const until = Math.max(from, Math.min(to, before * hoursOfDay));
  const { edges, ...days } = wholesOf({ start: from * hourMs, end: until * hourMs }, dayMs);
  const hours = edges.map(({ start, end, sign }) => ({ from: start / hourMs, to: end / hourMs, sign }));
  return { days, hours: until < to ? [...hours, { from: until, to, sign: 1 }] : hours };
}
