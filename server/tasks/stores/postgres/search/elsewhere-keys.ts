/**
 * The SQL of what lies elsewhere: the tasks that an order by start or by due time does not share with another one, which indexes of
 * their own have; see near-orders.ts.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { isOfRange, quickMs, sortedBetween, usualStarts } from "../../shared/near-orders.ts";
import { earliest, isDownwards, lateMs, latest } from "../../shared/search-bounds.ts";
import { deepPairs } from "./deep-pairs.ts";
import { edge, foremostKeys } from "./foremost.ts";
import { instantMax, instantMin, ownOf, type Pair, type Text } from "./search-statements.ts";

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

/** The first keys of all pairs, `value, id`, in order. */
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
  const given = isBounded ? delayedPairs(text, search, pairs, limit) : deepPairs(text, pairs, limit);
  const most = text.add(limit);
  const keys = (begin: string, end: string, limited: string) => {
    const own = [...ownOf("pair"), condition, begin, ...within];
    return `SELECT ${key} AS value, tasks.id FROM :schema.tasks
      WHERE ${own.join(" AND ")} AND (${key}, tasks.id) ${down ? ">=" : "<="} ${end}
      ORDER BY ${key} ${direction}, tasks.id ${direction} LIMIT ${limited}`;
  };
  const behind = `(${key}, tasks.id) ${down ? "<" : ">"} (pair.value, pair.id)`;
  const reached = `(coalesce(${edge.value}, ${last[0]}), coalesce(${edge.id}, ${last[1]}))`;
  const streams = {
    given,
    first: keys(beyond("pair"), `(${last[0]}, ${last[1]})`, "pair.depth"),
    further: [keys(behind, reached, most)],
  };
  return `SELECT value, id FROM (${foremostKeys([streams], ["value", "id"], direction, most)}) AS keys
    ORDER BY value ${direction}, id ${direction} LIMIT ${most}`;
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
  limit: number,
): string {
  const down = isDownwards(search);
  const bounds = pairs.map(({ status }) => {
    if (down) return earliest(created?.end, updated?.end) ?? instantMax;
    // What was never changed has one instant.
    return latest(created?.start, status === 0 ? updated?.start : undefined) ?? instantMin;
  });
  const delay = "tasks.due_at - tasks.created_at";
  const hours = `(${delay}) / ${hourMs}`;
  const farthest = down
    ? `greatest((odd.hours + 1) * ${hourMs}, ${hourMs})`
    : `least((odd.hours - 1) * ${hourMs}, 0)`;
  const deep = deepPairs(text, pairs, limit, { bound: `${text.add(bounds)}::bigint[]` });
  return `(SELECT * FROM ${deep}) AS given LEFT JOIN LATERAL (
      SELECT ${hours} AS hours FROM :schema.tasks
      WHERE tasks.lane = given.lane AND tasks.status = given.status AND tasks.status < 2 AND ${delay} NOT BETWEEN 0 AND ${hourMs}
      ORDER BY ${hours} ${down ? "DESC" : "ASC"} LIMIT 1) AS odd ON true
    CROSS JOIN LATERAL (SELECT given.lane, given.status, given.depth, given.bound + ${farthest} AS bound) AS pair`;
}
