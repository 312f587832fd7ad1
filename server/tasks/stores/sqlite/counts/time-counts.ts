/**
 * Counts of tasks by when they were created, or changed last: whole hours and minutes from the counts that are kept of them,
 * and what of a range is less than a minute from the indexes. RUNNING tasks, few, are counted one by one; the kept counts
 * have them with those that wait, so that they are taken off there. What waits is kept by its creation: of those that came
 * back, few, the indexes tell when they did.
 */
import type { Buckets, StoreSearch } from "../../../core/store.ts";
import type { GroupSums } from "../../shared/group-sums.ts";
import {
  allLanes,
  type Edge,
  groupsOfPairs,
  groupsOfStatuses,
  hourMs,
  stateOf,
  type Whole,
} from "../../shared/hours.ts";
import { dayMs, daysOf, type KeptParts, keptParts, minuteMs, minuteOf } from "../../shared/kept-counts.ts";
import type { Connection } from "../connection.ts";
import { onlyRow } from "../only-row.ts";
import { cameBack } from "../search/kept-heads.ts";
import {
  cameBackOfPairs,
  countsOfPairs,
  createdBetween,
  type Pair,
  placesOf,
} from "../search/search-statements.ts";
import { sql } from "../statements.ts";
import { areKept, keptHours } from "./kept-hours.ts";
import { keptSql, keptStates } from "./time-statements.ts";

const pending = 1;
const running = 2;
/** Of a minute that has no more tasks than so many, those of a part of it are read one by one: they lie side by side. */
const edgeTasksMax = 600;
/** All lanes of a stretch are read where at least one of so many is asked for: else those that are, one by one. */
const readInOneGo = 4;

/** What is counted: the pairs, and of each, by its place, the group it counts for. */
interface Counted {
  search: StoreSearch;
  time: Buckets["time"];
  buckets: Buckets | undefined;
  pairs: readonly Pair[];
  groups: readonly number[];
  sums: GroupSums;
}

/** And what is known of it from the start. */
interface Counting extends Counted {
  kept: KeptGroups;
  groupOf: (lane: number, status: number) => number | undefined;
}

export function countByTime(connection: Connection, asked: Counted): void {
  const { search, time, buckets, pairs, groups } = asked;
  const groupOf = groupsOfPairs(search, pairs, groups);
  const counted: Counting = { ...asked, kept: keptGroups(asked), groupOf };
  const parts = keptParts(time === "createdAt" ? search.created : search.updated, buckets);
  if (parts.hours.from < parts.hours.to) addHours(connection, counted, parts);
  if (parts.minutes.length > 0) addMinutes(connection, counted, parts);
  if (time === "updatedAt") addCameBack(connection, counted, parts);
  addRunning(connection, counted, parts);
  for (const edge of parts.edges) addEdge(connection, counted, edge);
}

function addHours(connection: Connection, counted: Counting, { hours: whole }: KeptParts): void {
  const { buckets, sums } = counted;
  const isByDay = buckets === undefined || buckets.bucketMs % dayMs === 0;
  const { days, hours } = daysOf(whole, isByDay ? dayMark(connection) : Number.NEGATIVE_INFINITY);
  const isOfEach = buckets !== undefined;
  if (days.from < days.to) {
    const give: Give = (group, day, tasks) => sums.add(group, day * dayMs, tasks);
    timeReaderOf(connection, counted, "day", isOfEach)(days, give);
  }
  const read = laneReaderOf(connection, counted, isOfEach && !isByDay);
  for (const { sign, ...some } of hours)
    read(some, (group, hour, tasks) => sums.add(group, hour * hourMs, sign * tasks));
}

/** Of the days before it, counts are kept. */
function dayMark(connection: Connection): number {
  return onlyRow<[number]>(connection, sql.dayMark)[0];
}

function addMinutes(connection: Connection, counted: Counting, { minutes }: KeptParts): void {
  const { buckets, sums } = counted;
  // Else they lie in one hour.
  const isByMinute = buckets !== undefined && buckets.bucketMs < hourMs;
  const read = timeReaderOf(connection, counted, "minute", isByMinute);
  for (const { sign, ...whole } of minutes)
    read(whole, (group, minute, tasks) => sums.add(group, minute * minuteMs, sign * tasks));
}

/** A kept count; thousands of them leave nothing behind that would have to be collected. */
type Give = (group: number, at: number, tasks: number) => void;

/** What reads kept counts: of each stretch, or sums, which count for any of them. */
type KeptReader = (whole: Whole, give: Give) => void;

/** Of hours, which lie by lane. Of many lanes, and a few weeks, it is kept what was read of those that lie still. */
function laneReaderOf(connection: Connection, counted: Counting, isOfEach: boolean): KeptReader {
  const { time, kept, search, pairs } = counted;
  const { lanes, groups } = kept;
  return (whole, give) => {
    if (search.statuses || !areKept(lanes.length, whole)) {
      laneReader(connection, counted, isOfEach, lanes)(whole, give);
      return;
    }
    const { read, atWork } = keptHours(connection, time, pairs);
    if (atWork.length > 0) laneReader(connection, counted, isOfEach, atWork)(whole, give);
    read(whole, (lane, state, hour, tasks) => {
      const group = groups[lane * 8 + state]!;
      if (group !== none) give(group, hour, tasks);
    });
  };
}

function laneReader(
  connection: Connection,
  { time, kept }: Counting,
  isOfEach: boolean,
  lanes: readonly number[],
): KeptReader {
  const { groups, areOfLanes } = kept;
  const shape = areOfLanes ? (isOfEach ? "eachOfAll" : "sumsOfAll") : isOfEach ? "each" : "sums";
  const statement = connection.prepare(keptSql.hour[shape](time));
  const json = JSON.stringify(lanes);
  return ({ from, to }, give) => {
    const rows: unknown = statement.all(json, from, to);
    switch (shape) {
      case "each":
        giveEach(rows as [number, string][], groups, give);
        break;
      case "eachOfAll":
        giveEachOfAll(rows as [number, string][], groups, give);
        break;
      case "sums":
        giveSums(rows as [number, string][], groups, from, give);
        break;
      case "sumsOfAll":
        for (const [lane, tasks] of rows as [number, number][]) give(groups[lane * 8]!, from, tasks);
    }
  };
}

/** Of minutes and days, of which all lanes lie side by side. */
function timeReaderOf(
  connection: Connection,
  counted: Counting,
  stretch: "minute" | "day",
  isOfEach: boolean,
): KeptReader {
  const { lanes, groups } = counted.kept;
  const read = keptReader(connection, counted.time, stretch, lanes, isOfEach);
  return (whole, give) => {
    for (const [at, json] of read(whole)) {
      const [pairs, counts] = JSON.parse(json) as [number[], number[]];
      for (let place = 0; place < pairs.length; place += 1) {
        const group = groups[pairs[place]!] ?? none;
        if (group !== none) give(group, at, counts[place]!);
      }
    }
  };
}

/** Reads all lanes where many of them are asked for: others may be among what it gives. */
function keptReader(
  connection: Connection,
  time: Counted["time"],
  stretch: "minute" | "day",
  lanes: readonly number[],
  isOfEach: boolean,
): (whole: Whole) => [at: number, json: string][] {
  const kept = keptSql[stretch];
  const [lastLane] = connection.prepare(sql.lastLane).get() as unknown as [number];
  if (lanes[0] !== allLanes && lanes.length * readInOneGo >= lastLane) {
    const statement = connection.prepare((isOfEach ? kept.eachOfAllLanes : kept.sumsOfAllLanes)(time));
    return ({ from, to }) => statement.all(from, to) as unknown as [number, string][];
  }
  const statement = connection.prepare(kept.each(time));
  const json = JSON.stringify(lanes);
  return ({ from, to }) => statement.all(json, from, to) as unknown as [number, string][];
}

interface KeptGroups {
  lanes: readonly number[];
  /** By `lane * 8 + state`; `none` for those that are not asked for. */
  groups: Int32Array;
  /** Whether all states of a lane are of one group, none of them left out. */
  areOfLanes: boolean;
}

const none = -1;

function keptGroups(counted: Counted): KeptGroups {
  const pairs = keptPairs(counted);
  const lanes = [...new Set(pairs.map(({ lane }) => lane))];
  const groups = new Int32Array(8 * (1 + lanes.reduce((most, lane) => Math.max(most, lane), 0))).fill(none);
  for (const { lane, status, group } of pairs) groups[lane * 8 + stateOf(status)] = group;
  const ofLanes = groupsOfLanes(counted, pairs);
  for (const [lane, group] of ofLanes ?? []) groups.fill(group, lane * 8, lane * 8 + 8);
  return { lanes, groups, areOfLanes: ofLanes !== undefined };
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

function giveEach(rows: readonly [lane: number, json: string][], groups: Int32Array, give: Give): void {
  for (const [lane, json] of rows) {
    const [places, counts] = JSON.parse(json) as [number[], number[]];
    for (let index = 0; index < places.length; index += 1) {
      const place = places[index]!;
      // Hours are few enough for 32 bits.
      const group = groups[lane * 8 + (place & 7)]!;
      if (group !== none) give(group, place >> 3, counts[index]!);
    }
  }
}

function giveEachOfAll(rows: readonly [lane: number, json: string][], groups: Int32Array, give: Give): void {
  for (const [lane, json] of rows) {
    const group = groups[lane * 8]!;
    const [stretches, counts] = JSON.parse(json) as [number[], number[]];
    for (let place = 0; place < stretches.length; place += 1) give(group, stretches[place]!, counts[place]!);
  }
}

function giveSums(
  rows: readonly [lane: number, json: string][],
  groups: Int32Array,
  at: number,
  give: Give,
): void {
  for (const [lane, json] of rows) {
    for (const [place, tasks] of (JSON.parse(json) as (number | null)[]).entries()) {
      const group = groups[lane * 8 + keptStates[place]!]!;
      if (group !== none && tasks !== null) give(group, at, tasks);
    }
  }
}

/**
 * Of tasks that wait and were changed, those that were created in whole minutes are taken off, and those that were changed in
 * the range are added.
 */
function addCameBack(
  connection: Connection,
  { search, pairs, groupOf, sums }: Counting,
  { start, end }: KeptParts,
): void {
  const waiting = cameBack(
    connection,
    pairs.filter(({ status }) => status === pending),
  );
  if (waiting.length === 0) return;
  for (const { text, values, sign } of cameBackOfPairs(search, waiting, { start, end })) {
    const rows = connection.prepare(text).all(...values) as unknown as [number, number, number][];
    for (const [lane, at, tasks] of rows) sums.add(groupOf(lane, pending)!, at, sign * tasks);
  }
}

/** Counts those of the range, and takes those of whole hours and minutes off what waits. */
function addRunning(connection: Connection, counted: Counting, whole: KeptParts): void {
  const { search, time, kept, groupOf, sums } = counted;
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
    const waits = groupOf(lane, pending) ?? waitingOf(kept, lane);
    if (waits !== undefined && createdAt >= whole.start && createdAt < whole.end)
      sums.add(waits, createdAt, -1);
    const at = time === "createdAt" ? createdAt : updatedAt;
    const runs = groupOf(lane, running);
    if (runs !== undefined && at >= start && at < end) sums.add(runs, at, 1);
  }
}

function waitingOf({ groups, areOfLanes }: KeptGroups, lane: number): number | undefined {
  if (!areOfLanes) return undefined;
  return [groups[lane * 8], groups[allLanes * 8]].find((group) => group !== undefined && group !== none);
}

/** Only pairs that have tasks in the minute are looked at, or its tasks one by one. */
function addEdge(connection: Connection, counted: Counting, edge: Edge): void {
  const { time, pairs } = counted;
  if (time === "createdAt") {
    const all = tasksInMinute(connection, time, edge, [allLanes]);
    const tasks = [...all.values()].reduce((sum, one) => sum + one, 0);
    if (tasks === 0) return;
    if (tasks <= edgeTasksMax) {
      addEachCreated(connection, counted, edge);
      return;
    }
  }
  const kept = tasksInMinute(connection, time, edge, [...new Set(pairs.map(({ lane }) => lane))]);
  const mayHave = ({ lane, status }: Pair) => (kept.get(lane * 8 + stateOf(status)) ?? 0) > 0;
  const places = pairs.flatMap((pair, place) => (pair.status !== running && mayHave(pair) ? [place] : []));
  addEdgeOfPairs(connection, counted, edge, places);
}

/** Of the minute of an edge, by `lane * 8 + state`. */
function tasksInMinute(
  connection: Connection,
  time: Counted["time"],
  edge: Edge,
  lanes: readonly number[],
): ReadonlyMap<number, number> {
  const minute = minuteOf(edge.start);
  const [row] = keptReader(connection, time, "minute", lanes, true)({ from: minute, to: minute + 1 });
  if (!row) return new Map();
  const [pairs, counts] = JSON.parse(row[1]) as [number[], number[]];
  return new Map(pairs.map((pair, place) => [pair, counts[place]!]));
}

function addEachCreated(
  connection: Connection,
  { groupOf, sums }: Counting,
  { start, end, sign }: Edge,
): void {
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
    const given = placesOf(places.map((place) => own[place]!));
    const rows = connection.prepare(text).all(given, ...values) as unknown as [number][];
    rows.forEach(([tasks], index) => {
      sums.add(groups[settled[places[index]!]!]!, start, sign * tasks);
    });
  }
}
