/**
 * What SQLite itself gives on the product's schema: node bench/bare.ts <question> [--tasks n] [--database path].
 * One connection on one thread, the product's pragmas and indexes, synchronous=FULL, statements that do what its own
 * do and no more: no lanes to look up, no values to encode, no messages between threads.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { inTransaction, openBare } from "./support/connection.ts";
import { temporaryFolder } from "./support/data.ts";
import { type Figures, finish } from "./support/figures.ts";
import { rateSince } from "./support/numbers.ts";
import { payloadJson, taskIds } from "./support/sample.ts";
import { productSchema } from "./support/schema.ts";

const insertBatch = 1_000;
const claimBatch = 500;
const worker = 7;
/** Far from the lanes of a history file. */
const lane = 1_000_000;

const questions: Record<string, (database: DatabaseSync, tasks: number) => Figures> = {
  "bulk-enqueue": (database, tasks) => ({ rate: insertAll(database, tasks, insertBatch) }),
  "one-by-one": (database, tasks) => ({ rate: insertAll(database, Math.min(tasks, 20_000), 1) }),
  drain: measureDrain,
  "drain-with-history": measureDrain,
  "at-once": (database, tasks) => ({ rate: wholeLives(database, tasks) }),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tasks: { type: "string", default: "100000" }, database: { type: "string" } },
});
const database = openBare(values.database ?? join(temporaryFolder("bare"), "tasks.db"));
if (!values.database) database.exec(productSchema());
const figures = questions[positionals[0]!]!(database, Number(values.tasks));
database.close();
finish(figures);

/** Tasks per second, in transactions of `batch`. */
function insertAll(database: DatabaseSync, count: number, batch: number): number {
  const insert = inserter(database);
  const startedAt = performance.now();
  for (let done = 0; done < count; done += batch) inTransaction(database, () => insert(batch));
  return rateSince(count, startedAt);
}

function measureDrain(database: DatabaseSync, tasks: number): Figures {
  insertAll(database, tasks, insertBatch);
  const turn = drainer(database);
  const startedAt = performance.now();
  let open = 0;
  do open = inTransaction(database, turn);
  while (open > 0);
  return { rate: rateSince(tasks, startedAt) };
}

/** Inserts a batch, then settles one and claims the next, in turn. */
function wholeLives(database: DatabaseSync, tasks: number): number {
  const insert = inserter(database);
  const turn = drainer(database);
  const startedAt = performance.now();
  for (let done = 0; done < tasks; done += insertBatch) {
    inTransaction(database, () => insert(insertBatch));
    inTransaction(database, turn);
    inTransaction(database, turn);
  }
  while (inTransaction(database, turn) > 0);
  return rateSince(tasks, startedAt);
}

function inserter(database: DatabaseSync): (count: number) => void {
  const statement = database.prepare(
    `INSERT INTO tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, max_attempts,
       rerun_after_crash, payload) VALUES (?1, ${lane}, 0, 1, 0, ?2, ?2, ?2, 1, 1, ?3) ON CONFLICT DO NOTHING`,
  );
  const nextId = taskIds();
  return (count) => {
    const now = Date.now();
    for (let n = 0; n < count; n++) statement.run(nextId(), now, payloadJson);
  };
}

/** A function that settles the batch claimed before, claims the next, and answers how many it claimed. */
function drainer(database: DatabaseSync): () => number {
  const due = database.prepare(
    `SELECT seq, id, fence + 1, payload, payload_types, attempts + 1, max_attempts, created_at FROM tasks
     INDEXED BY tasks_claim WHERE status = 1 AND crashes = 0 AND lane = ${lane} AND priority = 0 AND due_at <= ?1
     ORDER BY due_at, seq LIMIT ${claimBatch}`,
  );
  const claim = database.prepare(
    `UPDATE tasks SET status = 2, worker = ?1, fence = fence + 1, attempts = attempts + 1, started_at = ?2,
       updated_at = ?2, version = version + 1 WHERE seq IN (SELECT value FROM json_each(?3)) AND status = 1`,
  );
  const settle = database.prepare(
    `UPDATE tasks SET status = 3, completed_at = ?1, updated_at = ?1, result = ?2, version = version + 1
     WHERE seq = ?3 AND id = ?4 AND fence = ?5 AND worker = ?6 AND status = 2`,
  );
  due.setReturnArrays(true);
  let claimed: [seq: number, id: string, fence: number][] = [];
  return () => {
    const now = Date.now();
    for (const [seq, id, fence] of claimed) settle.run(now, null, seq, id, fence, worker);
    claimed = due.all(now) as unknown as typeof claimed;
    claim.run(worker, now, JSON.stringify(claimed.map(([seq]) => seq)));
    return claimed.length;
  };
}
