/** Tasks that ran for a second or longer, where there are few: candidates of searches that want these alone. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { leastDuration } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import { shape } from "../statement.ts";
import { duration, isEnded } from "./duration-statements.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { type Pair, Text, unnested } from "./search-statements.ts";

/** A shorter duration is no rare one. */
const slowMs = 1_000;

/** The source of a lower bound of a second or more that must hold. */
export async function durationSource(
  session: Session,
  search: StoreSearch,
  pairsOf: () => Promise<readonly Pair[]>,
): Promise<KeySource | undefined> {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  const text = new Text();
  const ended = (await pairsOf()).filter(({ status }) => status >= 3);
  const lanes = ended.map(({ lane }) => lane);
  const statuses = ended.map(({ status }) => status);
  const given = unnested(text, { lanes, statuses });
  const most = text.add(gatheredMax + 1);
  const rows = await session.query(
    shape(
      "slowTasks",
      `SELECT keys.id FROM ${given} CROSS JOIN LATERAL (
        SELECT tasks.id FROM :schema.tasks WHERE tasks.lane = pair.lane AND tasks.status = pair.status AND ${isEnded}
          AND ${duration} >= ${text.add(least)}::bigint
        ORDER BY ${duration} DESC, tasks.id DESC LIMIT ${most}) AS keys
      LIMIT ${most}`,
    ),
    text.values,
  );
  if (rows.length > gatheredMax) return undefined;
  const places = rows.map(([id]): Place => ({ value: null, id }));
  return {
    ...{ name: "duration", index: "slow", estimate: places.length, isOrdered: false },
    keys: async () => ({ places }),
  };
}
