/**
 * The tables of kept counts as counts by the time read them: which lanes and states are asked for, by which of both instants. Parts of
 * one statement share its values, and what several of them are made of.
 */
import { allLanes } from "../../shared/hours.ts";
import { Text } from "../search/search-statements.ts";
import type { Asked } from "./time-counts.ts";

/** The state, in sums by the day, of all states together. */
export const allStates = -1;
export const hoursOfDay = 24;

/** Which rows of the kept counts are read: the sums of all lanes, those of some lanes, or of each lane. */
type Lanes = "sums" | "some" | "each";

/** Which of the kept counts tell of which states. */
export interface Source {
  isByEnd: boolean;
  states: readonly number[];
}

export class KeptTables {
  readonly text = new Text();
  readonly lanes: Lanes;
  readonly isByEnd: boolean;
  /** Tasks that wait have the state 0. */
  readonly states: readonly number[];
  /** What several parts are made of, by its name; read once. */
  readonly #shared = new Map<string, string>();

  constructor({ search, time, statuses, areLanesApart }: Asked) {
    this.lanes = search.types || search.queues ? "some" : areLanesApart ? "each" : "sums";
    this.isByEnd = time === "updatedAt";
    this.states = [1, 3, 4, 5].filter((status) => statuses.has(status)).map((one) => (one === 1 ? 0 : one));
    if (this.lanes !== "some") return;
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

  share(name: string, query: () => string): string {
    if (!this.#shared.has(name)) this.#shared.set(name, query());
    return name;
  }

  /** Which of the kept counts tell of which states: what waits is kept by its creation. */
  sources(): Source[] {
    if (!this.isByEnd) return [{ isByEnd: false, states: this.states }];
    return [
      { isByEnd: false, states: this.states.filter((state) => state === 0) },
      { isByEnd: true, states: this.states.filter((state) => state !== 0) },
    ];
  }

  statesOf(isByEnd: boolean): string {
    return isByEnd ? ">= 3" : this.isByEnd ? "= 0" : ">= 0";
  }

  /** Of a row of minute_tallies: what waits is counted by its creation. */
  get sums(): string {
    return this.isByEnd ? "CASE WHEN kept.state = 0 THEN kept.tasks ELSE kept.ended END" : "kept.tasks";
  }

  /** What stands behind FROM: rows of a table of kept counts, as `kept`; beside `other`, if given, of which they may depend. */
  kept(
    table: string,
    columns: string,
    states: readonly number[],
    within: string,
    other?: string,
    lanes = this.lanes,
  ): string {
    const given = `${this.text.add(states)}::smallint[]`;
    const wanted = `unnest(${given}) AS wanted (state)`;
    // Of all states of an hour those of each lane would be looked through for the sums.
    const [of, with_] =
      lanes === "some"
        ? ["kept.lane = own.lane AND kept.state = wanted.state", `own CROSS JOIN ${wanted}`]
        : lanes === "sums"
          ? [`kept.lane = ${allLanes} AND kept.state = wanted.state`, wanted]
          : [`kept.lane <> ${allLanes} AND kept.state = ANY(${given})`, undefined];
    const before = [other, with_].filter((one) => one !== undefined).map((one) => `${one} CROSS JOIN `);
    return `${before.join("")}LATERAL (SELECT lane, state, ${columns} FROM :schema.${table} AS kept
        WHERE ${of} AND ${within} OFFSET 0) AS kept`;
  }

  /** What is not folded yet of minutes: read once where several parts are made of it, for what was folded lies between. */
  get unfolded(): string {
    const all = "SELECT lane, was, state, tasks, created, ended FROM :schema.minute_changes";
    return this.isByEnd ? this.share("unfolded", () => all) : ":schema.minute_changes";
  }

  ofOwn(lane: string): string {
    return this.lanes === "some" ? `AND ${lane} = ANY(ARRAY(SELECT lane FROM own))` : "";
  }
}

/** What a status is in kept counts. */
export function stateSql(status: string): string {
  return `CASE WHEN ${status} >= 3 THEN ${status}::integer ELSE 0 END`;
}
