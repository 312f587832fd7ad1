/**
 * The SQL of counts by the time, which time-counts.ts adds up: what is kept of whole hours and minutes, what is not folded yet, and
 * what has to be counted. No part needs to know which lanes have tasks, so that all of it is one question, asked at once. What is
 * read of many lanes comes as arrays: a row for each count takes longer to be sent and read than to be found.
 */
import { ulidStart } from "../../../core/ids.ts";
import { allLanes } from "../../shared/hours.ts";
import { hourOfMinute, type KeptParts, minuteMs, minuteOf, minuteSql } from "../../shared/kept-counts.ts";
import { instantMax, instantMin } from "../search/search-statements.ts";
import { KeptTables, stateSql } from "./kept-tables.ts";
import { StretchParts } from "./stretch-parts.ts";
import type { Asked } from "./time-counts.ts";

/** Tasks that wait are stored as 0 or 1; kept counts have them as the state 0. */
const cameBack = 1;
const running = 2;
/** So few tasks of a minute are read sooner than those of each lane and status are counted. */
const readMax = 2_000;

/** Whose tasks are counted one by one: those of ids that tell when they were created, of others, or all. */
export type Counting = "generated" | "chosen" | "all";

/**
 * Ranges are values, also those that are empty or have no end, so that nearly all questions of a kind are of one text, which is
 * planned once.
 */
export class TimeParts {
  readonly #asked: Asked;
  readonly #parts: KeptParts;
  readonly #areByMinute: boolean;
  readonly #tables: KeptTables;
  readonly #stretches: StretchParts;

  constructor(asked: Asked, parts: KeptParts, areByMinute: boolean) {
    this.#asked = asked;
    this.#parts = parts;
    this.#areByMinute = areByMinute;
    this.#tables = new KeptTables(asked);
    this.#stretches = new StretchParts(asked, parts, this.#tables);
  }

  get values(): unknown[] {
    return this.#tables.text.values;
  }

  /** The whole text, of parts that were made before. */
  textOf(parts: readonly string[]): string {
    return this.#tables.textOf(parts);
  }

  /** Whether the counts by the minute lack something. */
  gap(): string {
    return "SELECT 'gap', 0, 0, 0::bigint, NULL::text, '0' WHERE EXISTS (SELECT 1 FROM :schema.minute_gaps)";
  }

  /** Those that run and are in the range, and those that are kept with what waits. */
  running(): string[] {
    const { search, statuses } = this.#asked;
    const { start, end } = this.#parts;
    const range = this.#tables.isByEnd ? search.updated : search.created;
    const of = (kind: string, instant: string, within: string) =>
      `SELECT '${kind}', lane, ${running}, ${startOf(instant)}, NULL::text, count(*)::text
        FROM :schema.tasks WHERE tasks.status = ${running} AND ${within} ${this.#tables.ofOwn("tasks.lane")} GROUP BY 2, 4`;
    const instant = this.#tables.isByEnd ? "tasks.updated_at" : "tasks.created_at";
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
    return this.#stretches.hours();
  }

  minutes(): string[] {
    return this.#stretches.minutes();
  }

  /**
   * Of tasks that wait and were changed, those that were created in whole minutes are taken off, and those that were changed
   * in the range are added. By tasks_lane_created and tasks_lane_updated, of lanes in which some wait: mostly few, but many
   * where an action has changed them.
   */
  cameBack(): string[] {
    if (!this.#tables.isByEnd || !this.#tables.states.includes(0)) return [];
    const { updated } = this.#asked.search;
    const { start, end } = this.#parts;
    const back = this.#tables.share(
      "came_back",
      () => `SELECT lane FROM :schema.tallies WHERE status = ${cameBack} AND tasks <> 0
        UNION SELECT lane FROM :schema.tally_changes WHERE status = ${cameBack}`,
    );
    const of = (instant: string, sign: string, within: string) =>
      `SELECT 'one', tasks.lane, 0, ${startOf(instant)}, NULL::text, (${sign} count(*))::text FROM :schema.tasks
        WHERE tasks.lane = ANY(ARRAY(SELECT lane FROM ${back} AS back)) AND tasks.status = ${cameBack}
          AND tasks.status <> 2 AND tasks.status <> 0 AND ${within} ${this.#tables.ofOwn("tasks.lane")}
        GROUP BY 2, 4`;
    return [
      of("tasks.created_at", "-", this.#within("tasks.created_at", start, end)),
      of("tasks.updated_at", "", this.#within("tasks.updated_at", updated?.start, updated?.end)),
    ];
  }

  // Parts of minutes

  /** Whether the tasks of all lanes are read where they are few. */
  get areRead(): boolean {
    const areAfter1970 = this.#parts.edges.every(({ start }) => start >= 0);
    return this.#areByMinute && !this.#tables.isByEnd && this.#tables.lanes !== "some" && areAfter1970;
  }

  /**
   * Of many lanes and states, few of which have a task in the minute, each takes a look at a page of the index; so where few
   * tasks were created in it, all of these are read, by the primary key: their ids tell when. Else a row says that they are many.
   */
  edgesOfAll(): string[] {
    const { edges } = this.#parts;
    if (edges.length === 0) return [];
    const { add } = this.#tables.text;
    const minutes = edges.map(({ start }) => minuteOf(start));
    const crowd = this.#tables.share(
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
    const onCreated = this.#tables.isByEnd ? "(0, 0)" : "(0, 0), (0, 1), (3, 3), (4, 4), (5, 5)";
    const parts = [this.#edgesBy("created_at", onCreated, "tasks.status <> 2", counting)];
    const ended = "(3, 3), (4, 4), (5, 5)";
    if (this.#tables.isByEnd)
      parts.push(this.#edgesBy("updated_at", ended, "tasks.status <> 2 AND tasks.status <> 0", counting));
    return parts;
  }

  /** @param stored which statuses tasks of a state are stored with */
  #edgesBy(instant: string, stored: string, indexed: string, counting: Counting): string {
    const isKind = counting === "chosen" ? "own_ids" : "NOT own_ids";
    const ofKind =
      counting === "all" ? "" : `AND pair.lane = ANY(ARRAY(SELECT lane FROM :schema.lanes WHERE ${isKind}))`;
    const held = this.#tables.share("held", () =>
      this.#areByMinute ? this.#havingMinute() : this.#havingTasks(),
    );
    const lane = this.#tables.lanes === "sums" ? `${allLanes}` : "lane";
    return `SELECT 'one', counted.lane, pairs.status, pairs.start, NULL::text, sum(pairs.sign * counted.tasks)::text
      FROM (SELECT stored.status, pair.start, pair.stop, pair.sign, array_agg(pair.lane) AS lanes
          FROM ${held} AS pair JOIN (VALUES ${stored}) AS stored (state, status) ON stored.state = pair.state
          WHERE true ${ofKind} GROUP BY 1, 2, 3, 4) AS pairs
        CROSS JOIN LATERAL (SELECT ${lane} AS lane, count(*) AS tasks FROM :schema.tasks
          WHERE tasks.lane = ANY(pairs.lanes) AND tasks.status = pairs.status
            AND ${indexed} AND tasks.${instant} >= pairs.start AND tasks.${instant} < pairs.stop GROUP BY 1) AS counted
      GROUP BY 2, 3, 4`;
  }

  #edges(): string {
    const { edges } = this.#parts;
    const { add } = this.#tables.text;
    const minutes = edges.map(({ start }) => minuteOf(start));
    return this.#tables.share(
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
    const within = `kept.hour = edge.hour AND (${this.#tables.sums})[${place}] <> 0`;
    const each = this.#tables.lanes === "some" ? "some" : "each";
    const kept = this.#tables.kept("minute_tallies", "hour", this.#tables.states, within, edge, each);
    const changes = this.#tables.isByEnd ? ["created", "ended"] : ["created"];
    const isThen = changes.map((minute) => `changes.${minute} = edge.minute`).join(" OR ");
    return `SELECT kept.lane, kept.state, edge.start, edge.stop, edge.sign FROM ${kept}
      UNION SELECT changes.lane, moved.state, edge.start, edge.stop, edge.sign FROM ${this.#tables.unfolded} AS changes
        JOIN ${edge} ON ${isThen} CROSS JOIN LATERAL (VALUES (was), (state)) AS moved (state)
      WHERE moved.state IS NOT NULL ${this.#tables.ofOwn("lane")}`;
  }

  #havingTasks(): string {
    return `SELECT lane, ${stateSql("status")} AS state, edge.start, edge.stop, edge.sign
      FROM (SELECT lane, status FROM :schema.tallies UNION SELECT lane, status FROM :schema.tally_changes) AS pairs
        CROSS JOIN ${this.#edges()} WHERE status <> ${running} ${this.#tables.ofOwn("lane")}`;
  }

  #within(instant: string, start: number | undefined, end: number | undefined): string {
    const { add } = this.#tables.text;
    return `${instant} >= ${add(start ?? instantMin)}::bigint AND ${instant} < ${add(end ?? instantMax)}::bigint`;
  }
}

/** The start of the minute of an instant. */
function startOf(instant: string): string {
  return `${minuteSql(instant)} * ${minuteMs}`;
}
