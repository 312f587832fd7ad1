/** Counts by type, queue and status, from the tallies; by time from theirs, else from the indexes. */

import { countKeys } from "../../../core/port/store-search.ts";
import type { Buckets, CountKey, StoreSearch, TaskCounts } from "../../../core/store.ts";
import { GroupSums, groupsBy } from "../../shared/group-sums.ts";
import { keptTime } from "../../shared/kept-counts.ts";
import type { Connection } from "../connection.ts";
import { findPairs } from "../search/pairs.ts";
import { runningKeys } from "../search/search.ts";
import { bucketsOfPairs, countsOfPair, type NumberedPair, type Pair } from "../search/search-statements.ts";
import { statusNames } from "../statuses.ts";
import { countByTime } from "./time-counts.ts";

const running = 2;

export function summarizeTasks(
  connection: Connection,
  {
    search,
    buckets,
    by = countKeys,
  }: { search: StoreSearch; buckets?: Buckets | undefined; by?: readonly CountKey[] | undefined },
): TaskCounts {
  const pairs = findPairs(connection, search);
  const named = pairs.map(({ type, queue, status }) => ({ type, queue, status: statusNames[status]! }));
  const { groups, numbers } = groupsBy(named, by);
  const sums = new GroupSums(buckets);
  const numbered = pairs.map((pair, place) => ({ ...pair, number: numbers[place]! }));
  const time = keptTime(search, buckets);
  if (time) countByTime(connection, { search, time, buckets, pairs, groups: numbers, sums });
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
  const settled = pairs.filter(({ status }) => status !== running);
  for (const { text, values } of bucketsOfPairs(search, settled, buckets)) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number, number][];
    for (const [group, at, tasks] of rows) sums.add(group, at, tasks);
  }
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
