/** The SQL of counts that are packed (packing.ts): which stretches of time are, what is read of these, and which are left. */
import { hourMs, type Whole } from "../../shared/hours.ts";
import { minuteMs } from "../../shared/kept-counts.ts";
import { hoursOfDay, type KeptTables } from "./kept-tables.ts";

type Hours = 1 | typeof hoursOfDay;

/** Hours or days, as ranges of which none lies in another. */
export class PackedParts {
  readonly #tables: KeptTables;
  readonly #hours: Hours;
  readonly #ranges: string;
  readonly #packed: string;

  /** @param name of these ranges in the statement */
  constructor(tables: KeptTables, name: string, hours: Hours, ranges: readonly Whole[]) {
    const { add } = tables.text;
    this.#tables = tables;
    this.#hours = hours;
    this.#packed = `packed_${name}`;
    this.#ranges = `unnest(${add(ranges.map(({ from }) => from))}::integer[], ${add(ranges.map(({ to }) => to))}::integer[])`;
    // By packed_counts_pkey, and unpacked_counts_first.
    tables.share(
      this.#packed,
      () => `SELECT own.start, kept.* FROM ${this.#ranges} AS own (start, stop)
        CROSS JOIN LATERAL (SELECT first, places, total, counts FROM :schema.packed_counts AS packed
          WHERE packed.hours = ${hours} AND packed.by_end = ${tables.isByEnd} AND packed.first >= own.start AND packed.first < own.stop
            AND (SELECT 1 FROM :schema.unpacked_counts AS noted
              WHERE noted.hours = ${hours} AND noted.first = packed.first LIMIT 1) IS NULL
          OFFSET 0) AS kept`,
    );
  }

  /** What is not packed of the ranges: a table of start and stop. */
  left(): string {
    return this.#tables.share(
      `un${this.#packed}`,
      () => `SELECT start, stop FROM (
          SELECT coalesce(lag(first) OVER (PARTITION BY start ORDER BY first) + 1, start) AS start, first AS stop
          FROM (SELECT start, first FROM ${this.#packed} UNION ALL SELECT * FROM ${this.#ranges} AS own (start, first)) AS ends) AS gaps
        WHERE start < stop`,
    );
  }

  /** Of each stretch what is asked for: from one minute of all time on, or hour, up to another. */
  within({ from, to }: Whole): string {
    const { add } = this.#tables.text;
    const { first, last } = this.#bounds(`${add(from)}::bigint`, `${add(to)}::bigint`, "kept.first::bigint");
    return this.#slices(`${this.#packed} AS kept`, "1", first, last);
  }

  /** Of each the part that a row of `part` says, which has hour, first, last and sign. */
  partsOf(part: string): string {
    return this.#slices(
      `${part} JOIN ${this.#packed} AS kept ON kept.first = part.hour`,
      "part.sign",
      "part.first",
      "part.last + 1",
    );
  }

  /** Each whole, in one row. */
  totals(): string {
    return `SELECT 'total', 0, 0, 0::bigint, array_agg(first)::text, string_agg(encode(total, 'hex'), ',') FROM ${this.#packed} HAVING count(*) > 0`;
  }

  get #partsOfEach(): number {
    return this.#hours === 1 ? 60 : hoursOfDay;
  }

  #bounds(from: string, to: string, stretch: string): { first: string; last: string } {
    const parts = this.#partsOfEach;
    return {
      first: `greatest(${from} - ${stretch} * ${parts}, 0)::integer`,
      last: `least(${to} - ${stretch} * ${parts}, ${parts})::integer`,
    };
  }

  /** The sign, how long a part is, when the first one of the slice begins, and the bytes. */
  #slices(of: string, sign: string, first: string, last: string): string {
    const partMs = this.#hours === 1 ? minuteMs : hourMs;
    return `SELECT 'packed', ${sign}, ${partMs}, (kept.first::bigint * ${this.#partsOfEach} + ${first}) * ${partMs}, NULL::text,
        encode(substr(kept.counts, kept.places[${first} + 1], kept.places[${last} + 1] - kept.places[${first} + 1]), 'hex') FROM ${of}`;
  }
}
