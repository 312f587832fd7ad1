/**
 * Searches with conditions, and orders that no index has. Candidates come from an index of attributes or texts where one
 * finds few (key-sources.ts), else the tasks that pass the plain filters are walked in the search's order. Each is tested, a
 * chunk at a time, each a snapshot of its own, with a look at the clock. What has no order by index is gathered and sorted.
 */
import { meets, sortValueIn, sortValueOf } from "../../../core/filters/meets.ts";
import { rankedMax } from "../../../core/relevance.ts";
import type { Count, Found, Place, SearchPlan, StoreSearch } from "../../../core/store.ts";
import { isOfRange, nearIndexes } from "../../shared/near-orders.ts";
import { countUnfilled, unfilledIn } from "../attributes/attribute-fills.ts";
import type { Session, Snapshot } from "../connections/database.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import { usualQuestions } from "../usual.ts";
import { CandidateReader, type Tested } from "./candidate-reader.ts";
import {
  type Chunk,
  chunkMax,
  comparator,
  firstOfFiltered,
  firstOfSource,
  type Placed,
  placed,
  placeOf,
  withEntries,
} from "./chunks.ts";
import { durationIndexes } from "./duration-statements.ts";
import { delaysIndex } from "./elsewhere-keys.ts";
import { FirstChunks, walkedBefore } from "./first-chunks.ts";
import { FullPage } from "./full-page.ts";
import { byCreation } from "./id-prefix.ts";
import { type Candidates, estimateMax, gatheredMax, type KeySource } from "./key-source.ts";
import { findKeySource, indexesOf } from "./key-sources.ts";
import type { PartedOrder } from "./near-statements.ts";
import { hasEntries, isParted, nearChunks } from "./near-walk.ts";
import { entriesIn, mayHaveEntries } from "./outline.ts";
import { prioritizedIndex } from "./priority-statements.ts";
import { rangeSource } from "./range-source.ts";
import * as plain from "./search.ts";
import { SearchBudget } from "./search-budget.ts";
import { portionBytesMax } from "./value-sizes.ts";
import { walkedChunks } from "./walked-chunks.ts";

/** Candidates that an order without an index is looked for among; further ones are not sorted. */
const sortedMax = 200_000;
/** So few pages are sorted sooner than an order is walked through. */
const sortedPagesMax = 10;
/** More tasks than these are counted and sorted by statements of their own. */
const sortedAtOnceMax = 2_000;

export async function searchTasks(context: Context, asked: StoreSearch): Promise<Found> {
  context.database.rehearsal.asked(() => usualQuestions(asked.bytesMax !== undefined));
  const search = await byCreation(context, asked);
  if (!needsWalk(search)) return plain.searchTasks(context, search);
  const walk = new Walk(context, search);
  const found = await walk.page();
  const last = found.tasks.length >= search.limit ? found.tasks.at(-1) : undefined;
  return { ...found, ...(await unfilledIn(context, search, walk.reader.names, last)) };
}

/** What `searchTasks` would do. */
export async function explainSearch(context: Context, asked: StoreSearch): Promise<SearchPlan> {
  const search = await byCreation(context, asked);
  if (!needsWalk(search) && search.id === undefined) return plain.planInOrder(context, search);
  const { budgetMs: _budget, ...unbounded } = search;
  const walk = new Walk(context, unbounded);
  return { ...(await walk.plan()), ...(await unfilledIn(context, search, walk.reader.names)) };
}

/** Exact, or as good as the budget allows. */
export async function countTasks(context: Context, asked: StoreSearch): Promise<Count> {
  const search = await byCreation(context, asked);
  const { where, after: _after, ...rest } = search;
  const order = { sortBy: "createdAt", descending: true } as const;
  const unplaced: StoreSearch = { ...rest, ...order, offset: 0, definitions: false };
  if (!where) return { count: await plain.countTasks(context, unplaced), errorMax: 0 };
  const walk = new Walk(context, { ...unplaced, where });
  const { met, seen, isWhole, unindexed, candidates } = await walk.count();
  const unfilled = await countUnfilled(context.database.reading, search, walk.reader.names);
  const lacking = unfilled > 0 && { unfilled };
  if (isWhole) return { count: met, errorMax: unindexed + unfilled, ...lacking };
  const all = candidates ?? (await plain.countTasks(context, unplaced));
  const total = Math.max(seen + unindexed, all);
  const count = Math.round((met / Math.max(1, seen)) * total);
  return { count, errorMax: Math.max(count - met, met + total - seen - count) + unfilled, ...lacking };
}

function needsWalk({ where, sortBy }: StoreSearch): boolean {
  return where !== undefined || !isIndexed(sortBy);
}

function isIndexed(sortBy: StoreSearch["sortBy"]): boolean {
  return sortBy === "createdAt" || sortBy === "updatedAt" || sortBy === "id";
}

/** How many of the newest tasks that fit are put in an order that no index has. */
function sortedMost({ sortBy }: StoreSearch): number {
  return sortBy === "relevance" ? rankedMax : sortedMax;
}

class Walk {
  readonly #context: Context;
  readonly #search: StoreSearch;
  readonly #budget: SearchBudget;
  readonly reader: CandidateReader;

  constructor(context: Context, search: StoreSearch) {
    this.#search = search;
    // By an id there is no more than one task to be looked at.
    this.#budget = new SearchBudget(search.id === undefined ? search.budgetMs : undefined);
    this.#context = this.#budget.within(context);
    this.reader = new CandidateReader(this.#context, search, this.#budget.endsAt);
  }

  page(): Promise<Found> {
    const page = isIndexed(this.#search.sortBy) ? this.#walked() : this.#sorted();
    return this.#budget.or(page, this.#stopped());
  }

  /** Before anything was looked at. */
  #stopped(): Found {
    const { after = "start", offset } = this.#search;
    return { tasks: [], stoppedAt: after, ...(offset > 0 && { offsetLeft: offset }) };
  }

  async #sorted(): Promise<Found> {
    const { sortBy, where, offset } = this.#search;
    if (isParted(sortBy)) {
      const fewMax = this.#fewMax();
      const most = fewMax === undefined ? await this.#nearMost() : Number.POSITIVE_INFINITY;
      if (most > 0) {
        const isPassed = !where && !hasEntries(this.#search);
        const asked = { order: sortBy, endsAt: this.#budget.endsAt, fewMax, passed: isPassed ? offset : 0 };
        const first = new FirstChunks(nearChunks(this.#context, this.#search, this.reader, asked), most);
        const walked = await this.#over(first.chunks());
        if (!first.areShort) return walked;
        return this.#sortedAfter(walked, first.last);
      }
    }
    return this.#sortedNewest();
  }

  /** @param walked what a walk had found when it was given up, at `last`: where the budget ends now, it goes on from there */
  async #sortedAfter(walked: Found, last: Place | undefined): Promise<Found> {
    const sorted = await this.#budget.or(this.#sortedNewest(), undefined);
    const isWhole = sorted && !sorted.isPartial && !sorted.stoppedAt;
    // How many of an offset were passed over the walk does not tell.
    const mayGoOn = last && (walked.tasks.length > 0 || this.#search.offset === 0);
    if (!isWhole && mayGoOn) return { ...walked, stoppedAt: last };
    return sorted ?? this.#stopped();
  }

  async #sortedNewest(): Promise<Found> {
    const newestFirst = this.#newestFirst();
    const source = await this.#source(newestFirst);
    const found = await this.#gathered(
      source ? this.#fromSource(source, newestFirst) : this.#chunks(newestFirst),
    );
    return source?.unindexed ? { ...found, unindexed: source.unindexed } : found;
  }

  /** What is sorted, where no index has the order: the newest that fit. */
  #newestFirst(): StoreSearch {
    const { after: _after, ...rest } = this.#search;
    const limit = sortedMost(this.#search) + 1;
    return { ...rest, limit, offset: 0, sortBy: "createdAt", descending: true };
  }

  async plan(): Promise<SearchPlan> {
    const search = this.#search;
    if (search.id !== undefined)
      return { source: "id", indexes: ["tasks_pkey"], candidates: 1, isSorted: false };
    const { where: _where, after: _after, ...filters } = search;
    const total = await plain.countTasks(this.#context, { ...filters, sortBy: "createdAt" });
    if (isParted(search.sortBy) && (await this.#nearMost()) > 0) {
      const wanted = Math.min(total, search.offset + search.limit);
      return {
        ...{ source: search.where ? "walk" : "order", indexes: await this.#partedIndexes(search.sortBy) },
        ...{ candidates: search.where ? total : wanted, isSorted: false },
      };
    }
    const isSorted = !isIndexed(search.sortBy);
    const source = await this.#source(isSorted ? this.#newestFirst() : search);
    if (!source || source.isWalk) {
      const walked: StoreSearch = isSorted ? { ...filters, sortBy: "createdAt", descending: true } : filters;
      const { indexes } = await plain.planInOrder(this.#context, walked);
      const { indexes: started = [], gathered } = source?.starts ?? {};
      const all = { source: "walk", indexes: [...new Set([...indexes, ...started])], isSorted } as const;
      return { ...all, candidates: gathered ?? total, ...(gathered !== undefined && { of: "startedAt" }) };
    }
    const { index, name: of, estimate, isOrdered } = source;
    return {
      ...{ source: index, of, indexes: indexesOf(source) },
      candidates: Math.min(estimate, total),
      ...(estimate >= estimateMax && total > estimate && { isAtLeast: true }),
      isSorted: isSorted || !isOrdered,
    };
  }

  async #partedIndexes(order: PartedOrder): Promise<string[]> {
    if (order === "duration") return durationIndexes(this.#search);
    if (order === "dueAt" && isOfRange(this.#search))
      return [...nearIndexes(order, this.#search, true), delaysIndex];
    if (order !== "priority") return nearIndexes(order, this.#search, true);
    const { where: _where, after: _after, ...filters } = this.#search;
    const { indexes } = await plain.planInOrder(this.#context, { ...filters, sortBy: "id" });
    return [prioritizedIndex, ...indexes];
  }

  /** `candidates` is how many there are to look at, where that is not all that pass the plain filters. */
  async count(): Promise<Counted> {
    let met = 0;
    let seen = 0;
    const source = await this.#budget.or(this.#source(this.#search, { isCounted: true }), undefined);
    const unindexed = source?.unindexed ?? 0;
    let isWhole = true;
    for await (const chunk of this.#budget.upTo(source ? this.#fromSource(source) : this.#chunks())) {
      met += chunk.met.length;
      seen += chunk.seen;
      if (this.#budget.isOver) {
        isWhole = false;
        break;
      }
    }
    if (isWhole && !this.#budget.hasEnded) return { met, seen, isWhole, unindexed };
    const candidates = source?.total && (await this.#budget.or(source.total(), undefined));
    return { met, seen, isWhole: false, unindexed, ...(candidates !== undefined && { candidates }) };
  }

  async #walked(): Promise<Found> {
    this.reader.bytesMax = this.#bytesMaxFrom(this.#search.offset);
    const source = await this.#source(this.#search, { begins: true });
    if (!source) return this.#over(this.#chunks(this.#search, this.#search.offset + this.#search.limit));
    const chunks = this.#fromSource(source);
    const found = await (source.isOrdered ? this.#over(chunks) : this.#gathered(chunks));
    return source.unindexed ? { ...found, unindexed: source.unindexed } : found;
  }

  /** Ends when the page is full, or the budget. */
  async #over(chunks: AsyncGenerator<Chunk>): Promise<Found> {
    const page = new FullPage(this.#search, this.reader);
    this.reader.bytesMax = this.#bytesMaxFrom(this.#search.offset);
    let left = this.#search.offset;
    let stoppedAt: Found["stoppedAt"] = this.#search.after ?? "start";
    const stopped = () => page.found({ stoppedAt, ...(left > 0 && { offsetLeft: left }) });
    for await (const { met, last, passed = 0 } of this.#budget.upTo(chunks)) {
      left -= passed;
      for (const { task } of met) {
        left -= 1;
        if (left < 0 && (await page.add(task, sortValueOf(this.#search.sortBy, task)))) return page.found();
      }
      stoppedAt = last;
      if (this.#budget.isOver) return stopped();
    }
    return this.#budget.hasEnded ? stopped() : page.found();
  }

  #bytesMaxFrom(offset: number): number | undefined {
    return offset === 0 ? this.#search.bytesMax : undefined;
  }

  /** Tasks that are sorted sooner than an order is walked through, where one statement may tell whether there are more. */
  #fewMax(): number | undefined {
    const { id, where, created, updated, offset, limit } = this.#search;
    if (id !== undefined || where || (!created && !updated)) return undefined;
    const fewMax = sortedPagesMax * (offset + limit);
    return fewMax > sortedAtOnceMax ? undefined : fewMax;
  }

  /** How many tasks of the order are looked at before all that may fit are sorted: none where these are sorted sooner. */
  async #nearMost(): Promise<number> {
    const { id, where, created, updated, after: _after, ...search } = this.#search;
    if (id !== undefined) return 0;
    const newestFirst: StoreSearch = { ...this.#search, sortBy: "createdAt", descending: true };
    const { after: _place, ...unplaced } = newestFirst;
    const source = where && (await this.#source(unplaced, { isToCompare: true }));
    // Bounds of the duration are the order's own.
    const isOwn = source?.name === "duration" && search.sortBy === "duration";
    const isAlone = !source || isOwn;
    const most = isAlone ? Number.POSITIVE_INFINITY : await walkedBefore(this.#context, this.#search, source);
    if (most === 0 || (!created && !updated)) return most;
    const pages = sortedPagesMax * (search.offset + search.limit);
    const fewest = search.sortBy === "duration" ? Math.max(pages, sortedAtOnceMax) : pages;
    const { where: _where, ...plainly } = unplaced;
    const { tasks } = await plain.searchTasks(this.#context, { ...plainly, offset: fewest, limit: 1 });
    return tasks.length > 0 ? most : 0;
  }

  /** Ends at the budget with the best of what was looked at, which need not be the best of all. */
  async #gathered(chunks: AsyncGenerator<Chunk>): Promise<Found> {
    const { after, offset } = this.#search;
    const { sizes } = this.reader;
    this.reader.bytesMax = undefined;
    const found: Placed[] = [];
    const most = sortedMost(this.#search);
    let isWhole = true;
    let held = 0;
    let seen = 0;
    for await (const { met, seen: looked } of this.#budget.upTo(chunks)) {
      seen += looked;
      for (const subject of met) {
        const { task } = subject;
        const value = sortValueIn(this.#search, subject);
        if (value === undefined) continue;
        held += sizes.of(task);
        found.push({ task: held > portionBytesMax ? sizes.without(task) : task, value: value ?? 0 });
      }
      if (this.#budget.isOver || found.length > most) {
        isWhole = false;
        break;
      }
    }
    if (seen === 0 && this.#budget.hasEnded) return this.#stopped();
    isWhole &&= !this.#budget.hasEnded;
    found.splice(most);
    const compare = comparator(this.#search);
    const place = after && placed(after);
    const beyond = place ? found.filter((one) => compare(place, one) < 0) : found;
    const page = new FullPage(this.#search, this.reader);
    for (const { task, value } of beyond.sort(compare).slice(offset)) if (await page.add(task, value)) break;
    return page.found(isWhole ? {} : { isPartial: true });
  }

  /** All tasks that pass the plain filters, in order, from the search's place on. */
  #chunks(search = this.#search, wanted?: number): AsyncGenerator<Chunk> {
    return walkedChunks(this.#context, search, this.reader, wanted);
  }

  /**
   * @param begins whether its first candidates are read, too, where they come in order: most often these are the page
   * @param isToCompare whether it only is to tell how many there are; else a range of the start or of the due time is one, where there is no other
   */
  async #source(
    search = this.#search,
    { begins = false, isToCompare = false, isCounted = false } = {},
  ): Promise<BegunSource | undefined> {
    if (search.id !== undefined) return undefined;
    // Those that run are few.
    if (search.statuses?.every((name) => name === "RUNNING")) return undefined;
    return this.#context.searching.snapshot(async (session) => {
      const names = (one: Session) => this.reader.attributes(one);
      const along = begins ? this.reader.along(session) : undefined;
      const asking = { along, ...(isToCompare && { countedMost: gatheredMax }) };
      const found = await findKeySource(this.#context, session, search, names, asking);
      const isFound = found && !(await this.#walksSooner(session, found));
      const source = isFound
        ? found
        : !isToCompare && (await rangeSource(this.#context, session, search, isCounted));
      if (!source) return undefined;
      if (!begins || !source.isOrdered) return source;
      const candidates = await source.keys(session, search.after, firstOf(source, search));
      const [begun, entries] = await session.inOneGo(() => [
        this.#read(session, candidates),
        Promise.resolve(along?.entries ?? entriesIn(this.#context, session, search)),
      ]);
      return { ...source, begun, entries };
    }, planningOnce);
  }

  /** Whether a page comes sooner from the tasks that pass the plain filters: when few pass, and the source gives many. */
  async #walksSooner(session: Snapshot, { isOrdered, isFiltered, estimate }: KeySource): Promise<boolean> {
    if (!isOrdered || isFiltered || estimate < estimateMax) return false;
    const { types, statuses, queues, limit, offset } = this.#search;
    if (!types && !statuses && !queues) return false;
    const filters = { ...(types && { types }), ...(statuses && { statuses }), ...(queues && { queues }) };
    const [all, passing] = await session.inOneGo(() => [
      plain.countKept(session, {}),
      plain.countKept(session, filters),
    ]);
    const wanted = offset + limit;
    const walked = Math.min(passing, (wanted * all) / estimate);
    const looked = Math.min(estimate, (wanted * all) / Math.max(1, passing));
    return walked < looked;
  }

  async #readFrom(
    session: Session,
    source: KeySource,
    after: Place | undefined,
    limit: number,
  ): Promise<ReadCandidates> {
    return this.#read(session, await source.keys(session, after, limit));
  }

  async #read(session: Session, candidates: Candidates): Promise<ReadCandidates> {
    const read = await this.reader.read(session, candidates.places);
    return { ...candidates, ...(read.stoppedAt && { next: read.stoppedAt }), read };
  }

  async *#fromSource(source: BegunSource, search = this.#search): AsyncGenerator<Chunk> {
    const { searching } = this.#context;
    let after: Place | undefined = search.after;
    let { begun } = source;
    let entries = source.entries ?? (await this.#entries(search));
    const compare = comparator(search);
    for (let limit = firstOf(source, search); ; ) {
      const { places, next, read } =
        begun ??
        (await searching.snapshot((session) => this.#readFrom(session, source, after, limit), planningOnce));
      begun = undefined;
      const isHere = (entry: Placed) => !next || !source.isOrdered || compare(entry, placed(next)) <= 0;
      const here = entries.filter(isHere);
      entries = entries.filter((entry) => !isHere(entry));
      const { where } = search;
      const met = withEntries(
        search,
        read.met,
        here.filter(({ task }) => !where || meets(where, { task })),
      );
      const end = here.at(-1)?.task;
      const last = next ?? places.at(-1) ?? (end && placeOf(search, end));
      if (!last) return;
      // Also where none of them passes the plain filters: the clock is looked at after each chunk.
      yield { met, seen: read.seen + here.length, last };
      if (!next) return;
      after = next;
      // Where nothing was found, the next chunk is not likely to have many that do not fit.
      if (places.length > 0) limit = Math.min(chunkMax, limit * 2);
    }
  }

  /** Of definitions without tasks. */
  async #entries(search: StoreSearch): Promise<Placed[]> {
    if (!mayHaveEntries(search)) return [];
    const { searching } = this.#context;
    return searching.snapshot((session) => entriesIn(this.#context, session, search), planningOnce);
  }
}

interface Counted {
  met: number;
  seen: number;
  isWhole: boolean;
  unindexed: number;
  candidates?: number;
}

/** The first candidates of a source, and where there may be more. */
interface ReadCandidates extends Candidates {
  read: Tested;
}

/** With the entries that may be among them. */
type BegunSource = KeySource & { begun?: ReadCandidates; entries?: Placed[] };

function firstOf({ isFiltered }: KeySource, search: StoreSearch): number {
  return isFiltered ? firstOfFiltered(search) : firstOfSource(search);
}
