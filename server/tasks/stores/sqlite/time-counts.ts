/**
 * Counts of tasks by when they were created, or changed last: whole hours and minutes from the counts that are kept of them,
 * and what of a range is less than a minute from the indexes. RUNNING tasks, few, are counted one by one; the kept counts
 * have them with those that wait, so that they are taken off there. What waits is kept by its creation: of those that came
 * back, few, the indexes tell when they did.
 */
import type { Buckets, StoreSearch } from "../../core/store.ts";
import type { GroupSums } from "../group-sums.ts";
import { allLanes, type Edge, groupsOfPairs, groupsOfStatuses, hourMs, stateOf } from "../hours.ts";
import { type KeptParts, keptParts, minuteMs, minuteOf } from "../kept-counts.ts";
import type { Connection } from "./connection.ts";
import { cameBackOfPairs, countsOfPairs, createdBetween, type Pair } from "./search-statements.ts";
import { sql } from "./statements.ts";
import {
  hoursOfPairs,
  keptStates,
  minuteSumsOfLanes,
  minutesOfLanes,
  sumsOfPairs,
} from "./time-statements.ts";

const pending = 1;
const running = 2;
/** Of a minute that has no more tasks than so many, those of a part of it are read one by one: they lie side by side. */
const edgeTasksMax = 600;

/** What is counted: the pairs, and of each, by its place, the group it counts for. */
interface Counted {
  search: StoreSearch;
  time: Buckets["time"];
  buckets: Buckets | undefined;
  pairs: readonly Pair[];
  groups: readonly number[];
  sums: GroupSums;
}

export function countByTime(connection: Connection, counted: Counted): void {
  const { search, time, buckets } = counted;
  const parts = keptParts(time === "createdAt" ? search.created : search.updated, buckets);
  if (parts.hours.from < parts.hours.to) addHours(connection, counted, parts);
  if (parts.minutes.length > 0) addMinutes(connection, counted, parts);
  if (time === "updatedAt") addCameBack(connection, counted, parts);
  addRunning(connection, counted, parts);
  for (const edge of parts.edges) addEdge(connection, counted, edge);
}

/** The pairs that kept counts have, or those of all lanes in their place. */
function keptPairs({ search, pairs, groups }: Counted): [lane: number, state: number, group: number][] {
  const byStatus = groupsOfStatuses(search, pairs, groups);
  const kept = byStatus
    ? Array.from(byStatus, ([status, group]) => [allLanes, status, group] as const)
    : pairs.map(({ lane, status }, place) => [lane, status, groups[place]!] as const);
  return kept
    .filter(([, status]) => status !== running)
    .map(([lane, status, group]) => [lane, stateOf(status), group]);
}

function addHours(connection: Connection, counted: Counted, { hours: { from, to } }: KeptParts): void {
  const text = counted.buckets ? hoursOfPairs(counted.time) : sumsOfPairs(counted.time);
  const rows = connection.prepare(text).all(JSON.stringify(keptPairs(counted)), from, to);
  for (const [group, hour, tasks] of rows as unknown as [number, number, number][]) {
    counted.sums.add(group, hour * hourMs, tasks);
  }
}

function addMinutes(connection: Connection, counted: Counted, { minutes }: KeptParts): void {
  const pairs = keptPairs(counted);
  const groups = new Map(pairs.map(([lane, state, group]) => [lane * 8 + state, group]));
  const lanes = JSON.stringify([...new Set(pairs.map(([lane]) => lane))]);
  const isByMinute = counted.buckets !== undefined && counted.buckets.bucketMs < hourMs;
  const read = isByMinute ? readMinutes : readMinuteSums;
  for (const { from, to, sign } of minutes) {
    for (const [lane, state, minute, tasks] of read(connection, counted.time, lanes, from, to)) {
      const group = groups.get(lane * 8 + state);
      if (group !== undefined) counted.sums.add(group, minute * minuteMs, sign * tasks);
    }
  }
}

type MinuteCount = [lane: number, state: number, minute: number, tasks: number];

function readMinutes(
  connection: Connection,
  time: Buckets["time"],
  lanes: string,
  from: number,
  to: number,
): MinuteCount[] {
  return connection.prepare(minutesOfLanes(time)).all(lanes, from, to) as unknown as MinuteCount[];
}

/** Of minutes that lie in one hour. */
function readMinuteSums(
  connection: Connection,
  time: Buckets["time"],
  lanes: string,
  from: number,
  to: number,
): MinuteCount[] {
  const rows = connection.prepare(minuteSumsOfLanes(time)).all(lanes, from, to);
  return (rows as unknown as [number, string][]).flatMap(([lane, json]) => {
    const sums = JSON.parse(json) as (number | null)[];
    return sums.flatMap((tasks, place): MinuteCount[] =>
      tasks === null ? [] : [[lane, keptStates[place]!, from, tasks]],
    );
  });
}

/**
 * Of tasks that wait and were changed, those that were created in whole minutes are taken off, and those that were changed in
 * the range are added.
 */
function addCameBack(
  connection: Connection,
  { search, pairs, groups, sums }: Counted,
  { start, end }: KeptParts,
): void {
  const groupOf = groupsOfPairs(search, pairs, groups);
  const waiting = pairs.filter(({ status }) => status === pending);
  if (waiting.length === 0) return;
  for (const { text, values, sign } of cameBackOfPairs(search, waiting, { start, end })) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number, number][];
    for (const [lane, at, tasks] of rows) sums.add(groupOf(lane, pending)!, at, sign * tasks);
  }
}

/** Counts those of the range, and takes those of whole hours and minutes off what waits. */
function addRunning(
  connection: Connection,
  { search, time, pairs, groups, sums }: Counted,
  whole: KeptParts,
): void {
  const groupOf = groupsOfPairs(search, pairs, groups);
  const range = time === "createdAt" ? search.created : search.updated;
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = range ?? {};
  const rows = connection.prepare(sql.runningTasks).all() as unknown as [
    number,
    string,
    number,
    number,
    number,
  ][];
  for (const [, , lane, createdAt, updatedAt] of rows) {
    const waits = groupOf(lane, pending);
    if (waits !== undefined && createdAt >= whole.start && createdAt < whole.end)
      sums.add(waits, createdAt, -1);
    const at = time === "createdAt" ? createdAt : updatedAt;
    const runs = groupOf(lane, running);
    if (runs !== undefined && at >= start && at < end) sums.add(runs, at, 1);
  }
}

/** Only pairs that have tasks in the minute are looked at, or its tasks one by one. */
function addEdge(connection: Connection, counted: Counted, edge: Edge): void {
  const { time, pairs } = counted;
  const lanes = [...new Set(pairs.map(({ lane }) => lane))];
  const minute = minuteOf(edge.start);
  const rows = readMinutes(connection, time, JSON.stringify(lanes), minute, minute + 1);
  const kept = new Map(rows.map(([lane, state, , tasks]) => [lane * 8 + state, tasks]));
  const all = [...kept.values()].reduce((sum, tasks) => sum + tasks, 0);
  if (time === "createdAt" && all <= edgeTasksMax) {
    addEachCreated(connection, counted, edge);
    return;
  }
  const mayHave = ({ lane, status }: Pair) => (kept.get(lane * 8 + stateOf(status)) ?? 0) > 0;
  const places = pairs.flatMap((pair, place) => (pair.status !== running && mayHave(pair) ? [place] : []));
  addEdgeOfPairs(connection, counted, edge, places);
}

function addEachCreated(
  connection: Connection,
  { search, pairs, groups, sums }: Counted,
  { start, end, sign }: Edge,
): void {
  const groupOf = groupsOfPairs(search, pairs, groups);
  for (const { text, values } of createdBetween(start, end)) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number][];
    for (const [lane, status] of rows) {
      const group = status === running ? undefined : groupOf(lane, status);
      if (group !== undefined) sums.add(group, start, sign);
    }
  }
}

function addEdgeOfPairs(
  connection: Connection,
  { search, time, pairs, groups, sums }: Counted,
  { start, end, sign }: Edge,
  settled: readonly number[],
): void {
  if (settled.length === 0) return;
  const range = time === "createdAt" ? { created: { start, end } } : { updated: { start, end } };
  const own = settled.map((place) => pairs[place]!);
  // Of those that wait and were changed, addCameBack has told.
  const counts = countsOfPairs({ ...search, ...range }, own, time === "updatedAt");
  for (const { text, values, places } of counts) {
    const given = JSON.stringify(places.map((place) => [own[place]!.lane, own[place]!.status]));
    const rows = connection.prepare(text).all(given, ...values) as unknown as [number][];
    rows.forEach(([tasks], index) => {
      sums.add(groups[settled[places[index]!]!]!, start, sign * tasks);
    });
  }
}
