/**
 * Keys of tasks in the order of their creation where those that are asked for are a large share of all. Generated ids are in that
 * order, so one list has them all: it is read by portions, and others are passed over in their rows, which lie side by side. Pairs of
 * lane and status would be looked up one by one, hundreds of all types. Where the list passes over too many it is given up at a place,
 * from which the search goes on by its pairs.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { earliest } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import type { PageSize } from "./key-stream.ts";
import { comparator, type Key } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import { generatedStatement, type Pair, type SearchStatement } from "./search-statements.ts";

/** Of fewer pairs each is looked up. */
const pairsMin = 8;
/** To look up so many pairs for a page takes as long as to pass over one task for each of its keys. */
const pairsPerPassed = 8;
/** So many are passed over besides before the list is given up. */
const passedBesides = 1_000;
/** Where each key is a row to be tested, what is passed over is not made up for by looks that are saved. */
const passedPerTested = 1;
/** Rows of a portion at most; and how many more than will do, if all lie evenly, are read at first. */
const [portionMax, ahead] = [2_000, 1.25];

/** What else is asked of the row of each. */
export const wholeConditions = {
  undelayed: "due_at = created_at",
  unprioritized: "priority = 0",
  dueWithin: "due_at BETWEEN ? AND ?",
} as const;

/** Which of the list are given. */
interface Given {
  only?: keyof typeof wholeConditions | undefined;
  /** Of its condition. */
  values?: readonly number[];
}

/** Undefined where the pairs are looked up sooner. @param pairs those of the search that do not run */
export function wholeList(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  page: PageSize,
  only?: keyof typeof wholeConditions,
): WholeList | undefined {
  const { types, queues, sortBy, updated, where } = search;
  if (types || queues || sortBy === "updatedAt" || updated?.start !== undefined) return undefined;
  if (pairs.length < pairsMin) return undefined;
  const wanted = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  const all = connection.once("all tasks", () => {
    const [tasks] = connection.prepare(sql.allTasks).get() as unknown as [number];
    return tasks;
  });
  const most = where ? passedPerTested : Math.floor(pairs.length / pairsPerPassed);
  if (all - wanted > most * wanted) return undefined;
  const first = Math.ceil(((page.offset + page.limit) * ahead * all) / wanted);
  return new WholeList(connection, search, {
    first,
    passed: passedBesides,
    passedPerKey: most,
    given: { only },
  });
}

/**
 * The list of those that are due within a range, whichever they are among all; given up after so many others. Undefined where it has
 * too many others, or not all.
 */
export function listOfDue(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  { from, to }: { from: number; to: number },
  limits: { first: number; passed: number },
): WholeList | undefined {
  const { types, queues, updated } = search;
  if (types || queues || updated?.start !== undefined || pairs.some(({ ownIds }) => ownIds)) return undefined;
  const given: Given = { only: "dueWithin", values: [from, to] };
  return new WholeList(connection, search, { ...limits, passedPerKey: 0, given });
}

export class WholeList {
  /** Where the list was given up; what is behind it was not given. */
  gaveUpAt: NonNullable<StoreSearch["after"]> | undefined;
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #first: number;
  readonly #passed: number;
  readonly #passedPerKey: number;
  readonly #given: Given;

  /** @param limits so many others are passed over, and so many more with each key */
  constructor(
    connection: Connection,
    search: StoreSearch,
    limits: { first: number; passed: number; passedPerKey: number; given: Given },
  ) {
    this.#connection = connection;
    this.#search = search;
    this.#first = limits.first;
    this.#passed = limits.passed;
    this.#passedPerKey = limits.passedPerKey;
    this.#given = limits.given;
  }

  /** For explanations, and for tests of their plans. */
  statements(): SearchStatement[] {
    const { text, values, edge } = portion(this.#search, this.#given);
    return [
      { text, values: [...edge.values, this.#first, ...values] },
      { text: `${edge.text} LIMIT 1 OFFSET ?`, values: [...edge.values, this.#first] },
    ];
  }

  /** In order, from the search's place on. */
  *keys(): Generator<Key, undefined> {
    let after = this.#search.after;
    let left = this.#passed;
    for (let size = Math.min(portionMax, this.#first); ; size = Math.min(portionMax, 2 * size, left + 1)) {
      const { text, values, edge } = portion({ ...this.#search, ...(after && { after }) }, this.#given);
      const rows = this.#connection.prepare(text).all(...edge.values, size, ...values) as unknown as Key[];
      yield* rows;
      const last = this.#connection.prepare(`${edge.text} LIMIT 1 OFFSET ?`).get(...edge.values, size - 1);
      if (!last) return undefined;
      const [createdAt, id] = last as unknown as Key;
      const value = this.#search.sortBy === "id" ? null : createdAt;
      after = { value, id, backwards: this.#search.after?.backwards ?? false };
      left += rows.length * (this.#passedPerKey + 1) - size;
      if (left >= 0) continue;
      this.gaveUpAt = after;
      return undefined;
    }
  }
}

/**
 * The keys of such a list merged with other streams; from where it is given up, those of `otherwise`, which begins there. The comparison
 * is of the order that all of them have.
 */
export function* listOr(
  list: WholeList,
  streams: readonly Iterator<Key>[],
  compare: (a: Key, b: Key) => number,
  otherwise: (after: NonNullable<StoreSearch["after"]>) => Iterator<Key>,
): Generator<Key, undefined> {
  for (const key of mergeInOrder([list.keys(), ...streams], compare)) {
    const place = list.gaveUpAt;
    if (place && compare([place.value ?? 0, place.id, 0], key) < 0) break;
    yield key;
  }
  if (!list.gaveUpAt) return undefined;
  const rest = otherwise(list.gaveUpAt);
  try {
    for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
    return undefined;
  } finally {
    rest.return?.();
  }
}

export function generatedOf(pairs: readonly Pair[]): Pair[] {
  return pairs.filter(({ ownIds }) => !ownIds);
}

/** Streams of the pairs' keys; by the list, where that is of use, those of generated ids. */
export function listOrPairs(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  page: PageSize,
  open: (search: StoreSearch, pairs: readonly Pair[]) => Iterator<Key>[],
): Iterator<Key>[] {
  const generated = generatedOf(pairs);
  const list = wholeList(connection, search, generated, page);
  if (!list) return open(search, pairs);
  const compare = comparator(search);
  const otherwise = (after: NonNullable<StoreSearch["after"]>) =>
    mergeInOrder(open({ ...search, after }, generated), compare);
  const own = pairs.filter(({ ownIds }) => ownIds);
  return [listOr(list, [], compare, otherwise), ...(own.length > 0 ? open(search, own) : [])];
}

/** So many rows of the list from a place on; and where they end, at the OFFSET that is its last value. */
export function portion(
  { statuses, updated, ...search }: StoreSearch,
  { only, values = [] }: Given,
): SearchStatement & { edge: SearchStatement } {
  const end = earliest(search.created?.end, updated?.end);
  const created = { ...search.created, ...(end !== undefined && { end }) };
  const edge = generatedStatement({ ...search, created });
  const rows = edge.text.replace(
    "created_at, id, seq",
    "created_at, id, seq, status, updated_at, due_at, priority",
  );
  const wanted = statuses
    ?.map((name) => statusNumbers[name])
    .filter((status) => status !== statusNumbers.RUNNING);
  const conditions = [
    wanted ? `status IN (${[...new Set(wanted)].sort().join(", ")})` : `status <> ${statusNumbers.RUNNING}`,
    ...(updated?.end === undefined ? [] : ["updated_at < ?"]),
    ...(only ? [wholeConditions[only]] : []),
  ];
  return {
    // In the order by priority all of them have the same.
    text: `/* dure:searchTasks */ SELECT ${only === "unprioritized" ? 0 : "created_at"}, id, seq FROM (${rows} LIMIT ?) WHERE ${conditions.join(" AND ")}`,
    values: [...(updated?.end === undefined ? [] : [updated.end]), ...values],
    edge,
  };
}
