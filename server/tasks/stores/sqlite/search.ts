/**
 * Search on a reading thread. Tasks lie in (lane, status) pairs; for each pair that has any, an index gives the
 * tasks' keys in the order that is asked for, and the pairs' streams are merged here, one key at a time. So every
 * combination of filters reads what it answers and little more, whatever the history holds. RUNNING tasks (few)
 * and definitions without tasks are streams of their own, sorted in memory.
 *
 * Since a task is never updated before it was created, a bound on one instant bounds the other, and an order by
 * either is narrowed by both ranges.
 */
import type { SQLInputValue } from "node:sqlite";
import { compareText } from "../../core/compare.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import type { Connection } from "./connection.ts";
import type { Rows } from "./protocol.ts";
import type { DefinitionRow, Row } from "./rows.ts";
import {
  countsOfPair,
  generatedStatement,
  isWhole,
  ownIdStatement,
  type Pair,
  type SearchStatement,
  streamsOfPair,
} from "./search-statements.ts";
import { sql } from "./statements.ts";
import { statusNumbers } from "./statuses.ts";
import { findTask, withNames } from "./write-context.ts";

/** A task's place in the order: the instant sorted by, its id, and its row; below zero for a definition. */
export type Key = [value: number, id: string, seq: number];

/** Found tasks, with the definitions among them by their place in the answer. */
export interface FoundRows {
  tasks: Rows;
  definitions: [place: number, definition: DefinitionRow][];
  stoppedAt?: Place;
  isPartial?: true;
}

/** Above this many streams, their keys are read one stream after another instead of side by side. */
const openStreamsMax = 400;
/** The limit of a search that is read until its reader has enough. */
const endless = Number.MAX_SAFE_INTEGER;

export function searchTasks(connection: Connection, search: StoreSearch): FoundRows {
  if (search.id !== undefined) return searchById(connection, search);
  const definitions = search.definitions ? definitionsWithoutTasks(connection, search) : [];
  const streams = openStreams(connection, search, definitions);
  const keys = merge(streams, search);
  return readKeys(connection, keys, definitions);
}

export function countTasks(connection: Connection, search: StoreSearch): number {
  if (search.id !== undefined) return countById(connection, search);
  const pairs = findPairs(connection, search);
  if (!search.created && !search.updated) return pairs.reduce((sum, pair) => sum + pair.tasks, 0);
  const settled = pairs.filter((pair) => pair.status !== 2);
  const counted = settled
    .flatMap((pair) => countsOfPair(search, pair))
    .map(({ text, values }) => (connection.prepare(text).get(...values) as unknown as [number])[0]);
  return (
    counted.reduce((sum, tasks) => sum + tasks, 0) +
    runningKeys(connection, { ...search, limit: 0 }, pairs).length
  );
}

function countById(connection: Connection, search: StoreSearch): number {
  const { after: _after, ...unplaced } = search;
  return searchById(connection, { ...unplaced, offset: 0, definitions: false }).tasks.rows.length;
}

/** The statements that a search would run now; for tests of their plans. */
export function searchStatements(connection: Connection, search: StoreSearch): SearchStatement[] {
  if (isWhole(search)) return [generatedStatement(search), ownIdStatement(search)];
  return findPairs(connection, search)
    .filter((pair) => pair.status !== 2)
    .flatMap((pair) => streamsOfPair(search, pair));
}

/** As `searchStatements`, for `countTasks`. */
export function countStatements(connection: Connection, search: StoreSearch): SearchStatement[] {
  return findPairs(connection, search)
    .filter((pair) => pair.status !== 2)
    .flatMap((pair) => countsOfPair(search, pair));
}

function searchById(connection: Connection, search: StoreSearch): FoundRows {
  const none: FoundRows = { tasks: { rows: [], lanes: [], workers: [] }, definitions: [] };
  if (search.offset > 0) return none;
  const row = findTask(connection, search.id!);
  if (row) {
    const tasks = withNames(connection, [row]);
    const [, type, queue] = tasks.lanes[0]!;
    const wanted =
      fits(search, type, queue, row[3], row[6], row[7]) &&
      isAfter(search, keyOf(search, row[6], row[7], row[1], 0));
    return wanted ? { ...none, tasks } : none;
  }
  const definitions = search.definitions ? definitionsWithoutTasks(connection, search) : [];
  const found = definitions.find((definition) => definition[0] === search.id);
  return found && isAfter(search, definitionKey(search, found, 0))
    ? { ...none, definitions: [[0, found]] }
    : none;
}

// Streams

function openStreams(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Iterator<Key>[] {
  const fromDefinitions = definitions
    .map((definition, index) => definitionKey(search, definition, -1 - index))
    .filter((key) => isAfter(search, key));
  if (isWhole(search)) return openWhole(connection, search, sorted(search, fromDefinitions));
  const pairs = findPairs(connection, search);
  const memory = sorted(search, [...runningKeys(connection, search, pairs), ...fromDefinitions]);
  const settled = pairs.filter((pair) => pair.status !== 2);
  const statements = settled.flatMap((pair) => streamsOfPair(search, pair));
  const wanted = search.offset + search.limit;
  const streams = statements.map(({ text, values }) => {
    if (statements.length <= openStreamsMax || wanted >= endless)
      return iterate(connection, text, [...values, wanted, 0]);
    return (connection.prepare(text).all(...values, wanted, 0) as unknown as Key[])[Symbol.iterator]();
  });
  return [...streams, memory[Symbol.iterator]()];
}

/** All keys of a search in its order, from its place on, whatever its limit; definitions are negative. */
export function keysInOrder(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Iterator<Key> {
  const streams = openStreams(connection, { ...search, offset: 0, limit: endless }, definitions);
  return mergeAll(streams, comparator(search));
}

function* mergeAll(streams: Iterator<Key>[], compare: (a: Key, b: Key) => number): Generator<Key, undefined> {
  try {
    const heads = streams.map((stream) => stream.next());
    for (;;) {
      let least = -1;
      for (let index = 0; index < heads.length; index++) {
        if (heads[index]!.done) continue;
        if (least === -1 || compare(heads[index]!.value, heads[least]!.value) < 0) least = index;
      }
      if (least === -1) return undefined;
      yield heads[least]!.value;
      heads[least] = streams[least]!.next();
    }
  } finally {
    for (const stream of streams) stream.return?.();
  }
}

/** Where nothing must be merged with the generated ids, SQL itself skips what comes before the page. */
function openWhole(connection: Connection, search: StoreSearch, memory: Key[]): Iterator<Key>[] {
  const { text, values } = generatedStatement(search);
  const hasOwnIds = connection.prepare(sql.hasOwnIds).get() !== undefined;
  if (!hasOwnIds && memory.length === 0 && search.limit < endless) {
    const keys = connection.prepare(text).all(...values, search.limit, search.offset);
    return [skipped(keys as unknown as Key[])];
  }
  const wanted = search.offset + search.limit;
  const own = ownIdStatement(search);
  return [
    iterate(connection, text, [...values, wanted, 0]),
    ...(hasOwnIds ? [iterate(connection, own.text, [...own.values, wanted, 0])] : []),
    memory[Symbol.iterator](),
  ];
}

/** Marks keys that SQL has already skipped `offset` of. */
function skipped(keys: Key[]): Iterator<Key> & { skipped?: true } {
  const iterator: Iterator<Key> & { skipped?: true } = keys[Symbol.iterator]();
  iterator.skipped = true;
  return iterator;
}

/** Keys read one by one; `return` lets go of the statement, also after the last key. */
function iterate(connection: Connection, text: string, values: SQLInputValue[]): Iterator<Key> {
  const statement = connection.borrow(text);
  const keys = statement.iterate(...values) as unknown as Iterator<Key>;
  return {
    next: () => keys.next(),
    return: () => {
      keys.return?.();
      connection.giveBack(text, statement);
      return { done: true, value: undefined };
    },
  };
}

function sorted(search: StoreSearch, keys: Key[]): Key[] {
  return keys.sort(comparator(search));
}

/** The next `limit` keys after `offset`, in order, from streams that are each in order. */
function merge(streams: Iterator<Key>[], search: StoreSearch): Key[] {
  const compare = comparator(search);
  const heads = streams.map((stream) => stream.next());
  const first = streams[0] as (Iterator<Key> & { skipped?: true }) | undefined;
  const offset = first?.skipped ? 0 : search.offset;
  const found: Key[] = [];
  for (let place = 0; place < offset + search.limit; place++) {
    let least = -1;
    for (let index = 0; index < heads.length; index++) {
      if (heads[index]!.done) continue;
      if (least === -1 || compare(heads[index]!.value, heads[least]!.value) < 0) least = index;
    }
    if (least === -1) break;
    if (place >= offset) found.push(heads[least]!.value);
    heads[least] = streams[least]!.next();
  }
  for (const stream of streams) stream.return?.();
  return found;
}

function readKeys(
  connection: Connection,
  keys: readonly Key[],
  definitions: readonly DefinitionRow[],
): FoundRows {
  const wanted: number[] = [];
  const places: FoundRows["definitions"] = [];
  keys.forEach(([, , seq], place) => {
    if (seq < 0) places.push([place, definitions[-1 - seq]!]);
    else wanted.push(seq);
  });
  const rows = connection.prepare(sql.readTasks).all(JSON.stringify(wanted)) as unknown as Row[];
  return { tasks: withNames(connection, rows), definitions: places };
}

export function comparator(search: StoreSearch): (a: Key, b: Key) => number {
  const sign = isDownwards(search) ? -1 : 1;
  if (search.sortBy === "id") return (a, b) => sign * compareText(a[1], b[1]);
  return (a, b) => sign * (a[0] - b[0] || compareText(a[1], b[1]));
}

// What lies in memory: RUNNING tasks, definitions

export function runningKeys(connection: Connection, search: StoreSearch, pairs: readonly Pair[]): Key[] {
  const lanes = new Map(pairs.filter((pair) => pair.status === 2).map((pair) => [pair.lane, pair]));
  if (lanes.size === 0) return [];
  const rows = connection.prepare(sql.runningTasks).all() as unknown as [
    number,
    string,
    number,
    number,
    number,
  ][];
  return rows
    .filter(
      ([, , lane, created, updated]) =>
        lanes.has(lane) && fits(search, undefined, undefined, 2, created, updated),
    )
    .map(([seq, id, , created, updated]) => keyOf(search, created, updated, id, seq))
    .filter((key) => isAfter(search, key));
}

export function definitionsWithoutTasks(connection: Connection, search: StoreSearch): DefinitionRow[] {
  const rows = connection.prepare(sql.definitionsWithoutTasks).all() as unknown as DefinitionRow[];
  return rows.filter((row) => fits(search, row[0], row[3], 1, row[8], row[8]));
}

function definitionKey(search: StoreSearch, row: DefinitionRow, seq: number): Key {
  return keyOf(search, row[8], row[8], row[0], seq);
}

export function keyOf(search: StoreSearch, created: number, updated: number, id: string, seq: number): Key {
  return [search.sortBy === "updatedAt" ? updated : created, id, seq];
}

/** `type` and `queue` may be left out when the lane was chosen by them. */
function fits(
  search: StoreSearch,
  type: string | undefined,
  queue: string | undefined,
  status: number,
  created: number,
  updated: number,
): boolean {
  return (
    (type === undefined || !search.types || search.types.includes(type)) &&
    (queue === undefined || !search.queues || search.queues.includes(queue)) &&
    (!search.statuses || search.statuses.some((name) => statusNumbers[name] === status)) &&
    within(search.created, created) &&
    within(search.updated, updated)
  );
}

function within(range: { start?: number; end?: number } | undefined, at: number): boolean {
  return (
    !range ||
    ((range.start === undefined || at >= range.start) && (range.end === undefined || at < range.end))
  );
}

export function isAfter(search: StoreSearch, key: Key): boolean {
  if (!search.after) return true;
  return comparator(search)([search.after.value ?? 0, search.after.id, 0], key) < 0;
}

// Pairs

export function findPairs(connection: Connection, search: StoreSearch): Pair[] {
  const rows = (search.types
    ? connection.prepare(sql.pairsOfTypes).all(JSON.stringify([...new Set(search.types)]))
    : connection.prepare(sql.pairs).all()) as unknown as [number, string, string, number, number, number][];
  const statuses = search.statuses && new Set<number>(search.statuses.map((name) => statusNumbers[name]));
  const queues = search.queues && new Set(search.queues);
  return rows
    .map(([lane, type, queue, ownIds, status, tasks]) => ({
      lane,
      type,
      queue,
      ownIds: ownIds === 1,
      status,
      tasks,
    }))
    .filter((pair) => (!statuses || statuses.has(pair.status)) && (!queues || queues.has(pair.queue)));
}
