/** The (lane, status) pairs that have tasks of a search, by the tallies. */
import type { StoreSearch } from "../../../core/store.ts";
import type { Connection } from "../connection.ts";
import { sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import type { Pair } from "./search-statements.ts";

export function findPairs(connection: Connection, search: StoreSearch): Pair[] {
  const statuses = search.statuses && new Set<number>(search.statuses.map((name) => statusNumbers[name]));
  const queues = search.queues && new Set(search.queues);
  if (statuses?.size === 0) return [];
  return pairsOf(connection, search.types, statuses).filter(
    (pair) => (!statuses || statuses.has(pair.status)) && (!queues || queues.has(pair.queue)),
  );
}

/** A search asks for them several times. Those of other statuses may be among them. */
function pairsOf(
  connection: Connection,
  types: StoreSearch["types"],
  statuses: ReadonlySet<number> | undefined,
): readonly Pair[] {
  if (types) return readPairs(connection, "pairsOfTypes", [...new Set(types)]);
  const all = connection.known<readonly Pair[]>("pairs []");
  if (all) return all;
  return statuses
    ? readPairs(connection, "pairsOfStatuses", [...statuses].sort())
    : readPairs(connection, "pairs", []);
}

function readPairs(
  connection: Connection,
  statement: "pairs" | "pairsOfTypes" | "pairsOfStatuses",
  of: readonly (string | number)[],
): readonly Pair[] {
  const wanted = JSON.stringify(of);
  return connection.once(`${statement} ${wanted}`, () => {
    const values = statement === "pairs" ? [] : [wanted];
    const rows = connection.prepare(sql[statement]).all(...values) as unknown as PairRow[];
    return rows.map(([lane, type, queue, ownIds, status, tasks]) => {
      return { lane, type, queue, ownIds: ownIds === 1, status, tasks };
    });
  });
}

type PairRow = [lane: number, type: string, queue: string, ownIds: number, status: number, tasks: number];
