/**
 * The SQL of counts of whole hours and minutes: what is kept of them, and what is not folded yet. Of many lanes, days and hours that are
 * over come packed; of what is left each has all lanes side by side.
 */
import { hourMs, type Whole } from "../../shared/hours.ts";
import { dayMs, hourOfMinute, type KeptParts, minuteMs } from "../../shared/kept-counts.ts";
import { allStates, hoursOfDay, type KeptTables, type Source, stateSql } from "./kept-tables.ts";
import { PackedParts } from "./packed-parts.ts";
import type { Asked } from "./time-counts.ts";

const none: Whole = { from: 0, to: 0 };

export class StretchParts {
  readonly #asked: Asked;
  readonly #parts: KeptParts;
  readonly #tables: KeptTables;

  constructor(asked: Asked, parts: KeptParts, tables: KeptTables) {
    this.#asked = asked;
    this.#parts = parts;
    this.#tables = tables;
  }

  hours(): string[] {
    const { text, isByEnd, lanes } = this.#tables;
    const { from, to } = this.#parts.hours;
    const changed = `SELECT 'one', lane, ${stateSql("status")}, hour::bigint * ${hourMs}, NULL::text, sum(tasks)::text
      FROM :schema.tally_changes WHERE hour >= ${text.add(from)}::integer AND hour < ${text.add(to)}::integer
        ${isByEnd ? "AND status < 3" : ""} ${this.#tables.ofOwn("lane")} GROUP BY 2, 3, 4`;
    const kept =
      lanes === "each" ? this.#days() : this.#tables.sources().map((source) => this.#hoursOf(source));
    return [...kept, changed];
  }

  #hoursOf({ isByEnd, states }: Source): string {
    const { add } = this.#tables.text;
    const { from, to } = this.#parts.hours;
    const within = `kept.hour >= ${add(from)}::integer AND kept.hour < ${add(to)}::integer`;
    const kept = this.#tables.kept(`${isByEnd ? "ended" : "hour"}_tallies`, "hour, tasks", states, within);
    if (this.#asked.isOneSum && this.#asked.buckets !== undefined)
      return `SELECT 'hours', 0, ${allStates}, 0::bigint, array_agg(hour)::text, array_agg(tasks)::text
        FROM (SELECT kept.hour, sum(kept.tasks) AS tasks FROM ${kept} GROUP BY 1) AS sums HAVING count(*) > 0`;
    return this.#asked.buckets === undefined
      ? `SELECT 'one', kept.lane, kept.state::integer, 0::bigint, NULL::text, sum(kept.tasks)::text FROM ${kept} GROUP BY 2, 3`
      : `SELECT 'hours', kept.lane, kept.state::integer, 0::bigint, array_agg(kept.hour)::text, array_agg(kept.tasks)::text
          FROM ${kept} GROUP BY 2, 3`;
  }

  /** Of each day a row. */
  #days(): string[] {
    // No day is read where there is no hour: a list of empty lists is an error.
    const hours = this.#parts.hours.from < this.#parts.hours.to ? this.#parts.hours : none;
    const [first, last] = [hours.from / hoursOfDay, hours.to / hoursOfDay];
    const { buckets } = this.#asked;
    if (buckets && buckets.bucketMs % dayMs !== 0) {
      const days = this.#packed("days", hoursOfDay, [{ from: Math.floor(first), to: Math.ceil(last) }]);
      return [days.within(hours), ...this.#ofDays("days", hours, days)];
    }
    const parts = new Set([first, last].filter((day) => !Number.isInteger(day)).map(Math.floor));
    const whole = this.#packed("whole_days", hoursOfDay, [{ from: Math.ceil(first), to: Math.floor(last) }]);
    const days = this.#packed(
      "days",
      hoursOfDay,
      Array.from(parts, (day) => ({ from: day, to: day + 1 })),
    );
    return [
      ...[whole.totals(), ...this.#ofDays("totals", hours, whole)],
      ...[days.within(hours), ...this.#ofDays("days", hours, days)],
    ];
  }

  #packed(...packed: [name: string, hours: 1 | typeof hoursOfDay, ranges: Whole[]]): PackedParts {
    return new PackedParts(this.#tables, ...packed);
  }

  /**
   * Of days that are not packed: lanes, and for each of them a list of those of the day's hours that are asked for, or how many there
   * are in all of it. By day_tallies_pkey.
   */
  #ofDays(kind: "days" | "totals", { from, to }: Whole, packed: PackedParts): string[] {
    const { add } = this.#tables.text;
    const left = packed.left();
    return this.#tables.sources().map(({ isByEnd, states }) => {
      const areAll = !this.#asked.areStatesApart && states.length > 1;
      const place = (hour: number) => `${add(hour)}::integer - kept.day * ${hoursOfDay}`;
      const counts =
        kind === "totals"
          ? "total"
          : `tasks[greatest(${place(from)}, 0) + 1 : least(${place(to)}, ${hoursOfDay})]`;
      return `SELECT '${kind}', 0, kept.state::integer, kept.day::bigint, array_agg(kept.lane)::text, array_agg(kept.${counts})::text
        FROM ${left} AS own CROSS JOIN LATERAL (SELECT state, day, lane, tasks, total FROM :schema.day_tallies AS kept
          WHERE kept.by_end = ${isByEnd} AND kept.state = ANY(${add(areAll ? [allStates] : states)}::smallint[])
            AND kept.day >= own.start AND kept.day < own.stop OFFSET 0) AS kept
        GROUP BY 3, 4`;
    });
  }

  minutes(): string[] {
    const { minutes, hours } = this.#parts;
    const isOfEach = this.#asked.buckets !== undefined && this.#asked.buckets.bucketMs % hourMs !== 0;
    const parts = isOfEach ? this.#eachMinute() : this.#partsOfHours();
    for (const { isByEnd } of this.#tables.sources()) {
      const whole = { from: hours.from * 60, to: hours.to * 60, sign: 1 as const };
      parts.push(this.#changed(isByEnd, isByEnd ? [...minutes, whole] : minutes));
    }
    return parts;
  }

  /** Of each hour a row: lanes and states, and for each of them two lists, which minutes it has and how many tasks. */
  #eachMinute(): string[] {
    const { from, to } = this.#parts.minutes[0] ?? none;
    const { lanes, states, sums, text } = this.#tables;
    const hours = { from: hourOfMinute(from), to: hourOfMinute(to - 1) + 1 };
    const packed = lanes === "each" ? this.#packed("hours", 1, [hours]) : undefined;
    const within = packed
      ? "kept.hour >= own.start AND kept.hour < own.stop"
      : `kept.hour >= ${text.add(hours.from)}::integer AND kept.hour < ${text.add(hours.to)}::integer`;
    const other = packed && `${packed.left()} AS own`;
    const kept = this.#tables.kept("minute_tallies", "hour, minutes, tasks, ended", states, within, other);
    const first = `greatest(${text.add(from)}::bigint - kept.hour::bigint * 60, 0)`;
    const last = `least(${text.add(to - 1)}::bigint - kept.hour::bigint * 60, 59)`;
    const slice = sliceOf(first, last);
    const left = `SELECT 'minutes', 0, 0, hour::bigint, array_agg(lane * 8 + state)::text, string_agg(minutes || ',' || tasks, ',')
      FROM (SELECT kept.lane, kept.state, kept.hour, (kept.minutes${slice})::text AS minutes, ((${sums})${slice})::text AS tasks
        FROM ${kept} OFFSET 0) AS slices
      WHERE minutes <> '{}' GROUP BY 4`;
    return packed ? [packed.within({ from, to }), left] : [left];
  }

  /**
   * Of parts of hours, of a lane and state the counts of a few minutes, which are added up here: sooner than the server does for
   * each. The minutes that are kept are in order, so a part of them is a slice, found without a look at each.
   */
  #partsOfHours(): string[] {
    const { minutes } = this.#parts;
    const { lanes, states, sums, text } = this.#tables;
    const { add } = text;
    const hours = minutes.map(({ from }) => hourOfMinute(from));
    const firsts = minutes.map(({ from }, place) => from - hours[place]! * 60);
    const lasts = minutes.map(({ to }, place) => to - 1 - hours[place]! * 60);
    const all = `unnest(${add(hours)}::integer[], ${add(firsts)}::integer[], ${add(lasts)}::integer[],
        ${add(minutes.map(({ sign }) => sign))}::integer[]) AS part (hour, first, last, sign)`;
    const ranges = Array.from(new Set(hours), (hour) => ({ from: hour, to: hour + 1 }));
    const packed = lanes === "each" ? this.#packed("hours", 1, ranges) : undefined;
    const part = packed ? `${all} JOIN ${packed.left()} AS own ON own.start = part.hour` : all;
    const kept = this.#tables.kept(
      "minute_tallies",
      "minutes, tasks, ended",
      states,
      "kept.hour = part.hour",
      part,
    );
    const left = `SELECT 'slices', 0, sign, hour::bigint * ${hourMs}, array_agg(lane * 8 + state)::text, string_agg(tasks, ',')
      FROM (SELECT part.hour, part.sign, kept.lane, kept.state,
          ((${sums})${sliceOf("part.first", "part.last")})::text AS tasks FROM ${kept} OFFSET 0) AS slices
      WHERE tasks <> '{}' GROUP BY 3, 4`;
    return packed ? [packed.partsOf(all), left] : [left];
  }

  /** What is not folded yet, of which most lies before and behind: so these are passed over first. */
  #changed(isByEnd: boolean, stretches: KeptParts["minutes"]): string {
    const minute = isByEnd ? "ended" : "created";
    const { add } = this.#tables.text;
    const [starts, stops] = [stretches.map(({ from }) => from), stretches.map(({ to }) => to)];
    const least = add(stretches.length > 0 ? Math.min(...starts) : 0);
    const end = add(stretches.length > 0 ? Math.max(...stops) : 0);
    return `SELECT 'one', lane, moved.state::integer, ${minute} * ${minuteMs}, NULL::text, sum(part.sign * moved.tasks)::text
      FROM (SELECT * FROM ${this.#tables.unfolded} AS unfolded WHERE ${minute} >= ${least}::bigint AND ${minute} < ${end}::bigint OFFSET 0) AS changes
        CROSS JOIN unnest(${add(starts)}::bigint[], ${add(stops)}::bigint[],
          ${add(stretches.map(({ sign }) => sign))}::integer[]) AS part (start, stop, sign)
        CROSS JOIN LATERAL (VALUES (was, -tasks), (state, tasks)) AS moved (state, tasks)
      WHERE ${minute} >= part.start AND ${minute} < part.stop AND moved.state ${this.#tables.statesOf(isByEnd)} ${this.#tables.ofOwn("lane")}
      GROUP BY 2, 3, 4`;
  }
}

/** Of a list beside the minutes that are kept of an hour, those from one minute on up to another. */
function sliceOf(first: string, last: string): string {
  const place = (minute: string) => `width_bucket((${minute})::smallint, kept.minutes)`;
  return `[${place(`${first} - 1`)} + 1 : ${place(last)}]`;
}
