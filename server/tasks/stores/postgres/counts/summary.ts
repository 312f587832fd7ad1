/** Counts by type, queue and status, from the tallies; by time from theirs, else from the indexes. */

import { countKeys } from "../../../core/port/store-search.ts";
import type { Buckets, CountedGroup, CountKey, StoreSearch, TaskCounts } from "../../../core/store.ts";
import { GroupSums, groupsBy } from "../../shared/group-sums.ts";
import { isCountedByHours } from "../../shared/hours.ts";
import { keptTime } from "../../shared/kept-counts.ts";
import { planning, planningOnce } from "../connections/planning.ts";
import { endingWith } from "../connections/snapshot.ts";
import type { Context } from "../context.ts";
import type { Lane } from "../lanes.ts";
import { statusNames } from "../rows.ts";
import { outline } from "../search/outline.ts";
import { statement } from "../statement.ts";
import { summaryStatement } from "./count-statements.ts";
import { sums } from "./tallies.ts";
import { type Add, askedOf, countByHours, countByTime } from "./time-counts.ts";

export async function summarizeTasks(
  context: Context,
  search: StoreSearch,
  buckets: Buckets | undefined,
  by: readonly CountKey[] = countKeys,
): Promise<TaskCounts> {
  const time = keptTime(search, buckets);
  const kept = time && (await summarizeByTime(context, search, time, buckets, by));
  if (kept) return kept;
  if (buckets || search.created || search.updated) return countByIndex(context, search, buckets, by);
  const rows = await context.searching.read(talliesByLane);
  const { types, queues, statuses } = search;
  const counts = rows
    .map(
      ([type, queue, status, tasks]): NamedCount => ({
        type,
        queue,
        status: statusNames[status]!,
        at: 0,
        tasks,
      }),
    )
    .filter(({ type, queue, status }) => {
      const isAsked = (!types || types.includes(type)) && (!queues || queues.includes(queue));
      return isAsked && (!statuses || statuses.includes(status));
    });
  return addedUp(counts, buckets, by);
}

interface NamedCount extends Required<CountedGroup> {
  at: number;
  tasks: number;
}

function addedUp(
  counts: readonly NamedCount[],
  buckets: Buckets | undefined,
  by: readonly CountKey[],
): TaskCounts {
  const { groups, numbers } = groupsBy(counts, by);
  const sums = new GroupSums(buckets);
  for (const [place, { at, tasks }] of counts.entries()) sums.add(numbers[place]!, at, tasks);
  return sums.counts(groups);
}

/** Undefined where the counts that would answer are not kept now. */
async function summarizeByTime(
  context: Context,
  search: StoreSearch,
  time: Buckets["time"],
  buckets: Buckets | undefined,
  by: readonly CountKey[],
): Promise<TaskCounts | undefined> {
  const apart = { lanes: by.includes("type") || by.includes("queue"), states: by.includes("status") };
  const asked = askedOf(search, time, buckets, apart);
  const counted = await context.searching.snapshot(async (snapshot) => {
    const session = endingWith(snapshot, () => context.minutes.isOneQuestion);
    const sums = new PairSums(buckets, apart.lanes);
    if (await countByTime(context, session, asked, sums.add)) return sums;
    if (!isCountedByHours(search, buckets)) return undefined;
    await countByHours(session, asked, sums.add);
    return sums;
  }, planningOnce);
  if (!counted) return undefined;
  const { pairs } = counted;
  const lanes = apart.lanes
    ? await context.lanes.namedAtOnce(new Set(pairs.map(({ lane }) => lane)))
    : undefined;
  const groups = new Groups(by);
  const numbers = pairs.map(({ lane, status }) => groups.of(lane, status, lanes?.get(lane)));
  return counted.addedUp(numbers).counts(groups.all);
}

/** Pairs of so low a number are found in a list, sooner than in a map. */
const listedMax = 65_536;

/** How many the latest summary of all lanes had: there is room for as many in the next one. */
let pairsBefore: number | undefined;
const pairsExpectedMax = 1_000;

/** By lane and status at first: which group each counts for is known with the names of lanes. */
class PairSums {
  readonly pairs: { lane: number; status: number }[] = [];
  readonly sums: GroupSums;
  readonly #areLanesApart: boolean;
  /** The number of each pair, by lane * 8 + status. */
  readonly #listed: (number | undefined)[] = [];
  readonly #others = new Map<number, number>();

  constructor(buckets: Buckets | undefined, areLanesApart: boolean) {
    this.#areLanesApart = areLanesApart;
    this.sums = new GroupSums(buckets, areLanesApart ? pairsBefore : undefined);
  }

  addedUp(groups: readonly number[]): GroupSums {
    if (this.#areLanesApart) pairsBefore = Math.min(this.pairs.length, pairsExpectedMax);
    return this.sums.addedUp(groups);
  }

  readonly add: Add = (lane, status, at, tasks) => {
    const number = this.#listed[lane * 8 + status] ?? this.#numberOf(lane, status);
    this.sums.add(number, at, tasks);
  };

  #numberOf(lane: number, status: number): number {
    const pair = lane * 8 + status;
    const number = this.#others.get(pair) ?? this.pairs.push({ lane, status }) - 1;
    if (pair >= listedMax) this.#others.set(pair, number);
    else {
      while (this.#listed.length < pair) this.#listed.push(undefined);
      this.#listed[pair] = number;
    }
    return number;
  }
}

/** The groups that lanes and statuses count for, by the keys that are asked for. */
class Groups {
  readonly all: CountedGroup[] = [];
  readonly #by: readonly CountKey[];
  readonly #isByStatus: boolean;
  /** What lanes are told apart by, each with its group of each status, or of all. */
  readonly #ofNames = new Map<string, (number | undefined)[]>();
  readonly #ofLanes = new Map<number, (number | undefined)[]>();

  constructor(by: readonly CountKey[]) {
    this.#by = by;
    this.#isByStatus = by.includes("status");
  }

  of(lane: number, status: number, named: Partial<Lane> | undefined): number {
    const groups = this.#ofLanes.get(lane) ?? this.#ofLane(lane, named);
    const place = this.#isByStatus ? status : 0;
    groups[place] ??= this.#newGroup(status, named);
    return groups[place];
  }

  #ofLane(lane: number, { type = "?", queue = "?" }: Partial<Lane> = {}): (number | undefined)[] {
    const name = `${this.#by.includes("type") ? type : ""}\n${this.#by.includes("queue") ? queue : ""}`;
    const groups = this.#ofNames.get(name) ?? [];
    this.#ofNames.set(name, groups);
    this.#ofLanes.set(lane, groups);
    return groups;
  }

  #newGroup(status: number, { type = "?", queue = "?" }: Partial<Lane> = {}): number {
    const named = { type, queue, status: statusNames[status] };
    return this.all.push(Object.fromEntries(this.#by.map((key) => [key, named[key]]))) - 1;
  }
}

async function countByIndex(
  context: Context,
  search: StoreSearch,
  buckets: Buckets | undefined,
  by: readonly CountKey[],
): Promise<TaskCounts> {
  const rows = await context.searching.snapshot(async (session) => {
    const { pairs } = await outline(session, { ...search, definitions: false });
    const { statement: counts, values } = summaryStatement(search, pairs, buckets);
    return session.query(counts, values);
  }, planning);
  const lanes = await context.lanes.named(new Set(rows.map(([lane]) => lane as number)));
  const counts = rows.map(([lane, status, at, tasks]): NamedCount => {
    const { type, queue } = lanes.get(lane) ?? { type: "?", queue: "?" };
    return { type, queue, status: statusNames[status]!, at, tasks };
  });
  return addedUp(counts, buckets, by);
}

const talliesByLane = statement(
  "talliesByLane",
  `SELECT type, queue, status, sum(tasks)::bigint FROM (${sums}) AS sums JOIN :schema.lanes USING (lane)
    GROUP BY type, queue, status`,
);
