/**
 * Search on a reading thread. Tasks lie in (lane, status) pairs; for each pair that has any, an index gives the
 * tasks' keys in the order that is asked for, and the pairs' streams are merged here, one key at a time. So every
 * combination of filters reads what it answers and little more, whatever the history holds. RUNNING tasks (few)
 * and definitions without tasks are streams of their own, sorted in memory.
 *
 * Since a task is never updated before it was created, a bound on one instant bounds the other, and an order by
 * either is narrowed by both ranges.
 */
import type { Place, SearchPlan, StoreSearch } from "../../../core/store.ts";
import { GroupSums } from "../../shared/group-sums.ts";
import { keptTime } from "../../shared/kept-counts.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { countByTime } from "../counts/time-counts.ts";
import type { DefinitionRow } from "../rows.ts";
import { sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import type { Rows } from "../threads/protocol.ts";
import { findTask, withNames } from "../threads/write-context.ts";
import { crossingKeys, crossingSql, type Parts, partsByChange } from "./crossing-keys.ts";
import { headedStreams } from "./headed-streams.ts";
import type { Begun } from "./kept-heads.ts";
import { headed, type PageSize, shareOfPage, streamKeys } from "./key-stream.ts";
import { findPairs } from "./pairs.ts";
import { readTasks } from "./rows-within.ts";
import { comparator, isAfter, isPlace, type Key, keyOf, placeBefore } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import {
  countsOfPair,
  generatedStatement,
  headsOfPairs,
  isWhole,
  keyCountsOfPairs,
  ownIdStatement,
  type Pair,
  placesOf,
  type SearchStatement,
  streamsOfPair,
} from "./search-statements.ts";
import { generatedOf, listOrPairs, wholeList } from "./whole-keys.ts";

/** Found tasks, with the definitions among them by their place in the answer. */
export interface FoundRows {
  tasks: Rows;
  definitions: [place: number, definition: DefinitionRow][];
  isCut?: true;
  stoppedAt?: Place;
  offsetLeft?: number;
  isPartial?: true;
  unindexed?: number;
  unfilled?: number;
  values?: number[];
}

/** Fewer pairs are opened at once. */
export const headedPairsMin = 8;
/** The limit of a search that is read until its reader has enough. */
const endless = Number.MAX_SAFE_INTEGER;

export function searchTasks(connection: Connection, search: StoreSearch): FoundRows {
  if (search.id !== undefined) return searchById(connection, search);
  const definitions = search.definitions ? definitionsWithoutTasks(connection, search) : [];
  const streams = openStreams(connection, search, definitions);
  const keys = merge(streams, search);
  return readKeys(connection, keys, definitions, search.bytesMax);
}

export function countTasks(connection: Connection, search: StoreSearch): number {
  if (search.id !== undefined) return countById(connection, search);
  const pairs = findPairs(connection, search);
  if (!search.created && !search.updated) return pairs.reduce((sum, pair) => sum + pair.tasks, 0);
  const time = keptTime(search, undefined);
  if (time) {
    const sums = new GroupSums();
    const groups = new Array<number>(pairs.length).fill(0);
    countByTime(connection, { search, time, buckets: undefined, pairs, groups, sums });
    return sums.of(0)[0]?.[1] ?? 0;
  }
  const settled = pairs.filter((pair) => pair.status !== 2);
  const counted = settled
    .flatMap((pair) => countsOfPair(search, pair))
    .map(({ text, values }) => (connection.prepare(text).get(...values) as unknown as [number])[0]);
  return (
    counted.reduce((sum, tasks) => sum + tasks, 0) +
    runningKeys(connection, { ...search, limit: 0 }, pairs).length
  );
}

/** Whether more tasks than these pass the filters; counts no further. RUNNING ones, few, are left out. */
export function isMoreThan(connection: Connection, search: StoreSearch, most: number): boolean {
  const { after: _after, ...unplaced } = search;
  const byUpdate = search.updated !== undefined && search.created === undefined;
  const counted: StoreSearch = { ...unplaced, sortBy: byUpdate ? "updatedAt" : "createdAt" };
  const settled = findPairs(connection, search).filter(({ status }) => status !== 2);
  let left = most;
  for (const { text, values, pairs } of keyCountsOfPairs(counted, settled)) {
    const places = placesOf(pairs);
    const [found] = connection.prepare(text).get(places, ...values, left + 1) as unknown as [number];
    left -= found;
    if (left < 0) return true;
  }
  return false;
}

function countById(connection: Connection, search: StoreSearch): number {
  const { after: _after, ...unplaced } = search;
  return searchById(connection, { ...unplaced, offset: 0, definitions: false }).tasks.rows.length;
}

/** The statements that a search would run now; for tests of their plans. */
export function searchStatements(connection: Connection, search: StoreSearch): SearchStatement[] {
  if (isWhole(search)) return [generatedStatement(search), ownIdStatement(search)];
  const settled = findPairs(connection, search).filter((pair) => pair.status !== 2);
  const parts = partsOf(connection, search);
  if (parts) return statementsOfParts(connection, search, parts, settled);
  return [
    ...(wholeList(connection, search, generatedOf(settled), search)?.statements() ?? []),
    ...settled.flatMap((pair) => streamsOfPair(search, pair)),
    ...(isByText(search, settled)
      ? []
      : [...headStatements(search, settled), ...keyCountsOfPairs(search, settled)]),
  ];
}

function statementsOfParts(
  connection: Connection,
  search: StoreSearch,
  { within, before }: Parts,
  settled: readonly Pair[],
): SearchStatement[] {
  const own = settled.filter(({ ownIds }) => ownIds);
  const generated = settled.filter(({ ownIds }) => !ownIds);
  return [
    ...searchStatements(connection, within),
    ...generated.flatMap((pair) => streamsOfPair(before, pair, "late")),
    ...own.flatMap((pair) => streamsOfPair(before, pair)),
    ...headStatements(before, settled),
    ...keyCountsOfPairs(search, settled),
  ];
}

function headStatements(search: StoreSearch, pairs: readonly Pair[]): SearchStatement[] {
  return headsOfPairs(search, pairs).flatMap(({ text, values, pairs, stream }) => [
    { text, values },
    ...pairs.map((pair) => stream(pair, 0)),
  ]);
}

/** The plan of a search without conditions, in an order that indexes have. */
export function planInOrder(connection: Connection, search: StoreSearch): SearchPlan {
  const texts = searchStatements(connection, search).map(({ text }) => text);
  if (partsOf(connection, search)) texts.push(crossingSql(isDownwards(search)));
  const indexes = new Set(
    texts.flatMap((text) => [...text.matchAll(/INDEXED BY (\w+)/g)].map(([, name]) => name!)),
  );
  if (!isWhole(search) && findPairs(connection, search).some(({ status }) => status === 2)) {
    indexes.add("tasks_running");
  }
  const { limit, offset, after: _after, ...filters } = search;
  const total = countTasks(connection, { ...filters, limit: 0, offset: 0, sortBy: "createdAt" });
  const candidates = Math.min(total, offset + limit);
  return { source: "order", indexes: [...indexes], candidates, isSorted: false };
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

function openStreams(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
  page: PageSize = search,
): Iterator<Key>[] {
  const fromDefinitions = definitionKeys(search, definitions);
  if (isWhole(search)) return openWhole(connection, search, sorted(search, fromDefinitions), page);
  const pairs = findPairs(connection, search);
  const parts = partsOf(connection, search);
  if (parts)
    return [
      ...openParts(connection, search, parts, pairs, page),
      sorted(search, fromDefinitions)[Symbol.iterator](),
    ];
  const memory = sorted(search, [...runningKeys(connection, search, pairs), ...fromDefinitions]);
  const settled = pairs.filter((pair) => pair.status !== 2);
  return [...openPairs(connection, search, settled, page), memory[Symbol.iterator]()];
}

function partsOf(connection: Connection, search: StoreSearch): Parts | undefined {
  return isByText(search, findPairs(connection, search)) ? undefined : partsByChange(search);
}

/** Ids that were chosen are in no order of time. */
function isByText({ sortBy }: StoreSearch, pairs: readonly Pair[]): boolean {
  return sortBy === "id" && pairs.some(({ ownIds }) => ownIds);
}

function isEmpty({ created }: StoreSearch): boolean {
  return (created?.start ?? Number.NEGATIVE_INFINITY) >= (created?.end ?? Number.POSITIVE_INFINITY);
}

function openPairs(
  connection: Connection,
  search: StoreSearch,
  settled: readonly Pair[],
  page: PageSize,
  of: "late" | "all" = "all",
): Iterator<Key>[] {
  if (of === "late") return openEach(connection, search, settled, page, of);
  const open = (asked: StoreSearch, pairs: readonly Pair[]) => openEach(connection, asked, pairs, page);
  return listOrPairs(connection, search, settled, page, open);
}

/** A stream of each pair, or several, merged by nobody yet. */
export function openEach(
  connection: Connection,
  search: StoreSearch,
  settled: readonly Pair[],
  page: PageSize,
  of: "late" | "all" = "all",
): Iterator<Key>[] {
  const shareOf = shareOfPage(page, settled, of === "all");
  const open = (statement: SearchStatement, pair: Pair, begun?: Begun) =>
    streamKeys(connection, statement, shareOf(pair), begun);
  if (settled.length >= headedPairsMin && !isByText(search, settled))
    return headedStreams(connection, search, settled, { page, of, open });
  return settled.flatMap((pair) => streamsOfPair(search, pair, of).map((statement) => open(statement, pair)));
}

/** The second part in the order of reading is opened where it is come to. */
function openParts(
  connection: Connection,
  search: StoreSearch,
  parts: Parts,
  pairs: readonly Pair[],
  page: PageSize,
): Iterator<Key>[] {
  const { start, before } = parts;
  const compare = comparator(search);
  const within = () => {
    const endlessly: StoreSearch = { ...parts.within, offset: 0, limit: endless };
    return mergeInOrder(openStreams(connection, endlessly, [], page), compare);
  };
  const earlier = () => {
    const settled = pairs.filter(({ status }) => status !== 2);
    const own = settled.filter(({ ownIds }) => ownIds);
    const generated = settled.filter(({ ownIds }) => !ownIds);
    const streams = [
      crossingKeys(connection, parts, generated, page),
      ...openPairs(connection, before, generated, page, "late"),
      ...openPairs(connection, before, own, page),
      sorted(search, runningKeys(connection, before, pairs))[Symbol.iterator](),
    ];
    return mergeInOrder(streams, compare);
  };
  if (isEmpty(before)) return [within()];
  if (isEmpty(parts.within)) return [earlier()];
  return isDownwards(search)
    ? [within(), headed(placeBefore(search, start - 1), earlier)]
    : [earlier(), headed(placeBefore(search, start), within)];
}

/** All keys of a search in its order, from its place on, whatever its limit; definitions are negative. */
export function keysInOrder(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Iterator<Key> {
  const streams = openStreams(connection, { ...search, offset: 0, limit: endless }, definitions, search);
  return mergeInOrder(streams, comparator(search));
}

/** Where nothing must be merged with the generated ids, SQL itself skips what comes before the page. */
function openWhole(
  connection: Connection,
  search: StoreSearch,
  memory: Key[],
  { offset, limit }: PageSize,
): Iterator<Key>[] {
  const { text, values } = generatedStatement(search);
  const hasOwnIds = connection.prepare(sql.hasOwnIds).get() !== undefined;
  if (!hasOwnIds && memory.length === 0 && search.limit < endless) {
    const statement = connection.prepare(`${text} LIMIT ? OFFSET ?`);
    const keys = statement.all(...values, search.limit, search.offset);
    return [skipped(keys as unknown as Key[])];
  }
  const streamed = (statement: SearchStatement) => streamKeys(connection, statement, offset + limit);
  return [
    streamed({ text, values }),
    ...(hasOwnIds ? [streamed(ownIdStatement(search))] : []),
    memory[Symbol.iterator](),
  ];
}

/** Marks keys that SQL has already skipped `offset` of. */
function skipped(keys: Key[]): Iterator<Key> & { skipped?: true } {
  const iterator: Iterator<Key> & { skipped?: true } = keys[Symbol.iterator]();
  iterator.skipped = true;
  return iterator;
}

function sorted(search: StoreSearch, keys: Key[]): Key[] {
  return keys.sort(comparator(search));
}

/** The next `limit` keys after `offset`, in order, from streams that are each in order. */
function merge(streams: Iterator<Key>[], search: StoreSearch): Key[] {
  const first = streams[0] as (Iterator<Key> & { skipped?: true }) | undefined;
  const offset = first?.skipped ? 0 : search.offset;
  const keys = mergeInOrder(streams, comparator(search));
  const found: Key[] = [];
  let passed = 0;
  if (search.limit > 0) {
    for (const key of keys) {
      if (isPlace(key)) continue;
      if (passed < offset) passed += 1;
      else if (found.push(key) === search.limit) break;
    }
  }
  return found;
}

/** The tasks and definitions of these keys, up to the first task that does not fit. */
export function readKeys(
  connection: Connection,
  keys: readonly Key[],
  definitions: readonly DefinitionRow[],
  bytesMax: number | undefined,
): FoundRows {
  const wanted: number[] = [];
  const places: FoundRows["definitions"] = [];
  keys.forEach(([, , seq], place) => {
    const definition = seq < 0 ? definitions[-1 - seq] : undefined;
    // A task has such a number in a damaged file alone.
    if (definition) places.push([place, definition]);
    else wanted.push(seq);
  });
  const { rows, cutAt } = readTasks(connection, wanted, bytesMax);
  const tasks = withNames(connection, rows);
  if (cutAt === undefined) return { tasks, definitions: places };
  const end = keys.findIndex(([, , seq]) => seq === cutAt);
  return { tasks, definitions: places.filter(([place]) => place < end), isCut: true };
}

// What lies in memory: RUNNING tasks, definitions

export function runningKeys(connection: Connection, search: StoreSearch, pairs: readonly Pair[]): Key[] {
  const lanes = new Map(pairs.filter((pair) => pair.status === 2).map((pair) => [pair.lane, pair]));
  if (lanes.size === 0) return [];
  const read = () => connection.prepare(sql.runningTasks).all() as unknown as RunningRow[];
  return connection
    .once("running tasks", read)
    .filter(
      ([, , lane, created, updated]) =>
        lanes.has(lane) && fits(search, undefined, undefined, 2, created, updated),
    )
    .map(([seq, id, , created, updated, startedAt, dueAt, priority]): Key => {
      if (search.sortBy === "startedAt") return [startedAt, id, seq];
      if (search.sortBy === "priority") return [priority, id, seq];
      if (search.sortBy === "dueAt") return [dueAt, id, seq];
      return keyOf(search, created, updated, id, seq);
    })
    .filter((key) => isAfter(search, key));
}

type RunningRow = [
  seq: number,
  id: string,
  lane: number,
  createdAt: number,
  updatedAt: number,
  startedAt: number,
  dueAt: number,
  priority: number,
];

export function definitionsWithoutTasks(connection: Connection, search: StoreSearch): DefinitionRow[] {
  const read = () => connection.prepare(sql.definitionsWithoutTasks).all() as unknown as DefinitionRow[];
  return connection
    .once("definitions without tasks", read)
    .filter((row) => fits(search, row[0], row[3], 1, row[8], row[8]));
}

/** From the search's place on, in no order. */
export function definitionKeys(search: StoreSearch, definitions: readonly DefinitionRow[]): Key[] {
  return definitions
    .map((definition, index) => definitionKey(search, definition, -1 - index))
    .filter((key) => isAfter(search, key));
}

function definitionKey(search: StoreSearch, row: DefinitionRow, seq: number): Key {
  return keyOf(search, row[8], row[8], row[0], seq);
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
    isWithin(search.created, created) &&
    isWithin(search.updated, updated)
  );
}

export function isWithin(range: { start?: number; end?: number } | undefined, at: number): boolean {
  return (
    !range ||
    ((range.start === undefined || at >= range.start) && (range.end === undefined || at < range.end))
  );
}
