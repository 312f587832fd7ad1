/**
 * The statements of a search: fixed fragments, bound values, each served in order by the index it names. A list of a
 * (lane, status) pair comes from the index by creation or by change. Waiting tasks lie in two places: fresh ones in an
 * index of their own, where the instant of creation is that of the latest change too, and those that came back.
 */
import type { SQLInputValue } from "node:sqlite";
import { compareText } from "../../core/compare.ts";
import { ulidStart, ulidTime } from "../../core/ids.ts";
import type { Buckets, StoreSearch } from "../../core/store.ts";
import { searchIndexes } from "./statements.ts";

/** One SQL statement of a search, with its values; a search's own takes LIMIT and OFFSET after them. */
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
}

type SearchIndex = keyof typeof searchIndexes;
type Add = (condition: string, ...bound: SQLInputValue[]) => void;

const pending = 1;

/** Without a filter on type, queue or status two indexes hold every task in order, RUNNING ones included. */
export function isWhole(search: StoreSearch): boolean {
  return !search.types && !search.queues && !search.statuses && search.sortBy !== "updatedAt";
}

/** Of the whole list the tasks of generated ids, whose order is that of their creation. */
export function generatedStatement(search: StoreSearch): SearchStatement {
  const { conditions, values, add } = gather();
  const { created, updated, after } = search;
  const earliestEnd = Math.min(created?.end ?? Infinity, updated?.end ?? Infinity);
  if (created?.start !== undefined) add("id >= ?", ulidStart(created.start));
  if (earliestEnd < Infinity) add("id < ?", ulidStart(earliestEnd));
  addUpdated(search, add);
  if (after) addGeneratedPlace(search, add);
  return wholeStatement("tasks_id", ["own_id = 0", ...conditions], "id", search, values);
}

/** Of the whole list the tasks whose ids were chosen. */
export function ownIdStatement(search: StoreSearch): SearchStatement {
  const byId = search.sortBy === "id";
  const { conditions, values } = boundsOf(search, byId ? "ownId" : "created");
  const index = byId ? "tasks_id" : "tasks_own_id_created";
  return wholeStatement(index, ["own_id = 1", ...conditions], byId ? "id" : "created_at", search, values);
}

/** The streams of one pair's tasks, each in the order of the search. */
export function streamsOfPair(search: StoreSearch, pair: Pair): SearchStatement[] {
  if (search.sortBy === "id" && pair.ownIds) return [streamFrom("ownId", search, pair)];
  const changed = streamFrom(search.sortBy === "updatedAt" ? "updated" : "created", search, pair);
  return pair.status === pending ? [streamFrom("fresh", search, pair), changed] : [changed];
}

/** What counts one pair's tasks. */
export function countsOfPair(search: StoreSearch, pair: Pair): SearchStatement[] {
  const { after: _after, ...unplaced } = search;
  const byUpdate = search.updated !== undefined && search.created === undefined;
  const changed = countFrom(byUpdate ? "updated" : "created", unplaced, pair);
  return pair.status === pending ? [countFrom("fresh", unplaced, pair), changed] : [changed];
}

/** A page before a cursor is read the other way round. */
export function readsDownwards(search: StoreSearch): boolean {
  return search.descending !== (search.after?.backwards ?? false);
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
      WHERE ${conditions.join(" AND ")} ORDER BY ${orderBy(key, search)} LIMIT ? OFFSET ?`,
    values,
  };
}

function streamFrom(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { index, key } = searchIndexes[from];
  const { text, values } = whereOf(from, search, pair);
  return {
    text: `/* dure:searchTasks */ SELECT ${key === "id" ? "0" : key}, id, seq FROM tasks INDEXED BY ${index}
      WHERE ${text} ORDER BY ${orderBy(key, search)} LIMIT ? OFFSET ?`,
    values,
  };
}

/** Counts one pair's tasks by stretches of time: the start of each, and how many. */
export function bucketsOfPair(
  search: StoreSearch,
  pair: Pair,
  { time, bucketMs }: Buckets,
): SearchStatement[] {
  const { after: _after, ...unplaced } = search;
  const changed = bucketsFrom(time === "updatedAt" ? "updated" : "created", unplaced, pair, bucketMs);
  return pair.status === pending ? [bucketsFrom("fresh", unplaced, pair, bucketMs), changed] : [changed];
}

function bucketsFrom(from: SearchIndex, search: StoreSearch, pair: Pair, bucketMs: number): SearchStatement {
  const { index, key } = searchIndexes[from];
  const { text, values } = whereOf(from, search, pair);
  return {
    text: `/* dure:summarizeTasks */ SELECT ${key} / ${bucketMs} * ${bucketMs}, count(*) FROM tasks INDEXED BY ${index}
      WHERE ${text} GROUP BY 1`,
    values,
  };
}

function countFrom(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { text, values } = whereOf(from, search, pair);
  return {
    text: `/* dure:countTasks */ SELECT count(*) FROM tasks INDEXED BY ${searchIndexes[from].index} WHERE ${text}`,
    values,
  };
}

function whereOf(from: SearchIndex, search: StoreSearch, pair: Pair): SearchStatement {
  const { conditions, values } = boundsOf(search, from);
  const place = from === "fresh" ? [pair.lane] : [pair.lane, pair.status];
  return {
    text: ["lane = ?", searchIndexes[from].condition, ...conditions].join(" AND "),
    values: [...place, ...values],
  };
}

function orderBy(key: string, search: StoreSearch): string {
  const direction = readsDownwards(search) ? "DESC" : "ASC";
  return key === "id" ? `id ${direction}` : `${key} ${direction}, id ${direction}`;
}

/** Conditions on the instants and the place to go on from. */
function boundsOf(search: StoreSearch, from: SearchIndex): { conditions: string[]; values: SQLInputValue[] } {
  const { conditions, values, add } = gather();
  const { key } = searchIndexes[from];
  const { created, updated, after } = search;
  if (created?.start !== undefined) add("created_at >= ?", created.start);
  if (created?.end !== undefined) add("created_at < ?", created.end);
  if (from === "fresh") {
    if (updated?.start !== undefined) add("created_at >= ?", updated.start);
  } else addUpdated(search, add);
  if (key === "created_at" && updated?.end !== undefined) add("created_at < ?", updated.end);
  if (key === "updated_at" && created?.start !== undefined) add("updated_at >= ?", created.start);
  if (after) addPlace(search, key, add);
  return { conditions, values };
}

function addUpdated({ updated }: StoreSearch, add: Add): void {
  if (updated?.start !== undefined) add("updated_at >= ?", updated.start);
  if (updated?.end !== undefined) add("updated_at < ?", updated.end);
}

function addPlace(search: StoreSearch, key: string, add: Add): void {
  const { value, id } = search.after!;
  const than = readsDownwards(search) ? "<" : ">";
  const at = search.sortBy === "id" ? ulidTime(id) : value!;
  if (key === "id" || at === undefined) add(`id ${than} ?`, id);
  else add(`(${key}, id) ${than} (?, ?)`, at, id);
}

/** The place may be that of a task whose id was chosen: generated ids of its instant are before or after it by their text. */
function addGeneratedPlace(search: StoreSearch, add: Add): void {
  const { value, id } = search.after!;
  const down = readsDownwards(search);
  const first = search.sortBy === "id" ? id : ulidStart(value!);
  const end = search.sortBy === "id" ? id : ulidStart(value! + 1);
  if (compareText(id, first) < 0) add(down ? "id < ?" : "id >= ?", first);
  else if (compareText(id, end) > 0) add(down ? "id < ?" : "id >= ?", end);
  else add(down ? "id < ?" : "id > ?", id);
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
