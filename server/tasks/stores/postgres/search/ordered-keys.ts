/** The SQL of an order that an index has of each lane and status: (lane, status, value, id). */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { earliest, isDownwards, latest } from "../../shared/search-bounds.ts";
import { deepPairs } from "./deep-pairs.ts";
import { edge, foremostKeys } from "./foremost.ts";
import { instantMax, instantMin, ownOf, type Pair, type Text } from "./search-statements.ts";

export const noKeys = "SELECT 0::bigint AS value, NULL::text AS id, NULL::tid AS tid WHERE false";
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
  /** Whether keys are wanted with where the task lies, as `tid`: of an index whose values only the tasks have, which are read anyway. */
  isPlaced?: boolean;
}

/** The first keys in the order of the search, beyond its place: a query of `value, id` and, it may be, `tid`, at most `limit`. */
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
  const { begin, behind, within, upTo } = boundsOf(text, search, keysOf, first!);
  const instants = isRanged ? instantsWithin(text, search) : [];
  const ids = isRanged ? ["tasks.id >= pair.first", "tasks.id < pair.last"] : [];
  const keys = (begin: readonly string[], end: string, limited: string) => {
    const all = [...ownOf("pair"), ...conditions, ...instants, ...begin, end, ...ids];
    return `(SELECT ${value} AS value, tasks.id${keysOf.isPlaced ? ", tasks.ctid AS tid" : ""} FROM :schema.tasks
      WHERE ${all.join(" AND ")} ${order} LIMIT ${limited})`;
  };
  const reached = upTo(`coalesce(${edge.value}, ${last})`, `coalesce(${edge.id}, ${end})`);
  const streams = {
    given: isRanged ? pairsWithin(text, search, pairs, limit, keysOf) : deepPairs(text, pairs, limit),
    first: keys(begin, within(last!, end), "pair.depth"),
    further: reached.map((part) => keys(behind, part, most)),
  };
  const beside = isRanged ? ["first", "last"] : [];
  const carried = keysOf.isPlaced ? ["tid"] : [];
  return `SELECT * FROM (${foremostKeys([streams], ["value", "id"], direction, most, { beside, carried })}) AS keys
    ORDER BY value ${direction}, id ${direction} LIMIT ${most}`;
}

interface Bounds {
  /** Beyond the search's place. */
  begin: string[];
  /** Beyond the last key that was read of a pair. */
  behind: string[];
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
    behind: [`(${value}, tasks.id) ${beyond} (pair.value, pair.id)`],
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
  const notReached = (reached: string, id: string) =>
    `NOT (${value} = ${reached} AND tasks.id ${down ? ">=" : "<="} ${id})`;
  const unreached = after
    ? [notReached(`${text.add(after.value)}::bigint`, `${text.add(after.id)}::text`)]
    : [];
  return {
    begin: [`${value} ${beyond} ${first}`, ...unreached],
    behind: [`${value} ${beyond} pair.value`, notReached("pair.value", "pair.id")],
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

/** The pairs, and between which ids their tasks lie: generated ones tell when a task was created. */
function pairsWithin(
  text: Text,
  { created, updated }: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  { createdFrom }: OrderedKeys,
): string {
  const start = latest(created?.start, createdFrom);
  const to = earliest(created?.end, updated?.end);
  const idAt = (instant: number | undefined, none: string) =>
    `${text.add(instant === undefined ? none : ulidStart(instant))}::text`;
  const [first, last] = [firstId, lastId].map((id) => `${text.add(id)}::text`);
  // What was never changed has one instant; no task was changed before it was created.
  const from = { fresh: idAt(latest(start, updated?.start), firstId), others: idAt(start, firstId) };
  const given = deepPairs(text, pairs, limit, {
    own: `${text.add(pairs.map(({ ownIds }) => Number(ownIds)))}::integer[]`,
  });
  return `(SELECT lane, status, depth,
      CASE WHEN own = 1 THEN ${first} WHEN status = 0 THEN ${from.fresh} ELSE ${from.others} END AS first,
      CASE WHEN own = 1 THEN ${last} ELSE ${idAt(to, lastId)} END AS last
    FROM ${given}) AS pair`;
}
