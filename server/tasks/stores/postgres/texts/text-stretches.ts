/** Stretches of time that the indexes of trigrams are asked for. */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { createdRange } from "../search/created-bounds.ts";
import { stretchMs, stretchOf, type TextIndex } from "./text-indexes.ts";
import type { Span } from "./text-rarity.ts";

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

/** What is known of the next one. */
export interface StretchAsked {
  /** When texts begin and end. */
  span: Span;
  /** Where it begins; undefined where the search does. */
  from: number | undefined;
  /** How long it is thought to take, and how long it is to be. */
  likelyMs: number;
  lengthMs: number;
  /** So much of it, where the search begins, is thought to have nothing. */
  barrenMs: number;
  /** When one was created of what was too much to be given. */
  crowdedAt: number | undefined;
}

/** All that the search asks for. */
export function allOf(search: StoreSearch, { firstAt, lastAt }: Span): Pick<Stretch, "start" | "end"> {
  const range = createdRange(search);
  return {
    start: Math.max(range.start ?? firstAt, firstAt),
    end: Math.min(range.end ?? lastAt + 1, lastAt + 1),
  };
}

export function nextStretch(search: StoreSearch, asked: StretchAsked): Stretch {
  const { span, barrenMs } = asked;
  const all = allOf(search, span);
  const isDown = isDownwards(search);
  const from = asked.from ?? (isDown ? all.end : all.start);
  const likelyMs = asked.likelyMs + barrenMs;
  const lengthMs = Math.min(asked.lengthMs + barrenMs, upToCrowd(asked, from, isDown));
  if (isDown) {
    const end = Math.min(all.end, from + 1);
    const start = Math.floor((end - lengthMs) / stretchMs) * stretchMs;
    return { start: Math.max(start, all.start), end, isLast: start <= all.start, likelyMs };
  }
  const start = Math.max(all.start, from);
  const end = Math.ceil((start + lengthMs) / stretchMs) * stretchMs;
  return { start, end: Math.min(end, all.end), isLast: end >= all.end, likelyMs };
}

/** Where most of a long stretch has none, and its end too many, each step that reaches there would meet these again: so one up to there, and one of that alone. */
function upToCrowd({ crowdedAt }: StretchAsked, from: number, isDown: boolean): number {
  if (crowdedAt === undefined) return Infinity;
  const start = Math.floor(crowdedAt / stretchMs) * stretchMs;
  const [near, far] = isDown ? [start + stretchMs, start] : [start, start + stretchMs];
  const lengths = [near, far].map((at) => (isDown ? from - at : at - from));
  return lengths.find((length) => length > 0) ?? Infinity;
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
