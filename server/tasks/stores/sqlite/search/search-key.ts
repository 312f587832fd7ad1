/** Keys: where a task stands in the order of a search. */

import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards } from "../../shared/search-bounds.ts";

/** A task's place in the order: the instant sorted by, its id, and its row; below zero for a definition. */
export type Key = [value: number, id: string, seq: number];

export function comparator(search: StoreSearch): (a: Key, b: Key) => number {
  const sign = isDownwards(search) ? -1 : 1;
  if (search.sortBy === "id") return (a, b) => sign * compareText(a[1], b[1]);
  return (a, b) => sign * (a[0] - b[0] || compareText(a[1], b[1]));
}

export function keyOf(search: StoreSearch, created: number, updated: number, id: string, seq: number): Key {
  return [search.sortBy === "updatedAt" ? updated : created, id, seq];
}

export function isAfter(search: StoreSearch, key: Key): boolean {
  if (!search.after) return true;
  return comparator(search)([search.after.value ?? 0, search.after.id, 0], key) < 0;
}

/** Whether the search's place is not behind the key. */
export function isNotBefore(search: StoreSearch, key: Key): boolean {
  if (!search.after) return true;
  return comparator(search)([search.after.value ?? 0, search.after.id, 0], key) <= 0;
}

/** A place in the order, and no task. */
export function placeKey(at: number, id: string): Key {
  return [at, id, Number.NaN];
}

/** The place before every key of this instant in the order of a search by instants, or by ids that were generated. */
export function placeBefore(search: StoreSearch, at: number): Key {
  const downwards = isDownwards(search);
  if (search.sortBy === "id") return placeKey(at, ulidStart(downwards ? at + 1 : at));
  return placeKey(at, downwards ? lastId : firstId);
}

export function isPlace([, , seq]: Key): boolean {
  return Number.isNaN(seq);
}

/** Before, in code units, every id. */
export const firstId = "";
/** After every id. */
export const lastId = "\u{10ffff}";
