/** What every writing verb works with, on the writing thread, inside a transaction that the thread opened. */
import type { TaskAttributes } from "../attributes/attributes.ts";
import type { Connection } from "../connection.ts";
import type { HistoryTally } from "../counts/history-tally.ts";
import type { LaneName, Lanes, Tally } from "../lanes.ts";
import type { Row } from "../rows.ts";
import { sql } from "../statements.ts";
import type { WorkerLocks } from "../worker-locks.ts";
import type { ClaimsAhead } from "./claims-ahead.ts";
import type { Rows } from "./protocol.ts";

export interface WriteContext {
  readonly connection: Connection;
  readonly lanes: Lanes;
  readonly tally: Tally;
  readonly history: HistoryTally;
  readonly attributes: TaskAttributes;
  readonly ahead: ClaimsAhead;
  readonly locks: WorkerLocks;
  /** Set by a verb that made something claimable, or that the caller's own process would not hear of otherwise. */
  changed: boolean;
  /** Undoes everything since the verb began; for one that wrote before it found a reason to refuse. */
  undo(): void;
}

/** Rows with the names of the numbers in them. */
export function withNames(connection: Connection, rows: Row[]): Rows {
  const lanes = new Set<number>();
  const workers = new Set<number>();
  for (const row of rows) {
    lanes.add(row[2]);
    if (row[13] !== null) workers.add(row[13]);
  }
  return {
    rows,
    lanes: laneNames(connection, lanes),
    workers: workerNames(connection, workers),
  };
}

export function laneNames(connection: Connection, lanes: Iterable<number>): LaneName[] {
  return named(connection, sql.laneNames, lanes);
}

export function workerNames(connection: Connection, workers: Iterable<number>): Rows["workers"] {
  return named(connection, sql.workerIds, workers);
}

/** Those of the numbers that the statement knows, each asked for once in a snapshot. */
function named<Name extends [number, ...unknown[]]>(
  connection: Connection,
  text: string,
  numbers: Iterable<number>,
): Name[] {
  const known = connection.once(text, () => new Map<number, Name>());
  const wanted = [...numbers];
  const unknown = wanted.filter((number) => !known.has(number));
  if (unknown.length > 0) {
    const names = connection.prepare(text).all(JSON.stringify(unknown)) as unknown as Name[];
    for (const name of names) known.set(name[0], name);
  }
  return wanted.map((number) => known.get(number)).filter((name) => name !== undefined);
}

export function findTask(connection: Connection, id: string): Row | undefined {
  return connection.prepare(sql.findTask).get(id) as unknown as Row | undefined;
}
