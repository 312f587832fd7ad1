/** Counts by type, queue and status, from the tallies; with ranges or stretches of time, from the indexes. */
import type { Buckets, StoreSearch, TaskCount } from "../../core/store.ts";
import type { Connection } from "./connection.ts";
import { findPairs, runningKeys } from "./search.ts";
import { bucketsOfPair, countsOfPair, type Pair } from "./search-statements.ts";
import { statusNames } from "./statuses.ts";

const running = 2;

export function summarizeTasks(
  connection: Connection,
  { search, buckets }: { search: StoreSearch; buckets?: Buckets | undefined },
): TaskCount[] {
  const isTallied = !search.created && !search.updated;
  return findPairs(connection, search).flatMap((pair) => {
    if (buckets) return ofPair(pair, bucketCounts(connection, search, pair, buckets));
    return ofPair(pair, [[undefined, isTallied ? pair.tasks : countOfPair(connection, search, pair)]]);
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

function ofPair({ type, queue, status }: Pair, counts: readonly [at: number | undefined, count: number][]) {
  return counts
    .filter(([, count]) => count > 0)
    .map(
      ([at, count]): TaskCount => ({
        type,
        queue,
        status: statusNames[status]!,
        ...(at !== undefined && { at }),
        count,
      }),
    );
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
