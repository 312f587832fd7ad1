/**
 * Searches with conditions, and orders that no index has. The tasks that pass the plain filters are walked in the search's
 * order, a chunk at a time, and each is tested on its row; the clock is looked at between chunks. What has no order by
 * index is gathered, newest first, and sorted.
 */
import { meets, type Subject, sortValueIn } from "../../../core/filters/meets.ts";
import { rankedMax } from "../../../core/relevance.ts";
import type { Count, Place, SearchPlan, StoreSearch } from "../../../core/store.ts";
import { Best } from "../../shared/best.ts";
import { isNear, overrunMsMax } from "../../shared/near-orders.ts";
import { type RowFilter, rowFilterOf } from "../../shared/row-filter.ts";
import { countUnfilled } from "../attributes/attribute-fills.ts";
import type { Connection } from "../connection.ts";
import { type DefinitionRow, toDefinition, toEntry } from "../rows.ts";
import type { Rows } from "../threads/protocol.ts";
import { withNames } from "../threads/write-context.ts";
import type { Candidate, Counted, Gathered } from "./candidates.ts";
import { isDueWithin } from "./due-range-keys.ts";
import { durationIndexes, durationKeys } from "./duration-keys.ts";
import { fewKeys, isInParts, sortedSooner } from "./few-keys.ts";
import type { KeySource } from "./key-source.ts";
import { estimateMax, gatheredMax } from "./key-source.ts";
import { indexesOf, keySourceOf, withEntries } from "./key-sources.ts";
import { nearIndexesOf, nearKeys } from "./near-keys.ts";
import { priorityIndexes, priorityKeys } from "./priority-keys.ts";
import { isOfPriorities } from "./priority-range-keys.ts";
import { prioritizedIndex } from "./priority-statements.ts";
import { readBareRows, readRows } from "./row-filter.ts";
import { inPortions, Room, readTasks, rowsIn } from "./rows-within.ts";
import type { FoundRows } from "./search.ts";
import * as plain from "./search.ts";
import { comparator, isAfter, isNotBefore, isPlace, type Key, keyOf } from "./search-key.ts";
import { nearer } from "./search-skip.ts";
import { Subjects } from "./search-subject.ts";
import { startedWithinTotal, startsReadFor } from "./start-range-keys.ts";
import { walkedKeys } from "./walked-keys.ts";

/** The first chunk is as large as the page, and each after it twice as large as the one before. */
const chunkSizeMax = 500;
/** Candidates that an order without an index is looked for among; further ones are not sorted. */
const sortedMax = 200_000;
/** Keys that are passed over between two looks at the clock. */
const passedBetween = 1_000;

export function searchTasks(connection: Connection, search: StoreSearch): FoundRows {
  if (!needsWalk(search)) return plain.searchTasks(connection, nearer(connection, search));
  const found = new Walk(connection, search).page();
  const { rows } = found.tasks;
  const last = rows.length >= search.limit ? rows.at(-1) : undefined;
  const unfilled = countUnfilled(connection, search, last?.[6]);
  return unfilled > 0 ? { ...found, unfilled } : found;
}

/** What `searchTasks` would do. */
export function explainSearch(connection: Connection, search: StoreSearch): SearchPlan {
  if (!needsWalk(search) && search.id === undefined) return plain.planInOrder(connection, search);
  const unfilled = countUnfilled(connection, search);
  return { ...new Walk(connection, search).plan(), ...(unfilled > 0 && { unfilled }) };
}

/** Exact, or as good as the budget allows. */
export function countTasks(connection: Connection, search: StoreSearch): Count {
  const { where, after: _after, ...rest } = search;
  const unplaced: StoreSearch = { ...rest, sortBy: "createdAt", descending: true, definitions: false };
  if (!where) return { count: plain.countTasks(connection, unplaced), errorMax: 0 };
  const walk = new Walk(connection, { ...unplaced, where });
  const { met, seen, isWhole, unindexed, total: candidates } = walk.count();
  const unfilled = countUnfilled(connection, { ...unplaced, where });
  const lacking = unfilled > 0 && { unfilled };
  if (isWhole) return { count: met, errorMax: unindexed + unfilled, ...lacking };
  const total = Math.max(
    seen + unindexed,
    Math.min(plain.countTasks(connection, unplaced), candidates ?? Number.POSITIVE_INFINITY),
  );
  const count = Math.round((met / Math.max(1, seen)) * total);
  return { count, errorMax: Math.max(count - met, met + total - seen - count) + unfilled, ...lacking };
}

function needsWalk({ where, sortBy }: StoreSearch): boolean {
  return where !== undefined || !isIndexed(sortBy);
}

function isIndexed(sortBy: StoreSearch["sortBy"]): sortBy is "createdAt" | "updatedAt" | "id" {
  return sortBy === "createdAt" || sortBy === "updatedAt" || sortBy === "id";
}

function firstChunk({ limit, offset }: StoreSearch): number {
  return Math.min(chunkSizeMax, Math.max(1, offset + limit));
}

class Walk {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #definitions: ReturnType<typeof plain.definitionsWithoutTasks>;
  readonly #endsAt: number;
  readonly #filter: RowFilter | undefined;
  readonly #subjects: Subjects;
  /** Whether candidates are read without their values, which nothing is asked of. */
  #isBare = false;

  constructor(connection: Connection, search: StoreSearch) {
    this.#connection = connection;
    this.#search = search;
    this.#definitions = search.definitions ? plain.definitionsWithoutTasks(connection, search) : [];
    // By an id there is no more than one task to be looked at.
    const { id, budgetMs = Number.POSITIVE_INFINITY } = search;
    this.#endsAt = performance.now() + (id === undefined ? budgetMs : Number.POSITIVE_INFINITY);
    this.#filter = search.where && rowFilterOf(search.where);
    this.#subjects = new Subjects(connection);
  }

  page(): FoundRows {
    const { sortBy } = this.#search;
    if (isIndexed(sortBy)) return this.#walked(this.#chunks(this.#search));
    return this.#parted() ?? this.#gathered();
  }

  plan(): SearchPlan {
    const search = this.#search;
    if (search.id !== undefined) {
      return { source: "id", indexes: ["tasks_id"], candidates: 1, isSorted: false };
    }
    const { where: _where, ...filters } = search;
    const total = plain.countTasks(this.#connection, { ...filters, sortBy: "createdAt" });
    if (this.#isParted()) return this.#planParted(this.#partedIndexes(), total);
    const isSorted = !isIndexed(search.sortBy);
    const walked: StoreSearch = isSorted ? { ...search, sortBy: "createdAt", descending: true } : search;
    const source = this.#sourceOf(walked);
    if (!source) {
      const { indexes } = plain.planInOrder(this.#connection, walked);
      const delayed = isDueWithin(this.#connection, walked) ? ["tasks_delayed"] : [];
      const prioritized = isOfPriorities(this.#connection, walked) ? [prioritizedIndex] : [];
      const { indexes: started = [], gathered } = startsReadFor(this.#connection, walked) ?? {};
      return {
        ...{
          source: "walk",
          indexes: [...new Set([...indexes, ...delayed, ...started, ...prioritized])],
          candidates: gathered ?? total,
        },
        ...(gathered !== undefined && { of: "startedAt" }),
        isSorted,
      };
    }
    const { index, name: of, estimate } = source;
    return {
      ...{ source: index, of, indexes: indexesOf(source) },
      candidates: Math.min(estimate, total),
      ...(estimate >= estimateMax && total > estimate && { isAtLeast: true }),
      isSorted,
    };
  }

  #planParted(indexes: string[], total: number): SearchPlan {
    const { where, offset, limit } = this.#search;
    const candidates = where ? total : Math.min(total, offset + limit);
    return { source: where ? "walk" : "order", indexes, candidates, isSorted: false };
  }

  #partedIndexes(): string[] {
    const { sortBy } = this.#search;
    if (sortBy === "priority") return priorityIndexes(this.#connection, this.#search);
    if (sortBy === "duration") return durationIndexes(this.#connection, this.#search);
    return nearIndexesOf(this.#connection, this.#search);
  }

  /** Undefined in an order that is not put together from others, and where all that may fit are sorted sooner by their rows. */
  #parted(): FoundRows | undefined {
    if (!this.#isParted()) {
      const few = fewKeys(this.#connection, this.#search, this.#definitions);
      return few && this.#keysOfPage(few[Symbol.iterator]());
    }
    const { where, offset } = this.#search;
    const keys = this.#partedKeys();
    if (where !== undefined) return this.#walked(this.#chunksOf(keys, this.#search));
    const stopped = this.#pass(keys, offset);
    return stopped ? { ...this.#answer([]), ...stopped } : this.#keysOfPage(keys);
  }

  /** Nothing is asked of the rows: these are read as those of an order that an index has. */
  #keysOfPage(keys: Iterator<Key>): FoundRows {
    const { limit, bytesMax } = this.#search;
    const page: Key[] = [];
    let stoppedAt: Place | undefined;
    while (page.length < limit && !stoppedAt) {
      const { done, value } = keys.next();
      if (done) break;
      if (!isPlace(value)) page.push(value);
      else if (this.#isEnd(value)) stoppedAt = this.#placeOf({ key: value });
    }
    keys.return?.();
    const found = plain.readKeys(this.#connection, page, this.#definitions, bytesMax);
    return { ...found, ...(stoppedAt && !found.isCut && { stoppedAt }) };
  }

  /** Whether the budget has run out, and the search may go on from this place. */
  #isEnd(place: Key, search = this.#search): boolean {
    const overrun = performance.now() - this.#endsAt;
    if (overrun <= 0) return false;
    // Within one second of an order near another one, or one duration, much may have to be passed over until it has come further.
    const mayEndThere = (isNear(search.sortBy) || search.sortBy === "duration") && overrun > overrunMsMax;
    return mayEndThere ? isNotBefore(search, place) : isAfter(search, place);
  }

  #partedKeys(): Iterator<Key> {
    const { sortBy } = this.#search;
    if (sortBy === "duration") return durationKeys(this.#connection, this.#search);
    return sortBy === "priority"
      ? priorityKeys(this.#connection, this.#search, this.#definitions)
      : nearKeys(this.#connection, this.#search);
  }

  #isParted(): boolean {
    const { id, sortBy, where, created, updated } = this.#search;
    if (id !== undefined || !isInParts(sortBy)) return false;
    const newestFirst: StoreSearch = { ...this.#search, sortBy: "createdAt", descending: true };
    const source = where && this.#sourceOf(newestFirst);
    // Those that ran for long are the beginning of the order by duration, or its end; it sorts few within a range by itself.
    const isOrder = sortBy === "duration" && source?.index === "slow";
    if (source && !isOrder && source.countTo(gatheredMax) < gatheredMax) return false;
    if ((!created && !updated) || sortBy === "duration") return true;
    const { where: _where, ...plainly } = newestFirst;
    return plain.isMoreThan(this.#connection, plainly, sortedSooner(this.#connection, this.#search));
  }

  /** Passes over so many keys; answers where it was when the budget ran out before. */
  #pass(keys: Iterator<Key>, offset: number): Pick<FoundRows, "stoppedAt" | "offsetLeft"> | undefined {
    for (let passed = 0; passed < offset; ) {
      const next = keys.next();
      if (next.done) return undefined;
      if (!isPlace(next.value)) passed += 1;
      const isLook = isPlace(next.value) || passed % passedBetween === 0;
      if (!isLook || !this.#isEnd(next.value)) continue;
      keys.return?.();
      return { stoppedAt: this.#placeOf({ key: next.value }), ...leftOf(offset - passed) };
    }
    return undefined;
  }

  /** An estimate by a share of those that are walked is right of all alone, or where it is known how many they are. */
  count(): Counted {
    const began = performance.now();
    const halfAt = began + (this.#endsAt - began) / 2;
    const counted = this.#counted(this.#chunks(this.#search), () =>
      this.#areUncounted ? halfAt : this.#endsAt,
    );
    if (counted.isWhole || !this.#areUncounted) return counted;
    const all = plain.keysInOrder(this.#connection, this.#search, this.#definitions);
    return this.#counted(this.#chunksOf(all, this.#search), () => this.#endsAt);
  }

  #counted(chunks: Iterable<Candidate[]>, endsAt: () => number): Counted {
    let met = 0;
    let seen = 0;
    for (const chunk of chunks) {
      met += chunk.filter((candidate) => this.#isMet(candidate)).length;
      seen += chunk.filter(({ key }) => !isPlace(key)).length;
      if (performance.now() <= endsAt()) continue;
      const unindexed = this.#unindexed;
      if (this.#areUncounted) return { met, seen, isWhole: false, unindexed };
      const total = this.#source ? this.#source.total() : startedWithinTotal(this.#connection, this.#search);
      return { met, seen, isWhole: false, unindexed, ...(total !== undefined && { total }) };
    }
    return { met, seen, isWhole: true, unindexed: this.#unindexed };
  }

  #walked(chunks: Iterable<Candidate[]>, offset = this.#search.offset): FoundRows {
    const { limit, bytesMax } = this.#search;
    const found: Candidate[] = [];
    const room = new Room(bytesMax);
    let left = offset;
    for (const chunk of chunks) {
      for (const candidate of chunk) {
        if (!this.#isMet(candidate)) continue;
        left -= 1;
        if (left >= 0) continue;
        if (candidate.row && !room.takes(candidate.row)) return { ...this.#answer(found), isCut: true };
        if (found.push(candidate) === limit) return this.#answer(found);
      }
      if (performance.now() <= this.#endsAt) continue;
      return { ...this.#answer(found, this.#placeOf(chunk.at(-1)!)), ...leftOf(left) };
    }
    return this.#answer(found);
  }

  /** Ends at the budget with the best of what was looked at, which need not be the best of all. */
  #gathered(): FoundRows {
    const { after: place, limit, offset, ...rest } = this.#search;
    this.#isBare = rest.where === undefined;
    const compare = comparator(this.#search);
    const order = ({ at: [a, id] }: Gathered, { at: [b, other] }: Gathered) =>
      compare([a, id, 0], [b, other, 0]);
    const best = new Best<Gathered>(offset + limit, order);
    const most = rest.sortBy === "relevance" ? rankedMax : sortedMax;
    let found = 0;
    let isWhole = true;
    for (const chunk of this.#chunks({ ...rest, limit, offset: 0, sortBy: "createdAt", descending: true })) {
      for (const candidate of chunk) {
        const subject = this.#meeting(candidate);
        const value = subject && sortValueIn(rest, subject);
        if (typeof value !== "number") continue;
        isWhole = found < most;
        if (!isWhole) break;
        found += 1;
        const { key, entry } = candidate;
        const isBeyond = !place || compare([place.value ?? 0, place.id, 0], [value, key[1], 0]) < 0;
        if (isBeyond) best.add({ key, at: [value, key[1]], ...(entry && { entry }) });
      }
      if (performance.now() > this.#endsAt) isWhole = false;
      if (!isWhole) break;
    }
    const beyond = best.sorted();
    const { page, isCut } = this.#withRows(beyond.slice(offset, offset + limit));
    const answer = this.#answer(page);
    if (rest.sortBy === "relevance") answer.values = page.map(({ at: [value] }) => value);
    return { ...answer, ...(isCut && { isCut }), ...(!isWhole && { isPartial: true }) };
  }

  /** Up to the first that does not fit into the answer. */
  #withRows(page: readonly Gathered[]): { page: (Gathered & Candidate)[]; isCut?: true } {
    const seqs = page.filter(({ entry }) => !entry).map(({ key: [, , seq] }) => seq);
    const { rows, cutAt } = readTasks(this.#connection, seqs, this.#search.bytesMax);
    const rowOf = new Map(rows.map((row) => [row[0], row]));
    const end = cutAt === undefined ? page.length : page.findIndex(({ key }) => key[2] === cutAt);
    const whole = page.slice(0, end).map((one): Gathered & Candidate => {
      const row = rowOf.get(one.key[2]);
      return row ? { ...one, row } : one;
    });
    return { page: whole, ...(cutAt !== undefined && { isCut: true }) };
  }

  *#chunks(search: StoreSearch): Generator<Candidate[]> {
    if (search.id !== undefined) {
      const only = this.#byId(search);
      if (only) yield [only];
      return;
    }
    yield* this.#chunksOf(this.#keys(search), search);
  }

  *#chunksOf(keys: Iterator<Key>, search: StoreSearch): Generator<Candidate[]> {
    try {
      for (let chunkSize = firstChunk(search); ; chunkSize = Math.min(chunkSizeMax, 2 * chunkSize)) {
        const chunk: Key[] = [];
        while (chunk.length < chunkSize) {
          const next = keys.next();
          if (next.done) break;
          if (!isPlace(next.value)) chunk.push(next.value);
          else if (this.#isEnd(next.value, search)) {
            yield* this.#read([...chunk, next.value]);
            chunk.length = 0;
          }
        }
        if (chunk.length > 0) yield* this.#read(chunk);
        if (chunk.length < chunkSize) return;
      }
    } finally {
      keys.return?.();
    }
  }

  #source: KeySource | undefined;
  #areUncounted = false;

  get #unindexed(): number {
    return this.#source?.unindexed ?? 0;
  }

  #keys(search: StoreSearch): Iterator<Key> {
    this.#source = this.#sourceOf(search);
    if (!this.#source) {
      const { keys, areUncounted } = walkedKeys(this.#connection, search, this.#definitions);
      this.#areUncounted = areUncounted;
      return keys;
    }
    const entries = plain.definitionKeys(search, this.#definitions).sort(comparator(search));
    return withEntries(this.#source.keys(), entries, comparator(search));
  }

  #sourceOf(search: StoreSearch): KeySource | undefined {
    return search.where && keySourceOf(this.#connection, search);
  }

  #byId(search: StoreSearch): Candidate | undefined {
    const { where: _where, ...rest } = search;
    const { tasks, definitions } = plain.searchTasks(this.#connection, { ...rest, offset: 0 });
    const [row] = tasks.rows;
    if (row) return this.#read([keyOf(search, row[6], row[7], row[1], row[0])]).next().value?.[0];
    const [entry] = definitions;
    return entry && { key: [0, entry[1][0], -1], entry: toEntry(toDefinition(entry[1]), undefined) };
  }

  /** In several chunks where their rows are large. */
  *#read(keys: readonly Key[]): Generator<Candidate[], undefined> {
    const tasks = keys.filter((key) => !isPlace(key) && !this.#definitionOf(key));
    const seqs = tasks.map(([, , seq]) => seq);
    const rows = this.#isBare
      ? readBareRows(this.#connection, seqs)
      : readRows(this.#connection, seqs, this.#filter);
    for (const chunk of inPortions(keys, rows, this.#search.bytesMax)) {
      this.#subjects.begin(rowsIn(chunk));
      yield chunk.map((candidate): Candidate => {
        const definition = isPlace(candidate.key) ? undefined : this.#definitionOf(candidate.key);
        return definition
          ? { key: candidate.key, entry: toEntry(toDefinition(definition), undefined) }
          : candidate;
      });
    }
    return undefined;
  }

  /** A task can have a number below zero in a damaged file alone. */
  #definitionOf([, , seq]: Key): DefinitionRow | undefined {
    return seq < 0 ? this.#definitions[-1 - seq] : undefined;
  }

  /** Without conditions nothing is made of a row. */
  #isMet(candidate: Candidate): boolean {
    if (this.#search.where === undefined) return (candidate.row ?? candidate.entry) !== undefined;
    return this.#meeting(candidate) !== undefined;
  }

  /** Undefined when it does not meet the conditions. */
  #meeting(candidate: Candidate): Subject | undefined {
    const { where } = this.#search;
    const { row, entry } = candidate;
    if (!row && !entry) return undefined;
    const subject = entry ? { task: entry } : this.#subjects.of(row!);
    return where === undefined || meets(where, subject) ? subject : undefined;
  }

  #placeOf({ key: [value, id] }: Candidate): Place {
    return { value: this.#search.sortBy === "id" ? null : value, id };
  }

  #answer(page: readonly Candidate[], stoppedAt?: Place): FoundRows {
    const tasks: Rows = withNames(this.#connection, rowsIn(page));
    const definitions = page.flatMap(({ key, row }, place): FoundRows["definitions"] =>
      row ? [] : [[place, this.#definitions.find(([id]) => id === key[1])!]],
    );
    const unindexed = this.#unindexed;
    return { tasks, definitions, ...(stoppedAt && { stoppedAt }), ...(unindexed > 0 && { unindexed }) };
  }
}

function leftOf(offset: number): Pick<FoundRows, "offsetLeft"> {
  return offset > 0 ? { offsetLeft: offset } : {};
}
