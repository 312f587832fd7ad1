/**
 * Counts of tasks by when they were created: whole hours from the counts that are kept by the hour, and what of a range is
 * less than an hour from the indexes. RUNNING tasks, few, are counted one by one; the kept counts have them with those that
 * wait, so that they are taken off there.
 */
import type { StoreSearch } from "../../core/store.ts";
import type { GroupSums } from "../group-sums.ts";
import {
  allLanes,
  groupsOfPairs,
  groupsOfStatuses,
  type Hours,
  hourMs,
  hourOf,
  hoursOf,
  stateOf,
} from "../hours.ts";
import type { Connection } from "./connection.ts";
import { tallySql } from "./hour-statements.ts";
import { countsOfPairs, type Pair } from "./search-statements.ts";
import { sql } from "./statements.ts";

const pending = 1;
const running = 2;

/** @param groups of each pair, by its place, the group it counts for */
export function countByHours(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  groups: readonly number[],
  sums: GroupSums,
): void {
  const hours = hoursOf(search.created);
  if (hours.from < hours.to) addWholeHours(connection, search, pairs, groups, hours, sums);
  addRunning(connection, search, pairs, groups, hours, sums);
  const settled = pairs.map((pair, place) => ({ pair, place })).filter(({ pair }) => pair.status !== running);
  if (hours.edges.length === 0) return;
  const counts = countsOfPairs(
    hours.edges.map(({ start, end }) => ({ ...search, created: { start, end } })),
    settled.map(({ pair }) => pair),
  );
  for (const { text, values, places } of counts) {
    const given = JSON.stringify(
      places.map((place) => [settled[place]!.pair.lane, settled[place]!.pair.status]),
    );
    const rows = connection.prepare(text).all(given, ...values) as unknown as number[][];
    rows.forEach((counted, index) => {
      const group = groups[settled[places[index]!]!.place]!;
      hours.edges.forEach(({ start, sign }, edge) => {
        sums.add(group, start, sign * counted[edge]!);
      });
    });
  }
}

function addWholeHours(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  groups: readonly number[],
  { from, to }: Hours,
  sums: GroupSums,
): void {
  const byStatus = groupsOfStatuses(search, pairs, groups);
  const kept = byStatus
    ? Array.from(byStatus, ([status, group]) => [allLanes, status, group] as const)
    : pairs.map(({ lane, status }, place) => [lane, status, groups[place]!] as const);
  const asked = kept
    .filter(([, status]) => status !== running)
    .map(([lane, status, group]) => [lane, stateOf(status), group]);
  const rows = connection.prepare(tallySql.sumsOfHours).all(JSON.stringify(asked), from, to);
  for (const [group, hour, tasks] of rows as unknown as [number, number, number][]) {
    sums.add(group, hour * hourMs, tasks);
  }
}

/** Counts those of the range, and takes those of the whole hours off what waits. */
function addRunning(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  groups: readonly number[],
  { from, to }: Hours,
  sums: GroupSums,
): void {
  const groupOf = groupsOfPairs(search, pairs, groups);
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = search.created ?? {};
  const rows = connection.prepare(sql.runningTasks).all() as unknown as [number, string, number, number][];
  for (const [, , lane, createdAt] of rows) {
    const hour = hourOf(createdAt);
    const waits = groupOf(lane, pending);
    if (waits !== undefined && hour >= from && hour < to) sums.add(waits, createdAt, -1);
    const runs = groupOf(lane, running);
    if (runs !== undefined && createdAt >= start && createdAt < end) sums.add(runs, createdAt, 1);
  }
}
