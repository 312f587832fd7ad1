/**
 * Keys of tasks in the order of how long they ran. An index has those that ran for a second or longer; there are never many a
 * second of them, and they are what is asked for. The others are found by what is kept of stretches of time
 * (duration-stretches.ts), and so are all where a range of time leaves few, which the index would pass over.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { sortedBetween } from "../../shared/near-orders.ts";
import { earliest, isDownwards, lateMs, latest } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { slowMs } from "./duration-statements.ts";
import { type Durations, stretchedKeys } from "./duration-stretches.ts";
import { findPairs } from "./pairs.ts";
import { countTasks } from "./search.ts";
import type { Key } from "./search-key.ts";
import { slowKeys } from "./slow-keys.ts";

/** Of fewer than one task in so many the index would pass over too many. */
const passedMax = 50;

/** Which ways give the order, one after the other. */
interface Ways {
  index?: Durations;
  stretches?: Durations;
}

/** From the search's place on; among them places. Undefined where nothing tells where the first of them are. */
export function durationKeys(connection: Connection, search: StoreSearch): Iterator<Key> | undefined {
  const ways = waysOf(connection, search);
  return ways && keysOf(connection, search, ways);
}

/** The indexes that it reads; for explanations. */
export function durationIndexes(connection: Connection, search: StoreSearch): string[] | undefined {
  const ways = waysOf(connection, search);
  return ways && [...(ways.index ? ["tasks_slow"] : []), ...(ways.stretches ? ["tasks_lane_created"] : [])];
}

function* keysOf(
  connection: Connection,
  search: StoreSearch,
  { index, stretches }: Ways,
): Generator<Key, undefined> {
  const ended = findPairs(connection, search).filter(({ status }) => status >= 3);
  if (index) yield* keysIn(slowKeys(connection, search, ended, index));
  if (stretches) yield* keysIn(stretchedKeys(connection, search, ended, stretches));
  return undefined;
}

function* keysIn(keys: Iterator<Key>): Generator<Key, undefined> {
  try {
    for (let next = keys.next(); !next.done; next = keys.next()) yield next.value;
    return undefined;
  } finally {
    keys.return?.();
  }
}

function waysOf(connection: Connection, search: StoreSearch): Ways | undefined {
  const { from, to } = sortedBetween(search);
  const { after: _after, ...unplaced } = search;
  const asked = sortedBetween(unplaced);
  const isDown = isDownwards(search);
  const isNarrow = isOfFew(connection, search);
  if (isNarrow) return { stretches: { from, to } };
  if (from >= slowMs) return { index: { from, to } };
  // Every stretch may have the one that is next to a bound.
  if (isDown ? asked.to < slowMs : asked.from > Number.MIN_SAFE_INTEGER) return undefined;
  if (!isDown) return { stretches: { from, to } };
  const stretches = { from, to: Math.min(to, slowMs - 1) };
  return to < slowMs ? { stretches } : { index: { from: slowMs, to }, stretches };
}

/** Whether a range of time leaves but a small part of the tasks. */
function isOfFew(connection: Connection, search: StoreSearch): boolean {
  const { created, updated, where: _where, after: _after, ...filters } = search;
  if (!created && !updated) return false;
  const plain: StoreSearch = { ...filters, sortBy: "createdAt" };
  return countWithin(connection, plain, { created, updated }) * passedMax < countTasks(connection, plain);
}

/** With both ranges, by creation alone, of which there are counts: all but late tasks were created little before their last change. */
function countWithin(
  connection: Connection,
  plain: StoreSearch,
  { created, updated }: Pick<StoreSearch, "created" | "updated">,
): number {
  if (!created) return countTasks(connection, { ...plain, ...(updated && { updated }) });
  if (!updated) return countTasks(connection, { ...plain, created });
  const from = updated.start === undefined ? undefined : updated.start - lateMs;
  const [start, end] = [latest(created.start, from), earliest(created.end, updated.end)];
  if (start !== undefined && end !== undefined && start >= end) return 0;
  const both = { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
  return countTasks(connection, { ...plain, created: both });
}
