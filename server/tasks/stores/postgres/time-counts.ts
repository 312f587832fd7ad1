/**
 * Counts of tasks by when they were created, or changed last: whole hours and minutes from the counts that are kept of them,
 * and what of a range is less than a minute from the indexes. RUNNING tasks, few, are counted one by one; the kept counts
 * have them with those that wait, so that they are taken off there. What waits is kept by its creation: of those that came
 * back, few, the indexes tell when they did.
 */
import { ulidStart } from "../../core/ids.ts";
import type { Buckets, StoreSearch } from "../../core/store.ts";
import type { GroupSums } from "../group-sums.ts";
import { allLanes, groupsOfPairs, groupsOfStatuses, hourMs, hoursOf, stateOf } from "../hours.ts";
import { hourOfMinute, type KeptParts, keptParts, minuteMs, minuteOf, minuteSql } from "../kept-counts.ts";
import type { Context } from "./context.ts";
import type { Session } from "./database.ts";
import {
  columnsOf,
  groupsOf,
  instantMax,
  instantMin,
  ownOf,
  type Pair,
  type SearchStatement,
  streamsOf,
  Text,
  wanted,
} from "./search-statements.ts";
import { shape } from "./statement.ts";

/** Tasks that wait are stored as 0 or 1; searches ask for both. */
const pending = 1;
const cameBack = 1;
const running = 2;
/** Of more pairs, so few tasks of a minute are read sooner than each pair is counted. */
const pairsMany = 24;
const readMax = 2_000;

/** What is counted: the pairs, and of each, by its place, the group it counts for. */
export interface Counted {
  search: StoreSearch;
  time: Buckets["time"];
  buckets: Buckets | undefined;
  pairs: readonly Pair[];
  groups: readonly number[];
}

/** All pairs as one group, of all times as one. */
export function allOf(search: StoreSearch, time: Counted["time"], pairs: readonly Pair[]): Counted {
  return { search, time, buckets: undefined, pairs, groups: new Array<number>(pairs.length).fill(0) };
}

/** The parts of a range, and whether the counts by the minute are used. */
type Parts = KeptParts & { areByMinute: boolean };

/**
 * `kept` and `edge` rows say their group, the others their lane. The state of `running` ones is 1 for those that are in the
 * range. `at` is an instant in the stretch of time.
 */
type Row = [
  kind: "kept" | "changed" | "running" | "edge" | "gap",
  which: number,
  state: number,
  at: number,
  tasks: number,
];

/** By hours and minutes. Answers whether they are kept: else nothing was added. */
export async function countByTime(
  { minutes }: Pick<Context, "minutes">,
  session: Session,
  counted: Counted,
  sums: GroupSums,
): Promise<boolean> {
  const parts = partsOf(counted);
  const { statement, values } = timeStatement(counted, parts);
  const rows = (await session.query(statement, values)) as Row[];
  minutes.areKept = !rows.some(([kind]) => kind === "gap");
  if (minutes.areKept) addRows(rows, counted, parts, sums);
  return minutes.areKept;
}

/** By hours of creation alone, which are always kept. */
export async function countByHours(session: Session, counted: Counted, sums: GroupSums): Promise<void> {
  const parts = hourPartsOf(counted.search);
  const { statement, values } = timeStatement(counted, parts);
  addRows((await session.query(statement, values)) as Row[], counted, parts, sums);
}

function partsOf({ search, time, buckets }: Counted): Parts {
  return { ...keptParts(time === "createdAt" ? search.created : search.updated, buckets), areByMinute: true };
}

function hourPartsOf({ created }: StoreSearch): Parts {
  const { from, to, edges } = hoursOf(created);
  const [start, end] = [from * hourMs, to * hourMs];
  return { hours: { from, to }, minutes: [], edges, start, end, areByMinute: false };
}

function addRows(
  rows: readonly Row[],
  { search, pairs, groups }: Counted,
  { start, end }: Parts,
  sums: GroupSums,
): void {
  const groupOf = groupsOfPairs(search, pairs, groups);
  const add = (group: number | undefined, at: number, tasks: number) => {
    if (group !== undefined) sums.add(group, at, tasks);
  };
  for (const [kind, which, state, at, tasks] of rows) {
    if (kind === "kept" || kind === "edge") add(which, at, tasks);
    else if (kind === "changed") add(groupOf(which, state === 0 ? pending : state), at, tasks);
    else {
      if (state === 1) add(groupOf(which, running), at, tasks);
      else if (at >= start && at < end) add(groupOf(which, pending), at, -tasks);
    }
  }
}

function timeStatement(counted: Counted, parts: Parts): SearchStatement {
  const text = new Text();
  const of = new TimeParts(text, counted, parts);
  const all = [...of.running(), ...of.edges()];
  if (counted.buckets === undefined || counted.buckets.bucketMs >= hourMs) all.push(...of.hours());
  if (parts.areByMinute) all.push(gap, ...of.minutes());
  if (parts.areByMinute && counted.time === "updatedAt") all.push(...of.cameBack());
  return {
    statement: shape("sumTimes", all.map((part) => `(${part})`).join("\n UNION ALL ")),
    values: text.values,
  };
}

const gap = "SELECT 'gap', 0, 0, 0::bigint, 0::bigint WHERE EXISTS (SELECT 1 FROM :schema.minute_gaps)";

/**
 * The parts of one statement, each with the columns of `Row`. Ranges are values, also those that are empty or have no end, so
 * that nearly all questions are of one text, which is planned once.
 */
class TimeParts {
  readonly #text: Text;
  readonly #counted: Counted;
  readonly #parts: Parts;
  readonly #isByEnd: boolean;

  constructor(text: Text, counted: Counted, parts: Parts) {
    this.#text = text;
    this.#counted = counted;
    this.#parts = parts;
    this.#isByEnd = counted.time === "updatedAt";
  }

  /** Those of the range, and those that were created in whole hours and minutes. */
  running(): string[] {
    const { search } = this.#counted;
    const { start, end } = this.#parts;
    const [range, instant] = this.#isByEnd
      ? [search.updated, "tasks.updated_at"]
      : [search.created, "tasks.created_at"];
    const of = (state: number, column: string, within: string) =>
      `SELECT 'running' AS kind, lane, ${state}, ${startOf(column)}, count(*)
        FROM :schema.tasks WHERE tasks.status = 2 AND ${within} GROUP BY 2, 4`;
    return [
      of(1, instant, this.#within(instant, range?.start, range?.end)),
      of(0, "tasks.created_at", this.#within("tasks.created_at", start, end)),
    ];
  }

  hours(): string[] {
    const { from, to } = this.#parts.hours;
    const within = `hour >= ${this.#text.add(from)}::integer AND hour < ${this.#text.add(to)}::integer`;
    return this.#sources().flatMap(({ byEnd, states }) => [
      this.#kept(
        states,
        `SELECT hour::bigint * ${hourMs} AS at, tasks FROM :schema.${byEnd ? "ended" : "hour"}_tallies AS kept
          WHERE kept.lane = pair.lane AND kept.state = pair.state AND ${within}`,
      ),
      byEnd
        ? this.#changed(byEnd, [{ from: from * 60, to: to * 60, sign: 1 }])
        : `SELECT 'changed', lane, CASE WHEN status >= 3 THEN status ELSE 0 END, hour::bigint * ${hourMs}, sum(tasks)::bigint
          FROM :schema.tally_changes WHERE ${within}${this.#isByEnd ? " AND status < 3" : ""} GROUP BY 2, 3, 4`,
    ]);
  }

  minutes(): string[] {
    const { minutes } = this.#parts;
    const part = this.#stretches(minutes);
    return this.#sources().flatMap(({ byEnd, states }) => [
      this.#kept(
        states,
        `SELECT (kept.hour::bigint * 60 + cell.minute) * ${minuteMs} AS at, part.sign * cell.tasks AS tasks
          FROM ${part} CROSS JOIN LATERAL (SELECT hour, minutes, tasks, ended FROM :schema.minute_tallies AS kept
            WHERE kept.lane = pair.lane AND kept.state = pair.state
              AND kept.hour >= part.first_hour AND kept.hour <= part.last_hour OFFSET 0) AS kept
          CROSS JOIN LATERAL unnest(kept.minutes, kept.${byEnd ? "ended" : "tasks"}) AS cell (minute, tasks)
          WHERE kept.hour::bigint * 60 + cell.minute >= part.start AND kept.hour::bigint * 60 + cell.minute < part.stop
            AND cell.tasks <> 0`,
      ),
      this.#changed(byEnd, minutes),
    ]);
  }

  /**
   * Of tasks that wait and were changed, those that were created in whole minutes are taken off, and those that were changed
   * in the range are added. By tasks_lane_created and tasks_lane_updated.
   */
  cameBack(): string[] {
    const { pairs, search } = this.#counted;
    const lanes = pairs.filter(({ status }) => status === cameBack).map(({ lane }) => lane);
    const { start, end } = this.#parts;
    const of = (instant: string, sign: number, within: string) =>
      `SELECT 'changed', own.lane, 0, back.at, ${sign} * back.tasks FROM unnest(${this.#text.add(lanes)}::integer[]) AS own (lane)
        CROSS JOIN LATERAL (SELECT ${startOf(instant)} AS at, count(*) AS tasks FROM :schema.tasks
          WHERE tasks.lane = own.lane AND tasks.status = ${cameBack} AND tasks.status <> 2 AND tasks.status <> 0 AND ${within}
          GROUP BY 1) AS back`;
    return [
      of("tasks.created_at", -1, this.#within("tasks.created_at", start, end)),
      of("tasks.updated_at", 1, this.#within("tasks.updated_at", search.updated?.start, search.updated?.end)),
    ];
  }

  /**
   * Of many pairs, few of which have a task in the minute, each takes a look at a page of the index; so where few tasks were created in it,
   * and their ids tell when, all of these are read.
   */
  edges(): string[] {
    const { edges, areByMinute } = this.#parts;
    const { pairs } = this.#counted;
    const generated = pairs.filter(({ ownIds }) => !ownIds);
    const isAlike = areByMinute && !this.#isByEnd && edges.every(({ start }) => start >= 0);
    if (edges.length === 0 || !isAlike || generated.length <= pairsMany) return this.#edgesOf(() => true);
    const areFew = `(${this.#inMinutes()}) <= ${readMax}`;
    return [
      this.#edgesOfAll(areFew),
      ...this.#edgesOf(({ ownIds }) => !ownIds, `NOT ${areFew}`),
      ...this.#edgesOf(({ ownIds }) => ownIds),
    ];
  }

  /** By the primary key. */
  #edgesOfAll(condition: string): string {
    const { edges } = this.#parts;
    const { add } = this.#text;
    const ids = (instants: readonly number[]) => `${add(instants.map(ulidStart))}::text[]`;
    return `SELECT 'changed', task.lane, task.state, edge.start, sum(edge.sign)::bigint
      FROM unnest(${add(edges.map(({ start }) => start))}::bigint[], ${add(edges.map(({ sign }) => sign))}::integer[],
          ${ids(edges.map(({ start }) => start))}, ${ids(edges.map(({ end }) => end))}) AS edge (start, sign, first_id, end_id)
        CROSS JOIN LATERAL (SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END AS state FROM :schema.tasks
          WHERE tasks.id >= edge.first_id AND tasks.id < edge.end_id AND NOT own_id AND status <> ${running} OFFSET 0) AS task
      WHERE ${condition} GROUP BY 2, 3, 4`;
  }

  /** How many tasks were created in the minutes of the edges. */
  #inMinutes(): string {
    const minutes = this.#parts.edges.map(({ start }) => minuteOf(start));
    const { add } = this.#text;
    return `SELECT coalesce(sum(cell.tasks), 0) FROM unnest(${add(minutes)}::bigint[], ${add(minutes.map(hourOfMinute))}::integer[])
          AS own (minute, hour)
        CROSS JOIN LATERAL (SELECT minutes, tasks FROM :schema.minute_tallies AS kept
          WHERE kept.lane = ${allLanes} AND kept.state = ANY('{0,3,4,5}') AND kept.hour = own.hour OFFSET 0) AS kept
        CROSS JOIN LATERAL unnest(kept.minutes, kept.tasks) AS cell (minute, tasks)
      WHERE cell.minute = own.minute - own.hour::bigint * 60`;
  }

  /** Only pairs that have tasks in the minute are looked at, where that is kept. */
  #edgesOf(isCounted: (pair: Pair) => boolean, condition = "true"): string[] {
    const { search, pairs, groups, time } = this.#counted;
    const { edges, areByMinute } = this.#parts;
    const { after: _after, created: _created, updated: _updated, ...unbounded } = search;
    const counting: StoreSearch = { ...unbounded, sortBy: time };
    const isSettled = ({ status }: Pair) => status !== running && !(this.#isByEnd && status === cameBack);
    const settled = pairs
      .map((pair, place) => ({ ...pair, group: groups[place]! }))
      .filter((pair) => isSettled(pair) && isCounted(pair));
    if (settled.length === 0) return [];
    const groupOf = new Map(settled.map(({ lane, status, group }) => [lane * 8 + status, group]));
    const { add } = this.#text;
    const minutes = edges.map(({ start }) => minuteOf(start));
    const edge = `unnest(${add(edges.map(({ start }) => start))}::bigint[], ${add(edges.map(({ end }) => end))}::bigint[],
        ${add(edges.map(({ sign }) => sign))}::integer[], ${add(minutes)}::bigint[])
        AS edge (start, stop, sign, minute)`;
    const mayHave = areByMinute ? `AND ${this.#mayHave(minutes)}` : "";
    return groupsOf(settled, (pair) => streamsOf(counting, pair)).map((group) => {
      const given = group.lanes.map((lane, place) => groupOf.get(lane * 8 + group.statuses[place]!)!);
      const instant = columnsOf[group.stream][0]!;
      const within = [`${instant} >= edge.start`, `${instant} < edge.stop`];
      const conditions = [...ownOf("pair"), ...wanted(this.#text, counting, group), ...within];
      return `SELECT 'edge', pair.number, 0, edge.start, sum(edge.sign * counted.tasks)::bigint
        FROM unnest(${add(group.lanes)}::integer[], ${add(group.statuses)}::smallint[], ${add(given)}::integer[])
          AS pair (lane, status, number) CROSS JOIN ${edge}
        CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS counted
        WHERE ${condition} ${mayHave} GROUP BY 2, 4`;
    });
  }

  /** Whether the pair may have tasks in the minute. By minute_tallies_hour: all lanes lie side by side. */
  #mayHave(minutes: readonly number[]): string {
    const given = `${this.#text.add(minutes)}::bigint[]`;
    const state = "(CASE WHEN pair.status >= 3 THEN pair.status ELSE 0 END)";
    const changed = this.#sources().map(({ byEnd }) => {
      const minute = byEnd ? "ended" : "created";
      return `SELECT lane, moved.state, ${minute} FROM :schema.minute_changes CROSS JOIN LATERAL (VALUES (was), (state)) AS moved (state)
        WHERE ${minute} = ANY(${given}) AND moved.state ${this.#statesOf(byEnd)}`;
    });
    const hours = `${this.#text.add(minutes.map(hourOfMinute))}::integer[]`;
    const kept = `SELECT kept.lane, kept.state, own.minute FROM unnest(${given}, ${hours}) AS own (minute, hour)
        CROSS JOIN LATERAL (SELECT lane, state FROM :schema.minute_tallies AS kept WHERE kept.hour = own.hour
          AND (own.minute - own.hour::bigint * 60)::smallint = ANY(kept.minutes) OFFSET 0) AS kept`;
    // Not as a join, which would compare each pair with each.
    return `((pair.lane, ${state}, edge.minute) IN (${[kept, ...changed].join(" UNION ALL ")})) IS TRUE`;
  }

  /** Which of the kept counts tell of which states: what waits is kept by its creation. */
  #sources(): { byEnd: boolean; states: (state: number) => boolean }[] {
    if (!this.#isByEnd) return [{ byEnd: false, states: () => true }];
    return [
      { byEnd: false, states: (state) => state === 0 },
      { byEnd: true, states: (state) => state !== 0 },
    ];
  }

  #statesOf(byEnd: boolean): string {
    return byEnd ? ">= 3" : this.#isByEnd ? "= 0" : ">= 0";
  }

  /** Sums of the pairs, or those of all lanes in their place. @param counts a query of at and tasks of `pair` */
  #kept(isWanted: (state: number) => boolean, counts: string): string {
    const { search, pairs, groups } = this.#counted;
    const byStatus = groupsOfStatuses(search, pairs, groups);
    const each = byStatus
      ? Array.from(byStatus, ([status, group]) => ({ lane: allLanes, status, group }))
      : pairs.map(({ lane, status }, place) => ({ lane, status, group: groups[place]! }));
    // PENDING is stored as two statuses and kept as one state.
    const kept = each
      .filter(({ status }) => status !== cameBack && status !== running)
      .map((one) => ({ ...one, state: stateOf(one.status) }))
      .filter(({ state }) => isWanted(state));
    const { add } = this.#text;
    return `SELECT 'kept', pair.number, 0, kept.at, sum(kept.tasks)::bigint
      FROM unnest(${add(kept.map(({ lane }) => lane))}::integer[], ${add(kept.map(({ state }) => state))}::smallint[],
        ${add(kept.map(({ group }) => group))}::integer[]) AS pair (lane, state, number)
      CROSS JOIN LATERAL (${counts}) AS kept GROUP BY 2, 4`;
  }

  /** What is not folded yet. */
  #changed(byEnd: boolean, stretches: KeptParts["minutes"]): string {
    const minute = byEnd ? "ended" : "created";
    return `SELECT 'changed', lane, moved.state, ${minute} * ${minuteMs}, sum(part.sign * moved.tasks)::bigint
      FROM :schema.minute_changes CROSS JOIN ${this.#stretches(stretches)}
        CROSS JOIN LATERAL (VALUES (was, -tasks), (state, tasks)) AS moved (state, tasks)
      WHERE ${minute} >= part.start AND ${minute} < part.stop AND moved.state ${this.#statesOf(byEnd)} GROUP BY 2, 3, 4`;
  }

  /** Minutes from one on, included, to another, excluded. */
  #stretches(stretches: KeptParts["minutes"]): string {
    const { add } = this.#text;
    return `unnest(${add(stretches.map(({ from }) => from))}::bigint[], ${add(stretches.map(({ to }) => to))}::bigint[],
        ${add(stretches.map(({ sign }) => sign))}::integer[], ${add(stretches.map(({ from }) => hourOfMinute(from)))}::integer[],
        ${add(stretches.map(({ to }) => hourOfMinute(to - 1)))}::integer[]) AS part (start, stop, sign, first_hour, last_hour)`;
  }

  #within(instant: string, start: number | undefined, end: number | undefined): string {
    const { add } = this.#text;
    return `${instant} >= ${add(start ?? instantMin)}::bigint AND ${instant} < ${add(end ?? instantMax)}::bigint`;
  }
}

/** The start of the minute of an instant. */
function startOf(instant: string): string {
  return `${minuteSql(instant)} * ${minuteMs}`;
}
