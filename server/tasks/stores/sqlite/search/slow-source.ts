/** Tasks that ran for a second or longer, where there are few: candidates of searches that want these alone. */
import type { StoreSearch } from "../../../core/store.ts";
import { leastDuration } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { duration, indexedTasks } from "./duration-statements.ts";
import { Candidates, gatheredMax, type KeySource } from "./key-source.ts";
import { findPairs } from "./pairs.ts";

/** A shorter duration is no rare one. */
const slowMs = 1_000;

/** The source of a lower bound of a second or more that must hold. */
export function slowSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  const text = `/* dure:slowTasks */ SELECT seq ${indexedTasks} AND ${duration} >= ? LIMIT ?`;
  const seqs: number[] = [];
  for (const { lane, status } of findPairs(connection, search)) {
    if (status < 3) continue;
    const most = gatheredMax + 1 - seqs.length;
    const rows = connection.prepare(text).all(lane, status, least, most) as unknown as [number][];
    for (const [seq] of rows) seqs.push(seq);
    if (seqs.length > gatheredMax) return undefined;
  }
  return {
    name: "duration",
    index: "slow",
    estimate: seqs.length,
    total: () => seqs.length,
    countTo: () => seqs.length,
    *keys() {
      yield* new Candidates(connection, search).among(seqs);
      return undefined;
    },
  };
}
