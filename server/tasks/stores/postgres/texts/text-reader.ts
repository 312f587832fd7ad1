/**
 * Candidates of a search by their text. There are three ways to them, and which one is cheaper is judged by how often the
 * text was met so far and how many tasks pass the plain filters:
 *
 * - the texts one after another, in the order of creation: a frequent word soon fills the page there;
 * - the tasks that pass the filters, in their order, each with its text: when few pass;
 * - the indexes of trigrams, one for each status, which give all texts of a stretch of time that have a rare word, and those are put in order.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { allOver, type Session } from "../connections/database.ts";
import type { Along } from "../search/along.ts";
import { createdRange } from "../search/created-bounds.ts";
import { isWithin } from "../search/entries.ts";
import type { Candidates } from "../search/key-source.ts";
import { mayMeetOf } from "../search/may-meet.ts";
import { type BarrenFront, barrenFrontOf, withSeen } from "./text-front.ts";
import { type Asked, askedOf, stretchMs, type TextIndex } from "./text-indexes.ts";
import { likeRarest, lookAround, metIn, rarestIn, readSpan, type Span, type Word } from "./text-rarity.ts";
import { chunkMin, type Looked, TextShares } from "./text-shares.ts";
import { allOf, nextStretch, type Stretch, stretchesMax, stretchesOf } from "./text-stretches.ts";
import { atMost, byIndex, nextTextAt, type Passing, type Row, walkTasks, walkTexts } from "./text-ways.ts";

/** Texts that are read before the ways are compared; of words that are known to be rarer so many at most. */
const firstChunk = 1_000;
const firstChunkMax = 3_000;
/** Later chunks are as many as are likely to hold what is wanted, with some to spare, and as take about `chunkMs` at most; no more is read of one than is wanted. */
const spare = 1.25;
/** A burst of texts without the words is thought to go on for so many times as long as was seen of it. */
const burstGoesOn = 3;
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
/** So many texts, about, it reads at once at most, to see which of them have the words: some 5 µs each. */
const readMax = 10_000;
/** Where it gave too many, a burst of others may end soon: so many texts in order are read before it is asked for more, as long as that would take. */
const walkedBeforeMore = 20_000;
/** Where it gave too few, it is asked for a time so many times as long; where it gave too many, so many times as short. */
const widening = 8;
/** To ask the index at all, to pass over an entry of it, and to go through one of another lane. */
const askCost = 2_000;
const entryCost = 0.1;
const throughCost = 0.02;

/** A front is walked through where the index has more entries of a word's rarest trigram: a hundred of them take as long as a text. So many texts are walked at once there. */
const frontEntriesMax = 500_000;
const frontWalkMax = 10_000;
const none = Promise.resolve(undefined);

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
  /** Where the search begins, and is not to be walked through. */
  readonly #front: BarrenFront | undefined;
  readonly #shares: TextShares;
  /** How many were looked at since the last one that had the words: a burst of other tasks may be twice as long as was seen. */
  #barren = 0;
  /** How many were given so far. */
  #given = 0;
  #span: Span | undefined;
  /** What the index gave of a front, and behind it. */
  #begun: Candidates | undefined;
  /** How many times as long as it was thought to take the next stretch is that the index is asked for. */
  #widened = 1;
  /** When one of them was created, where the index gave too many: none is to reach there at once again. */
  #crowdedAt: number | undefined;
  /** The index is not asked before so many texts in a row have none of the words, since it has more of them than what was looked at told. */
  #askedFrom = 0;
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
    this.#row = { filter, maybe: isLikely || !search.where ? undefined : mayMeetOf(search.where) };
    this.#asked = askedOf(search, filter?.pairs);
    const keyMs = chunkMs / firstChunk;
    this.#shares = new TextShares(search, words, index, { asked: this.#asked, row: this.#row, keyMs });
    const { sample } = index;
    const { metHere } = sample ? metIn(sample, this.#asked, words) : { metHere: 0 };
    this.#likelyRead = sample ? (this.#page * spare * sample.length) / metHere : 0;
    this.#front = isLikely ? barrenFrontOf(search, index, this.#asked, words) : undefined;
  }

  get #page(): number {
    return this.#search.offset + this.#search.limit;
  }

  /** About how many texts have the words. */
  async sample(session: Session): Promise<number> {
    if (this.#front) await this.#sampleBehind(session, this.#front);
    else await this.#sampleFirst(session);
    const { met, looked, next } = this.#shares.sample;
    if (this.#begun && !this.#begun.next) return this.#begun.places.length;
    if (looked === 0) return Math.ceil(this.#shares.share * this.#index.texts);
    return next ? Math.ceil((met / looked) * this.#index.texts) : met;
  }

  async #sampleFirst(session: Session, first = this.#firstChunk): Promise<void> {
    // When texts begin and end is asked along where the index is likely to be asked.
    const [sample, span] = await allOver([
      this.#read(session, "texts", this.#search.after, first, Math.max(1, this.#page)),
      this.#index.exists && first < this.#likelyRead ? readSpan(session) : none,
    ] as const);
    this.#shares.sample = sample;
    this.#span = span;
  }

  /**
   * Where the words are frequent behind a front without them, the few that the index has of it, and those behind it in order. Else nothing is
   * walked: the index is asked for both at once. When texts begin and end is asked along: that may have changed.
   */
  async #sampleBehind(session: Session, front: BarrenFront): Promise<void> {
    const most = Math.max(1, this.#page);
    const likelyRead = (most * spare) / front.share;
    const sample = this.#index.sample!;
    this.#shares.rarest = rarestIn(sample, this.#asked, this.#words, this.#index);
    const { firstAt } = this.#index;
    const seen = { looked: sample.length, ...metIn(sample, this.#asked, this.#words) };
    this.#shares.spread = withSeen({ ...seen, firstAt, lastAt: front.end - 1 }, front.seen);
    const way = this.#cheapest(most);
    const isFrequent = way !== "tasks" && likelyRead <= firstChunkMax;
    // It goes through all entries of the rarest trigram.
    const isNarrow = this.#shares.rarest.shareThrough * this.#shares.texts <= frontEntriesMax;
    if (isFrequent && !isNarrow) return this.#sampleFirst(session, frontWalkMax);
    const chunk = Math.max(firstChunk, Math.ceil(likelyRead));
    const behind = { value: front.start, id: "" };
    const isByIndex = !isFrequent && way === "index";
    const [span, few, walked, begun] = await allOver([
      readSpan(session),
      isFrequent ? this.#inFront(session, front) : none,
      isFrequent ? this.#read(session, "texts", behind, chunk, most) : none,
      isByIndex ? this.#byIndex(session, undefined, most) : none,
    ] as const);
    this.#span = span;
    this.#shares.spread = { ...this.#shares.spread, ...span };
    const areAllWithin = firstAt <= span.firstAt && span.lastAt < front.end;
    if (areAllWithin) this.#begun = begun;
    if (few && few.crowdedAt === undefined && walked && areAllWithin)
      this.#shares.sample = { ...walked, found: [...few.places, ...walked.found] };
    else if (isFrequent) await this.#sampleFirst(session);
  }

  /** Undefined where it has many, after all. */
  #inFront(session: Session, { start, end }: BarrenFront): ReturnType<typeof byIndex> {
    const fits = likeRarest(
      this.#asked,
      this.#words,
      this.#shares.rarest!,
      stretchesOf(start, end - 1, this.#index),
    );
    const bounded = { ...this.#search, created: { ...this.#search.created, start } };
    const limit = Math.max(1, this.#page);
    return byIndex(session, bounded, fits, undefined, { limit, most: indexedMin }, this.#row);
  }

  /** The first texts are likely to have a page, or tell that the index has it sooner. */
  get #firstChunk(): number {
    return this.#likelyRead <= firstChunkMax ? Math.max(firstChunk, Math.ceil(this.#likelyRead)) : firstChunk;
  }

  /** Tasks that have the words and pass the filters, in order, as far as was read at once. */
  async keys(session: Session, after: Place | undefined, limit: number): Promise<Candidates> {
    const first = isSame(after, this.#search.after) ? this.#first : undefined;
    const isEnough = first && (!first.next || first.places.length >= limit);
    const candidates = isEnough
      ? atMost(limit, first.places, first.next)
      : await this.#further(session, first ? first.next : after, limit, first?.places);
    this.#given += candidates.places.length;
    return candidates;
  }

  /** What was read before anything was asked for. */
  get #first(): Candidates | undefined {
    const { found, looked, next } = this.#shares.sample;
    return this.#begun ?? (looked > 0 ? { places: found, next } : undefined);
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
    if (way === "index" && !this.#shares.rarest) {
      const around = await lookAround(session, this.#asked, this.#words, this.#index, this.#span);
      this.#shares.spread = around.spread;
      this.#shares.rarest = around.rarest;
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
    const stretch = this.#stretchAfter(after, wanted);
    const { start, end, isLast, likelyMs } = stretch;
    const bounded: StoreSearch = isLast ? this.#search : { ...this.#search, created: { start, end } };
    const most = this.#mostByIndex(wanted);
    const startedAt = performance.now();
    const read = await byIndex(
      session,
      bounded,
      likeRarest(this.#asked, this.#words, this.#shares.rarest!, stretchesOf(start, end, this.#index)),
      after,
      { limit: wanted, most },
      this.#row,
      this.#alongWith(session, wanted),
    );
    const tookMs = performance.now() - startedAt;
    const isDown = isDownwards(this.#search);
    const edge = isDown ? start : end;
    const longer = (end - start) / likelyMs;
    if (read.crowdedAt !== undefined)
      return this.#isAskedAgain(stretch, read.crowdedAt) ? this.#byIndex(session, after, wanted) : undefined;
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

  /** After it gave too many, of which one is there: for a part of the same, or not at all. */
  #isAskedAgain({ start, end, isLast, likelyMs }: Stretch, crowdedAt: number): boolean {
    this.#crowdedAt = crowdedAt;
    if (isLast && (this.#shares.isSurelyRare || this.#shares.areUnmet)) this.#shares.areMany = true;
    // The words are frequent beyond a time that has none of them.
    else if (end - start > stretchMs + 1)
      this.#widened = Math.max(1, (this.#widened * Math.min(1, (end - start) / likelyMs)) / widening);
    else return this.#isDenseAsked(Math.abs((isDownwards(this.#search) ? end : start) - crowdedAt));
    return true;
  }

  /** Of a single stretch: once for as many as are read at once, where a walk to the first of them is longer, or was without any. */
  #isDenseAsked(fromMs: number): boolean {
    const { likelyInStretch, texts } = this.#shares;
    const mayHaveFewer = !this.#isDense && likelyInStretch <= readMax;
    const walked = (texts * fromMs) / Math.max(stretchMs, this.#index.lastAt - this.#index.firstAt);
    const askedFrom = walked > walkedBeforeMore / 2 ? 0 : walkedBeforeMore;
    this.#askedFrom = mayHaveFewer ? askedFrom : Number.POSITIVE_INFINITY;
    this.#isDense = true;
    return this.#barren >= this.#askedFrom;
  }

  #stretchAfter(after: Place | undefined, wanted: number): Stretch {
    const span = this.#shares.spread!;
    const all = allOf(this.#search, span);
    const found = this.#shares.foundByIndex;
    const isRare = found * this.#shares.within <= indexedFew || this.#shares.isSurelyRare;
    const read = this.#shares.rarest!.shareRead * this.#shares.texts;
    if (isRare && read * this.#shares.within <= readMax && this.#crowdedAt === undefined)
      return { ...all, isLast: true, likelyMs: all.end - all.start };
    const allMs = span.lastAt - span.firstAt;
    const likelyMs = (allMs * wanted * spare * this.#widened) / found;
    const isBounded = read * this.#shares.within > readMax;
    const mostMs = isBounded ? Math.min((allMs * readMax) / read, stretchesMax * stretchMs) : Infinity;
    const barrenAt = after ? undefined : this.#front?.behindAt;
    return nextStretch(this.#search, {
      ...{ span, from: after?.value ?? undefined, crowdedAt: this.#crowdedAt, likelyMs },
      lengthMs: Math.min(mostMs, isRare ? allMs : likelyMs),
      barrenMs: barrenAt === undefined ? 0 : Math.max(0, all.end - Math.max(all.start, barrenAt)),
    });
  }

  async #read(
    session: Session,
    way: "texts" | "tasks",
    after: Place | undefined,
    chunk: number,
    most: number,
  ): Promise<Looked> {
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
    const seen = this.#shares.seen[way];
    const looked = walked.looked ?? this.#shares.likelyLooked(walked.met, chunk);
    if (walked.looked && looked >= chunkMin) seen.keyMs = (performance.now() - startedAt) / looked;
    seen.looked += looked;
    seen.met += walked.met;
    seen.fitted += walked.found.length;
    if (way === "texts") this.#barren = walked.met > 0 ? 0 : this.#barren + looked;
    return { ...walked, looked };
  }

  #alongWith(session: Session, most: number): Along | undefined {
    const along = this.#along;
    return along?.session === session && most <= along.most ? along : undefined;
  }

  /** How many to look at for so many that fit. */
  #chunkOf(way: "texts" | "tasks", wanted: number): number {
    const share = way === "texts" ? this.#shares.shareThatFits : this.#shares.shareOfPassing;
    const most = Math.min(chunkMax, chunkMs / this.#shares.seen[way].keyMs);
    const likely = (wanted * spare) / share + (way === "texts" ? burstGoesOn * this.#barren : 0);
    return Math.round(Math.max(chunkMin, Math.min(most, likely)));
  }

  /** About how many of them are read: all, or those of the stretches that are likely to have so many. */
  #readAtOnce(wanted: number): number {
    const { firstAt, lastAt } = this.#index;
    const found = this.#shares.foundByIndex * this.#shares.within;
    const perStretch = this.#shares.foundByIndex / Math.max(1, (lastAt - firstAt) / stretchMs);
    return found <= indexedFew ? found : Math.min(found, wanted * spare + perStretch);
  }

  /** By what is known so far, for so many more. */
  #cheapest(wanted: number): Way {
    const share = this.#shares.share;
    const texts = this.#shares.texts;
    const byTexts = this.#barren + (wanted / this.#shares.shareThatFits) * (1 + taskCost * share);
    const costs: [Way, number][] = [["texts", Math.min(texts * this.#shares.within, byTexts)]];
    const entries = (this.#shares.rarest?.share ?? 0) * texts;
    if (this.#index.exists && this.#barren >= this.#askedFrom && entries <= trigramsIndexedMax) {
      const found = this.#shares.foundByIndex;
      const read = this.#readAtOnce(wanted);
      const through = (this.#shares.rarest?.shareThrough ?? 0) * texts - entries;
      const passed = entries * (read / found) * entryCost + through * throughCost;
      costs.push(["index", askCost + read * indexedCost + passed]);
    }
    if (this.#filter) {
      const passing = this.#filter.tasks * this.#shares.within;
      costs.push(["tasks", Math.min(passing, wanted / this.#shares.shareOfPassing) * lookedUpCost]);
    }
    return costs.sort(([, a], [, b]) => a - b)[0]![0];
  }
}

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  return a?.value === b?.value && a?.id === b?.id;
}
