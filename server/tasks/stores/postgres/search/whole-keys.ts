/** The SQL of all tasks in the order of their ids: generated ones are in the order of creation, so the primary key is the whole list. */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Keys, Pair, Text } from "./search-statements.ts";

/** Before, byte by byte, every id; and after every id. */
const [firstId, lastId] = ["", "\u{10ffff}"];

/** Whether the primary key has every task of the search, and no other, in its order. */
export function isWhole(search: StoreSearch, pairs: readonly Pair[]): boolean {
  if (search.types || search.queues || search.statuses || search.updated) return false;
  if (search.sortBy === "id" && !search.created) return true;
  return search.sortBy !== "updatedAt" && !pairs.some(({ ownIds }) => ownIds);
}

/** Both ends and the place to go on from are always there, so that all are one text. */
export function wholeKeys(text: Text, search: StoreSearch): Keys {
  const { created, after } = search;
  const down = isDownwards(search);
  const place = after && (search.sortBy === "id" ? after.id : idAt(after.value ?? 0, after.id));
  const id = (value: string) => `${text.add(value)}::text`;
  const conditions = [
    `tasks.id >= ${id(created?.start === undefined ? firstId : ulidStart(created.start))}`,
    `tasks.id < ${id(created?.end === undefined ? lastId : ulidStart(created.end))}`,
    `tasks.id ${down ? "<" : ">"} ${id(place ?? (down ? lastId : firstId))}`,
  ];
  return { text: `SELECT tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}`, order: ["id"] };
}

/** Where (instant, id) lies among generated ids: what is before it there is less, what is after it is greater. */
function idAt(value: number, id: string): string {
  const first = ulidStart(value);
  if (compareText(id, first) < 0) return first;
  const end = ulidStart(value + 1);
  return compareText(id, end) > 0 ? end : id;
}
