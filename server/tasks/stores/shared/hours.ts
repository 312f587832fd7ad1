/** The hours by which tasks are counted: which one an instant lies in, and which of a range are whole. */
import type { Buckets, StoreSearch } from "../../core/store.ts";

export const hourMs = 3_600_000;
/** From year 1 to year 10000, in milliseconds since 1970; no task was created before and after. */
const instantMin = -62_135_596_800_000;
const instantMax = 253_402_300_800_000;

/** The lane in counts by the hour that has the sums of all lanes. */
export const allLanes = 0;

/** Hours since 1970, in SQL. */
export function hourSql(column: string): string {
  return stretchSql(column, hourMs);
}

/** Stretches of time since 1970, in SQL, where division cuts off towards zero. */
export function stretchSql(column: string, lengthMs: number): string {
  return `((${column} + ${-instantMin}) / ${lengthMs} - ${-instantMin / lengthMs})`;
}

/** What a status is in counts by the hour, where waiting and running tasks are counted as one. */
export function stateOf(status: number): number {
  return status >= 3 ? status : 0;
}

/**
 * By status the one group that all of its pairs count for; undefined where lanes are told apart, and the sums of all lanes
 * are of no use.
 */
export function groupsOfStatuses(
  { types, queues }: StoreSearch,
  pairs: readonly { status: number }[],
  numbers: readonly number[],
): Map<number, number> | undefined {
  if (types || queues) return undefined;
  const groups = new Map<number, number>();
  for (const [place, { status }] of pairs.entries()) {
    const group = numbers[place]!;
    if ((groups.get(status) ?? group) !== group) return undefined;
    groups.set(status, group);
  }
  return groups;
}

/**
 * The group that a lane's tasks of a status count for. Where the sums of all lanes are read, those of each lane count, also
 * of one that has no such task any more but in changes of these sums.
 */
export function groupsOfPairs(
  search: StoreSearch,
  pairs: readonly { lane: number; status: number }[],
  numbers: readonly number[],
): (lane: number, status: number) => number | undefined {
  const byStatus = groupsOfStatuses(search, pairs, numbers);
  if (byStatus) return (_, status) => byStatus.get(status);
  const groups = new Map(pairs.map(({ lane, status }, place) => [lane * 8 + status, numbers[place]!]));
  return (lane, status) => groups.get(lane * 8 + status);
}

/** Whether what is asked for can be put together from counts by the hour of creation. */
export function isCountedByHours({ created, updated }: StoreSearch, buckets: Buckets | undefined): boolean {
  if (updated) return false;
  return buckets ? buckets.time === "createdAt" && buckets.bucketMs % hourMs === 0 : created !== undefined;
}

/** Whole stretches of time since 1970, from one on, included, up to another, excluded. */
export interface Whole {
  from: number;
  to: number;
}

/** A part of a stretch: it is in the range and in no whole stretch, or in a whole stretch and not in the range. */
export interface Edge {
  /** Milliseconds since 1970. */
  start: number;
  /** Excluded. */
  end: number;
  sign: 1 | -1;
}

/** The whole stretches of a range, and what is counted besides. */
export interface Wholes extends Whole {
  edges: Edge[];
}

export function hoursOf(range: StoreSearch["created"]): Wholes {
  return wholesOf(range, hourMs);
}

/** Of a stretch that is partly in the range the shorter part is counted. @param range milliseconds since 1970; `start` included, `end` excluded */
export function wholesOf(
  { start: given, end: until }: StoreSearch["created"] = {},
  lengthMs: number,
): Wholes {
  const start = Math.max(given ?? -Infinity, instantMin);
  const end = Math.min(until ?? Infinity, instantMax);
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
