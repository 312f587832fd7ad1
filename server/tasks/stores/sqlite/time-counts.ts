/**
 * Counts of tasks by when they were created, or changed last: whole hours and minutes from the counts that are kept of them,
 * and what of a range is less than a minute from the indexes. RUNNING tasks, few, are counted one by one; the kept counts
 * have them with those that wait, so that they are taken off there. What waits is kept by its creation: of those that came
 * back, few, the indexes tell when they did.
 */
import type { Buckets, StoreSearch } from "../../core/store.ts";
import type { GroupSums } from "../group-sums.ts";
import {
  allLanes,
  type Edge,
  groupsOfPairs,
  groupsOfStatuses,
  hourMs,
  stateOf,
  type Whole,
} from "../hours.ts";
import { type KeptParts, keptParts, minuteMs, minuteOf } from "../kept-counts.ts";
import type { Connection } from "./connection.ts";
import {
  cameBackOfPairs,
  countsOfPairs,
  createdBetween,
  lanesWithCameBack,
  type Pair,
} from "./search-statements.ts";
import { sql } from "./statements.ts";
import { keptSql, keptStates } from "./time-statements.ts";

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

function addHours(connection: Connection, counted: Counted, { hours }: KeptParts): void {
  const read = readerOf(connection, counted, "hour", counted.buckets !== undefined);
  for (const [group, hour, tasks] of read(hours)) counted.sums.add(group, hour * hourMs, tasks);
}

function addMinutes(connection: Connection, counted: Counted, { minutes }: KeptParts): void {
  const isByMinute = counted.buckets !== undefined && counted.buckets.bucketMs < hourMs;
  // Else they lie in one hour.
  const read = readerOf(connection, counted, "minute", isByMinute);
  for (const { sign, ...whole } of minutes) {
    for (const [group, minute, tasks] of read(whole))
      counted.sums.add(group, minute * minuteMs, sign * tasks);
  }
}

type KeptCount = [group: number, at: number, tasks: number];

/** What reads kept counts: of each stretch, or the sums of all, which count for the first. */
function readerOf(
  connection: Connection,
  counted: Counted,
  stretch: keyof typeof keptSql,
  isOfEach: boolean,
): (whole: Whole) => Iterable<KeptCount> {
  const kept = keptSql[stretch];
  const pairs = keptPairs(counted);
  const lanes = JSON.stringify([...new Set(pairs.map(({ lane }) => lane))]);
  const ofLanes = groupsOfLanes(counted, pairs);
  const groups = new Map(pairs.map(({ lane, status, group }) => [lane * 8 + stateOf(status), group]));
  const shape = ofLanes ? (isOfEach ? "eachOfAll" : "sumsOfAll") : isOfEach ? "each" : "sums";
  const statement = connection.prepare(kept[shape](counted.time));
  return ({ from, to }) => {
    const rows: unknown = statement.all(lanes, from, to);
    switch (shape) {
      case "each":
        return ofEach(rows as [number, number, number, number][], groups);
      case "eachOfAll":
        return ofEachOfAll(rows as [number, string][], ofLanes!);
      case "sums":
        return ofSums(rows as [number, string][], groups, from);
      case "sumsOfAll":
        return (rows as [number, number][]).map(([lane, tasks]) => [ofLanes!.get(lane)!, from, tasks]);
    }
  };
}

/** A lane and status that kept counts have, or all lanes in their place; RUNNING tasks are counted with those that wait. */
interface KeptPair {
  lane: number;
  status: number;
  group: number;
}

function keptPairs({ search, pairs, groups }: Counted): KeptPair[] {
  const byStatus = groupsOfStatuses(search, pairs, groups);
  const kept = byStatus
    ? Array.from(byStatus, ([status, group]) => ({ lane: allLanes, status, group }))
    : pairs.map(({ lane, status }, place) => ({ lane, status, group: groups[place]! }));
  return kept.filter(({ status }) => status !== running);
}

/** By lane the one group that all of its tasks count for; undefined where states are told apart, or some left out. */
function groupsOfLanes(
  { search }: Counted,
  kept: readonly KeptPair[],
): ReadonlyMap<number, number> | undefined {
  if (search.statuses) return undefined;
  const groups = new Map<number, number>();
  for (const { lane, group } of kept) {
    if ((groups.get(lane) ?? group) !== group) return undefined;
    groups.set(lane, group);
  }
  return groups;
}

function* ofEach(
  rows: readonly [lane: number, state: number, at: number, tasks: number][],
  groups: ReadonlyMap<number, number>,
): Generator<KeptCount> {
  for (const [lane, state, at, tasks] of rows) {
    const group = groups.get(lane * 8 + state);
    if (group !== undefined) yield [group, at, tasks];
  }
}

function* ofEachOfAll(
  rows: readonly [lane: number, json: string][],
  groups: ReadonlyMap<number, number>,
): Generator<KeptCount> {
  for (const [lane, json] of rows) {
    const group = groups.get(lane)!;
    const [stretches, counts] = JSON.parse(json) as [number[], number[]];
    for (const [place, at] of stretches.entries()) yield [group, at, counts[place]!];
  }
}

function* ofSums(
  rows: readonly [lane: number, json: string][],
  groups: ReadonlyMap<number, number>,
  at: number,
): Generator<KeptCount> {
  for (const [lane, json] of rows) {
    for (const [place, tasks] of (JSON.parse(json) as (number | null)[]).entries()) {
      const group = tasks === null ? undefined : groups.get(lane * 8 + keptStates[place]!);
      if (group !== undefined) yield [group, at, tasks!];
    }
  }
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
  const waiting = withCameBack(
    connection,
    pairs.filter(({ status }) => status === pending),
  );
  if (waiting.length === 0) return;
  for (const { text, values, sign } of cameBackOfPairs(search, waiting, { start, end })) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number, number][];
    for (const [lane, at, tasks] of rows) sums.add(groupOf(lane, pending)!, at, sign * tasks);
  }
}

/** Mostly none: a look at each lane costs less than two. */
function withCameBack(connection: Connection, waiting: readonly Pair[]): Pair[] {
  if (waiting.length === 0) return [];
  const { text, values } = lanesWithCameBack(waiting);
  const lanes = new Set(
    (connection.prepare(text).all(...values) as unknown as [number][]).map(([lane]) => lane),
  );
  return waiting.filter(({ lane }) => lanes.has(lane));
}

/** Counts those of the range, and takes those of whole hours and minutes off what waits. */
function addRunning(connection: Connection, counted: Counted, whole: KeptParts): void {
  const { search, time, pairs, groups, sums } = counted;
  const groupOf = groupsOfPairs(search, pairs, groups);
  const ofLanes = groupsOfLanes(counted, keptPairs(counted));
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
    // Where all states of a lane are read, those that wait are, even if none does.
    const waits = groupOf(lane, pending) ?? ofLanes?.get(lane) ?? ofLanes?.get(allLanes);
    if (waits !== undefined && createdAt >= whole.start && createdAt < whole.end)
      sums.add(waits, createdAt, -1);
    const at = time === "createdAt" ? createdAt : updatedAt;
    const runs = groupOf(lane, running);
    if (runs !== undefined && at >= start && at < end) sums.add(runs, at, 1);
  }
}

type MinuteCount = [lane: number, state: number, minute: number, tasks: number];

/** Only pairs that have tasks in the minute are looked at, or its tasks one by one. */
function addEdge(connection: Connection, counted: Counted, edge: Edge): void {
  const { time, pairs } = counted;
  const ofMinute = (lanes: readonly number[]) => {
    const minute = minuteOf(edge.start);
    const statement = connection.prepare(keptSql.minute.each(time));
    return statement.all(JSON.stringify(lanes), minute, minute + 1) as unknown as MinuteCount[];
  };
  if (time === "createdAt") {
    const all = ofMinute([allLanes]).reduce((sum, [, , , tasks]) => sum + tasks, 0);
    if (all === 0) return;
    if (all <= edgeTasksMax) {
      addEachCreated(connection, counted, edge);
      return;
    }
  }
  const rows = ofMinute([...new Set(pairs.map(({ lane }) => lane))]);
  const kept = new Map(rows.map(([lane, state, , tasks]) => [lane * 8 + state, tasks]));
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
