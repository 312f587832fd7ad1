/**
 * The SQL of the order by priority: an index has the tasks of any priority but 0, of one lane and status in the search's order. Those of
 * 0, which are most tasks or none, are in the order of their ids between those of higher priorities and those of lower ones, and neither they nor what
 * lies behind them is read where the page is full before.
 */
import { ulidStart } from "../../core/ids.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { sortedBetween } from "../near-orders.ts";
import { earliest, isDownwards, latest } from "../search-bounds.ts";
import {
  instantMax,
  instantMin,
  isWhole,
  ordered,
  type Pair,
  split,
  streamKeys,
  type Text,
  unnested,
  wholeKeys,
} from "./search-statements.ts";

export const prioritizedIndex = "tasks_prioritized";

const noKeys = "SELECT 0::bigint AS value, NULL::text AS id WHERE false";
/** Before, byte by byte, every id; and after every id. */
const [firstId, lastId] = ["", "\u{10ffff}"];

/** Those of the priorities before 0 in the direction of reading, or behind it, in no order. */
export function prioritizedKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  side: "before" | "behind",
): string {
  const { after, created, updated } = search;
  const down = isDownwards(search);
  const sorted = sortedBetween(search);
  const isHigh = down === (side === "before");
  const from = isHigh ? Math.max(sorted.from, 1) : sorted.from;
  const to = isHigh ? sorted.to : Math.min(sorted.to, -1);
  if (from > to) return noKeys;
  const direction = down ? "DESC" : "ASC";
  const order = `ORDER BY tasks.priority ${direction}, tasks.id ${direction}`;
  const [first, last] = (down ? [to, from] : [from, to]).map((value) => `${text.add(value)}::bigint`);
  const [beyond, notBeyond] = down ? ["<", ">="] : [">", "<="];
  const most = text.add(limit);
  const isInLevel = after !== undefined && after.value === (down ? to : from);
  const isRanged = created !== undefined || updated !== undefined;
  const bounds = isRanged
    ? {
        // A condition on rows would keep the server from going from one priority to the next ones' ids.
        all: [
          `tasks.priority ${down ? "<=" : ">="} ${first}`,
          `tasks.created_at >= ${text.add(created?.start ?? instantMin)}::bigint`,
          `tasks.created_at < ${text.add(created?.end ?? instantMax)}::bigint`,
          `tasks.updated_at >= ${text.add(updated?.start ?? instantMin)}::bigint`,
          `tasks.updated_at < ${text.add(updated?.end ?? instantMax)}::bigint`,
          ...(after ? [notReached(text, after, notBeyond)] : []),
        ],
        upTo: (value: string, _id: string) => `tasks.priority ${down ? ">=" : "<="} ${value}`,
        of: (pair: string) => [`tasks.id >= ${pair}.first`, `tasks.id < ${pair}.last`],
      }
    : {
        all: [
          `(tasks.priority, tasks.id) ${beyond} (${first}, ${text.add(isInLevel ? after.id : down ? lastId : firstId)}::text)`,
        ],
        upTo: (value: string, id: string) => `(tasks.priority, tasks.id) ${notBeyond} (${value}, ${id})`,
        of: () => [],
      };
  const end = `${text.add(down ? firstId : lastId)}::text`;
  const keys = (pair: string, upTo: string, limited: string) => {
    const own = [
      `tasks.lane = ${pair}.lane`,
      `tasks.status = ${pair}.status`,
      "tasks.status <> 2",
      "tasks.priority <> 0",
    ];
    return `SELECT tasks.priority AS value, tasks.id FROM :schema.tasks
      WHERE ${[...own, ...bounds.all, upTo, ...bounds.of(pair)].join(" AND ")} ${order} LIMIT ${limited}`;
  };
  return `WITH foremost AS MATERIALIZED (
      SELECT pair.*, head.value, head.id FROM ${isRanged ? pairsWithin(text, search, pairs) : unnested(text, lanesOf(pairs))}
        CROSS JOIN LATERAL (${keys("pair", bounds.upTo(last!, end), "1")}) AS head
        ORDER BY head.value ${direction}, head.id ${direction} LIMIT ${most}),
    edge AS MATERIALIZED (
      SELECT coalesce(farthest.value, ${last}) AS value, coalesce(farthest.id, ${end}) AS id
      FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT value, id FROM foremost ORDER BY value ${direction}, id ${direction} LIMIT 1 OFFSET ${most} - 1) AS farthest ON true)
    SELECT found.value, found.id FROM foremost CROSS JOIN LATERAL (
      ${keys("foremost", bounds.upTo("(SELECT value FROM edge)", "(SELECT id FROM edge)"), most)}) AS found
    ORDER BY found.value ${direction}, found.id ${direction} LIMIT ${most}`;
}

function notReached(text: Text, { value, id }: Place, operator: string): string {
  return `NOT (tasks.priority = ${text.add(value)}::bigint AND tasks.id ${operator} ${text.add(id)}::text)`;
}

/** The pairs, and between which ids their tasks lie: generated ones tell when a task was created. */
function pairsWithin(text: Text, { created, updated }: StoreSearch, pairs: readonly Pair[]): string {
  const bounds = pairs.map(({ ownIds, status }) => {
    if (ownIds) return [firstId, lastId];
    // What was never changed has one instant; no task was changed before it was created.
    const from = latest(created?.start, status === 0 ? updated?.start : undefined);
    const to = earliest(created?.end, updated?.end);
    return [from === undefined ? firstId : ulidStart(from), to === undefined ? lastId : ulidStart(to)];
  });
  const { lanes, statuses } = lanesOf(pairs);
  const arrays = [
    `${text.add(lanes)}::integer[]`,
    `${text.add(statuses)}::smallint[]`,
    `${text.add(bounds.map(([from]) => from))}::text[]`,
    `${text.add(bounds.map(([, to]) => to))}::text[]`,
  ];
  return `unnest(${arrays.join(", ")}) AS pair (lane, status, first, last)`;
}

function lanesOf(pairs: readonly Pair[]): { lanes: number[]; statuses: number[] } {
  return { lanes: pairs.map(({ lane }) => lane), statuses: pairs.map(({ status }) => status) };
}

/** Those of the priority 0, and others among them that are to be passed over: `value` is 0, and they are in the order of their ids. */
export function unprioritizedKeys(
  text: Text,
  { where, after, ...search }: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  most: number,
): string {
  const placed = { ...search, ...(where && { where }), ...(after && { after }) };
  const { from, to } = sortedBetween(placed);
  if (from > 0 || to < 0) return noKeys;
  const place = after?.value === 0 && { after: { value: null, id: after.id, backwards: false } };
  const byId: StoreSearch = { ...search, ...place, sortBy: "id", descending: isDownwards(placed) };
  const isFull = `(SELECT count(*) FROM others) >= ${text.add(limit)}::integer`;
  return `SELECT 0::bigint AS value, id FROM (${idsOf(text, byId, pairs, most)}) AS ids WHERE NOT ${isFull}`;
}

/** Whether all of the priority 0 are there, and the page is not full with them. */
export function areNotEnough(text: Text, limit: number, most: number): string {
  return `(SELECT count(*) FROM near) < ${text.add(most)}::integer
    AND (SELECT count(*) FROM others) + (SELECT count(*) FROM near WHERE value = 0) < ${text.add(limit)}::integer`;
}

/** The first ids; where no filter leaves any out also of tasks that run. */
function idsOf(text: Text, search: StoreSearch, pairs: readonly Pair[], limit: number): string {
  const { settled } = split(pairs);
  const keys = isWhole(search, pairs) ? wholeKeys(text, search) : streamKeys(text, search, settled, limit);
  return `SELECT id FROM (${keys.text}) AS keys ORDER BY ${ordered(search, keys.order)} LIMIT ${text.add(limit)}`;
}
