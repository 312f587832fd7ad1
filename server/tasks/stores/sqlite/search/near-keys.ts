/** Keys in an order that most tasks share with another one; see near-orders.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { type NearOrder, nearIndexes } from "../../shared/near-orders.ts";
import type { Connection } from "../connection.ts";
import { dueKeys, listOfUndelayed } from "./due-keys.ts";
import type { Key } from "./search-key.ts";
import { startedKeys } from "./started-keys.ts";

/** All keys of the search in its order, from its place on; among them places. */
export function nearKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  return search.sortBy === "dueAt" ? dueKeys(connection, search) : startedKeys(connection, search);
}

/** The indexes that it reads; for explanations. */
export function nearIndexesOf(connection: Connection, search: StoreSearch): string[] {
  const indexes = nearIndexes(search.sortBy as NearOrder, search);
  const isListed = search.sortBy === "dueAt" && listOfUndelayed(connection, search) !== undefined;
  return isListed ? ["tasks_id", ...indexes] : indexes;
}
