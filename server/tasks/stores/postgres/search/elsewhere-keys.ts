/**
 * The SQL of what lies elsewhere: the tasks that an order by start or by due time does not share with another one, which indexes of
 * their own have; see near-orders.ts.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { isOfRange, quickMs, sortedBetween, usualStarts } from "../../shared/near-orders.ts";
import { earliest, isDownwards, lateMs, latest } from "../../shared/search-bounds.ts";
import { instantMax, instantMin, type Pair, type Text, unnested } from "./search-statements.ts";

const started = `tasks.status <> 2 AND tasks.started_at IS NOT NULL AND (tasks.status NOT IN (3, 4)
      OR tasks.updated_at - tasks.started_at NOT BETWEEN 0 AND ${quickMs - 1})`;

/** The indexes of tasks that an order does not share with another one, by their conditions; see near-orders.ts. */
export const elsewhere = {
  started,
  /** For a range of another instant, which bounds the starts of these; see `usualStarts`. */
  startedUsually: `${started} AND tasks.started_at - tasks.created_at BETWEEN 0 AND ${lateMs}
      AND tasks.updated_at - tasks.started_at BETWEEN 0 AND ${lateMs}`,
  startedOddly: `${started} AND (tasks.started_at - tasks.created_at NOT BETWEEN 0 AND ${lateMs}
      OR tasks.updated_at - tasks.started_at NOT BETWEEN 0 AND ${lateMs})`,
  due: "tasks.status >= 3 AND tasks.due_at <> tasks.created_at",
  /** Tasks that wait. */
  delayed: "tasks.status < 2 AND tasks.due_at <> tasks.created_at",
} as const;

export type Elsewhere = keyof typeof elsewhere;

export const delaysIndex = "tasks_delays";

/** After every id, byte by byte. */
const lastId = "\u{10ffff}";

/** Of the pairs whose first keys are foremost, as in search-statements.ts. */
export function elsewhereKeys(
  text: Text,
  search: StoreSearch,
  key: string,
  from: Elsewhere,
  pairs: readonly Pair[],
  limit: number,
): string {
  const down = isDownwards(search);
  const direction = down ? "DESC" : "ASC";
  const condition = elsewhere[from];
  const isBounded = from === "delayed" && isOfRange(search);
  const { beyond, last, within } = elsewhereBounds(text, search, key, from, isBounded);
  const lanes = pairs.map(({ lane }) => lane);
  const statuses = pairs.map(({ status }) => status);
  const given = isBounded ? delayedPairs(text, search, pairs) : unnested(text, { lanes, statuses });
  const most = text.add(limit);
  const keys = (pair: string, begin: string, edge: string, limited: string) => {
    const own = [`tasks.lane = ${pair}.lane`, `tasks.status = ${pair}.status`, condition, begin, ...within];
    return `SELECT ${key} AS value, tasks.id FROM :schema.tasks
      WHERE ${own.join(" AND ")} AND (${key}, tasks.id) ${down ? ">=" : "<="} ${edge}
      ORDER BY ${key} ${direction}, tasks.id ${direction} LIMIT ${limited}`;
  };
  // What comes before the first key was passed over already.
  const head = `(${key}, tasks.id) ${down ? "<=" : ">="} (foremost.value, foremost.id)`;
  return `WITH foremost AS MATERIALIZED (
      SELECT pair.*, head.value, head.id FROM ${given}
        CROSS JOIN LATERAL (${keys("pair", beyond("pair"), `(${last[0]}, ${last[1]})`, "1")}) AS head
        ORDER BY head.value ${direction}, head.id ${direction} LIMIT ${most}),
    edge AS MATERIALIZED (
      SELECT coalesce(farthest.value, ${last[0]}) AS value, coalesce(farthest.id, ${last[1]}) AS id
      FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT value, id FROM foremost ORDER BY value ${direction}, id ${direction} LIMIT 1 OFFSET ${most} - 1) AS farthest ON true)
    SELECT found.value, found.id FROM foremost
      CROSS JOIN LATERAL (${keys("foremost", head, "((SELECT value FROM edge), (SELECT id FROM edge))", most)}) AS found
    ORDER BY found.value ${direction}, found.id ${direction} LIMIT ${most}`;
}

/**
 * A walk stops at one bound on each side: beyond a place, and at the last one. All are always there, so that searches with and
 * without ranges are one text.
 */
function elsewhereBounds(
  text: Text,
  search: StoreSearch,
  key: string,
  place: Elsewhere,
  isBounded: boolean,
): { beyond(pair: string): string; last: [value: string, id: string]; within: string[] } {
  const { after, created, updated } = search;
  const sorted = sortedBetween(search);
  const usual = place === "startedUsually" ? usualStarts(search) : undefined;
  const from = Math.max(sorted.from, usual?.from ?? sorted.from);
  const to = Math.min(sorted.to, usual?.to ?? sorted.to);
  const down = isDownwards(search);
  const at = (value: number) => `${text.add(value)}::bigint`;
  const nearer = (value: string, bound: string) =>
    down ? `least(${value}, ${bound} + 1)` : `greatest(${value}, ${bound} - 1)`;
  const isBound = after !== undefined && after.value === (down ? to : from);
  // Beyond the place, or all of an instant: no task has the id "", nor one that begins with this character.
  const [nearest, id] = isBound ? [after.value as number, after.id] : [down ? to : from, down ? lastId : ""];
  const [first, firstId] = [at(nearest), `${text.add(id)}::text`];
  return {
    beyond: (pair) =>
      `(${key}, tasks.id) ${down ? "<" : ">"} (${isBounded ? nearer(first, `${pair}.bound`) : first}, ${firstId})`,
    last: [at(down ? from : to), `${text.add(down ? "" : lastId)}::text`],
    within: [
      `tasks.created_at >= ${at(created?.start ?? instantMin)}`,
      `tasks.created_at < ${at(created?.end ?? instantMax)}`,
      `tasks.updated_at >= ${at(updated?.start ?? instantMin)}`,
      `tasks.updated_at < ${at(updated?.end ?? instantMax)}`,
    ],
  };
}

/**
 * The pairs, and when the first of those within a range of time are due at the earliest, or downwards the last at the latest: the range bounds when
 * they were created, and the longest of their delays how much later they are due. An index has the delays of more than an hour, and those below zero,
 * in whole hours, so that tasks of one time lie side by side in it.
 */
function delayedPairs(
  text: Text,
  { created, updated, ...search }: StoreSearch,
  pairs: readonly Pair[],
): string {
  const down = isDownwards(search);
  const bounds = pairs.map(({ status }) => {
    if (down) return earliest(created?.end, updated?.end) ?? instantMax;
    // What was never changed has one instant.
    return latest(created?.start, status === 0 ? updated?.start : undefined) ?? instantMin;
  });
  const arrays = [
    `${text.add(pairs.map(({ lane }) => lane))}::integer[]`,
    `${text.add(pairs.map(({ status }) => status))}::smallint[]`,
    `${text.add(bounds)}::bigint[]`,
  ];
  const delay = "tasks.due_at - tasks.created_at";
  const hours = `(${delay}) / ${hourMs}`;
  const farthest = down
    ? `greatest((odd.hours + 1) * ${hourMs}, ${lateMs})`
    : `least((odd.hours - 1) * ${hourMs}, 0)`;
  return `unnest(${arrays.join(", ")}) AS given (lane, status, bound) LEFT JOIN LATERAL (
      SELECT ${hours} AS hours FROM :schema.tasks
      WHERE tasks.lane = given.lane AND tasks.status = given.status AND tasks.status < 2 AND ${delay} NOT BETWEEN 0 AND ${lateMs}
      ORDER BY ${hours} ${down ? "DESC" : "ASC"} LIMIT 1) AS odd ON true
    CROSS JOIN LATERAL (SELECT given.lane, given.status, given.bound + ${farthest} AS bound) AS pair`;
}
