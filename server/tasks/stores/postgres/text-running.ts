/**
 * Tasks that run are not indexed by their text before they end, unless they were while they waited. They are few, so all of
 * them are candidates of every search by text.
 */
import { compareText } from "../../core/compare.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import type { Session } from "./database.ts";
import type { KeySource } from "./key-source.ts";
import { statement } from "./statement.ts";

/** Of more than this, the latest by creation. */
const runningMax = 2_000;

/** The source with those tasks among what it gives, at their places in the order. */
export async function withRunning(
  session: Session,
  search: StoreSearch,
  source: KeySource,
): Promise<KeySource> {
  if (search.statuses && !search.statuses.includes("RUNNING")) return source;
  const rows = await session.query(runningWithoutText, [runningMax]);
  if (rows.length === 0) return source;
  const running = rows.map(([value, id]): Place => ({ value: source.isOrdered ? value : null, id }));
  const sign = isDownwards(search) ? -1 : 1;
  const compare = (a: Place, b: Place) => sign * (a.value! - b.value! || compareText(a.id, b.id));
  return {
    ...source,
    estimate: source.estimate + running.length,
    async keys(asked, after, limit) {
      const { places, next } = await source.keys(asked, after, limit);
      if (!source.isOrdered) return { places: [...places, ...running] };
      const isHere = (place: Place) =>
        (!after || compare(after, place) < 0) && (!next || compare(place, next) <= 0);
      return { places: [...places, ...running.filter(isHere)].sort(compare), next };
    },
  };
}

/** By `tasks_running`. */
const runningWithoutText = statement(
  "runningWithoutText",
  `SELECT created_at, id FROM :schema.tasks WHERE status = 2
    AND NOT EXISTS (SELECT 1 FROM :schema.texts WHERE texts.task_id = tasks.id)
    ORDER BY created_at DESC, id DESC LIMIT $1`,
);
