/**
 * The SQL of the order by duration: an index has all tasks that have ended, of one lane and status in the search's order. A
 * range of time leaves out most of it; where very few have its instants these are sorted sooner.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { sortedBetween } from "../../shared/near-orders.ts";
import { isDownwards, lateMs } from "../../shared/search-bounds.ts";
import { orderedKeys } from "./ordered-keys.ts";
import type { Pair, Text } from "./search-statements.ts";

export const duration = "(tasks.completed_at - tasks.started_at)";
export const isEnded = "tasks.status >= 3";

const late = `tasks.updated_at - tasks.created_at > ${lateMs}`;

/** To find out that a task is not within a range takes the index so much of what it takes to read one that is. */
const passedShare = 0.04;
/** Of more tasks within a range the index is walked in any case. */
const sortedMax = 5_000;

export function durationIndexes({ updated }: StoreSearch): string[] {
  return ["tasks_duration", ...(updated?.start === undefined ? [] : ["tasks_late_duration"])];
}

/** Queries of the first keys of tasks that have ended, `value, id, tid`. */
export function durationKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
): string[] {
  const { from, to } = sortedBetween(search);
  const keys = (conditions: string[], createdFrom?: number) =>
    orderedKeys(text, search, pairs, limit, {
      ...{ value: duration, conditions: [isEnded, ...conditions] },
      // Short ones are alike, and of long ones there is one each: to look for the next costs more than to pass over it.
      ...{ from, to, createdFrom, areTied: !isDownwards(search), isPlaced: true },
    });
  const changedFrom = search.updated?.start;
  if (changedFrom === undefined) return [keys([])];
  return [keys([`NOT (${late})`], changedFrom - lateMs), keys([late])];
}

/**
 * Of how many tasks within a range of time these are sorted. The index passes over all others that took less, or longer: for each
 * place of the page, and for the first of each pair, as many as there are to one within the range.
 */
export function fewestOf(pairs: readonly Pair[], limit: number): number {
  const all = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  const most = Math.sqrt((limit + pairs.length) * all * passedShare);
  return Math.min(sortedMax, Math.max(limit, Math.ceil(most)));
}
