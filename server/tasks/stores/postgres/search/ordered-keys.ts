/**
 * The SQL of an order that an index has of each lane and status: (lane, status, value, id). The first key of each pair tells which
 * pairs may be on the page, and how far; only these are read.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { Place, StoreSearch } from "../../../core/store.ts";
import { earliest, isDownwards, latest } from "../../shared/search-bounds.ts";
import { instantMax, instantMin, type Pair, type Text, unnested } from "./search-statements.ts";

export const noKeys = "SELECT 0::bigint AS value, NULL::text AS id WHERE false";
/** Before, byte by byte, every id; and after every id. */
const [firstId, lastId] = ["", "\u{10ffff}"];

export interface OrderedKeys {
  /** What the index is in the order of, and what its tasks are. */
  value: string;
  conditions: readonly string[];
  /** Between which values; both included. */
  from: number;
  to: number;
  /** Whether many tasks have one value: a range of time is looked for among those of each, else it is passed over what is outside of it. */
  areTied: boolean;
  /** When all of these tasks, whatever their status, were created at the earliest, where a range tells that. */
  createdFrom?: number | undefined;
}

/** The first keys in the order of the search, beyond its place: a query of `value, id`, at most `limit`. */
export function orderedKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  keysOf: OrderedKeys,
): string {
  const { value, conditions, from, to } = keysOf;
  if (from > to) return noKeys;
  const down = isDownwards(search);
  const direction = down ? "DESC" : "ASC";
  const order = `ORDER BY ${value} ${direction}, tasks.id ${direction}`;
  const [first, last] = (down ? [to, from] : [from, to]).map((bound) => `${text.add(bound)}::bigint`);
  const most = text.add(limit);
  const end = `${text.add(down ? firstId : lastId)}::text`;
  const isRanged = search.created !== undefined || search.updated !== undefined;
  const boundsOf = isRanged && keysOf.areTied ? boundsOfTied : boundsOfKeys;
  const { begin, from: fromHead, within, upTo } = boundsOf(text, search, keysOf, first!);
  const instants = isRanged ? instantsWithin(text, search) : [];
  const idsOf = (pair: string) => (isRanged ? [`tasks.id >= ${pair}.first`, `tasks.id < ${pair}.last`] : []);
  const keys = (pair: string, begin: readonly string[], edge: string, limited: string) => {
    const own = [`tasks.lane = ${pair}.lane`, `tasks.status = ${pair}.status`, ...conditions, ...instants];
    return `(SELECT ${value} AS value, tasks.id FROM :schema.tasks
      WHERE ${[...own, ...begin, edge, ...idsOf(pair)].join(" AND ")} ${order} LIMIT ${limited})`;
  };
  const reached = upTo("(SELECT value FROM edge)", "(SELECT id FROM edge)");
  const given = isRanged ? pairsWithin(text, search, pairs, keysOf) : unnested(text, lanesOf(pairs));
  return `WITH foremost AS MATERIALIZED (
      SELECT pair.*, head.value, head.id FROM ${given}
        CROSS JOIN LATERAL ${keys("pair", begin, within(last!, end), "1")} AS head
        ORDER BY head.value ${direction}, head.id ${direction} LIMIT ${most}),
    edge AS MATERIALIZED (
      SELECT coalesce(farthest.value, ${last}) AS value, coalesce(farthest.id, ${end}) AS id
      FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT value, id FROM foremost ORDER BY value ${direction}, id ${direction} LIMIT 1 OFFSET ${most} - 1) AS farthest ON true)
    SELECT found.value, found.id FROM foremost CROSS JOIN LATERAL (
      ${reached.map((part) => keys("foremost", fromHead("foremost.value", "foremost.id"), part, most)).join(" UNION ALL ")}) AS found
    ORDER BY found.value ${direction}, found.id ${direction} LIMIT ${most}`;
}

interface Bounds {
  /** Beyond the search's place. */
  begin: string[];
  /** From the first key of a pair on: what comes before it was passed over already. */
  from(value: string, id: string): string[];
  /** Not beyond the last key of all. */
  within(value: string, id: string): string;
  /** Not beyond a key: conditions of which each task there meets one. */
  upTo(value: string, id: string): string[];
}

/** A walk stops at one bound on each side. */
function boundsOfKeys(
  text: Text,
  search: StoreSearch,
  { value, from, to }: OrderedKeys,
  first: string,
): Bounds {
  const { after } = search;
  const down = isDownwards(search);
  const [beyond, notBeyond] = down ? ["<", ">="] : [">", "<="];
  const isAtBound = after !== undefined && after.value === (down ? to : from);
  const within = (edge: string, id: string) => `(${value}, tasks.id) ${notBeyond} (${edge}, ${id})`;
  const id = text.add(isAtBound ? after.id : down ? lastId : firstId);
  return {
    begin: [`(${value}, tasks.id) ${beyond} (${first}, ${id}::text)`],
    from: (head, headId) => [`(${value}, tasks.id) ${beyond}= (${head}, ${headId})`],
    within,
    upTo: (edge, edgeId) => [within(edge, edgeId)],
  };
}

/**
 * A condition on rows would keep the server from going from one value to the next one's ids. Many tasks may have the value
 * that the page reaches to, so those are read by themselves.
 */
function boundsOfTied(text: Text, search: StoreSearch, { value }: OrderedKeys, first: string): Bounds {
  const { after } = search;
  const down = isDownwards(search);
  const beyond = down ? "<=" : ">=";
  const unreached = after ? [notReached(text, value, after, down ? ">=" : "<=")] : [];
  return {
    begin: [`${value} ${beyond} ${first}`, ...unreached],
    from: (head) => [`${value} ${beyond} ${head}`, ...unreached],
    within: (edge) => `${value} ${down ? ">=" : "<="} ${edge}`,
    upTo: (edge, edgeId) => [
      `${value} ${down ? ">" : "<"} ${edge}`,
      `${value} = ${edge} AND tasks.id ${down ? ">=" : "<="} ${edgeId}`,
    ],
  };
}

function instantsWithin(text: Text, { created, updated }: StoreSearch): string[] {
  const at = (instant: number) => `${text.add(instant)}::bigint`;
  return [
    `tasks.created_at >= ${at(created?.start ?? instantMin)}`,
    `tasks.created_at < ${at(created?.end ?? instantMax)}`,
    `tasks.updated_at >= ${at(updated?.start ?? instantMin)}`,
    `tasks.updated_at < ${at(updated?.end ?? instantMax)}`,
  ];
}

function notReached(text: Text, of: string, { value, id }: Place, operator: string): string {
  return `NOT (${of} = ${text.add(value)}::bigint AND tasks.id ${operator} ${text.add(id)}::text)`;
}

/** The pairs, and between which ids their tasks lie: generated ones tell when a task was created. */
function pairsWithin(
  text: Text,
  { created, updated }: StoreSearch,
  pairs: readonly Pair[],
  { createdFrom }: OrderedKeys,
): string {
  const start = latest(created?.start, createdFrom);
  const bounds = pairs.map(({ ownIds, status }) => {
    if (ownIds) return [firstId, lastId];
    // What was never changed has one instant; no task was changed before it was created.
    const from = latest(start, status === 0 ? updated?.start : undefined);
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
