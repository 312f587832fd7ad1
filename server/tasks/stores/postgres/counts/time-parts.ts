/**
 * The SQL of counts by the time, which time-counts.ts adds up: what is kept of whole hours and minutes, what is not folded yet, and
 * what has to be counted. No part needs to know which lanes have tasks, so that all of it is one question, asked at once. What is
 * read of many lanes comes as arrays: a row for each count takes longer to be sent and read than to be found.
 */
import { ulidStart } from "../../../core/ids.ts";
import { allLanes, hourMs } from "../../shared/hours.ts";
import {
  dayMs,
  hourOfMinute,
  type KeptParts,
  minuteMs,
  minuteOf,
  minuteSql,
} from "../../shared/kept-counts.ts";
import { instantMax, instantMin, Text } from "../search/search-statements.ts";
import type { Asked } from "./time-counts.ts";

/** Tasks that wait are stored as 0 or 1; kept counts have them as the state 0. */
const cameBack = 1;
const running = 2;
/** The state, in sums by the day, of all states together. */
export const allStates = -1;
/** So few tasks of a minute are read sooner than those of each lane and status are counted. */
const readMax = 2_000;
export const hoursOfDay = 24;

/** Whose tasks are counted one by one: those of ids that tell when they were created, of others, or all. */
export type Counting = "generated" | "chosen" | "all";

/** Which rows of the kept counts are read: the sums of all lanes, those of some lanes, or of each lane. */
type Lanes = "sums" | "some" | "each";

/**
 * Ranges are values, also those that are empty or have no end, so that nearly all questions of a kind are of one text, which is
 * planned once.
 */
export class TimeParts {
  readonly text = new Text();
  readonly #asked: Asked;
  readonly #parts: KeptParts;
  readonly #areByMinute: boolean;
  readonly #lanes: Lanes;
  readonly #isByEnd: boolean;
  readonly #states: readonly number[];
  /** What several parts are made of, by its name; read once. */
  readonly #shared = new Map<string, string>();

  constructor(asked: Asked, parts: KeptParts, areByMinute: boolean) {
    const { search, time, statuses } = asked;
    this.#asked = asked;
    this.#parts = parts;
    this.#areByMinute = areByMinute;
    this.#lanes = search.types || search.queues ? "some" : asked.areLanesApart ? "each" : "sums";
    this.#isByEnd = time === "updatedAt";
    this.#states = [1, 3, 4, 5].filter((status) => statuses.has(status)).map((one) => (one === 1 ? 0 : one));
    if (this.#lanes !== "some") return;
    const [types, queues] = [search.types, search.queues].map((names) => this.text.add(names ?? null));
    this.#shared.set(
      "own",
      `SELECT lane FROM :schema.lanes WHERE (${types}::text[] IS NULL OR type = ANY(${types}::text[]))
        AND (${queues}::text[] IS NULL OR queue = ANY(${queues}::text[]))`,
    );
  }

  /** The whole text, of parts that were made before. */
  textOf(parts: readonly string[]): string {
    const shared = [...this.#shared].map(([name, query]) => `${name} AS MATERIALIZED (${query})`);
    const before = shared.length > 0 ? `WITH ${shared.join(",\n ")}\n` : "";
    return before + parts.map((part) => `(${part})`).join("\n UNION ALL ");
  }

  #share(name: string, query: () => string): string {
    if (!this.#shared.has(name)) this.#shared.set(name, query());
    return name;
  }

  /** Whether the counts by the minute lack something. */
  gap(): string {
    return "SELECT 'gap', 0, 0, 0::bigint, NULL::text, '0' WHERE EXISTS (SELECT 1 FROM :schema.minute_gaps)";
  }

  /** Those that run and are in the range, and those that are kept with what waits. */
  running(): string[] {
    const { search, statuses } = this.#asked;
    const { start, end } = this.#parts;
    const range = this.#isByEnd ? search.updated : search.created;
    const of = (kind: string, instant: string, within: string) =>
      `SELECT '${kind}', lane, ${running}, ${startOf(instant)}, NULL::text, count(*)::text
        FROM :schema.tasks WHERE tasks.status = ${running} AND ${within} ${this.#ofOwn("tasks.lane")} GROUP BY 2, 4`;
    const instant = this.#isByEnd ? "tasks.updated_at" : "tasks.created_at";
    return [
      ...(statuses.has(running)
        ? [of("runs", instant, this.#within(instant, range?.start, range?.end))]
        : []),
      ...(statuses.has(1)
        ? [of("ran", "tasks.created_at", this.#within("tasks.created_at", start, end))]
        : []),
    ];
  }

  hours(): string[] {
    const { from, to } = this.#parts.hours;
    const changed = `SELECT 'one', lane, ${stateSql("status")}, hour::bigint * ${hourMs}, NULL::text, sum(tasks)::text
      FROM :schema.tally_changes WHERE hour >= ${this.text.add(from)}::integer AND hour < ${this.text.add(to)}::integer
        ${this.#isByEnd ? "AND status < 3" : ""} ${this.#ofOwn("lane")} GROUP BY 2, 3, 4`;
    const kept = this.#sources().flatMap((source) =>
      this.#lanes === "each" ? this.#days(source) : [this.#hoursOf(source)],
    );
    return [...kept, changed];
  }

  #hoursOf({ isByEnd, states }: Source): string {
    const { from, to } = this.#parts.hours;
    const within = `kept.hour >= ${this.text.add(from)}::integer AND kept.hour < ${this.text.add(to)}::integer`;
    const kept = this.#kept(`${isByEnd ? "ended" : "hour"}_tallies`, "hour, tasks", states, within);
    if (this.#asked.isOneSum && this.#asked.buckets !== undefined)
      return `SELECT 'hours', 0, ${allStates}, 0::bigint, array_agg(hour)::text, array_agg(tasks)::text
        FROM (SELECT kept.hour, sum(kept.tasks) AS tasks FROM ${kept} GROUP BY 1) AS sums HAVING count(*) > 0`;
    return this.#asked.buckets === undefined
      ? `SELECT 'one', kept.lane, kept.state::integer, 0::bigint, NULL::text, sum(kept.tasks)::text FROM ${kept} GROUP BY 2, 3`
      : `SELECT 'hours', kept.lane, kept.state::integer, 0::bigint, array_agg(kept.hour)::text, array_agg(kept.tasks)::text
          FROM ${kept} GROUP BY 2, 3`;
  }

  /** Of each day a row. By day_tallies_pkey. */
  #days(source: Source): string[] {
    const { from, to } = this.#hoursOfDays;
    const { add } = this.text;
    const within = (first: number, end: number) =>
      `kept.day >= ${add(first)}::integer AND kept.day < ${add(end)}::integer`;
    const { buckets } = this.#asked;
    if (buckets && buckets.bucketMs % dayMs !== 0)
      return [
        this.#ofDays("days", source, within(Math.floor(from / hoursOfDay), Math.ceil(to / hoursOfDay))),
      ];
    const parts = new Set(
      [from, to].filter((hour) => hour % hoursOfDay !== 0).map((hour) => Math.floor(hour / hoursOfDay)),
    );
    const whole = within(Math.ceil(from / hoursOfDay), Math.floor(to / hoursOfDay));
    return [
      this.#ofDays("totals", source, whole),
      this.#ofDays("days", source, `kept.day = ANY(${add([...parts])}::integer[])`),
    ];
  }

  /** No day is read where there is no hour: a list of empty lists is an error. */
  get #hoursOfDays(): KeptParts["hours"] {
    const { from, to } = this.#parts.hours;
    return from < to ? { from, to } : { from: 0, to: 0 };
  }

  /** Lanes, and for each of them a list of those of the day's hours that are asked for, or how many there are in all of it. */
  #ofDays(kind: "days" | "totals", { isByEnd, states }: Source, within: string): string {
    const areAll = !this.#asked.areStatesApart && states.length > 1;
    const { from, to } = this.#hoursOfDays;
    const place = (hour: number) => `${this.text.add(hour)}::integer - kept.day * ${hoursOfDay}`;
    const counts =
      kind === "totals"
        ? "total"
        : `tasks[greatest(${place(from)}, 0) + 1 : least(${place(to)}, ${hoursOfDay})]`;
    return `SELECT '${kind}', 0, kept.state::integer, kept.day::bigint, array_agg(kept.lane)::text, array_agg(kept.${counts})::text
      FROM :schema.day_tallies AS kept WHERE kept.by_end = ${isByEnd}
        AND kept.state = ANY(${this.text.add(areAll ? [allStates] : states)}::smallint[]) AND ${within}
      GROUP BY 3, 4`;
  }

  minutes(): string[] {
    const { minutes, hours } = this.#parts;
    const isOfEach = this.#asked.buckets !== undefined && this.#asked.buckets.bucketMs % hourMs !== 0;
    const parts = [isOfEach ? this.#eachMinute() : this.#partsOfHours()];
    for (const { isByEnd } of this.#sources()) {
      const whole = { from: hours.from * 60, to: hours.to * 60, sign: 1 as const };
      parts.push(this.#changed(isByEnd, isByEnd ? [...minutes, whole] : minutes));
    }
    return parts;
  }

  /** Of a row of minute_tallies: what waits is counted by its creation. */
  get #sums(): string {
    return this.#isByEnd ? "CASE WHEN kept.state = 0 THEN kept.tasks ELSE kept.ended END" : "kept.tasks";
  }

  /** Of each hour a row: lanes and states, and for each of them two lists, which minutes it has and how many tasks. */
  #eachMinute(): string {
    const { minutes } = this.#parts;
    const { from, to } = minutes[0] ?? { from: 0, to: 0 };
    const { add } = this.text;
    const within = `kept.hour >= ${add(hourOfMinute(from))}::integer AND kept.hour <= ${add(hourOfMinute(to - 1))}::integer`;
    const kept = this.#kept("minute_tallies", "hour, minutes, tasks, ended", this.#states, within);
    const first = `greatest(${add(from)}::bigint - kept.hour::bigint * 60, 0)`;
    const last = `least(${add(to - 1)}::bigint - kept.hour::bigint * 60, 59)`;
    const slice = sliceOf(first, last);
    return `SELECT 'minutes', 0, 0, hour::bigint, array_agg(lane * 8 + state)::text, string_agg(minutes || ',' || tasks, ',')
      FROM (SELECT kept.lane, kept.state, kept.hour, (kept.minutes${slice})::text AS minutes, ((${this.#sums})${slice})::text AS tasks
        FROM ${kept} OFFSET 0) AS slices
      WHERE minutes <> '{}' GROUP BY 4`;
  }

  /**
   * Of parts of hours, of a lane and state the counts of a few minutes, which are added up here: sooner than the server does for
   * each. The minutes that are kept are in order, so a part of them is a slice, found without a look at each.
   */
  #partsOfHours(): string {
    const { minutes } = this.#parts;
    const { add } = this.text;
    const hours = minutes.map(({ from }) => hourOfMinute(from));
    const firsts = minutes.map(({ from }, place) => from - hours[place]! * 60);
    const lasts = minutes.map(({ to }, place) => to - 1 - hours[place]! * 60);
    const part = `unnest(${add(hours)}::integer[], ${add(firsts)}::integer[], ${add(lasts)}::integer[],
        ${add(minutes.map(({ sign }) => sign))}::integer[]) AS part (hour, first, last, sign)`;
    const kept = this.#kept(
      "minute_tallies",
      "minutes, tasks, ended",
      this.#states,
      "kept.hour = part.hour",
      part,
    );
    return `SELECT 'slices', 0, sign, hour::bigint * ${hourMs}, array_agg(lane * 8 + state)::text, string_agg(tasks, ',')
      FROM (SELECT part.hour, part.sign, kept.lane, kept.state,
          ((${this.#sums})${sliceOf("part.first", "part.last")})::text AS tasks FROM ${kept} OFFSET 0) AS slices
      WHERE tasks <> '{}' GROUP BY 3, 4`;
  }

  /** What is not folded yet. */
  #changed(isByEnd: boolean, stretches: KeptParts["minutes"]): string {
    const minute = isByEnd ? "ended" : "created";
    const { add } = this.text;
    return `SELECT 'one', lane, moved.state::integer, ${minute} * ${minuteMs}, NULL::text, sum(part.sign * moved.tasks)::text
      FROM :schema.minute_changes CROSS JOIN unnest(${add(stretches.map(({ from }) => from))}::bigint[],
          ${add(stretches.map(({ to }) => to))}::bigint[], ${add(stretches.map(({ sign }) => sign))}::integer[]) AS part (start, stop, sign)
        CROSS JOIN LATERAL (VALUES (was, -tasks), (state, tasks)) AS moved (state, tasks)
      WHERE ${minute} >= part.start AND ${minute} < part.stop AND moved.state ${this.#statesOf(isByEnd)} ${this.#ofOwn("lane")}
      GROUP BY 2, 3, 4`;
  }

  /**
   * Of tasks that wait and were changed, few, those that were created in whole minutes are taken off, and those that were changed
   * in the range are added. By tasks_lane_created and tasks_lane_updated.
   */
  cameBack(): string[] {
    if (!this.#isByEnd || !this.#states.includes(0)) return [];
    const { search } = this.#asked;
    const { start, end } = this.#parts;
    const isBack = `tasks.status = ${cameBack} AND tasks.status <> 2 AND tasks.status <> 0`;
    const from = this.#lanes === "some" ? "own" : ":schema.lanes AS own";
    const back = this.#share(
      "came_back",
      () => `SELECT own.lane FROM ${from} WHERE EXISTS (
        SELECT 1 FROM :schema.tasks WHERE tasks.lane = own.lane AND ${isBack})`,
    );
    const of = (instant: string, sign: string, within: string) =>
      `SELECT 'one', own.lane, 0, back.at, NULL::text, (${sign} back.tasks)::text FROM ${back} AS own
        CROSS JOIN LATERAL (SELECT ${startOf(instant)} AS at, count(*) AS tasks FROM :schema.tasks
          WHERE tasks.lane = own.lane AND ${isBack} AND ${within} GROUP BY 1) AS back`;
    const { updated } = search;
    return [
      of("tasks.created_at", "-", this.#within("tasks.created_at", start, end)),
      of("tasks.updated_at", "", this.#within("tasks.updated_at", updated?.start, updated?.end)),
    ];
  }

  // Parts of minutes

  /** Whether the tasks of all lanes are read where they are few. */
  get areRead(): boolean {
    const areAfter1970 = this.#parts.edges.every(({ start }) => start >= 0);
    return this.#areByMinute && !this.#isByEnd && this.#lanes !== "some" && areAfter1970;
  }

  /**
   * Of many lanes and states, few of which have a task in the minute, each takes a look at a page of the index; so where few
   * tasks were created in it, all of these are read, by the primary key: their ids tell when. Else a row says that they are many.
   */
  edgesOfAll(): string[] {
    const { edges } = this.#parts;
    if (edges.length === 0) return [];
    const { add } = this.text;
    const minutes = edges.map(({ start }) => minuteOf(start));
    const crowd = this.#share(
      "crowd",
      () => `SELECT coalesce(sum(cell.tasks), 0) AS tasks FROM unnest(${add(minutes.map(hourOfMinute))}::integer[],
          ${add(minutes.map((minute) => minute - hourOfMinute(minute) * 60))}::integer[]) AS own (hour, minute)
        CROSS JOIN LATERAL (SELECT kept.tasks[array_position(kept.minutes, own.minute::smallint)] AS tasks
          FROM :schema.minute_tallies AS kept
          WHERE kept.lane = ${allLanes} AND kept.state = ANY('{0,3,4,5}') AND kept.hour = own.hour OFFSET 0) AS cell`,
    );
    const areMany = `(SELECT tasks FROM ${crowd}) > ${readMax}`;
    const ids = (instants: readonly number[]) => `${add(instants.map(ulidStart))}::text[]`;
    return [
      `SELECT 'many', 0, 0, 0::bigint, NULL::text, '0' WHERE ${areMany}`,
      `SELECT 'pairs', 0, 0, edge.start, array_agg(task.lane * 8 + task.state)::text, array_agg(edge.sign)::text
        FROM unnest(${add(edges.map(({ start }) => start))}::bigint[], ${add(edges.map(({ sign }) => sign))}::integer[],
            ${ids(edges.map(({ start }) => start))}, ${ids(edges.map(({ end }) => end))}) AS edge (start, sign, first_id, end_id)
          CROSS JOIN LATERAL (SELECT lane, ${stateSql("status")} AS state FROM :schema.tasks
            WHERE tasks.id >= edge.first_id AND tasks.id < edge.end_id AND NOT own_id AND status <> ${running} OFFSET 0) AS task
        WHERE NOT (${areMany}) GROUP BY 4`,
    ];
  }

  /** Whether there are lanes of chosen ids. */
  chosen(): string {
    return "SELECT 'chosen', 0, 0, 0::bigint, NULL::text, '0' WHERE EXISTS (SELECT 1 FROM :schema.lanes WHERE own_ids)";
  }

  /** Those of lanes and statuses that have a task in the minute, where that is kept; else of all that have tasks. */
  edgesOfPairs(counting: Counting): string[] {
    const { edges } = this.#parts;
    if (edges.length === 0) return [];
    const onCreated = this.#isByEnd ? "(0, 0)" : "(0, 0), (0, 1), (3, 3), (4, 4), (5, 5)";
    const parts = [this.#edgesBy("created_at", onCreated, "tasks.status <> 2", counting)];
    const ended = "(3, 3), (4, 4), (5, 5)";
    if (this.#isByEnd)
      parts.push(this.#edgesBy("updated_at", ended, "tasks.status <> 2 AND tasks.status <> 0", counting));
    return parts;
  }

  /** @param stored which statuses tasks of a state are stored with */
  #edgesBy(instant: string, stored: string, indexed: string, counting: Counting): string {
    const isKind = counting === "chosen" ? "own_ids" : "NOT own_ids";
    const ofKind =
      counting === "all" ? "" : `AND pair.lane = ANY(ARRAY(SELECT lane FROM :schema.lanes WHERE ${isKind}))`;
    const held = this.#share("held", () => (this.#areByMinute ? this.#havingMinute() : this.#havingTasks()));
    return `SELECT 'one', pair.lane, stored.status, pair.start, NULL::text, sum(pair.sign * counted.tasks)::text
      FROM ${held} AS pair JOIN (VALUES ${stored}) AS stored (state, status) ON stored.state = pair.state
        CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE tasks.lane = pair.lane AND tasks.status = stored.status
          AND ${indexed} AND tasks.${instant} >= pair.start AND tasks.${instant} < pair.stop) AS counted
      WHERE true ${ofKind} GROUP BY 2, 3, 4`;
  }

  #edges(): string {
    const { edges } = this.#parts;
    const { add } = this.text;
    const minutes = edges.map(({ start }) => minuteOf(start));
    return this.#share(
      "edge",
      () => `SELECT * FROM unnest(${add(edges.map(({ start }) => start))}::bigint[], ${add(edges.map(({ end }) => end))}::bigint[],
          ${add(edges.map(({ sign }) => sign))}::integer[], ${add(minutes)}::bigint[], ${add(minutes.map(hourOfMinute))}::integer[])
        AS edge (start, stop, sign, minute, hour)`,
    );
  }

  /** Lanes and states that may have tasks in the minute. By minute_tallies_hour: all lanes lie side by side. */
  #havingMinute(): string {
    const edge = this.#edges();
    const place = "array_position(kept.minutes, (edge.minute - edge.hour::bigint * 60)::smallint)";
    const within = `kept.hour = edge.hour AND (${this.#sums})[${place}] <> 0`;
    const each = this.#lanes === "some" ? "some" : "each";
    const kept = this.#kept("minute_tallies", "hour", this.#states, within, edge, each);
    const changed = this.#sources().map(
      ({
        isByEnd,
      }) => `UNION SELECT lane, moved.state, edge.start, edge.stop, edge.sign FROM :schema.minute_changes
        CROSS JOIN LATERAL (VALUES (was), (state)) AS moved (state) JOIN ${edge} ON ${isByEnd ? "ended" : "created"} = edge.minute
        WHERE moved.state ${this.#statesOf(isByEnd)} ${this.#ofOwn("lane")}`,
    );
    return `SELECT kept.lane, kept.state, edge.start, edge.stop, edge.sign FROM ${kept} ${changed.join(" ")}`;
  }

  #havingTasks(): string {
    return `SELECT lane, ${stateSql("status")} AS state, edge.start, edge.stop, edge.sign
      FROM (SELECT lane, status FROM :schema.tallies UNION SELECT lane, status FROM :schema.tally_changes) AS pairs
        CROSS JOIN ${this.#edges()} WHERE status <> ${running} ${this.#ofOwn("lane")}`;
  }

  /** Which of the kept counts tell of which states: what waits is kept by its creation. */
  #sources(): Source[] {
    if (!this.#isByEnd) return [{ isByEnd: false, states: this.#states }];
    return [
      { isByEnd: false, states: this.#states.filter((state) => state === 0) },
      { isByEnd: true, states: this.#states.filter((state) => state !== 0) },
    ];
  }

  #statesOf(isByEnd: boolean): string {
    return isByEnd ? ">= 3" : this.#isByEnd ? "= 0" : ">= 0";
  }

  /** What stands behind FROM: rows of a table of kept counts, as `kept`; beside `other`, if given, of which they may depend. */
  #kept(
    table: string,
    columns: string,
    states: readonly number[],
    within: string,
    other?: string,
    lanes = this.#lanes,
  ): string {
    const given = `${this.text.add(states)}::smallint[]`;
    const [of, with_] =
      lanes === "some"
        ? [
            "kept.lane = own.lane AND kept.state = wanted.state",
            `own CROSS JOIN unnest(${given}) AS wanted (state)`,
          ]
        : [
            `kept.lane ${lanes === "sums" ? "=" : "<>"} ${allLanes} AND kept.state = ANY(${given})`,
            undefined,
          ];
    const before = [other, with_].filter((one) => one !== undefined).map((one) => `${one} CROSS JOIN `);
    return `${before.join("")}LATERAL (SELECT lane, state, ${columns} FROM :schema.${table} AS kept
        WHERE ${of} AND ${within} OFFSET 0) AS kept`;
  }

  #ofOwn(lane: string): string {
    return this.#lanes === "some" ? `AND ${lane} = ANY(ARRAY(SELECT lane FROM own))` : "";
  }

  #within(instant: string, start: number | undefined, end: number | undefined): string {
    const { add } = this.text;
    return `${instant} >= ${add(start ?? instantMin)}::bigint AND ${instant} < ${add(end ?? instantMax)}::bigint`;
  }
}

/** Of a list beside the minutes that are kept of an hour, those from one minute on up to another. */
function sliceOf(first: string, last: string): string {
  const place = (minute: string) => `width_bucket((${minute})::smallint, kept.minutes)`;
  return `[${place(`${first} - 1`)} + 1 : ${place(last)}]`;
}

interface Source {
  isByEnd: boolean;
  states: readonly number[];
}

function stateSql(status: string): string {
  return `CASE WHEN ${status} >= 3 THEN ${status}::integer ELSE 0 END`;
}

/** The start of the minute of an instant. */
function startOf(instant: string): string {
  return `${minuteSql(instant)} * ${minuteMs}`;
}
