/**
 * The seam between a search with conditions and what finds its candidates sooner than walking over all tasks would: the
 * index of attributes, or of texts. A source gives more tasks than meet the conditions, never fewer; each is tested on its
 * row. The plain filters (types, statuses, queues, instants) its keys have passed.
 */
import type { PlanSource, StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import { sourceSql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import { comparator, isAfter, type Key, keyOf } from "./search-key.ts";

export interface KeySource {
  /** For explanations: what finds the candidates, and by which index. */
  name: string;
  index: Exclude<PlanSource, "order">;
  /** About how many candidates there are; exact below `estimateMax`. */
  estimate: number;
  /** About how many tasks it does not give, because their texts wait to be indexed. */
  unindexed?: number;
  /** All candidates, those that fail the plain filters included; takes as long as it takes. */
  total(): number;
  /** About how many they are, told no further than to so many. */
  countTo(most: number): number;
  /** In the search's order, from its place on. Among them places (`isPlace`), up to which all keys were given. */
  keys(): Generator<Key, undefined>;
}

/** Estimates are exact below this. */
export const estimateMax = 1_000;
/** More candidates than this are not gathered to be sorted. */
export const gatheredMax = 20_000;

/** The keys of tasks that pass the plain filters, among these; in the search's order, from its place on. */
export class Candidates {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #lanes: ReadonlySet<number> | undefined;
  readonly #statuses: ReadonlySet<number> | undefined;

  constructor(connection: Connection, search: StoreSearch) {
    this.#connection = connection;
    this.#search = search;
    this.#lanes = lanesOf(connection, search);
    this.#statuses = search.statuses && new Set<number>(search.statuses.map((name) => statusNumbers[name]));
  }

  /** Each once, however often its number is given. */
  among(seqs: Iterable<number>): Key[] {
    const rows = this.#connection
      .prepare(sourceSql.placesOf)
      .all(JSON.stringify([...new Set(seqs)])) as unknown as PlaceRow[];
    return rows
      .filter((row) => this.#fits(row))
      .map(([seq, id, , , created, updated]) => this.#keyOf(seq, id, created, updated))
      .filter((key) => isAfter(this.#search, key))
      .sort(comparator(this.#search));
  }

  #keyOf(seq: number, id: string, created: number, updated: number): Key {
    return keyOf(this.#search, created, updated, id, seq);
  }

  #fits([, , lane, status, createdAt, updatedAt]: PlaceRow): boolean {
    const { created, updated } = this.#search;
    return (
      (!this.#lanes || this.#lanes.has(lane)) &&
      (!this.#statuses || this.#statuses.has(status)) &&
      isWithin(createdAt, created) &&
      isWithin(updatedAt, updated)
    );
  }
}

/** As a source gives them. */
export function* candidatesAmong(
  connection: Connection,
  search: StoreSearch,
  seqs: Iterable<number>,
): Generator<Key, undefined> {
  yield* new Candidates(connection, search).among(seqs);
  return undefined;
}

type PlaceRow = [seq: number, id: string, lane: number, status: number, createdAt: number, updatedAt: number];

function isWithin(at: number, range: { start?: number; end?: number } | undefined): boolean {
  return (
    !range ||
    (at >= (range.start ?? Number.NEGATIVE_INFINITY) && at < (range.end ?? Number.POSITIVE_INFINITY))
  );
}

/** Undefined where all are wanted. */
export function lanesOf(connection: Connection, { types, queues }: StoreSearch): Set<number> | undefined {
  if (!types && !queues) return undefined;
  const read = () => connection.prepare(sourceSql.allLanes).all() as unknown as [number, string, string][];
  const lanes = connection.once("all lanes", read);
  return new Set(
    lanes
      .filter(([, type, queue]) => (!types || types.includes(type)) && (!queues || queues.includes(queue)))
      .map(([lane]) => lane),
  );
}

/** Between which instants of creation the search's tasks from its place on lie; both included. */
export function createdBounds(search: StoreSearch): { from: number; to: number } {
  const { created, updated, after, sortBy, descending } = search;
  let from = created?.start ?? Number.MIN_SAFE_INTEGER;
  let to = Math.min(
    (created?.end ?? Number.MAX_SAFE_INTEGER) - 1,
    (updated?.end ?? Number.MAX_SAFE_INTEGER) - 1,
  );
  if (after && sortBy === "createdAt" && after.value !== null) {
    if (descending === !after.backwards) to = Math.min(to, after.value);
    else from = Math.max(from, after.value);
  }
  return { from, to };
}
