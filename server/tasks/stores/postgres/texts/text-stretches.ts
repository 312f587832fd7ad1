/** Stretches of time that the indexes of trigrams are asked for. */
import type { StoreSearch } from "../../../core/store.ts";
import { createdRange } from "../search/created-bounds.ts";
import { stretchMs, stretchOf, type TextIndex } from "./text-indexes.ts";

/** Of more stretches it is not asked at once. */
export const stretchesMax = 128;

export interface Stretch {
  /** Milliseconds since 1970; `start` included, `end` excluded. */
  start: number;
  end: number;
  /** Whether nothing that is asked for comes after it. */
  isLast: boolean;
  /** How long one was thought to take. */
  likelyMs: number;
}

/** Those that the index is asked for; undefined where these are nearly all, or too many. */
export function stretchesOf(
  start: number,
  end: number,
  { firstAt, lastAt }: TextIndex,
): number[] | undefined {
  const stretches: number[] = [];
  const most = Math.min(stretchesMax, (lastAt - firstAt) / stretchMs / 2);
  for (let at = start; at < end; at += stretchMs) {
    if (stretches.length > most) return undefined;
    stretches.push(stretchOf(at));
  }
  return [...stretches, stretchOf(end - 1)];
}

/** As if tasks were stored evenly over the time that there are texts of. */
export function shareWithin(search: StoreSearch, { firstAt, lastAt }: TextIndex): number {
  const { start = firstAt, end = lastAt } = createdRange(search);
  const within = Math.min(end, lastAt) - Math.max(start, firstAt);
  return Math.min(1, Math.max(0, within) / Math.max(1, lastAt - firstAt));
}
