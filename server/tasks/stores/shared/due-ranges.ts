/**
 * Tasks that wait and are due within a range, in the order of their creation. Most are due when they were created, so they are read
 * in that order within the same range. Those that were created outside it come from the index of tasks that were not due
 * then; it has them in another order, and is read as a whole for the first of them.
 */
import type { StoreSearch } from "../../core/store.ts";
import { sortedBetween } from "./near-orders.ts";

/** More of the index are not read: a walk then comes upon one sooner. */
export const delayedMax = 200_000;

/** Both included. */
export interface DueRange {
  from: number;
  to: number;
}

/** Undefined where the search has no such range, or another order. Of one with an open end as many are due as a walk needs. */
export function dueRangeOf({ after: _after, ...search }: StoreSearch): DueRange | undefined {
  const { where, statuses, sortBy, id } = search;
  if (!where || id !== undefined || sortBy !== "createdAt") return undefined;
  if (!statuses?.every((name) => name === "PENDING")) return undefined;
  const { from, to } = sortedBetween({ ...search, sortBy: "dueAt" });
  return from > Number.MIN_SAFE_INTEGER && to < Number.MAX_SAFE_INTEGER ? { from, to } : undefined;
}

/** The search without its conditions, of what was created within the range. */
export function createdWithin(
  { where: _where, created, ...search }: StoreSearch,
  { from, to }: DueRange,
): StoreSearch {
  return {
    ...search,
    created: {
      start: Math.max(from, created?.start ?? from),
      end: Math.min(to + 1, created?.end ?? to + 1),
    },
  };
}
