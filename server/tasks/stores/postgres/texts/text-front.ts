/**
 * The newest stretch of time, where it is likely to have none of the words, though texts behind it have: a burst of tasks of another kind. It
 * is not walked through: the index tells which few of its texts have them.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { createdRange } from "../search/created-bounds.ts";
import { type Asked, stretchMs, type TextIndex } from "./text-indexes.ts";
import { metIn, type Spread, type Word } from "./text-rarity.ts";

/** A longer time without any texts is asked about by itself. */
const emptyMsMax = 32 * stretchMs;

export interface BarrenFront {
  /** When it begins, in milliseconds since 1970. */
  start: number;
  /** Before this it ends: whoever finds a later text has to look again. */
  end: number;
  /** When the first of the texts behind it begin, where that is not long before. */
  behindAt: number;
  /** Of the texts that were looked at there and behind it. */
  seen: Pick<Spread, "looked" | "met" | "here" | "metHere">;
  /** Which share of the texts behind it has the words, and is of what is asked for. */
  share: number;
}

/** Undefined where the search begins elsewhere, where some text there has the words, and while nothing is known of it. */
export function barrenFrontOf(
  search: StoreSearch,
  index: TextIndex,
  asked: Asked,
  words: readonly Word[],
): BarrenFront | undefined {
  const { front, sample, exists, lastAt } = index;
  if (!exists || !front || !sample || search.after || !isDownwards(search)) return undefined;
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = createdRange(search);
  if (start >= front.start || end <= lastAt) return undefined;
  const newest = metIn(front.newest, asked, words);
  if (newest.metHere > 0) return undefined;
  const behind = metIn(front.behind, asked, words);
  return {
    start: front.start,
    // A minute old at most; what comes in the next stretch is among it.
    end: Math.floor(lastAt / stretchMs + 2) * stretchMs,
    behindAt: front.start - front.behindAt <= emptyMsMax ? front.behindAt : front.start,
    seen: {
      looked: front.newest.length + front.behind.length,
      met: newest.met + behind.met,
      here: newest.here + behind.here,
      metHere: behind.metHere,
    },
    share: behind.metHere / Math.max(1, front.behind.length),
  };
}

export function withSeen(spread: Spread, seen: BarrenFront["seen"] | undefined): Spread {
  if (!seen) return spread;
  return {
    ...spread,
    looked: spread.looked + seen.looked,
    met: spread.met + seen.met,
    here: spread.here + seen.here,
    metHere: spread.metHere + seen.metHere,
  };
}
