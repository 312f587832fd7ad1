/** Tasks that a search names: candidates are those of its ids or idempotency keys, each looked up. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { namedIn } from "../../shared/named-tasks.ts";
import type { Session } from "../connections/database.ts";
import { statement } from "../statement.ts";
import type { KeySource } from "./key-source.ts";

/** By `tasks_pkey` and `tasks_idempotency`. A key is of one type, whose name stands before it. */
const idsBy = {
  id: statement(
    "tasksOfIds",
    "SELECT tasks.id FROM unnest($1::text[]) AS wanted (id) JOIN :schema.tasks ON tasks.id = wanted.id",
  ),
  idempotencyKey: statement(
    "tasksOfKeys",
    `SELECT tasks.id FROM unnest($1::text[]) AS wanted (key) CROSS JOIN (SELECT DISTINCT type FROM :schema.lanes) AS types
      JOIN :schema.tasks ON tasks.idempotency = types.type || ' ' || wanted.key`,
  ),
};

/** What neither an id nor a key may have in it, and no text of PostgreSQL. */
const nothing = "\0";

export async function namedSource(session: Session, search: StoreSearch): Promise<KeySource | undefined> {
  const named = namedIn(search.where);
  if (!named) return undefined;
  const wanted = named.values.filter((value) => !value.includes(nothing));
  const rows = await session.query(idsBy[named.by], [wanted]);
  const places = rows.map(([id]): Place => ({ value: null, id: id as string }));
  return {
    ...{ name: named.by, index: "id", estimate: places.length, isOrdered: false },
    total: async () => places.length,
    keys: async () => ({ places }),
  };
}
