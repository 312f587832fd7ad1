/**
 * How long after their creation tasks that wait are due. The index by due time knows nothing of ranges of other instants: in its
 * order, "latest due first of those that were created before an early instant" would pass over nearly all. No task is due later
 * than the greatest delay after the end of such a range, and none sooner than the least delay after its start.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isOfRange } from "../../shared/near-orders.ts";
import { earliest, latest } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import type { Between } from "./elsewhere-keys.ts";
import { cameBack } from "./kept-heads.ts";
import { delaysSql } from "./order-statements.ts";
import { type Pair, placesOf } from "./search-statements.ts";

const whenever: Between = { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };

interface Delayed {
  pairs: readonly Pair[];
  within: Between;
}

/** The pairs that wait, with when those of their tasks may be due that were not when they were created; none where there are no such. */
export function delayedWithin(
  connection: Connection,
  search: StoreSearch,
  waiting: readonly Pair[],
): Delayed[] {
  if (!isOfRange(search)) return [{ pairs: waiting, within: whenever }];
  const pairs = placesOf(waiting);
  const row = connection.prepare(delaysSql).get(pairs) as unknown as [number | null, number | null];
  const [least, greatest] = row;
  if (least === null || greatest === null) return [];
  const { created, updated } = search;
  // No task was changed before it was created.
  const end = earliest(created?.end, updated?.end);
  const to = end === undefined ? whenever.to : end - 1 + greatest;
  const between = (start: number | undefined): Between => {
    return { from: start === undefined ? whenever.from : start + least, to };
  };
  if (updated?.start === undefined) return [{ pairs: waiting, within: between(created?.start) }];
  // One that was never changed has both instants at once.
  const back = new Set(cameBack(connection, waiting));
  return [
    {
      pairs: waiting.filter((pair) => !back.has(pair)),
      within: between(latest(created?.start, updated.start)),
    },
    { pairs: waiting.filter((pair) => back.has(pair)), within: between(created?.start) },
  ];
}
