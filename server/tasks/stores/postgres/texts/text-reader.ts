/**
 * Candidates of a search by their text. There are three ways to them, and which one is cheaper is judged by how often the
 * text was met so far and how many tasks pass the plain filters:
 *
 * - the texts one after another, in the order of creation: a frequent word soon fills the page there;
 * - the tasks that pass the filters, in their order, each with its text: when few pass;
 * - the indexes of trigrams, one for each status, which give all texts of a stretch of time that have a rare word, and those are put in order.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { rowFilterOf } from "../../shared/row-filter.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { allOver, type Session } from "../connections/database.ts";
import type { Along } from "../search/along.ts";
import { createdRange } from "../search/created-bounds.ts";
import { isWithin } from "../search/entries.ts";
import type { Candidates } from "../search/key-source.ts";
import { type Asked, askedOf, stretchMs, type TextIndex } from "./text-indexes.ts";
import {
  likeRarest,
  lookAround,
  metIn,
  type Rarest,
  readSpan,
  type Span,
  type Spread,
  type Word,
} from "./text-rarity.ts";
import { type Stretch, shareWithin, stretchesMax, stretchesOf } from "./text-stretches.ts";
import {
  atMost,
  byIndex,
  nextTextAt,
  type Passing,
  type Row,
  type Seen,
  unseen,
  type Walked,
  walkTasks,
  walkTexts,
} from "./text-ways.ts";

/** Texts that are read before the ways are compared; of words that are known to be rarer so many at most. */
const firstChunk = 1_000;
const firstChunkMax = 3_000;
/** Later chunks are as many as are likely to hold what is wanted, with some to spare, and as take about `chunkMs` at most; no more is read of one than is wanted. */
const spare = 1.25;
/** A burst of texts without the words is thought to go on for so many times as long as was seen of it. */
const burstGoesOn = 3;
const chunkMin = 200;
const chunkMax = 20_000;
const chunkMs = 50;
/** Where nothing was found, the same snapshot is read on for so long. */
const readOnMs = 25;
/** Costs, where a text that is read in order costs 1: the look at its task, a text looked up for a task, one that the index gives. */
const taskCost = 2;
const lookedUpCost = 10;
const indexedCost = 4;
/** Where its trigrams are in more texts, the index is not asked. */
const trigramsIndexedMax = 1_500_000;
/** Of more texts at once the indexes are not asked, since they come at once or not at all, each from a place of its own. */
const indexedMin = 1_000;
const indexedPerWanted = 4;
/** Where the row of the task of each is looked at, too. */
const indexedMaybe = 4_000;
/** So few the index is asked for without regard to their time. */
const indexedFew = 1_000;
/** Words are surely rare that were not met, and have two trigrams that are in no larger share of texts. */
const surelyRareShare = 0.002;
/** So many texts, about, it reads at once at most, to see which of them have the words: some 5 µs each. */
const readMax = 10_000;
/** Where it gave too many, a burst of others may end soon: so many texts in order are read before it is asked for more, as long as that would take. */
const walkedBeforeMore = 20_000;
/** Where it gave too few, it is asked for a time so many times as long; where it gave too many, so many times as short. */
const widening = 8;
/** To ask the index at all, and to pass over an entry of it. */
const askCost = 2_000;
const entryCost = 0.1;

/** So many are thought to be there where the server never counted. */
const textsUnknown = 1_000_000;
const noSpan = Promise.resolve(undefined);

type Way = "texts" | "tasks" | "index";

export class TextReader {
  readonly #search: StoreSearch;
  readonly #words: readonly Word[];
  readonly #index: TextIndex;
  readonly #filter: Passing | undefined;
  readonly #row: Row;
  readonly #asked: Asked;
  /** Whether most of those that have the words are what is wanted. */
  readonly #isLikely: boolean;
  /** How many texts are likely to be read until a page is found, by those of all times; 0 where that is not known. */
  readonly #likelyRead: number;
  readonly #along: Along | undefined;
  /** Which share of all tasks passes the filters. */
  readonly #passes: number;
  /** Which share of all texts lies between the instants that are asked for. */
  readonly #within: number;
  /** The foremost texts of all. */
  #sample: Walked = { found: [], looked: 0, met: 0, next: undefined };
  /** How many were looked at so far, and how many of them have the words: texts in order, and tasks that pass the filters. */
  readonly #seen: Record<"texts" | "tasks", Seen> = unseen(chunkMs / firstChunk);
  /** How many were looked at since the last one that had the words: a burst of other tasks may be twice as long as was seen. */
  #barren = 0;
  /** How many were given so far. */
  #given = 0;
  /** Looked at before the index is asked. */
  #spread: Spread | undefined;
  #span: Span | undefined;
  #rarest: Rarest | undefined;
  /** How many times as long as it was thought to take the next stretch is that the index is asked for. */
  #widened = 1;
  /** How far the stretch reached that had too many, when less of it was asked for: none is to reach there at once again. */
  #crowdedAt: number | undefined;
  /** The index is not asked before so many texts in a row have none of the words, since it has more of them than what was looked at told. */
  #askedFrom = 0;
  /** It has more of all times than of what is rare. */
  #areMany = false;
  /** Whether even the shortest stretch has more of them than are asked for; to read these is less than to walk through a burst of others. */
  #isDense = false;

  constructor(
    search: StoreSearch,
    words: readonly Word[],
    index: TextIndex,
    filter: Passing | undefined,
    { isLikely, along }: { isLikely: boolean; along?: Along | undefined },
  ) {
    this.#isLikely = isLikely;
    this.#along = along;
    this.#search = search;
    this.#words = words;
    this.#index = index;
    this.#filter = filter;
    this.#row = { filter, maybe: isLikely || !search.where ? undefined : rowFilterOf(search.where) };
    this.#asked = askedOf(search, filter?.pairs);
    const { sample } = index;
    const { metHere } = sample ? metIn(sample, this.#asked, words) : { metHere: 0 };
    this.#likelyRead = sample ? (this.#page * spare * sample.length) / metHere : 0;
    this.#passes = filter ? Math.min(1, filter.tasks / Math.max(1, index.tasks)) : 1;
    this.#within = shareWithin(search, index);
  }

  get #page(): number {
    return this.#search.offset + this.#search.limit;
  }

  /** About how many texts have the words. */
  async sample(session: Session): Promise<number> {
    const most = Math.max(1, this.#page);
    const first = this.#firstChunk;
    // When texts begin and end is asked along where the index is likely to be asked.
    const [sample, span] = await allOver([
      this.#read(session, "texts", this.#search.after, first, most),
      this.#index.exists && first < this.#likelyRead ? readSpan(session) : noSpan,
    ] as const);
    this.#sample = sample;
    this.#span = span;
    const { met, looked, next } = this.#sample;
    return next ? Math.ceil((met / looked) * this.#index.texts) : met;
  }

  /** The first texts are likely to have a page, or tell that the index has it sooner. */
  get #firstChunk(): number {
    return this.#likelyRead <= firstChunkMax ? Math.max(firstChunk, Math.ceil(this.#likelyRead)) : firstChunk;
  }

  /** Tasks that have the words and pass the filters, in order, as far as was read at once. */
  async keys(session: Session, after: Place | undefined, limit: number): Promise<Candidates> {
    const { found, looked, next } = this.#sample;
    const isFirst = isSame(after, this.#search.after) && looked > 0;
    const first = isFirst && (!next || found.length >= limit) ? atMost(limit, found, next) : undefined;
    const candidates =
      first ?? (await this.#further(session, isFirst ? next : after, limit, isFirst ? found : []));
    this.#given += candidates.places.length;
    return candidates;
  }

  /** @param before those before that place which were found already */
  async #further(
    session: Session,
    after: Place | undefined,
    limit: number,
    before: readonly Place[] = [],
  ): Promise<Candidates> {
    const endsAt = performance.now() + readOnMs;
    const enough = this.#isLikely ? Math.min(limit, this.#page - this.#given) : 1;
    const found = [...before];
    for (let from = after; ; ) {
      const { places, next } = await this.#beyond(session, from, limit - found.length, found.length);
      found.push(...places);
      if (!next || found.length >= enough || performance.now() >= endsAt) return { places: found, next };
      from = next;
    }
  }

  async #beyond(
    session: Session,
    after: Place | undefined,
    limit: number,
    found: number,
  ): Promise<Candidates> {
    const page = this.#page - found;
    const wanted = this.#isLikely ? Math.max(1, page - this.#given) : Math.max(1, page, limit);
    let way = this.#cheapest(wanted);
    if (way === "index" && !this.#rarest) {
      const around = await lookAround(session, this.#asked, this.#words, this.#index, this.#span);
      this.#spread = around.spread;
      this.#rarest = around.rarest;
      way = this.#cheapest(wanted);
    }
    if (way === "index") {
      const candidates = await this.#byIndex(session, after, wanted);
      if (candidates) return candidates;
      return this.#beyond(session, after, limit, found);
    }
    const chunk = this.#chunkOf(way, Math.min(limit, wanted));
    const walked = await this.#read(session, way, after, chunk, limit);
    return atMost(limit, walked.found, walked.next);
  }

  /** Of the next stretch of time that is likely to have so many; undefined when there are too many. */
  async #byIndex(
    session: Session,
    after: Place | undefined,
    wanted: number,
  ): Promise<Candidates | undefined> {
    const { start, end, isLast, likelyMs } = this.#stretchAfter(after, wanted);
    const bounded: StoreSearch = isLast ? this.#search : { ...this.#search, created: { start, end } };
    const most = this.#mostByIndex(wanted);
    const startedAt = performance.now();
    const read = await byIndex(
      session,
      bounded,
      likeRarest(this.#asked, this.#words, this.#rarest!, stretchesOf(start, end, this.#index)),
      after,
      { limit: wanted, most },
      this.#row,
      this.#alongWith(session, wanted),
    );
    const tookMs = performance.now() - startedAt;
    const isDown = isDownwards(this.#search);
    const edge = isDown ? start : end;
    const longer = (end - start) / likelyMs;
    if (!read) {
      const again = this.#isAskedAgain(isLast, edge, longer);
      return again ? this.#byIndex(session, after, wanted) : undefined;
    }
    const { places, count } = read;
    if (places.length >= wanted) return { places, next: places.at(-1) };
    if (isLast) return { places };
    const nextAt = count > 0 ? edge : await nextTextAt(session, bounded);
    if (nextAt === undefined || !isWithin(createdRange(this.#search), nextAt)) return { places };
    // A time without any texts is passed over, and tells nothing of the words.
    if (Math.abs(edge - nextAt) < (end - start) / 2) {
      const has = places.length > 0 ? (wanted * spare) / places.length : widening;
      // However few of them pass: no more than it gives at once, and than is read while the clock may wait.
      const gives = count > 0 ? most / 2 / count : widening;
      this.#widened *= Math.min(widening, Math.min(has, gives, (2 * chunkMs) / tookMs) * longer);
    }
    return { places, next: { value: isDown && count === 0 ? nextAt + 1 : nextAt, id: "" } };
  }

  #mostByIndex(wanted: number): number {
    if (this.#isDense) return readMax;
    return this.#row.maybe ? indexedMaybe : Math.max(indexedMin, indexedPerWanted * wanted);
  }

  /** After it gave too many: for what is otherwise the same, or not at all. */
  #isAskedAgain(isLast: boolean, edge: number, longer: number): boolean {
    if (isLast && (this.#isSurelyRare || this.#areUnmet)) this.#areMany = true;
    // The words are frequent beyond a time that has none of them.
    else if (this.#widened > 1) {
      this.#widened = Math.max(1, (this.#widened * Math.min(1, longer)) / widening);
      this.#crowdedAt = edge;
    } else {
      const mayHaveFewer = !this.#isDense && this.#likelyInStretch <= readMax;
      this.#askedFrom = mayHaveFewer ? walkedBeforeMore : Number.POSITIVE_INFINITY;
      this.#isDense = true;
      return this.#barren >= this.#askedFrom;
    }
    return true;
  }

  /** About how many a stretch has where there is no burst of others: by texts of all times. */
  get #likelyInStretch(): number {
    const { met, looked } = this.#spread!;
    const { texts, firstAt, lastAt } = this.#index;
    const all = (met / Math.max(1, looked)) * (texts || textsUnknown);
    return (all * stretchMs) / Math.max(stretchMs, lastAt - firstAt);
  }

  #stretchAfter(after: Place | undefined, wanted: number): Stretch {
    const { firstAt, lastAt } = this.#spread!;
    const range = createdRange(this.#search);
    const all = {
      start: Math.max(range.start ?? firstAt, firstAt),
      end: Math.min(range.end ?? lastAt + 1, lastAt + 1),
    };
    const found = this.#foundByIndex;
    const isRare = found * this.#within <= indexedFew || this.#isSurelyRare;
    const read = this.#rarest!.shareRead * (this.#index.texts || textsUnknown);
    if (isRare && read * this.#within <= readMax)
      return { ...all, isLast: true, likelyMs: all.end - all.start };
    const likely = (wanted * spare * this.#widened) / found;
    const isBounded = read * this.#within > readMax;
    const mostMs = isBounded
      ? Math.min(((lastAt - firstAt) * readMax) / read, stretchesMax * stretchMs)
      : Infinity;
    const likelyMs = (lastAt - firstAt) * likely;
    const isDown = isDownwards(this.#search);
    const from = after?.value ?? (isDown ? all.end : all.start);
    const lengthMs = Math.min(mostMs, isRare ? lastAt - firstAt : likelyMs, this.#halfWayToCrowd(from));
    if (isDown) {
      const end = Math.min(all.end, from + 1);
      const start = Math.floor((end - lengthMs) / stretchMs) * stretchMs;
      return { start: Math.max(start, all.start), end, isLast: start <= all.start, likelyMs };
    }
    const start = Math.max(all.start, from);
    const end = Math.ceil((start + lengthMs) / stretchMs) * stretchMs;
    return { start, end: Math.min(end, all.end), isLast: end >= all.end, likelyMs };
  }

  /** Where most of a long stretch has none, and its end too many, each longer step would meet these again. */
  #halfWayToCrowd(from: number): number {
    if (this.#crowdedAt === undefined) return Infinity;
    const leftMs = isDownwards(this.#search) ? from - this.#crowdedAt : this.#crowdedAt - from;
    return leftMs > 0 ? Math.max(stretchMs, leftMs / 2) : Infinity;
  }

  async #read(
    session: Session,
    way: "texts" | "tasks",
    after: Place | undefined,
    chunk: number,
    most: number,
  ): Promise<Walked> {
    const startedAt = performance.now();
    const walked =
      way === "texts"
        ? await walkTexts(
            session,
            this.#search,
            this.#words,
            after,
            { chunk, most },
            { asked: this.#asked, row: this.#row, along: this.#alongWith(session, most) },
          )
        : await walkTasks(session, this.#search, this.#words, after, chunk, this.#filter!);
    const seen = this.#seen[way];
    if (walked.looked >= chunkMin) seen.keyMs = (performance.now() - startedAt) / walked.looked;
    seen.looked += walked.looked;
    seen.met += walked.met;
    seen.fitted += walked.found.length;
    if (way === "texts") this.#barren = walked.met > 0 ? 0 : this.#barren + walked.looked;
    return walked;
  }

  #alongWith(session: Session, most: number): Along | undefined {
    const along = this.#along;
    return along?.session === session && most <= along.most ? along : undefined;
  }

  /** How many to look at for so many that fit. */
  #chunkOf(way: "texts" | "tasks", wanted: number): number {
    const share = way === "texts" ? this.#shareThatFits : this.#shareOfPassing;
    const most = Math.min(chunkMax, chunkMs / this.#seen[way].keyMs);
    const likely = (wanted * spare) / share + (way === "texts" ? burstGoesOn * this.#barren : 0);
    return Math.round(Math.max(chunkMin, Math.min(most, likely)));
  }

  /** Which share of all texts has the words; 0 where none was met. */
  get #share(): number {
    const { looked, met } = this.#seen.texts;
    const spread = this.#spread ?? { looked: 0, met: 0 };
    return (met + spread.met) / Math.max(1, looked + spread.looked);
  }

  /**
   * Which share of all texts has the words and passes the filters: as if the one had nothing to do with the other, until what was looked
   * at tells. The words of an error are seldom in tasks that completed, however frequent both are.
   */
  get #shareThatFits(): number {
    const likely = this.#share * this.#passes;
    if (likely === 0 || (!this.#filter && !this.#row.maybe)) return likely;
    const { looked, fitted } = this.#seen.texts;
    const spread = this.#spread ?? { looked: 0, metHere: 0 };
    return (fitted + spread.metHere + 1) / (looked + spread.looked + 1 / likely);
  }

  /** Of those that pass the filters, among which the words may be rarer or more frequent than among all. */
  get #shareOfPassing(): number {
    const { looked, met } = this.#seen.tasks;
    return looked >= chunkMin ? Math.max(met, 0.5) / looked : this.#shareThatFits / this.#passes;
  }

  /** About how many the index has: of the statuses and lanes asked for; until that is known, of what passes the filters. */
  get #foundByIndex(): number {
    const { statuses, lanes } = this.#asked;
    const { looked, met, metHere } = this.#spread ?? { looked: 0, met: 0, metHere: 0 };
    const here = statuses || lanes ? this.#sample.found.length + metHere : this.#sample.met + met;
    const texts = this.#index.texts || textsUnknown;
    const least = this.#areUnmet ? 0.5 * this.#passes : 0.5;
    return (Math.max(here, least) / Math.max(1, this.#sample.looked + looked)) * texts;
  }

  /** Whether nothing that was looked at has the words, whatever is asked for: then they are as rare among what passes the filters. */
  get #areUnmet(): boolean {
    return !this.#areMany && this.#sample.met + (this.#spread?.met ?? 0) === 0;
  }

  /** Whether neither the words nor several of their trigrams were met: of ten million texts, 1,500 without them tell little by themselves. */
  get #isSurelyRare(): boolean {
    if (this.#areMany || !this.#rarest) return false;
    return this.#rarest.shareOfAll <= surelyRareShare && this.#share === 0;
  }

  /** About how many of them are read: all, or those of the stretches that are likely to have so many. */
  #readAtOnce(wanted: number): number {
    const { firstAt, lastAt } = this.#index;
    const found = this.#foundByIndex * this.#within;
    const perStretch = this.#foundByIndex / Math.max(1, (lastAt - firstAt) / stretchMs);
    return found <= indexedFew ? found : Math.min(found, wanted * spare + perStretch);
  }

  /** By what is known so far, for so many more. */
  #cheapest(wanted: number): Way {
    const share = this.#share;
    const texts = this.#index.texts || textsUnknown;
    const byTexts = this.#barren + (wanted / this.#shareThatFits) * (1 + taskCost * share);
    const costs: [Way, number][] = [["texts", Math.min(texts * this.#within, byTexts)]];
    const entries = (this.#rarest?.share ?? 0) * texts;
    if (this.#index.exists && this.#barren >= this.#askedFrom && entries <= trigramsIndexedMax) {
      const found = this.#foundByIndex;
      const read = this.#readAtOnce(wanted);
      costs.push(["index", askCost + read * indexedCost + entries * (read / found) * entryCost]);
    }
    if (this.#filter) {
      const passing = this.#filter.tasks * this.#within;
      costs.push(["tasks", Math.min(passing, wanted / this.#shareOfPassing) * lookedUpCost]);
    }
    return costs.sort(([, a], [, b]) => a - b)[0]![0];
  }
}

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  return a?.value === b?.value && a?.id === b?.id;
}
