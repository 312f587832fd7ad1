/** Keys in an order that most tasks share with another one; see near-orders.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import { dueKeys } from "./due-keys.ts";
import type { Key } from "./search-key.ts";
import { startedKeys } from "./started-keys.ts";

/** All keys of the search in its order, from its place on; among them places. */
export function nearKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  return search.sortBy === "dueAt" ? dueKeys(connection, search) : startedKeys(connection, search);
}
