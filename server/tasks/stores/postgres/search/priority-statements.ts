/**
 * The SQL of the order by priority: an index has the tasks of any priority but 0, of one lane and status in the search's order. Those of
 * 0, which are most tasks or none, are in the order of their ids between those of higher priorities and those of lower ones, and neither they nor what
 * lies behind them is read where the page is full before.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { sortedBetween } from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { noKeys, orderedKeys } from "./ordered-keys.ts";
import { ordered, type Pair, split, streamKeys, type Text } from "./search-statements.ts";
import { isWhole, wholeKeys } from "./whole-keys.ts";
import { type WholeKeys, wholeKeysOf } from "./whole-pages.ts";

export const prioritizedIndex = "tasks_prioritized";

/** Those of the priorities before 0 in the direction of reading, or behind it, in no order. */
export function prioritizedKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  side: "before" | "behind",
): string {
  const sorted = sortedBetween(search);
  const isHigh = isDownwards(search) === (side === "before");
  return orderedKeys(text, search, pairs, limit, {
    value: "tasks.priority",
    conditions: ["tasks.status <> 2", "tasks.priority <> 0"],
    areTied: true,
    from: isHigh ? Math.max(sorted.from, 1) : sorted.from,
    to: isHigh ? sorted.to : Math.min(sorted.to, -1),
  });
}

/**
 * Those of the priority 0, and others among them that are to be passed over: they are in the order of their ids, and `value` is 0. From the list of all
 * tasks it is their priority, and they are few enough not to be looked up.
 * @param others pairs without tasks, so that all searches are the same texts
 * @param all how many tasks there are, about; undefined where that list is not to be read
 */
export function unprioritizedKeys(
  text: Text,
  { where, after, ...search }: StoreSearch,
  given: readonly Pair[],
  others: readonly Pair[],
  { limit, most, all }: { limit: number; most: number; all: number | undefined },
): string | WholeKeys {
  const placed = { ...search, ...(where && { where }), ...(after && { after }) };
  const { from, to } = sortedBetween(placed);
  if (from > 0 || to < 0) return noKeys;
  const place = after?.value === 0 && { after: { value: null, id: after.id, backwards: false } };
  const byId: StoreSearch = { ...search, ...place, sortBy: "id", descending: isDownwards(placed) };
  const whole = wholeKeysOf(text, byId, split(given).settled, {
    ...{ changed: "0::bigint", value: "tasks.priority", most, all },
  });
  const unlessFull = (keys: string) =>
    `SELECT * FROM (${keys}) AS keys WHERE NOT (SELECT count(*) FROM others) >= ${text.add(limit)}::integer`;
  if (whole) return { keys: unlessFull(whole.keys), end: unlessFull(whole.end) };
  return unlessFull(
    `SELECT 0::bigint AS value, id FROM (${idsOf(text, byId, [...given, ...others], most)}) AS ids`,
  );
}

/** Whether all of the priority 0 are there, and the page is not full with them. */
export function areNotEnough(text: Text, limit: number, most: number): string {
  return `(SELECT count(*) FROM keys) < ${text.add(most)}::integer
    AND (SELECT count(*) FROM others) + (SELECT count(*) FROM near) < ${text.add(limit)}::integer`;
}

/** The first ids; where no filter leaves any out also of tasks that run. */
function idsOf(text: Text, search: StoreSearch, pairs: readonly Pair[], limit: number): string {
  const { settled } = split(pairs);
  const keys = isWhole(search, pairs)
    ? wholeKeys(text, search)
    : streamKeys(text, search, settled, limit, true);
  return `SELECT id FROM (${keys.text}) AS keys ORDER BY ${ordered(search, keys.order)} LIMIT ${text.add(limit)}`;
}
