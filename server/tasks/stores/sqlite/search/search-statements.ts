/**
 * The statements of a search: fixed fragments, bound values, each served in order by the index it names. A list of a
 * (lane, status) pair comes from the index by creation or by change. Waiting tasks lie in two places: fresh ones in an
 * index of their own, where the instant of creation is that of the latest change too, and those that came back.
 */
import type { SQLInputValue } from "node:sqlite";
import { ulidStart } from "../../../core/ids.ts";
import type { Buckets, StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { minuteMs } from "../../shared/kept-counts.ts";
import { isDownwards, isNowhere, isSplit, boundsOf as streamBounds } from "../../shared/search-bounds.ts";
import { beforeAll } from "../instants.ts";
import { searchIndexes } from "../statements.ts";

/** One SQL statement of a search, with its values. */
export interface SearchStatement {
  text: string;
  values: SQLInputValue[];
}

/** A (lane, status) pair that has tasks. */
export interface Pair {
  lane: number;
  type: string;
  queue: string;
  ownIds: boolean;
  status: number;
  tasks: number;
  /** When tasks came to it, left it or were changed in it last. */
  changedAt: number;
}

type SearchIndex = keyof typeof searchIndexes;
type Add = (condition: string, ...bound: SQLInputValue[]) => void;

export const pending = 1;

/** Without a filter on type, queue or status two indexes hold every task in order, RUNNING ones included. */
export function isWhole(search: StoreSearch): boolean {
  return (
    !search.types &&
    !search.queues &&
    !search.statuses &&
    search.sortBy !== "updatedAt" &&
    search.updated?.start === undefined
  );
}

/** Of the whole list the tasks of generated ids, whose order is that of their creation. */
export function generatedStatement(search: StoreSearch): SearchStatement {
  const { conditions, values, add } = gather();
  const { created, updated, after } = search;
  const earliestEnd = Math.min(created?.end ?? Infinity, updated?.end ?? Infinity);
  const place = after && generatedPlace(search);
  const down = isDownwards(search);
  const from = created?.start === undefined ? undefined : ulidStart(created.start);
  const to = earliestEnd < Infinity ? ulidStart(earliestEnd) : undefined;
  // An index walk begins at one bound: of a place and of the range the one that is further on.
  const edge = down ? to : from;
  const isBeyond = place && (edge === undefined || compareText(place.id, edge) * (down ? -1 : 1) >= 0);
  if (from !== undefined && (down || !isBeyond)) add("id >= ?", from);
  if (to !== undefined && (!down || !isBeyond)) add("id < ?", to);
  if (isBeyond) add(`id ${place.than} ?`, place.id);
  addUpdated(search, add);
  return wholeStatement("tasks_id", ["own_id = 0", ...conditions], "id", search, values);
}

/** Of the whole list the tasks whose ids were chosen. */
export function ownIdStatement(search: StoreSearch): SearchStatement {
  const byId = search.sortBy === "id";
  const { conditions, values } = boundsOf(search, byId ? "ownId" : "created", false);
  const index = byId ? "tasks_id" : "tasks_own_id_created";
  return wholeStatement(index, ["own_id = 1", ...conditions], byId ? "id" : "created_at", search, values);
}

/** The streams of one pair's tasks, each in the order of the search; of late ones alone, or of all. */
export function streamsOfPair(
  search: StoreSearch,
  pair: Pair,
  of: "late" | "all" = "all",
): SearchStatement[] {
  if (of === "late") return [streamFrom("lateCreated", search, pair)];
  if (search.sortBy === "id" && pair.ownIds) return [streamFrom("ownId", search, pair)];
  return indexesOf(search, pair).map((from) => streamFrom(from, search, pair));
}

/** Where a pair's tasks lie in the order of an instant. */
function indexesOf(search: StoreSearch, pair: Pair): SearchIndex[] {
  const byUpdate = search.sortBy === "updatedAt";
  const changed: SearchIndex[] = [byUpdate ? "updated" : "created"];
  if (isSplit(search)) changed.push(byUpdate ? "lateUpdated" : "lateCreated");
  return pair.status === pending ? ["fresh", ...changed] : changed;
}

/** What is asked of all pairs of an index by one statement, which takes them as JSON before its values. */
export interface PairsStatement extends SearchStatement {
  pairs: readonly Pair[];
}

interface HeadsStatement extends PairsStatement {
  from: SearchIndex;
  /** What streams a pair whose first instant is this. */
  stream(pair: Pair, at: number): SearchStatement;
}

/** Each pair's first instant in the order of a search by instants, or one before that: see `withoutOpenRanges`. */
export function headsOfPairs(
  search: StoreSearch,
  pairs: readonly Pair[],
  of: "late" | "all" = "all",
): HeadsStatement[] {
  const groups: Iterable<readonly [SearchIndex, readonly Pair[]]> =
    of === "late" ? [["lateCreated", pairs]] : byIndex(search, pairs);
  return Array.from(groups, ([from, pairs]) => {
    const { key } = searchIndexes[from];
    const { tasks, values } = tasksOfEach(from, withoutOpenRanges(search), areGenerated(pairs));
    const head = `SELECT ${key} FROM ${tasks} ORDER BY ${orderBy(key, search)} LIMIT 1`;
    const text = `${withPairs} SELECT (${head}) FROM pairs`;
    return {
      from,
      text,
      values,
      pairs,
      stream: (pair, at) => streamFrom(from, startingAt(search, at), pair),
    };
  });
}

/**
 * What to ask for where each pair begins: without ranges that bound nothing where the reading begins. No pair has a task of the search
 * before that place, and hardly one has others there that are out of its ranges.
 */
export function withoutOpenRanges(search: StoreSearch): StoreSearch {
  const { created, updated, ...rest } = search;
  const edge = isDownwards(search) ? "end" : "start";
  return search.after || created?.[edge] !== undefined || updated?.[edge] !== undefined ? search : rest;
}

/** What was read and passed over to find the first instant is not read again. */
export function startingAt(search: StoreSearch, at: number): StoreSearch {
  const range = search.sortBy === "updatedAt" ? "updated" : "created";
  const given = search[range];
  const narrowed = isDownwards(search)
    ? { ...given, end: Math.min(at + 1, given?.end ?? Number.POSITIVE_INFINITY) }
    : { ...given, start: Math.max(at, given?.start ?? Number.NEGATIVE_INFINITY) };
  return { ...search, [range]: narrowed };
}

/** How many keys the pairs have in all; takes the most to count as its last value. */
export function keyCountsOfPairs(search: StoreSearch, pairs: readonly Pair[]): PairsStatement[] {
  return Array.from(byIndex(search, pairs), ([from, pairs]) => {
    const { tasks, values } = tasksOfEach(from, search, areGenerated(pairs));
    const counted = `SELECT 1 FROM pairs CROSS JOIN ${tasks} LIMIT ?`;
    return { text: `${withPairs} SELECT count(*) FROM (${counted})`, values, pairs };
  });
}

/**
 * How many tasks each pair has, from each index that may have some; `places` are those of the pairs it is asked of. With
 * `freshOnly`, of those that wait the ones that were never changed.
 */
export function countsOfPairs(
  search: StoreSearch,
  pairs: readonly Pair[],
  freshOnly: boolean,
): (SearchStatement & { places: readonly number[] })[] {
  const counted = toCount(search);
  const placeOf = new Map(pairs.map((pair, place) => [pair, place]));
  return [...byIndex(counted, pairs)].flatMap(([from, members]) => {
    const asked =
      freshOnly && from !== "fresh" ? members.filter(({ status }) => status !== pending) : members;
    if (asked.length === 0) return [];
    const { tasks, values } = tasksOfEach(from, counted, areGenerated(asked));
    const text = `${withPairs} SELECT (SELECT count(*) FROM ${tasks}) FROM pairs`;
    return [{ text, values, places: asked.map((pair) => placeOf.get(pair)!) }];
  });
}

/** The lane and status of each task that was created between two instants, the second excluded. */
export function createdBetween(start: number, end: number): SearchStatement[] {
  return [
    {
      text: `/* dure:summarizeTasks */ SELECT lane, status FROM tasks INDEXED BY tasks_id
        WHERE own_id = 0 AND id >= ? AND id < ?`,
      values: [ulidStart(start), ulidStart(end)],
    },
    {
      text: `/* dure:summarizeTasks */ SELECT lane, status FROM tasks INDEXED BY tasks_own_id_created
        WHERE own_id = 1 AND created_at >= ? AND created_at < ?`,
      values: [start, end],
    },
  ];
}

/** No place, and in the order of the instant that is bounded. */
function toCount({ after: _after, ...search }: StoreSearch): StoreSearch {
  const byUpdate = search.updated !== undefined && search.created === undefined;
  return { ...search, sortBy: byUpdate ? "updatedAt" : "createdAt" };
}

function byIndex<One extends Pair>(search: StoreSearch, pairs: readonly One[]): Map<SearchIndex, One[]> {
  const found = new Map<SearchIndex, One[]>();
  for (const pair of pairs) {
    for (const from of indexesOf(search, pair)) {
      const same = found.get(from);
      if (same) same.push(pair);
      else found.set(from, [pair]);
    }
  }
  for (const from of found.keys()) {
    const isFresh = from === "fresh";
    if (isNowhere(search, isFresh ? "created" : from, isFresh)) found.delete(from);
  }
  return found;
}

export const withPairs = `/* dure:searchTasks */ WITH pairs AS MATERIALIZED
  (SELECT value >> 3 AS lane, value & 7 AS status FROM json_each(?))`;

/** The pairs as what such a statement takes, a number each: to take lists apart costs three times as much. */
export function placesOf(pairs: readonly Pick<Pair, "lane" | "status">[]): string {
  return JSON.stringify(pairs.map(({ lane, status }) => lane * 8 + status));
}

/** The tasks of the pair at hand, in a statement that begins `withPairs`. */
function tasksOfEach(
  from: SearchIndex,
  search: StoreSearch,
  areGenerated = false,
): { tasks: string; values: SQLInputValue[] } {
  const { index, condition } = searchIndexes[from];
  const { conditions, values } = boundsOf(search, from, areGenerated);
  const own = ["tasks.lane = pairs.lane", ofPairs(condition), ...conditions];
  return { tasks: `tasks INDEXED BY ${index} WHERE ${own.join(" AND ")}`, values };
}

/** A condition on one pair, as one on the pair at hand. */
export function ofPairs(condition: string): string {
  return condition.replaceAll("status", "tasks.status").replace("?", "pairs.status");
}

/** What counts one pair's tasks. */
export function countsOfPair(search: StoreSearch, pair: Pair): SearchStatement[] {
  const counted = toCount(search);
  return indexesOf(counted, pair).map((from) => countFrom(from, counted, pair));
}

function wholeStatement(
  index: string,
  conditions: readonly string[],
  key: string,
  search: StoreSearch,
  values: SQLInputValue[],
): SearchStatement {
  return {
    text: `/* dure:searchTasks */ SELECT created_at, id, seq FROM tasks INDEXED BY ${index}
      WHERE ${conditions.join(" AND ")} ORDER BY ${orderBy(key, search)}`,
    values,
  };
}

function streamFrom(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { index, key } = searchIndexes[from];
  const { text, values } = whereOf(from, search, pair);
  return {
    text: `/* dure:searchTasks */ SELECT ${key === "id" ? "0" : key}, id, seq FROM tasks INDEXED BY ${index}
      WHERE ${text} ORDER BY ${orderBy(key, search)}`,
    values,
  };
}

/** A pair, and the number of the group that its tasks count for. */
export type NumberedPair = Pair & { number: number };

/** Counts by group and stretch of time: the group's number, the start of the stretch, and how many. */
export function bucketsOfPairs(
  search: StoreSearch,
  pairs: readonly NumberedPair[],
  { time, bucketMs }: Buckets,
): SearchStatement[] {
  const { after: _after, ...unplaced } = search;
  const counted: StoreSearch = { ...unplaced, sortBy: time };
  return Array.from(byIndex(counted, pairs), ([from, pairs]) => {
    const { key } = searchIndexes[from];
    const { tasks, values } = tasksOfEach(from, counted);
    const text = `${withNumberedPairs} SELECT number, ${startSql(key, bucketMs)}, count(*) FROM pairs CROSS JOIN ${tasks} GROUP BY 1, 2`;
    return { text, values: [numbered(pairs), ...values] };
  });
}

/**
 * Of tasks that wait and were changed: how many of each lane were created in each minute of a range, which are taken off, and
 * how many were changed in each minute of the search's own, which are added.
 */
export function cameBackOfPairs(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: { start: number; end: number },
): (SearchStatement & { sign: 1 | -1 })[] {
  const { after: _after, created: _created, updated, ...unbounded } = search;
  const given = placesOf(pairs);
  const statementOf = (from: "created" | "updated", counted: StoreSearch) => {
    const { tasks, values } = tasksOfEach(from, counted);
    const text = `${withPairs} SELECT pairs.lane, ${startSql(searchIndexes[from].key, minuteMs)}, count(*)
      FROM pairs CROSS JOIN ${tasks} GROUP BY 1, 2`;
    return { text, values: [given, ...values] };
  };
  return [
    { ...statementOf("created", { ...unbounded, created: range, sortBy: "createdAt" }), sign: -1 },
    {
      ...statementOf("updated", { ...unbounded, ...(updated && { updated }), sortBy: "updatedAt" }),
      sign: 1,
    },
  ];
}

/** How many late tasks of the pairs a range of the other instant leaves out, by the start of a stretch of the one sorted by. */
export function lateOutside(
  search: StoreSearch,
  pairs: readonly Pair[],
  { start, end }: { start: number; end: number },
  other: { start?: number; end?: number },
  bucketMs: number,
): SearchStatement {
  const [from, otherKey] =
    search.sortBy === "updatedAt"
      ? (["lateUpdated", "created_at"] as const)
      : (["lateCreated", "updated_at"] as const);
  const { index, key, condition } = searchIndexes[from];
  const ofPair = `tasks.lane = pairs.lane AND ${ofPairs(condition)}`;
  return {
    text: `${withPairs} SELECT ${startSql(key, bucketMs)}, count(*) FROM pairs CROSS JOIN tasks INDEXED BY ${index}
      WHERE ${ofPair} AND ${key} >= ? AND ${key} < ? AND (${otherKey} < ? OR ${otherKey} >= ?) GROUP BY 1`,
    values: [
      placesOf(pairs),
      ...[start, end, other.start ?? Number.MIN_SAFE_INTEGER, other.end ?? Number.MAX_SAFE_INTEGER],
    ],
  };
}

/** The start of a stretch of time. Division cuts off towards zero, so instants are counted from before all of them. */
function startSql(instant: string, lengthMs: number): string {
  return `(${instant} - ${beforeAll}) / ${lengthMs} * ${lengthMs} + ${beforeAll}`;
}

const withNumberedPairs = `/* dure:summarizeTasks */ WITH pairs AS MATERIALIZED
  (SELECT value ->> 0 AS lane, value ->> 1 AS status, value ->> 2 AS number FROM json_each(?))`;

function numbered(pairs: readonly NumberedPair[]): string {
  return JSON.stringify(pairs.map(({ lane, status, number }) => [lane, status, number]));
}

function countFrom(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { text, values } = whereOf(from, search, pair);
  return {
    text: `/* dure:countTasks */ SELECT count(*) FROM tasks INDEXED BY ${searchIndexes[from].index} WHERE ${text}`,
    values,
  };
}

function whereOf(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { conditions, values } = boundsOf(search, from, !pair.ownIds);
  const place = from === "fresh" ? [pair.lane] : [pair.lane, pair.status];
  return {
    text: ["lane = ?", searchIndexes[from].condition, ...conditions].join(" AND "),
    values: [...place, ...values],
  };
}

function orderBy(key: string, search: StoreSearch): string {
  const direction = isDownwards(search) ? "DESC" : "ASC";
  return key === "id" ? `id ${direction}` : `${key} ${direction}, id ${direction}`;
}

function areGenerated(pairs: readonly Pair[]): boolean {
  return pairs.every(({ ownIds }) => !ownIds);
}

/**
 * Conditions on the instants and the place to go on from. An index by the change has ids, and generated ones tell when their tasks
 * were created: then no row is looked at for that.
 */
function boundsOf(
  search: StoreSearch,
  from: SearchIndex,
  areGenerated: boolean,
): { conditions: string[]; values: SQLInputValue[] } {
  const { conditions, values, add } = gather();
  const isFresh = from === "fresh";
  const { created, updated, place, id } = streamBounds(search, isFresh ? "created" : from, isFresh);
  const than = isDownwards(search) ? "<" : ">";
  const byIds = areGenerated && (from === "updated" || from === "lateUpdated");
  const [near, far] = inOrderOfReading(search);
  for (const than of [near, far]) addCreated(than, than === ">=" ? created.from : created.to);
  for (const than of [near, far]) addUpdated(than, than === ">=" ? updated.from : updated.to);
  if (place) add(`(${searchIndexes[from].key}, id) ${than} (?, ?)`, place.value, place.id);
  if (id !== undefined) add(`id ${than} ?`, id);
  return { conditions, values };

  function addUpdated(than: Than, at: number | undefined): void {
    if (at !== undefined) add(`updated_at ${than} ?`, at);
  }

  function addCreated(than: Than, at: number | undefined): void {
    if (at === undefined) return;
    // No id tells of a time before 1970.
    if (byIds && at >= 0) add(`id ${than} ?`, ulidStart(at));
    else add(`created_at ${than} ?`, at);
  }
}

type Than = ">=" | "<";

/**
 * The bounds of a range: first the one at which reading begins. What an index passes over there is beyond the same bound of the other
 * instant, and SQLite tests conditions as they are written: thousands of entries fail at the first of two.
 */
export function inOrderOfReading(search: StoreSearch): [near: Than, far: Than] {
  return isDownwards(search) ? ["<", ">="] : [">=", "<"];
}

function addUpdated({ updated }: StoreSearch, add: Add): void {
  if (updated?.start !== undefined) add("updated_at >= ?", updated.start);
  if (updated?.end !== undefined) add("updated_at < ?", updated.end);
}

/** The place may be that of a task whose id was chosen: generated ids of its instant are before or after it by their text. */
export function generatedPlace(search: StoreSearch): { than: "<" | ">" | ">="; id: string } {
  const { value, id } = search.after!;
  const down = isDownwards(search);
  const first = search.sortBy === "id" ? id : ulidStart(value!);
  const end = search.sortBy === "id" ? id : ulidStart(value! + 1);
  if (compareText(id, first) < 0) return { than: down ? "<" : ">=", id: first };
  if (compareText(id, end) > 0) return { than: down ? "<" : ">=", id: end };
  return { than: down ? "<" : ">", id };
}

function gather(): { conditions: string[]; values: SQLInputValue[]; add: Add } {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const add: Add = (condition, ...bound) => {
    conditions.push(condition);
    values.push(...bound);
  };
  return { conditions, values, add };
}
