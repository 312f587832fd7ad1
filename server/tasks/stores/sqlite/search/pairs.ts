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
  if (types) return pairsOfTypes(connection, [...new Set(types)]);
  const all = connection.known<readonly Pair[]>("pairs []");
  if (all) return all;
  return statuses ? readPairs(connection, [...statuses].sort()) : readPairs(connection, []);
}

function pairsOfTypes(connection: Connection, types: readonly string[]): readonly Pair[] {
  const wanted = JSON.stringify(types);
  return connection.once(`pairsOfTypes ${wanted}`, () => {
    const rows = connection.prepare(sql.pairsOfTypes).all(wanted) as unknown as PairRow[];
    return rows.map(([lane, type, queue, ownIds, status, tasks, changedAt]) => {
      return { lane, type, queue, ownIds: ownIds === 1, status, tasks, changedAt };
    });
  });
}

/** Of all types there are hundreds: their names are kept, and only the counts are read. @param statuses of all where there are none */
function readPairs(connection: Connection, statuses: readonly number[]): readonly Pair[] {
  const wanted = JSON.stringify(statuses);
  return connection.once(`pairs ${wanted}`, () => {
    const statement = connection.prepare(statuses.length > 0 ? sql.talliesOfStatuses : sql.tallies);
    const rows = statement.all(...(statuses.length > 0 ? [wanted] : [])) as unknown as TallyRow[];
    const lanes = lanesOf(connection, rows);
    return rows.flatMap(([lane, status, tasks, changedAt]): Pair[] => {
      const named = lanes.get(lane);
      if (!named) return [];
      const { type, queue, ownIds } = named;
      return [{ lane, type, queue, ownIds, status, tasks, changedAt }];
    });
  });
}

type Named = Pick<Pair, "type" | "queue" | "ownIds">;

function lanesOf(connection: Connection, rows: readonly TallyRow[]): ReadonlyMap<number, Named> {
  const read = () => {
    const all = connection.prepare(sql.lanes).all() as unknown as [number, string, string, number][];
    return new Map(all.map(([lane, type, queue, ownIds]) => [lane, { type, queue, ownIds: ownIds === 1 }]));
  };
  return connection.lasting("lanes", read, (kept) => rows.every(([lane]) => kept.has(lane)));
}

type PairRow = [
  lane: number,
  type: string,
  queue: string,
  ownIds: number,
  status: number,
  tasks: number,
  changedAt: number,
];
type TallyRow = [lane: number, status: number, tasks: number, changedAt: number];
