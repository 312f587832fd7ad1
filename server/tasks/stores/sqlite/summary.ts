/** Counts by type, queue and status, from the tallies; by hours of creation from theirs, else from the indexes. */
import type { Buckets, CountKey, StoreSearch, TaskCount } from "../../core/store.ts";
import { countKeys } from "../../core/store-search.ts";
import { GroupSums, groupsBy } from "../group-sums.ts";
import { isCountedByHours } from "../hours.ts";
import type { Connection } from "./connection.ts";
import { countByHours } from "./hour-counts.ts";
import { findPairs, runningKeys } from "./search.ts";
import { bucketsOfPair, countsOfPair, type Pair } from "./search-statements.ts";
import { statusNames } from "./statuses.ts";

const running = 2;

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
  if (isCountedByHours(search, buckets)) countByHours(connection, search, pairs, numbers, sums);
  else addPairs(connection, search, buckets, pairs, numbers, sums);
  return sums.counts(groups);
}

function addPairs(
  connection: Connection,
  search: StoreSearch,
  buckets: Buckets | undefined,
  pairs: readonly Pair[],
  numbers: readonly number[],
  sums: GroupSums,
): void {
  const isTallied = !search.created && !search.updated;
  pairs.forEach((pair, place) => {
    const group = numbers[place]!;
    if (!buckets) sums.add(group, 0, isTallied ? pair.tasks : countOfPair(connection, search, pair));
    else
      for (const [at, tasks] of bucketCounts(connection, search, pair, buckets)) sums.add(group, at, tasks);
  });
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

function bucketCounts(
  connection: Connection,
  search: StoreSearch,
  pair: Pair,
  buckets: Buckets,
): [at: number, count: number][] {
  if (pair.status === running) return runningCounts(connection, search, pair, buckets);
  return bucketsOfPair(search, pair, buckets).flatMap(
    ({ text, values }) => connection.prepare(text).all(...values) as unknown as [number, number][],
  );
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
