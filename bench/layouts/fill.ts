/** Fills a file with finished tasks as fast as SQLite goes: no fsync, large transactions, indexes at the end. */
import type { DatabaseSync } from "node:sqlite";
import { forBuilding, inTransaction, openBare } from "../support/connection.ts";
import { payloadJson, taskIds } from "../support/sample.ts";
import type { Layout } from "./layouts.ts";

const transactionSize = 100_000;
const laneCount = 20;
/** Finished tasks are spread over this much time before now. */
const spreadMs = 30 * 24 * 3_600_000;

export function fillFinished(path: string, layout: Layout, count: number): void {
  const database = openBare(path);
  forBuilding(database);
  database.exec(layout.tables.join(";"));
  insertFinished(database, layout.finishedTable, count, 1);
  for (const index of layout.indexes) database.exec(index);
  if (layout.afterFill) database.exec(layout.afterFill);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/**
 * Inserts finished tasks in the order of their ids, over twenty lanes from `firstLane` on: of a hundred, 95 are
 * COMPLETED, 4 FAILED, 1 CANCELLED.
 */
export function insertFinished(
  database: DatabaseSync,
  table: string,
  count: number,
  firstLane: number,
): void {
  const insert =
    database.prepare(`INSERT INTO ${table} (id, lane, own_id, status, priority, due_at, created_at, updated_at,
    started_at, completed_at, attempts, max_attempts, fence, version, worker, rerun_after_crash, payload, result, error)
    VALUES (?1, ?2, 0, ?3, 0, ?4, ?4, ?5, ?5, ?5, 1, 1, 1, 3, 1, 1, ?6, ?7, ?8)`);
  const from = Date.now() - spreadMs;
  let createdAt = from;
  const nextId = taskIds(() => createdAt);
  for (let done = 0; done < count; done += transactionSize) {
    inTransaction(database, () => {
      const end = Math.min(count, done + transactionSize);
      for (let n = done; n < end; n++) {
        createdAt = from + Math.floor((n / count) * spreadMs);
        const status = statusOf(n);
        const result = status === 3 ? '{"ok":true}' : null;
        const error = status === 4 ? "connect ETIMEDOUT 192.0.2.7:443" : null;
        const endedAt = createdAt + 20 + ((n * 7_919) % 60_000);
        insert.run(
          nextId(),
          firstLane + (n % laneCount),
          status,
          createdAt,
          endedAt,
          payloadJson,
          result,
          error,
        );
      }
    });
    if (done % 1_000_000 === 0 && done > 0) process.stderr.write(`  ${done / 1e6} million finished tasks\n`);
  }
}

/** Spread by a hash, so that every lane has some of each. */
function statusOf(n: number): 3 | 4 | 5 {
  const percent = ((n * 2_654_435_761) % 4_294_967_296) / 42_949_673;
  if (percent < 95) return 3;
  return percent < 99 ? 4 : 5;
}
