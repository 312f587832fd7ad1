/**
 * Makes a database of the product with many finished tasks in it and keeps it in bench/.data for later runs:
 * node bench/history.ts 10000000 (about 6 GB and five minutes). Prints its path.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { allLanes, hourSql } from "../server/tasks/stores/shared/hours.ts";
import { minuteSql } from "../server/tasks/stores/shared/kept-counts.ts";
import { briefMs } from "../server/tasks/stores/sqlite/counts/brief-hours.ts";
import { insertFinished } from "./layouts/fill.ts";
import { define, items, open, startCounter } from "./support/case.ts";
import { forBuilding, openBare } from "./support/connection.ts";
import { dataFolder, removeDatabase } from "./support/data.ts";
import { typeName } from "./support/sample.ts";
import { productSchema, tasksSchema } from "./support/schema.ts";

const warmUpTasks = 400_000;
const keptCounts = [
  { table: "hour_tallies", stretch: "hour", of: hourSql },
  { table: "minute_tallies", stretch: "minute", of: minuteSql },
];

if (process.argv[1] === import.meta.filename)
  console.log(await historyDatabase(Number(process.argv[2] ?? 1_000_000)));

/** The path of a database with `count` finished tasks, over twenty types of which the bench's is the first. */
export async function historyDatabase(count: number): Promise<string> {
  const path = join(dataFolder, `history-${count}-${schemaDigest()}.db`);
  if (existsSync(path)) return path;
  mkdirSync(dataFolder, { recursive: true });
  removeOthers(count);
  const unfinished = `${path}.part`;
  removeDatabase(unfinished);
  await makeEmpty(unfinished);
  process.stderr.write(`Making ${path} …\n`);
  fill(unfinished, count);
  await runSome(unfinished);
  syncToDisk(unfinished);
  renameSync(unfinished, path);
  return path;
}

/** Else the system would go on writing it while the first rounds are measured. */
function syncToDisk(path: string): void {
  const file = openSync(path, "r+");
  fsyncSync(file);
  closeSync(file);
}

/** A file of another schema is of no use. */
function schemaDigest(): string {
  return createHash("sha256").update(productSchema()).digest("hex").slice(0, 8);
}

/** Files of this size that were made with earlier schemas. */
function removeOthers(count: number): void {
  const names = readdirSync(dataFolder).filter((name) =>
    new RegExp(`^history-${count}\\b.*\\.db$`).test(name),
  );
  for (const name of names) removeDatabase(join(dataFolder, name));
}

/** The product makes the file, so that it takes it for its own. */
async function makeEmpty(path: string): Promise<void> {
  const dure = open(path);
  define(dure);
  await dure.countTasks();
  await dure.close();
}

function fill(path: string, count: number): void {
  const database = openBare(path);
  forBuilding(database);
  const { indexes } = tasksSchema();
  for (const name of indexes.keys()) database.exec(`DROP INDEX ${name}`);
  const firstLane = insertLanes(database);
  insertFinished(database, "tasks", count, firstLane);
  for (const statement of indexes.values()) database.exec(statement);
  database.exec(
    "INSERT INTO tallies (lane, status, tasks) SELECT lane, status, count(*) FROM tasks GROUP BY lane, status",
  );
  for (const { table, stretch, of } of keptCounts) {
    for (const lane of ["lane", allLanes]) {
      database.exec(`INSERT INTO ${table} (lane, state, ${stretch}, tasks, changed) SELECT ${lane}, state, at, sum(tasks), sum(changed) FROM (
        SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END AS state, ${of("created_at")} AS at, 1 AS tasks, 0 AS changed FROM tasks
        UNION ALL SELECT lane, status, ${of("updated_at")}, 0, 1 FROM tasks WHERE status >= 3) GROUP BY 1, 2, 3`);
    }
  }
  database.exec(`INSERT OR IGNORE INTO brief_hours (lane, status, duration, hour)
    SELECT lane, status, completed_at - started_at, ${hourSql("created_at")} FROM tasks
    WHERE status >= 3 AND completed_at - started_at BETWEEN 0 AND ${briefMs - 1}`);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/**
 * Building leaves every page of the indexes full to the brim, which a file in use never is: the first tasks would pay
 * for splitting them.
 */
async function runSome(path: string): Promise<void> {
  const { onStart, reached } = startCounter(warmUpTasks);
  const dure = open(path);
  const definition = define(dure, onStart);
  await dure.start();
  for (let n = 0; n < warmUpTasks; n += 100_000) await definition.enqueueMany(items(100_000));
  await reached;
  await dure.stop();
  await dure.close();
}

/** Twenty lanes in a row; answers the first. */
function insertLanes(database: DatabaseSync): number {
  const insert = database.prepare(
    "INSERT INTO lanes (type, queue, own_ids) VALUES (?, 'default', 0) RETURNING lane",
  );
  const lanes = Array.from(
    { length: 20 },
    (_, n) => insert.get(n === 0 ? typeName : `history-${n}`) as { lane: number },
  );
  return lanes[0]!.lane;
}
