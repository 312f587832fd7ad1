/** How frequent words are, by what was looked at so far: texts of all times, texts in order, and tasks that pass the filters. */
import type { StoreSearch } from "../../../core/store.ts";
import { type Asked, stretchMs, type TextIndex } from "./text-indexes.ts";
import { metIn, type Rarest, type Spread, type Word } from "./text-rarity.ts";
import { shareWithin } from "./text-stretches.ts";
import { type Row, type Seen, unseen, type Walked } from "./text-ways.ts";

/** So many tell how many of those have the words that pass the filters. */
export const chunkMin = 200;
/** Words are surely rare that were not met, and have two trigrams that are in no larger share of texts: to go through these costs little, if they are not. */
const surelyRareShare = 0.02;
/** So many are thought to be there where the server never counted. */
const textsUnknown = 1_000_000;

/** How many were looked at is known, or about. */
export type Looked = Walked & { looked: number };

export class TextShares {
  readonly #words: readonly Word[];
  readonly #index: TextIndex;
  readonly #asked: Asked;
  readonly #row: Row;
  /** About how many texts there are. */
  readonly texts: number;
  /** Which share of all tasks passes the filters. */
  readonly passes: number;
  /** Which share of all texts lies between the instants that are asked for. */
  readonly within: number;
  /** The foremost texts of all. */
  sample: Looked = { found: [], looked: 0, met: 0, next: undefined };
  /** How many were looked at so far, and how many of them have the words: texts in order, and tasks that pass the filters. */
  readonly seen: Record<"texts" | "tasks", Seen>;
  /** Looked at before the index is asked. */
  spread: Spread | undefined;
  rarest: Rarest | undefined;
  /** The index has more of all times than of what is rare. */
  areMany = false;

  /** @param keyMs what one is thought to take */
  constructor(
    search: StoreSearch,
    words: readonly Word[],
    index: TextIndex,
    { asked, row, keyMs }: { asked: Asked; row: Row; keyMs: number },
  ) {
    this.#words = words;
    this.#index = index;
    this.#asked = asked;
    this.#row = row;
    this.seen = unseen(keyMs);
    this.texts = index.texts || textsUnknown;
    this.passes = row.filter ? Math.min(1, row.filter.tasks / Math.max(1, index.tasks)) : 1;
    this.within = shareWithin(search, index);
  }

  /** About how many a stretch has where there is no burst of others: by texts of all times. */
  get likelyInStretch(): number {
    const { met, looked } = this.spread!;
    const { firstAt, lastAt } = this.#index;
    const all = (met / Math.max(1, looked)) * this.texts;
    return (all * stretchMs) / Math.max(stretchMs, lastAt - firstAt);
  }

  /** Which share of all texts has the words; 0 where none was met. */
  get share(): number {
    const { looked, met } = this.seen.texts;
    const spread = this.spread ?? { looked: 0, met: 0 };
    return (met + spread.met) / Math.max(1, looked + spread.looked);
  }

  /**
   * Which share of all texts has the words and passes the filters: as if the one had nothing to do with the other, until what was looked
   * at tells. The words of an error are seldom in tasks that completed, however frequent both are.
   */
  get shareThatFits(): number {
    const likely = this.share * this.passes;
    if (likely === 0 || (!this.#row.filter && !this.#row.maybe)) return likely;
    const { looked, fitted } = this.seen.texts;
    const spread = this.spread ?? { looked: 0, metHere: 0 };
    return (fitted + spread.metHere + 1) / (looked + spread.looked + 1 / likely);
  }

  /** Of those that pass the filters, among which the words may be rarer or more frequent than among all. */
  get shareOfPassing(): number {
    const { looked, met } = this.seen.tasks;
    return looked >= chunkMin ? Math.max(met, 0.5) / looked : this.shareThatFits / this.passes;
  }

  /** About how many the index has: of the statuses and lanes asked for; until that is known, of what passes the filters. */
  get foundByIndex(): number {
    const { statuses, lanes } = this.#asked;
    const { looked, met, metHere } = this.spread ?? { looked: 0, met: 0, metHere: 0 };
    const here = statuses || lanes ? this.sample.found.length + metHere : this.sample.met + met;
    const least = this.areUnmet ? 0.5 * this.passes : 0.5;
    return (Math.max(here, least) / Math.max(1, this.sample.looked + looked)) * this.texts;
  }

  /** Whether nothing that was looked at has the words, whatever is asked for: then they are as rare among what passes the filters. */
  get areUnmet(): boolean {
    return !this.areMany && this.sample.met + (this.spread?.met ?? 0) === 0;
  }

  /** Whether neither the words nor several of their trigrams were met: of ten million texts, 1,500 without them tell little by themselves. */
  get isSurelyRare(): boolean {
    if (this.areMany || !this.rarest) return false;
    return this.rarest.shareOfAll <= surelyRareShare && this.share === 0;
  }

  /** Where enough were met before the end of a chunk: by texts of all times. */
  likelyLooked(met: number, chunk: number): number {
    const { sample } = this.#index;
    const share = sample ? metIn(sample, this.#asked, this.#words).met / sample.length : 0;
    return Math.round(Math.max(met, Math.min(chunk, met / share)));
  }
}
