/** A task with its attempts, as rows. */
import type { Connection } from "./connection.ts";
import type { AttemptRow, Row } from "./rows.ts";
import { sql } from "./statements.ts";
import type { Rows } from "./threads/protocol.ts";
import { withNames, workerNames } from "./threads/write-context.ts";

export interface RecordRows {
  task: Rows;
  attempts: AttemptRow[];
  workers: Rows["workers"];
}

export function recordOf(connection: Connection, row: Row): RecordRows {
  const attempts = connection.prepare(sql.listAttempts).all(row[0]) as unknown as AttemptRow[];
  const workers = new Set(attempts.map((attempt) => attempt[2]).filter((worker) => worker !== null));
  return { task: withNames(connection, [row]), attempts, workers: workerNames(connection, workers) };
}
