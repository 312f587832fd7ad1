/**
 * The SQL of the first keys of many streams. Of each so many are looked at as its share of all tasks makes likely on the page, and these tell how far
 * that reaches at most (`edge`). Only a stream that has as many before the edge may have more there, and is read on from the last of them.
 */

import type { StoreSearch } from "../../../core/store.ts";
import { isBounded } from "../../shared/search-bounds.ts";

/** Streams that one index serves. */
export interface Streams {
  /** What `pair` is: `lane, status, depth` and, it may be, more. */
  given: string;
  /** Keys of a pair, in order. */
  first: string;
  /** What `pair` has beyond its `value` and `id` and up to the edge; in several queries, if one cannot walk there. */
  further: readonly string[];
}

/** What a query of keys is in the order of. */
export type KeyColumns = readonly ("value" | "id")[];

/** How far the page reaches; nothing where it may reach to the end. */
export const edge = { value: "(SELECT value FROM edge)", id: "(SELECT id FROM edge)" };

/**
 * A query of `columns` in no order, among which are the first so many of all.
 * @param beside columns of `given` that the further keys are found by
 * @param carried what else keys have
 */
export function foremostKeys(
  streams: readonly Streams[],
  columns: KeyColumns,
  direction: "ASC" | "DESC",
  most: string,
  { beside = [], carried = [] }: { beside?: readonly string[]; carried?: readonly string[] } = {},
): string {
  const order = columns.map((column) => `${column} ${direction}`).join(", ");
  const own = ["lane", "status", "depth", ...beside].map((column) => `pair.${column}`).join(", ");
  const heads = streams.map(
    ({ given, first }, part) =>
      `SELECT ${part} AS part, ${own}, head.* FROM ${given} CROSS JOIN LATERAL (${first}) AS head`,
  );
  const further = streams.flatMap((group, part) =>
    group.further.map(
      (keys) =>
        `SELECT keys.* FROM ends AS pair CROSS JOIN LATERAL (${keys}) AS keys WHERE pair.part = ${part}`,
    ),
  );
  const parts = [`SELECT ${[...columns, ...carried].join(", ")} FROM foremost`, ...further];
  return `WITH foremost AS MATERIALIZED (
      SELECT * FROM (${heads.join(" UNION ALL ")}) AS heads ORDER BY ${order} LIMIT ${most}),
    edge AS MATERIALIZED (
      SELECT ${columns.join(", ")} FROM foremost ORDER BY ${order} LIMIT 1 OFFSET ${most} - 1),
    ends AS MATERIALIZED (
      SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY part, lane, status ORDER BY ${order}) AS place FROM foremost) AS placed
      WHERE place = depth AND depth < ${most})
    ${parts.map((part) => `(${part})`).join(" UNION ALL ")}`;
}

/** Of many within a range so many times as many are looked at as an even part of what is wanted, and more of those that have many. */
const rangeSpare = 4;

export function evenPartsOf(search: StoreSearch): number {
  return isBounded(search) ? rangeSpare : 1;
}

/**
 * How many of each pair are looked at, where each has so many of all tasks. In a stretch of time others may have them than in all: of an even part of
 * what is wanted so many times as many are looked at in any case, or no edge would be found, and much read of each.
 */
export function depthsOf(tasks: readonly number[], all: number, most: number, even: number): number[] {
  const least = Math.max(1, Math.ceil((even * most) / tasks.length));
  return tasks.map((own) => {
    const likely = (most * own) / Math.max(1, all);
    return Math.min(most, Math.max(least, Math.ceil(likely + Math.sqrt(likely))));
  });
}

/** Those that wait are counted together and stored as two kinds, of which one may have all. */
export function weightOf({ status, tasks }: { status: number; tasks: number }): number {
  return status < 2 ? 2 * tasks : tasks;
}
