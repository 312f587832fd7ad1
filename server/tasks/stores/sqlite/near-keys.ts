/** Keys in an order that most tasks share with another one; see near-orders.ts. */
import type { StoreSearch } from "../../core/store.ts";
import { isOfRange, type NearOrder } from "../near-orders.ts";
import type { Connection } from "./connection.ts";
import { dueKeys } from "./due-keys.ts";
import type { Key } from "./search-key.ts";
import { startedKeys } from "./started-keys.ts";

/** All keys of the search in its order, from its place on; among them places. */
export function nearKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  return search.sortBy === "dueAt" ? dueKeys(connection, search) : startedKeys(connection, search);
}

export function nearIndexes(order: NearOrder, search: StoreSearch): string[] {
  const isWithin = isOfRange(search);
  if (order === "startedAt")
    return [
      "tasks_lane_updated",
      "tasks_started",
      ...(isWithin ? ["tasks_started_oddly"] : []),
      "tasks_running",
    ];
  const waiting = ["tasks_claim", "tasks_claim_suspect", ...(isWithin ? ["tasks_delayed"] : [])];
  return ["tasks_lane_created", "tasks_due", ...waiting, "tasks_running"];
}
