/**
 * Enqueue in a transaction of the caller's, on the caller's own connection and thread. Sound with `node:sqlite` alone:
 * it is the library that the store's threads use, so that the locks of one process on one file are known to each other.
 * The statements are those of the writing thread; what is written is undone by the caller's ROLLBACK, counts included.
 */
import { statSync } from "node:fs";
import type { StatementSync } from "node:sqlite";
import { DureError } from "../../core/errors.ts";
import type { By, NewTask } from "../../core/store.ts";
import { isSqlite, type SqliteDatabase, type Transaction, unusable } from "../../core/transaction.ts";
import { TaskAttributes } from "./attributes/attributes.ts";
import { applicationId, type Connection, newestSchema } from "./connection.ts";
import { countTasks, type Enqueued, enqueued, insertRuns, type NewRun, recordEnqueued } from "./enqueue.ts";
import { Lanes, Tally } from "./lanes.ts";
import type { Row } from "./rows.ts";
import { isBusy, toDureError } from "./sqlite-errors.ts";
import { ClaimsAhead } from "./threads/claims-ahead.ts";
import { toNewRuns } from "./threads/outgoing.ts";
import type { WriteContext } from "./threads/write-context.ts";

/**
 * Stores the tasks, all or none, synchronously once their parts have arrived.
 * @throws DureError TRANSACTION_UNUSABLE, DATABASE_…
 */
export async function enqueueInTransaction(
  path: string,
  tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
  { tx, by, now }: { tx: Transaction; by: By | undefined; now: number },
): Promise<{ answer: Enqueued; count: number }> {
  // All parts before the first insert, so that a bad item leaves the transaction as it was.
  const runs: NewRun[] = [];
  if (Array.isArray(tasks)) runs.push(...toNewRuns(tasks));
  else for await (const part of tasks as AsyncIterable<NewTask[]>) runs.push(...toNewRuns(part));
  const database = checkDatabase(path, tx);
  try {
    checkSchema(database, path);
    return { answer: insert(database, runs, by, now), count: countTasks(runs) };
  } catch (error) {
    throw explained(error, path);
  }
}

/** Everything that would put a task where nobody runs it, or outside every transaction. */
function checkDatabase(path: string, tx: Transaction): SqliteDatabase {
  const wanted = `a DatabaseSync of node:sqlite that is open on ${path} and has a transaction open`;
  if (path === ":memory:") {
    throw unusable(
      "This instance's database is ':memory:', which lies in a thread of its own where no other connection reaches it. " +
        "Use a file to enqueue in a transaction of your own.",
    );
  }
  if (!isSqlite(tx)) {
    throw unusable(`tx is no connection to an SQLite database; expected ${wanted}.`);
  }
  const database = tx as SqliteDatabase;
  if (typeof database.location !== "function") {
    throw unusable(
      "tx is a connection of another library than node:sqlite, such as better-sqlite3. Two SQLite libraries in one process on " +
        `one file undo each other's locks and can destroy it; expected ${wanted}.`,
    );
  }
  const location = locationOf(database);
  if (!isSameFile(location, path)) {
    throw unusable(`tx is open on ${location ?? "a database in memory"}; expected ${wanted}.`, { location });
  }
  if (!database.isTransaction) {
    throw unusable(`tx has no transaction open: send BEGIN IMMEDIATE first; expected ${wanted}.`);
  }
  return database;
}

/** `location()` throws on a connection that was closed. */
function locationOf(database: SqliteDatabase): string | null {
  try {
    return database.location();
  } catch (error) {
    throw unusable("tx is a connection that was closed; open it before the transaction begins.", {
      cause: error,
    });
  }
}

function isSameFile(location: string | null, path: string): boolean {
  if (!location) return false;
  const theirs = statSync(location, { bigint: true, throwIfNoEntry: false });
  const ours = statSync(path, { bigint: true, throwIfNoEntry: false });
  return theirs !== undefined && ours !== undefined && theirs.ino === ours.ino && theirs.dev === ours.dev;
}

function checkSchema(database: SqliteDatabase, path: string): void {
  const { prepare } = statementsOf(database);
  const [owner] = prepare("PRAGMA application_id").get() as unknown as [number];
  const [stored] = prepare("PRAGMA user_version").get() as unknown as [number];
  if (owner === applicationId && stored === newestSchema) return;
  throw unusable(
    `${path} has no schema of Dure's that this program knows (version ${stored}, expected ${newestSchema}). ` +
      "Let an instance open it before the transaction begins, for example by `await dure.stats()`.",
    { stored, known: newestSchema },
  );
}

function insert(
  database: SqliteDatabase,
  runs: readonly NewRun[],
  by: By | undefined,
  now: number,
): Enqueued {
  const context = contextOf(database);
  database.exec("SAVEPOINT dure");
  try {
    const existing: [number, Row][] = [];
    const refusal = insertRuns(context, runs, 0, existing);
    if (refusal) return undone(database, refusal, countTasks(runs));
    context.tally.write();
    recordEnqueued(
      context,
      by,
      runs,
      existing.map(([index]) => index),
      now,
    );
    const answer = enqueued(context, existing);
    database.exec("RELEASE dure");
    return answer;
  } catch (error) {
    // Some errors, such as a full disk, end the whole transaction, the savepoint included.
    if (database.isTransaction) undo(database);
    throw error;
  }
}

function undone(database: SqliteDatabase, refusal: Enqueued, count: number): Enqueued {
  undo(database);
  if (count === 1 && refusal.kind === "rejected") delete refusal.details?.index;
  return refusal;
}

function undo(database: SqliteDatabase): void {
  database.exec("ROLLBACK TO dure");
  database.exec("RELEASE dure");
}

/** Nothing is remembered from call to call: the caller may have rolled back what it was made from. */
function contextOf(database: SqliteDatabase): WriteContext {
  const connection = statementsOf(database) as unknown as Connection;
  return {
    connection,
    lanes: new Lanes(connection),
    tally: new Tally(connection),
    attributes: new TaskAttributes(connection),
    ahead: new ClaimsAhead(),
    changed: false,
    undo: () => undefined,
  } as Omit<WriteContext, "locks"> as WriteContext;
}

/** What enqueueing takes of a connection. */
type Statements = Pick<Connection, "prepare" | "once">;

const prepared = new WeakMap<SqliteDatabase, Statements>();

/** Prepared statements with rows as arrays, made once for each connection. */
function statementsOf(database: SqliteDatabase): Statements {
  let found = prepared.get(database);
  if (!found) {
    const statements = new Map<string, StatementSync>();
    found = {
      prepare(sql) {
        let statement = statements.get(sql);
        if (!statement) {
          statement = database.prepare(sql) as StatementSync;
          statement.setReturnArrays(true);
          statements.set(sql, statement);
        }
        return statement;
      },
      once: (_name, read) => read(),
    };
    prepared.set(database, found);
  }
  return found;
}

function explained(error: unknown, path: string): unknown {
  if (error instanceof DureError || !isBusy(error)) return toDureError(error, path);
  return unusable(
    `${path} is being written by another connection, and this transaction was not begun for writing. Begin with BEGIN IMMEDIATE, ` +
      "on a connection opened with { timeout: 5000 }; roll this one back.",
    { cause: error },
  );
}
