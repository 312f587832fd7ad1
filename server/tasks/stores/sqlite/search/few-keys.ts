/**
 * Keys in an order that is put together from parts, where so few tasks are within a range that all are read and sorted
 * sooner: of each no more is read than what it is sorted by.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isNear, type NearOrder } from "../../shared/near-orders.ts";
import type { Connection } from "../connection.ts";
import type { DefinitionRow } from "../rows.ts";
import { withEntries } from "./elsewhere-keys.ts";
import { withLate } from "./kept-heads.ts";
import { findPairs } from "./pairs.ts";
import { definitionKeys } from "./priority-keys.ts";
import { keysInOrder } from "./search.ts";
import { comparator, isAfter, isPlace, type Key } from "./search-key.ts";

type PartedOrder = NearOrder | "priority" | "duration";

/**
 * So few pages of tasks within a range are sorted sooner than the parts are read: mostly these pass over little, but where a task may lie
 * anywhere in one, that one may be read through.
 */
const [sortedPages, sortedPagesOfAnywhere] = [2, 10];
/** Further ones are read between looks at the clock. */
const endMax = 1_000;

const valuesSql = {
  startedAt: valuesOf("started_at"),
  dueAt: valuesOf("due_at"),
  priority: valuesOf("priority"),
};

/** Whether the order is put together from parts. */
export function isInParts(sortBy: StoreSearch["sortBy"]): sortBy is PartedOrder {
  return isNear(sortBy) || sortBy === "priority" || sortBy === "duration";
}

/** Of the tasks within its ranges so many are sorted sooner than the order is put together from parts. */
export function sortedSooner(connection: Connection, search: StoreSearch): number {
  const isBounded = !mayLieAnywhere(connection, search);
  return (isBounded ? sortedPages : sortedPagesOfAnywhere) * (search.offset + search.limit);
}

/** Whether some part has tasks of which the ranges do not tell where they lie. */
function mayLieAnywhere(connection: Connection, search: StoreSearch): boolean {
  const pairs = findPairs(connection, search).filter(({ status }) => status !== 2);
  if (search.sortBy === "startedAt") return withEntries(connection, "startedOddly", pairs).length > 0;
  if (search.sortBy === "priority") {
    const isLate = search.updated?.start !== undefined && withLate(connection, pairs).length > 0;
    return isLate || pairs.some(({ ownIds }) => ownIds);
  }
  const [waiting, ended] = [
    pairs.filter(({ status }) => status === 1),
    pairs.filter(({ status }) => status >= 3),
  ];
  return (
    withEntries(connection, "delayed", waiting).length + withEntries(connection, "due", ended).length > 0
  );
}

/**
 * Those of a search that is known to have few, from its offset on; undefined where something is asked of the tasks
 * themselves, or where the page ends far from the first.
 */
export function fewKeys(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): Key[] | undefined {
  const { sortBy, where, id, offset, limit } = search;
  if (where !== undefined || id !== undefined || offset + limit > endMax) return undefined;
  if (!isInParts(sortBy) || sortBy === "duration") return undefined;
  const ids = idsOf(connection, search);
  const values = connection.prepare(valuesSql[sortBy]).all(JSON.stringify([...ids.keys()])) as unknown as [
    seq: number,
    value: number | null,
  ][];
  const keys = values.flatMap(([seq, value]): Key[] => (value === null ? [] : [[value, ids.get(seq)!, seq]]));
  return [...keys, ...(sortBy === "priority" ? definitionKeys(definitions) : [])]
    .filter((key) => isAfter(search, key))
    .sort(comparator(search))
    .slice(offset);
}

/** Takes the tasks' numbers as JSON. */
function valuesOf(column: string): string {
  return `/* dure:valuesOf */ SELECT seq, ${column} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN tasks ON seq = wanted`;
}

/** By their numbers, all that pass the plain filters. */
function idsOf(connection: Connection, { after: _after, ...search }: StoreSearch): Map<number, string> {
  const found = new Map<number, string>();
  const keys = keysInOrder(connection, { ...search, sortBy: "createdAt", descending: true }, []);
  for (let next = keys.next(); !next.done; next = keys.next())
    if (!isPlace(next.value)) found.set(next.value[2], next.value[1]);
  return found;
}
