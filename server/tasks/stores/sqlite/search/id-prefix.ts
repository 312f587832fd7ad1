/** Searches for ids that begin with some text, as ranges of the creation; see id-prefixes.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { beyondPrefix } from "../../shared/beyond-prefix.ts";
import { idPrefixIn, withinCreation } from "../../shared/id-prefixes.ts";
import type { Connection } from "../connection.ts";

/** By `tasks_id` and the key of definitions: whether there are chosen ids, and whether one of them begins so, or a definition's id. */
const idsBegin = `/* dure:idsBegin */ SELECT EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_id WHERE own_id = 1),
  EXISTS (SELECT 1 FROM tasks INDEXED BY tasks_id WHERE own_id = 1 AND id >= ?1 AND id < ?2),
  EXISTS (SELECT 1 FROM definitions WHERE id >= ?1 AND id < ?2)`;

/** What asks the same of such a range, where it is one. */
export function byCreation<Answer>(
  ask: (connection: Connection, search: StoreSearch) => Answer,
): (connection: Connection, search: StoreSearch) => Answer {
  return (connection, search) => ask(connection, ranged(connection, search));
}

function ranged(connection: Connection, search: StoreSearch): StoreSearch {
  const prefix = idPrefixIn(search);
  const beyond = prefix && beyondPrefix(prefix);
  if (prefix === undefined || beyond === undefined) return search;
  const row = connection.prepare(idsBegin).get(prefix, beyond) as unknown as [number, number, number];
  const [chosen, beginsChosen, beginsDefined] = row;
  if (beginsChosen || (search.definitions && beginsDefined)) return search;
  return withinCreation(search, prefix, !chosen);
}
