/** A bare connection with the product's pragmas and none of its code. */
import { DatabaseSync } from "node:sqlite";

export function openBare(path: string, synchronous: "FULL" | "NORMAL" = "FULL"): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA cache_size = -32768;
     PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864`,
  );
  return database;
}

/** Settings for making a file that may be thrown away: no fsync, no journal to speak of. */
export function forBuilding(database: DatabaseSync): void {
  database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -524288; PRAGMA wal_autocheckpoint = 20000");
}

/** Runs `work` in one write transaction. */
export function inTransaction<Value>(database: DatabaseSync, work: () => Value): Value {
  database.exec("BEGIN IMMEDIATE");
  const value = work();
  database.exec("COMMIT");
  return value;
}
