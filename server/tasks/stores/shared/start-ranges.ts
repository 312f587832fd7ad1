/**
 * Tasks that started within a range, in an order by another instant or by id. Few are gathered by their starts and sorted. Of many,
 * the range bounds the other instant, and they are walked for between these bounds; those whose instant lies outside are
 * looked up beside. All are tested, so that more may be given than started there.
 */

import type { StoreSearch } from "../../core/store.ts";
import { quickMs, sortedBetween } from "./near-orders.ts";
import { earliest, lateMs, latest } from "./search-bounds.ts";

/** So many are gathered: from the indexes alone, for less than a chunk of a walk takes. */
export const gatheredStartsMax = 1_500;
/** Among so many of the indexes is looked for those outside of the bounds; so many of these are put in order. */
export const lookedMax = 100_000;
export const outsideMax = 1_000;

/** Both included. */
export interface StartRange {
  from: number;
  to: number;
}

/** What is walked in place of all: where the instant that is sorted by lies there. */
export interface Window extends StartRange {
  of: "created" | "updated";
}

/** Undefined where the search has no such range, or another order. Of one with an open end as many started as a walk needs. */
export function startRangeOf({ after: _after, ...search }: StoreSearch): StartRange | undefined {
  const { where, sortBy, id } = search;
  if (!where || id !== undefined) return undefined;
  if (sortBy !== "createdAt" && sortBy !== "updatedAt" && sortBy !== "id") return undefined;
  const { from, to } = sortedBetween({ ...search, sortBy: "startedAt" });
  return from > Number.MIN_SAFE_INTEGER && to < Number.MAX_SAFE_INTEGER ? { from, to } : undefined;
}

/**
 * The narrower one first; the other has fewer outside. Quick tasks were last changed within `quickMs` of their start, and not
 * before they were created. Outside may lie those that run, those of `tasks_started_oddly`, and of the first window by creation
 * quick ones that were created more than `lateMs` before their last change.
 */
export function windowsOf({ sortBy }: StoreSearch, { from, to }: StartRange): [Window, Window] {
  const end = to + quickMs - 1;
  if (sortBy === "updatedAt") {
    return [
      { of: "updated", from, to: Math.max(end, to + lateMs) },
      { of: "updated", from, to: Number.MAX_SAFE_INTEGER },
    ];
  }
  return [
    { of: "created", from: from - lateMs, to: end },
    { of: "created", from: Number.MIN_SAFE_INTEGER, to: end },
  ];
}

/** Whether quick tasks that are late may lie outside. */
export function mayMissLate({ of, from }: Window): boolean {
  return of === "created" && from > Number.MIN_SAFE_INTEGER;
}

export function isOutside({ from, to }: Window, at: number): boolean {
  return at < from || at > to;
}

/** The search without its conditions, between the window's bounds. */
export function searchWithin({ where: _where, ...search }: StoreSearch, window: Window): StoreSearch {
  const given = search[window.of] ?? {};
  const start = latest(given.start, window.from > Number.MIN_SAFE_INTEGER ? window.from : undefined);
  const end = earliest(given.end, window.to < Number.MAX_SAFE_INTEGER ? window.to + 1 : undefined);
  const range = { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
  return { ...search, [window.of]: range };
}

/** What a range of the start reads beside the order; for explanations. */
export interface StartsRead {
  indexes: readonly string[];
  /** How many may have started in it, where these are gathered, and nothing else is looked at. */
  gathered?: number;
}

export function gatheredStarts(tasks: number): StartsRead {
  return { indexes: ["tasks_started", "tasks_running"], gathered: tasks };
}

export function startsBeside(window: Window): StartsRead {
  const late = mayMissLate(window) ? ["tasks_late_updated"] : [];
  return { indexes: ["tasks_started_oddly", ...late, "tasks_running"] };
}

/** Of the list of all tasks; PostgreSQL alone has it. */
export const startsInList: StartsRead = { indexes: ["tasks_pkey", "tasks_waited", "tasks_running"] };
