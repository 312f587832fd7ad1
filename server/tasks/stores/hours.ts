/** The hours by which tasks are counted: which one an instant lies in, and which of a range are whole. */
import type { Buckets, StoreSearch } from "../core/store.ts";

export const hourMs = 3_600_000;
/** Hours from year 1, the earliest instant a task can have, to 1970. */
const hoursBefore1970 = 17_259_888;
/** No task was created before and after these. */
const hoursMin = -hoursBefore1970;
const hoursMax = 253_402_300_800_000 / hourMs;

/** The lane in counts by the hour that has the sums of all lanes. */
export const allLanes = 0;

/** Hours since 1970; as an integer, for a field that holds fractions costs each claimed task an object of its own. */
export function hourOf(instant: number): number {
  return Math.floor(instant / hourMs) | 0;
}

/** The same in SQL, where division cuts off towards zero. */
export function hourSql(column: string): string {
  return `((${column} + ${hoursBefore1970 * hourMs}) / ${hourMs} - ${hoursBefore1970})`;
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

export interface Hours {
  /** Whole ones, from this on, included, up to that, excluded. */
  from: number;
  to: number;
  /** What is counted besides. */
  edges: Edge[];
}

/** A part of one hour: it is in the range and in no whole hour, or in a whole hour and not in the range. */
export interface Edge {
  /** Milliseconds since 1970. */
  start: number;
  /** Excluded. */
  end: number;
  sign: 1 | -1;
}

/** Of an hour that is partly in the range the shorter part is counted. @param range milliseconds since 1970; `start` included, `end` excluded */
export function hoursOf({ start: given, end: until }: StoreSearch["created"] = {}): Hours {
  const start = Math.max(given ?? -Infinity, hoursMin * hourMs);
  const end = Math.min(until ?? Infinity, hoursMax * hourMs);
  if (start >= end) return { from: 0, to: 0, edges: [] };
  const first = Math.floor(start / hourMs);
  const last = Math.ceil(end / hourMs);
  const before: Edge = { start: first * hourMs, end: start, sign: -1 };
  const behind: Edge = { start: end, end: last * hourMs, sign: -1 };
  if (last - first === 1 && 2 * (end - start) <= hourMs)
    return { from: 0, to: 0, edges: [{ start, end, sign: 1 }] };
  const isHead = last - first > 1 && 2 * (start - before.start) > hourMs;
  const isTail = last - first > 1 && 2 * (behind.end - end) > hourMs;
  const head: Edge = isHead ? { start, end: before.start + hourMs, sign: 1 } : before;
  const tail: Edge = isTail ? { start: behind.end - hourMs, end, sign: 1 } : behind;
  return {
    from: isHead ? first + 1 : first,
    to: isTail ? last - 1 : last,
    edges: [head, tail].filter((edge) => edge.start < edge.end),
  };
}
