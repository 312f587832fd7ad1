/**
 * Which part of a stream a search looks at: the bounds on its instants and the place to go on from, each drawn as
 * narrow as it can be, and at most one for each end, since an index walk stops at one bound only.
 */

import type { Condition } from "../../core/filters/condition.ts";
import { ulidStart, ulidTime } from "../../core/ids.ts";
import type { StoreSearch } from "../../core/store.ts";
import { compareText } from "../../core/values/compare.ts";

/**
 * An index that gives the keys of one (lane, status) pair in order. The late ones hold only tasks that were last changed
 * more than `lateMs` after they were created: for all others a bound on one instant bounds the other from both sides.
 */
export type Stream = "created" | "updated" | "lateCreated" | "lateUpdated" | "ownId";

/**
 * Nearly all tasks are changed for the last time within seconds or minutes of their creation. A walk over those that are not late passes over what
 * was created so long before its range, an index entry each: the shorter, the less. Migrations say it once more.
 */
export const lateMs = 300_000;

/** Milliseconds since 1970. */
interface Range {
  /** Included. */
  from?: number;
  /** Excluded. */
  to?: number;
}

export interface Bounds {
  created: Range;
  updated: Range;
  /** Only what is beyond this place in the order. */
  place?: { value: number; id: string };
  /** Only ids beyond this one. */
  id?: string;
}

/** A page before a cursor is read the other way round. */
export function isDownwards(search: StoreSearch): boolean {
  return search.descending !== (search.after?.backwards ?? false);
}

/** @param isFresh whether the stream's tasks were never changed, so that both instants are one */
export function boundsOf(search: StoreSearch, stream: Stream, isFresh: boolean): Bounds {
  const { created, updated } = search;
  const bounds: Bounds = { created: {}, updated: {} };
  const changed = isFresh ? bounds.created : bounds.updated;
  narrow(bounds.created, created?.start, created?.end);
  narrow(changed, updated?.start, updated?.end);
  // No task was changed before it was created.
  if (stream === "created" || stream === "lateCreated") narrow(bounds.created, undefined, updated?.end);
  if (stream === "updated" || stream === "lateUpdated") narrow(bounds.updated, created?.start, undefined);
  if (!isFresh && isSplit(search)) splitAt(bounds, stream, search);
  if (search.after) goOnFrom(bounds, search, stream, isFresh);
  return bounds;
}

/** Whether the bounds leave nothing of a stream. */
export function isNowhere(search: StoreSearch, stream: Stream, isFresh: boolean): boolean {
  const { created, updated } = boundsOf(search, stream, isFresh);
  return isEmpty(created) || isEmpty(updated);
}

function isEmpty({ from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }: Range): boolean {
  return from >= to;
}

/** Whether late tasks are read from an index of their own. */
export function isSplit({ sortBy, created, updated }: StoreSearch): boolean {
  return (sortBy === "updatedAt" ? created?.end : updated?.start) !== undefined;
}

/** A task that is not late and was changed at `start` or after it was created less than `lateMs` before that. */
function splitAt(bounds: Bounds, stream: Stream, { created, updated }: StoreSearch): void {
  const createdSplit = (updated?.start ?? 0) - lateMs;
  const updatedSplit = (created?.end ?? 0) + lateMs;
  if (stream === "created") narrow(bounds.created, createdSplit, undefined);
  if (stream === "lateCreated") narrow(bounds.created, undefined, createdSplit);
  if (stream === "updated") narrow(bounds.updated, undefined, updatedSplit);
  if (stream === "lateUpdated") narrow(bounds.updated, updatedSplit, undefined);
}

function goOnFrom(bounds: Bounds, search: StoreSearch, stream: Stream, isFresh: boolean): void {
  const { value, id } = search.after!;
  const down = isDownwards(search);
  if (search.sortBy === "id") {
    bounds.id = id;
    // The order of generated ids is the order of creation, which is what the index has.
    const at = generatedBefore(id);
    if (stream !== "ownId") narrow(bounds.created, down ? undefined : at, down ? at + 1 : undefined);
    return;
  }
  const range = search.sortBy === "updatedAt" && !isFresh ? bounds.updated : bounds.created;
  const instant = value ?? 0;
  if (down ? instant >= (range.to ?? Infinity) : instant < (range.from ?? -Infinity)) return;
  bounds.place = { value: instant, id };
  delete range[down ? "to" : "from"];
}

function narrow(range: Range, from: number | undefined, to: number | undefined): void {
  if (from !== undefined) range.from = Math.max(range.from ?? from, from);
  if (to !== undefined) range.to = Math.min(range.to ?? to, to);
}

/** The latest instant at which a generated id can be less than any given id; below zero when none can. */
export function generatedBefore(id: string): number {
  const at = ulidTime(id);
  if (at !== undefined) return at;
  let none = -1;
  let ends = 2 ** 48;
  while (none < ends) {
    const middle = Math.ceil((none + ends) / 2);
    if (compareText(ulidStart(middle), id) <= 0) none = middle;
    else ends = middle - 1;
  }
  return none;
}

/**
 * The instant of creation, in milliseconds, before which a task must have been created to belong on the page and not be on
 * it. What is newer is on no later page either.
 * @param lastCreatedAt of the last task of the page, when that is full
 */
export function oldestOfPage(search: StoreSearch, lastCreatedAt: number | undefined): number {
  const { sortBy, descending, after, created } = search;
  const isNewestFirst = sortBy === "createdAt" && descending && !after?.backwards;
  const last = isNewestFirst ? lastCreatedAt : undefined;
  return Math.max(created?.start ?? 0, last ?? 0);
}

/** Whether a range leaves anything out; one that was narrowed to what may be anywhere does not. */
export function isBounded({ created, updated }: Pick<StoreSearch, "created" | "updated">): boolean {
  return [created?.start, created?.end, updated?.start, updated?.end].some((bound) => bound !== undefined);
}

export function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

export function earliest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** How long, in milliseconds, each task that meets the condition ran at least; undefined where it says nothing of it. */
export function leastDuration(where: Condition): number | undefined {
  if (where.kind === "and") {
    const bounds = where.parts.map(leastDuration).filter((bound) => bound !== undefined);
    return bounds.length > 0 ? Math.max(...bounds) : undefined;
  }
  if (where.kind !== "range" || where.field.of !== "task" || where.field.name !== "duration")
    return undefined;
  const bound = where.from?.value;
  return typeof bound === "number" ? Math.floor(bound) : undefined;
}
