/**
 * Keys of tasks in the order of their due time; see near-orders.ts. Tasks that wait lie in lines, one for each lane and
 * priority, which the index of the claim has in that order, but for those of one instant. The lines know nothing of ranges of
 * other instants, and there are many of many priorities, so there is a second way to tasks that wait, as to those that have ended.
 */
import { ulidTime } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { sortedBetween, undelayedSearch } from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { sql } from "../statements.ts";
import { delayedWithin } from "./delays.ts";
import { elsewhereKeys } from "./elsewhere-keys.ts";
import { headed } from "./key-stream.ts";
import { lineSql, newestSql } from "./order-statements.ts";
import { findPairs } from "./pairs.ts";
import { isWithin, keysInOrder, runningKeys } from "./search.ts";
import { comparator, firstId, isAfter, type Key, lastId, placeBefore, placeKey } from "./search-key.ts";
import { chunksOfKeys, keysAtOnceMax, mergeInOrder, sooner } from "./search-merge.ts";
import type { Pair } from "./search-statements.ts";
import { listOr, type WholeList, wholeList } from "./whole-keys.ts";

const settledStatuses = ["PENDING", "COMPLETED", "FAILED", "CANCELLED"] as const;
/** Read of a line at first: most of many lines have little on the page. */
const firstOfLine = 4;

/** Where a greater share waits, the two ways to tasks that wait are followed. */
const waitingShareMax = 0.1;

/** In the search's order, from its place on; among them places. */
export function dueKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  return listedKeys(connection, search, findPairs(connection, search)) ?? dueKeysOfParts(connection, search);
}

/** Where nearly all were due when they were created, the list of all is in order, but for the others. */
function listedKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
): Iterator<Key> | undefined {
  const list = listOfUndelayed(connection, search, pairs);
  if (!list) return undefined;
  const compare = comparator(search);
  const ended = pairs.filter(({ status }) => status >= 3);
  const waiting = pairs.filter(({ status }) => status === 1);
  const streams = [
    ...elsewhereKeys(connection, search, "due", ended),
    ...delayedKeys(connection, search, waiting),
    runningKeys(connection, search, pairs).sort(compare)[Symbol.iterator](),
  ];
  return listOr(list, streams, compare, (after) => dueKeysOfParts(connection, { ...search, after }));
}

/** Undefined where it is not read. @param pairs those of the search */
export function listOfUndelayed(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[] = findPairs(connection, search),
): WholeList | undefined {
  const settled = pairs.filter(({ status }) => status !== 2);
  const waiting = settled.filter(({ status }) => status === 1);
  if (tasksOf(waiting) > waitingShareMax * tasksOf(settled) || pairs.some(({ ownIds }) => ownIds))
    return undefined;
  const undelayed = undelayedSearch(search, settledStatuses);
  const asked = search.where ? { ...undelayed, where: search.where } : undelayed;
  return wholeList(connection, asked, settled, search, "undelayed");
}

function tasksOf(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, { tasks }) => sum + tasks, 0);
}

function dueKeysOfParts(connection: Connection, search: StoreSearch): Iterator<Key> {
  const compare = comparator(search);
  const pairs = findPairs(connection, search);
  const ended = pairs.filter(({ status }) => status >= 3);
  const waiting = pairs.filter(({ status }) => status === 1);
  const running = runningKeys(connection, search, pairs).sort(compare);
  return mergeInOrder(
    [
      undelayedKeys(connection, search, undelayedSearch(search)),
      ...elsewhereKeys(connection, search, "due", ended),
      ...waitingKeys(connection, search, waiting),
      running[Symbol.iterator](),
    ],
    compare,
  );
}

/**
 * Few of the lines may pass the ranges, and of many priorities there are many lines; or few of those within the ranges may be
 * due when they were created.
 */
function waitingKeys(connection: Connection, search: StoreSearch, waiting: readonly Pair[]): Iterator<Key>[] {
  if (waiting.length === 0) return [];
  const { within, lines } = waysToWaiting(connection, search, waiting);
  return [sooner([within(), lines], comparator(search))];
}

/** Either gives all tasks that wait, in order. */
export function waysToWaiting(
  connection: Connection,
  search: StoreSearch,
  waiting: readonly Pair[],
): { within: () => Iterator<Key>; lines: () => Iterator<Key> } {
  const lanes = waiting.map(({ lane }) => lane);
  const merged = (streams: readonly Iterator<Key>[]) => mergeInOrder(streams, comparator(search));
  return {
    within: () =>
      merged([
        undelayedKeys(connection, search, undelayedSearch(search, ["PENDING"])),
        ...delayedKeys(connection, search, waiting),
      ]),
    lines: () =>
      merged([...linesOf(connection, search, lanes, false), ...linesOf(connection, search, lanes, true)]),
  };
}

function delayedKeys(connection: Connection, search: StoreSearch, waiting: readonly Pair[]): Iterator<Key>[] {
  return delayedWithin(connection, search, waiting).flatMap(({ pairs, within }) =>
    elsewhereKeys(connection, search, "delayed", pairs, within),
  );
}

/** Latest first those that are due later than any was created are before these. */
function undelayedKeys(connection: Connection, search: StoreSearch, undelayed: StoreSearch): Iterator<Key> {
  const open = () => undelayedFromHere(connection, search, undelayed);
  if (!isDownwards(search)) return open();
  const latest = Math.min(sortedBetween(search).to, newestCreation(connection));
  return headed(placeBefore(search, latest), open);
}

/** No task was created after that. A generated id tells when its own was. */
function newestCreation(connection: Connection): number {
  return connection.once("newest creation", () => {
    const row = connection.prepare(newestSql).get() as unknown as [id: string | null, ownAt: number | null];
    const [id, ownAt] = row;
    const generatedAt = id === null ? undefined : (ulidTime(id) ?? Number.MAX_SAFE_INTEGER);
    return Math.max(generatedAt ?? Number.MIN_SAFE_INTEGER, ownAt ?? Number.MIN_SAFE_INTEGER);
  });
}

function* undelayedFromHere(
  connection: Connection,
  search: StoreSearch,
  undelayed: StoreSearch,
): Generator<Key, undefined> {
  const created = keysInOrder(connection, undelayed, []);
  for (const chunk of chunksOfKeys(created, search.offset + search.limit)) {
    const seqs = JSON.stringify(chunk.map(([, , seq]) => seq));
    const delayed = new Set(
      (connection.prepare(sql.delayedOf).all(seqs) as unknown as [number][]).map(([seq]) => seq),
    );
    for (const key of chunk) if (!delayed.has(key[2])) yield key;
    const [createdAt, id] = chunk.at(-1)!;
    yield placeKey(createdAt, id);
  }
  return undefined;
}

/** Tasks that wait in one lane, with one priority; those whose worker died before have lines of their own. */
interface Line {
  lane: number;
  priority: number;
  isSuspect: boolean;
}

type WaitingRow = [dueAt: number, id: string, seq: number, createdAt: number, updatedAt: number];

function linesOf(
  connection: Connection,
  search: StoreSearch,
  lanes: readonly number[],
  isSuspect: boolean,
): Iterator<Key>[] {
  const { from, to } = sortedBetween(search);
  const text = lineSql(isSuspect, isDownwards(search)).heads;
  const rows = connection.prepare(text).all(JSON.stringify(lanes), from, to) as unknown as [
    lane: number,
    priority: number,
    head: number | null,
  ][];
  return rows.flatMap(([lane, priority, head]) => {
    if (head === null) return [];
    const line: Line = { lane, priority, isSuspect };
    return [headed(placeBefore(search, head), () => new LineReader(connection, search, line).keys())];
  });
}

class LineReader {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #line: Line;
  readonly #isDownwards: boolean;
  readonly #compare: (a: Key, b: Key) => number;

  constructor(connection: Connection, search: StoreSearch, line: Line) {
    this.#connection = connection;
    this.#search = search;
    this.#line = line;
    this.#isDownwards = isDownwards(search);
    this.#compare = comparator(search);
  }

  *keys(): Generator<Key, undefined> {
    let { from, to } = sortedBetween(this.#search);
    const first = Math.min(firstOfLine, this.#search.offset + this.#search.limit);
    for (let size = first; ; size = Math.min(keysAtOnceMax, 2 * size)) {
      const rows = this.#read("inOrder", from, to, size);
      const isEnd = rows.length < size;
      const last = rows.at(-1)?.[0];
      yield* this.#fitting(isEnd ? rows : rows.filter(([dueAt]) => dueAt !== last)).sort(this.#compare);
      if (isEnd || last === undefined) return undefined;
      yield* this.#of(last, size);
      if (this.#isDownwards) to = last - 1;
      else from = last + 1;
      yield placeBefore(this.#search, this.#isDownwards ? to : from);
    }
  }

  /** All of one instant: the index does not have them in the order of their ids. */
  *#of(dueAt: number, size: number): Generator<Key> {
    const { after } = this.#search;
    let id = this.#isDownwards ? lastId : firstId;
    if (after?.value === dueAt) id = after.id;
    for (;;) {
      const rows = this.#read("ofInstant", dueAt, id, size);
      yield* this.#fitting(rows);
      if (rows.length < size) return;
      id = rows.at(-1)![1];
      yield placeKey(dueAt, id);
    }
  }

  #read(which: "inOrder" | "ofInstant", ...values: [number, number | string, number]): WaitingRow[] {
    const { lane, priority, isSuspect } = this.#line;
    const text = lineSql(isSuspect, this.#isDownwards)[which];
    return this.#connection.prepare(text).all(lane, priority, ...values) as unknown as WaitingRow[];
  }

  #fitting(rows: readonly WaitingRow[]): Key[] {
    const { created, updated } = this.#search;
    return rows
      .filter(([, , , createdAt, updatedAt]) => isWithin(created, createdAt) && isWithin(updated, updatedAt))
      .map(([dueAt, id, seq]): Key => [dueAt, id, seq])
      .filter((key) => isAfter(this.#search, key));
  }
}
