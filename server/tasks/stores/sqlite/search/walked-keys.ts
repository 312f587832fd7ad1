/** Which tasks a walk looks at where no source finds candidates: those that an index narrows it down to, or all that pass the plain filters. */
import type { StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import type { DefinitionRow } from "../rows.ts";
import { dueWithinKeys } from "./due-range-keys.ts";
import { ofPrioritiesKeys } from "./priority-range-keys.ts";
import { keysInOrder } from "./search.ts";
import type { Key } from "./search-key.ts";
import { startedWithinKeys } from "./start-range-keys.ts";

export interface WalkedKeys {
  /** From the search's place on. */
  keys: Iterator<Key>;
  /** Whether nothing tells how many there are. */
  areUncounted: boolean;
}

export function walkedKeys(
  connection: Connection,
  search: StoreSearch,
  definitions: readonly DefinitionRow[],
): WalkedKeys {
  const due = dueWithinKeys(connection, search);
  if (due) return { keys: due, areUncounted: true };
  const started = startedWithinKeys(connection, search);
  if (started) return { keys: started, areUncounted: false };
  const ofPriorities = ofPrioritiesKeys(connection, search, definitions);
  if (ofPriorities) return { keys: ofPriorities, areUncounted: true };
  return { keys: keysInOrder(connection, search, definitions), areUncounted: false };
}
