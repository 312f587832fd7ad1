/** Tasks that a search names: candidates are those of its ids or idempotency keys, each looked up. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { namedIn, namedMax } from "../../shared/named-tasks.ts";
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

const ranges = "unnest($1::text[], $2::text[]) AS ranges (low, high)";
const idsWithin = {
  id: statement(
    "tasksOfIdsWithin",
    `SELECT found.id FROM ${ranges} CROSS JOIN LATERAL (
      SELECT id FROM :schema.tasks WHERE id >= ranges.low AND id < ranges.high ORDER BY id LIMIT $3) AS found LIMIT $3`,
  ),
  idempotencyKey: statement(
    "tasksOfKeysWithin",
    `SELECT found.id FROM ${ranges} CROSS JOIN (SELECT DISTINCT type FROM :schema.lanes) AS types CROSS JOIN LATERAL (
      SELECT id FROM :schema.tasks WHERE idempotency >= types.type || ' ' || ranges.low
        AND idempotency < types.type || ' ' || ranges.high ORDER BY idempotency LIMIT $3) AS found LIMIT $3`,
  ),
};

/** What neither an id nor a key may have in it, and no text of PostgreSQL. */
const nothing = "\0";

/** Undefined where so many tasks are named that they are walked over. */
export async function namedSource(session: Session, search: StoreSearch): Promise<KeySource | undefined> {
  const named = namedIn(search.where);
  if (!named) return undefined;
  const { by } = named;
  const wanted = named.values.filter((value) => !value.includes(nothing));
  const [low, high] = [named.ranges.map(([from]) => from), named.ranges.map(([, beyond]) => beyond)];
  const within = low.length > 0 ? await session.query(idsWithin[by], [low, high, namedMax + 1]) : [];
  if (within.length > namedMax) return undefined;
  const listed = wanted.length > 0 ? await session.query(idsBy[by], [wanted]) : [];
  const ids = new Set([...listed, ...within].map(([id]) => id as string));
  const places = [...ids].map((id): Place => ({ value: null, id }));
  return {
    ...{ name: by, index: "id", estimate: places.length, isOrdered: false },
    total: async () => places.length,
    keys: async () => ({ places }),
  };
}
