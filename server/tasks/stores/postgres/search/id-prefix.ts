/** Searches for ids that begin with some text, as ranges of the creation; see id-prefixes.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { beyondPrefix } from "../../shared/beyond-prefix.ts";
import { idPrefixIn, withinCreation } from "../../shared/id-prefixes.ts";
import type { Context } from "../context.ts";
import { statement } from "../statement.ts";

/**
 * By `tasks_lane_own_id`, `tasks_running` and the key of definitions: whether there are chosen ids, and whether one of them begins so, or a
 * definition's id.
 */
const idsBegin = statement(
  "idsBegin",
  `WITH chosen AS MATERIALIZED (SELECT lane FROM :schema.lanes WHERE own_ids),
  running AS MATERIALIZED (SELECT id FROM :schema.tasks WHERE status = 2 AND own_id)
  SELECT EXISTS (SELECT FROM chosen),
    EXISTS (SELECT FROM chosen CROSS JOIN unnest('{0,1,3,4,5}'::smallint[]) AS settled (status) CROSS JOIN LATERAL (
      SELECT FROM :schema.tasks WHERE tasks.lane = chosen.lane AND tasks.status = settled.status
        AND tasks.status <> 2 AND own_id AND id >= $1 AND id < $2 LIMIT 1) AS found)
      OR EXISTS (SELECT FROM running WHERE id >= $1 AND id < $2),
    EXISTS (SELECT FROM :schema.definitions WHERE id COLLATE "C" >= $1 AND id COLLATE "C" < $2)`,
);

/** The same search. */
export async function byCreation({ searching }: Context, search: StoreSearch): Promise<StoreSearch> {
  const prefix = idPrefixIn(search);
  const beyond = prefix && beyondPrefix(prefix);
  if (prefix === undefined || beyond === undefined) return search;
  const [[chosen, beginsChosen, beginsDefined]] = (await searching.read(idsBegin, [prefix, beyond])) as [
    [boolean, boolean, boolean],
  ];
  if (beginsChosen || (search.definitions && beginsDefined)) return search;
  return withinCreation(search, prefix, !chosen);
}
