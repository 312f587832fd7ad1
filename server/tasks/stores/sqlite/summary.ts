/** Counts by type, queue and status, from the tallies; by hours of creation from theirs, else from the indexes. */
import type { Buckets, CountKey, StoreSearch, TaskCount } from "../../core/store.ts";
import { countKeys } from "../../core/store-search.ts";
import { GroupSums, groupsBy } from "../group-sums.ts";
import { hourOf, isCountedByHours } from "../hours.ts";
import type { Connection } from "./connection.ts";
import { countByHours } from "./hour-counts.ts";
import { tallySql } from "./hour-statements.ts";
import { findPairs, runningKeys } from "./search.ts";
import {
  bucketsOfPairs,
  countsOfPair,
  type NumberedPair,
  type Pair,
  stretchesOfPairs,
} from "./search-statements.ts";
import { statusNames } from "./statuses.ts";

const running = 2;
/** To look for where a stretch begins takes as long as to sort so many of its tasks. */
const denseMin = 4;
const stretchesMax = 1_000;

export function summarizeTasks(
  connection: Connection,
  {
    search,
    buckets,
    by = countKeys,
  }: { search: StoreSearch; buckets?: Buckets | undefined; by?: readonly CountKey[] | undefined },
): TaskCount[] {
  const pairs = findPairs(connection, search);
  const named = pairs.map(({ type, queue, status }) => ({ type, queue, status: statusNames[status]! }));
  const { groups, numbers } = groupsBy(named, by);
  const sums = new GroupSums(buckets);
  const numbered = pairs.map((pair, place) => ({ ...pair, number: numbers[place]! }));
  if (isCountedByHours(search, buckets)) countByHours(connection, search, pairs, numbers, sums);
  else if (buckets) addBuckets(connection, search, buckets, numbered, sums);
  else addPairs(connection, search, numbered, sums);
  return sums.counts(groups);
}

function addPairs(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly NumberedPair[],
  sums: GroupSums,
): void {
  const isTallied = !search.created && !search.updated;
  for (const pair of pairs)
    sums.add(pair.number, 0, isTallied ? pair.tasks : countOfPair(connection, search, pair));
}

function addBuckets(
  connection: Connection,
  search: StoreSearch,
  buckets: Buckets,
  pairs: readonly NumberedPair[],
  sums: GroupSums,
): void {
  for (const pair of pairs.filter(({ status }) => status === running))
    for (const [at, tasks] of runningCounts(connection, search, pair, buckets))
      sums.add(pair.number, at, tasks);
  const stretches = stretchesOf(search, buckets);
  const isDense = densityOf(connection, stretches, pairs);
  const settled = pairs.filter(({ status }) => status !== running);
  const statements = [
    ...stretchesOfPairs(search, settled.filter(isDense), buckets.time, stretches),
    ...bucketsOfPairs(
      search,
      settled.filter((pair) => !isDense(pair)),
      buckets,
    ),
  ];
  for (const { text, values } of statements) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number, number][];
    for (const [group, at, tasks] of rows) sums.add(group, at, tasks);
  }
}

type Stretch = { start: number; end: number };

/** Of a range of the instant that is counted by, where that is all of time that is asked for; else none. */
function stretchesOf({ created, updated }: StoreSearch, { time, bucketMs }: Buckets): Stretch[] {
  const [range, other] = time === "createdAt" ? [created, updated] : [updated, created];
  if (other || range?.start === undefined || range.end === undefined) return [];
  const { start, end } = range;
  const first = Math.floor(start / bucketMs);
  const size = Math.max(0, Math.ceil(end / bucketMs) - first);
  if (size > stretchesMax) return [];
  return Array.from({ length: size }, (_, place) => ({
    start: Math.max(start, (first + place) * bucketMs),
    end: Math.min(end, (first + place + 1) * bucketMs),
  }));
}

/** Which pairs are likely to have so many tasks in each stretch, by their shares in those created in these hours. */
function densityOf(
  connection: Connection,
  stretches: readonly Stretch[],
  pairs: readonly NumberedPair[],
): (pair: NumberedPair) => boolean {
  const [first, last] = [stretches[0], stretches.at(-1)];
  if (!first || !last) return () => false;
  const hours = [hourOf(first.start), hourOf(last.end - 1)];
  const [created] = connection.prepare(tallySql.createdInHours).get(...hours) as unknown as [number];
  const all = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  return ({ tasks }) => (created * tasks) / Math.max(1, all) >= denseMin * stretches.length;
}

function countOfPair(connection: Connection, search: StoreSearch, pair: Pair): number {
  if (pair.status === running) return runningKeys(connection, withoutPlace(search), [pair]).length;
  const counts = countsOfPair(search, pair).map(
    ({ text, values }) => (connection.prepare(text).get(...values) as unknown as [number])[0],
  );
  return counts.reduce((sum, tasks) => sum + tasks, 0);
}

function withoutPlace({ after: _after, ...search }: StoreSearch): StoreSearch {
  return search;
}

function runningCounts(
  connection: Connection,
  search: StoreSearch,
  pair: Pair,
  { time, bucketMs }: Buckets,
): [at: number, count: number][] {
  const keys = runningKeys(connection, { ...withoutPlace(search), sortBy: time }, [pair]);
  return keys.map(([value]) => [Math.floor(value / bucketMs) * bucketMs, 1]);
}
