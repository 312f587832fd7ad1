/** The SQL of all tasks in the order of their ids: generated ones are in the order of creation, so the primary key is the whole list. */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { earliest, isDownwards, lateMs } from "../../shared/search-bounds.ts";
import type { Keys, Pair, Text } from "./search-statements.ts";

/** Before, byte by byte, every id; and after every id. */
export const [firstId, lastId] = ["", "\u{10ffff}"] as const;

/** Whether the primary key has every task of the search, and no other, in its order. */
export function isWhole(search: StoreSearch, pairs: readonly Pair[]): boolean {
  if (search.types || search.queues || search.statuses || search.updated) return false;
  if (search.sortBy === "id" && !search.created) return true;
  return search.sortBy !== "updatedAt" && isOfGeneratedIds(pairs);
}

/** Whether all tasks have ids in the order of their creation. */
export function isOfGeneratedIds(pairs: readonly Pair[]): boolean {
  return !pairs.some(({ ownIds }) => ownIds);
}

/** Between which ids the tasks of a search lie. */
export interface WholeBounds {
  /** Included. */
  from: string;
  /** Excluded. */
  to: string;
  /** Whether those come behind them, or do not fit, that were last changed long after their creation, or run. */
  isAfterLate: boolean;
  /** Whether they begin with the first of all tasks, in the direction of reading. */
  isFromFirst: boolean;
  /** Excluded as well: the search's place. */
  beyond: string;
}

/** By creation, and by the last change where that bounds the creation: of tasks that are not late, and do not run. */
export function wholeBounds(search: StoreSearch): WholeBounds {
  const { created, updated, after } = search;
  const down = isDownwards(search);
  const split = updated?.start === undefined ? undefined : ulidStart(updated.start - lateMs);
  const own = created?.start === undefined ? firstId : ulidStart(created.start);
  const end = earliest(created?.end, updated?.end);
  const place = after && (search.sortBy === "id" ? after.id : idAt(after.value ?? 0, after.id));
  const beyond = place ?? (down ? lastId : firstId);
  const first = down ? own : greater(own, beyond);
  return {
    from: split === undefined ? own : greater(own, split),
    to: end === undefined ? lastId : ulidStart(end),
    isFromFirst: !down && first === firstId && split === undefined,
    isAfterLate: down || split === undefined || compareText(first, split) >= 0,
    beyond,
  };
}

/** Both ends and the place to go on from are always there, so that all are one text. */
export function wholeKeys(text: Text, search: StoreSearch): Keys {
  const conditions = wholeConditions(text, search, wholeBounds(search));
  return { text: `SELECT tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}`, order: ["id"] };
}

export function wholeConditions(
  text: Text,
  search: StoreSearch,
  { from, to, beyond }: WholeBounds,
): string[] {
  const id = (value: string) => `${text.add(value)}::text`;
  return [
    `tasks.id >= ${id(from)}`,
    `tasks.id < ${id(to)}`,
    `tasks.id ${isDownwards(search) ? "<" : ">"} ${id(beyond)}`,
  ];
}

function greater(one: string, other: string): string {
  return compareText(one, other) < 0 ? other : one;
}

/** Where (instant, id) lies among generated ids: what is before it there is less, what is after it is greater. */
function idAt(value: number, id: string): string {
  const first = ulidStart(value);
  if (compareText(id, first) < 0) return first;
  const end = ulidStart(value + 1);
  return compareText(id, end) > 0 ? end : id;
}
