/**
 * Enqueue in a transaction of the caller's, on the caller's own connection. Clients and query builders differ in how they
 * send arrays and read numbers, so every value goes as text and every row that is read comes as one text.
 *
 * Before the first statement of ours the server itself says whether a transaction is open (LOCK TABLE is refused outside
 * one) and whether this is the database of the store. Nothing here ends, retries or rolls back anything: that is the
 * caller's.
 */
import { DureError } from "../../core/errors.ts";
import { enqueuedChange } from "../../core/port/store-audit.ts";
import type { By, NewTask } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { isSqlite, type Transaction, type TransactionClient, unusable } from "../../core/transaction.ts";
import { record } from "./audit.ts";
import type { Database, ResultRow, Session } from "./connections/database.ts";
import { isConnectionLoss, isRetryable, sqlState, toDureError } from "./connections/postgres-errors.ts";
import type { Context } from "./context.ts";
import { type Enqueued, insertCarefully, Refused } from "./enqueue.ts";
import { queueFullWith } from "./queue-depth.ts";
import { type Statement, statement } from "./statement.ts";

/** When others are told to look, in milliseconds from the call: the commit cannot be seen from here. */
const hintsMs = [25, 100, 400, 1_600];
/** Tasks in one statement. */
const partSize = 1_000;

/**
 * @throws DureError TRANSACTION_UNUSABLE, DATABASE_…; a serialization failure or deadlock as the driver threw it, so that
 * the caller's own retry knows it
 */
export async function enqueueInTransaction(
  context: Context,
  tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
  tx: Transaction,
  by?: By,
): Promise<Enqueued> {
  const client = checkClient(tx);
  // All parts before the first statement, so that a bad item leaves the transaction as it was.
  const parts = Array.isArray(tasks)
    ? [tasks as readonly NewTask[]]
    : await gather(tasks as AsyncIterable<NewTask[]>);
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  try {
    await checkTransaction(context, client);
    const session = textSession(context.database, client);
    // Before anything is stored, for it is not ours to undo.
    const full = await queueFullWith(session, parts.flat());
    if (full) throw new Refused("queue-full", { ...full });
    const value: (Task | null)[] = [];
    for (const part of parts) {
      for (const answer of await insertCarefully(context, session, part, {
        offset: value.length,
        isCallers: true,
      }))
        value.push(answer);
    }
    const added = parts.flat().filter((_, index) => value[index] === null);
    await record(context, session, by, enqueuedChange(added));
    hint(context);
    return { kind: "ok", value };
  } catch (error) {
    if (error instanceof Refused) return refusal(error, count);
    if (error instanceof DureError) throw error;
    throw explained(error, context.database.location.shown);
  }
}

async function gather(tasks: AsyncIterable<NewTask[]>): Promise<NewTask[][]> {
  const all: NewTask[] = [];
  for await (const part of tasks) all.push(...part);
  return Array.from({ length: Math.ceil(all.length / partSize) }, (_, index) =>
    all.slice(index * partSize, (index + 1) * partSize),
  );
}

/** Of one task nothing was stored; of several some may have been. */
function refusal(error: Refused, count: number): Enqueued {
  const { index, ...details } = error.details;
  if (count === 1 || error.reason === "queue-full")
    return { kind: "rejected", reason: error.reason, details };
  return { kind: "rejected", reason: error.reason, details: { index, ...details, rollBack: true } };
}

function hint(context: Context): void {
  for (const ms of hintsMs) setTimeout(() => context.tasksAdded(), ms).unref();
}

const wanted =
  "expected a pg client on which BEGIN was sent, context.tx(), or what an adapter of dure/postgres makes of your query builder's transaction";

function checkClient(tx: Transaction): TransactionClient {
  if (typeof (tx as { query?: unknown } | null)?.query === "function") return tx as TransactionClient;
  const adapter = adapterFor(tx);
  if (adapter)
    throw unusable(`tx is a transaction of another library: pass ${adapter}, from "dure/postgres".`);
  const met = isSqlite(tx)
    ? "a connection to an SQLite database, and this one is PostgreSQL"
    : "no PostgreSQL client";
  throw unusable(`tx is ${met}; ${wanted}.`);
}

function adapterFor(tx: unknown): string | undefined {
  if (tx === null || (typeof tx !== "object" && typeof tx !== "function")) return undefined;
  if ("$queryRawUnsafe" in tx) return "fromPrisma(tx)";
  if ("executeQuery" in tx) return "fromKysely(trx)";
  if ("unsafe" in tx) return "fromPostgresJs(sql)";
  if ("raw" in tx) return "fromKnex(trx)";
  if ("execute" in tx) return "fromDrizzle(tx)";
  return undefined;
}

/** Connections that were seen to be of this store's database; a connection never changes its database. */
const known = new WeakMap<TransactionClient, Database>();

/** The client is of a connection that the store itself made. */
export function trust(client: TransactionClient, database: Database): void {
  known.set(client, database);
}

async function checkTransaction({ database, lanes }: Context, client: TransactionClient): Promise<void> {
  const isKnown = known.get(client) === database;
  // A pg client knows for itself; with it an enqueue is one round trip.
  if (isKnown && (client as { getTransactionStatus?(): string }).getTransactionStatus?.() === "T") return;
  const session = textSession(database, client);
  await session.query(needTransaction);
  if (isKnown) return;
  const { question, answer } = await placeOf(database);
  if ((await session.query(question))[0]![0] !== answer) throw otherDatabase(database.location.shown);
  lanes.forget();
  known.set(client, database);
}

/** What identifies the store's database: the same answer to the same question means the same database and schema. */
interface Place {
  question: Statement;
  answer: string;
}

const places = new WeakMap<Database, Promise<Place>>();

function placeOf(database: Database): Promise<Place> {
  let place = places.get(database);
  if (!place) {
    // A server that does not tell its identity is taken for the one that has such a database and schema.
    place = askPlace(database, whichServer).catch(() => askPlace(database, whichDatabase));
    place.catch(() => places.delete(database));
    places.set(database, place);
  }
  return place;
}

async function askPlace(database: Database, question: Statement): Promise<Place> {
  const [row] = await database.read(question);
  return { question, answer: row![0] };
}

function otherDatabase(shown: string, cause?: unknown): Error {
  return unusable(
    `tx is a transaction of another database than ${shown}, where this instance keeps its tasks; ${wanted}. Roll it back.`,
    { cause },
  );
}

/** Statements in a form that every client takes; see the head of this file. */
function textSession(database: Database, client: TransactionClient): Session {
  return {
    async query(statement, values = []) {
      const { text } = database.prepared(statement);
      const isRead = text.startsWith(`/* dure:${statement.name} */ SELECT`);
      const { rows } = await client.query(isRead ? asText(text) : withTextValues(text), values.map(toText));
      return isRead ? rows.map(readRow) : rows.map((row) => (Array.isArray(row) ? row : Object.values(row)));
    },
  };
}

const asText = (text: string): string =>
  `SELECT row_to_json(found)::text AS found FROM (${withTextValues(text)}) AS found`;

/** `$1::integer[]` takes an array; `$1::text::integer[]` takes its text. */
function withTextValues(text: string): string {
  return text.replaceAll(/(\$\d+)::/g, "$1::text::");
}

function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value)) return String(value);
  const items = value.map((item) =>
    item === null ? "NULL" : `"${String(item).replaceAll(/["\\]/g, "\\$&")}"`,
  );
  return `{${items.join(",")}}`;
}

/** The columns in their order: `row_to_json` and `JSON.parse` both keep it. */
function readRow(row: Record<string, string> | string[]): ResultRow {
  const [found] = Object.values(row);
  return Object.values(JSON.parse(found!));
}

/** What a query builder threw may hold what the server said. */
function stateWithin(error: unknown): string | undefined {
  for (let inner = error as any, depth = 0; inner && depth < 5; inner = inner.cause, depth += 1) {
    // Prisma's own errors say it in `meta`, which depends on its version.
    const { meta } = inner;
    const said = [sqlState(inner), meta?.driverAdapterError?.cause?.originalCode, meta?.code];
    const state = said.find(isState);
    if (state !== undefined) return state;
  }
  return undefined;
}

/** Five characters, a digit among them; those of Prisma's own begin with P1 and up, those of the network have none. */
function isState(code: unknown): code is string {
  return typeof code === "string" && /^(?=.*\d)(?!P[1-9])[0-9A-Z]{5}$/.test(code);
}

function explained(error: unknown, shown: string): unknown {
  const state = stateWithin(error);
  if (isRetryable({ code: state })) return error;
  if (state === "25P01") {
    return unusable(
      `tx has no transaction open (a pool, or a handle from before the transaction began, has none); ${wanted}.`,
      { cause: error },
    );
  }
  if (state === "25P02") {
    return unusable("The transaction of tx was aborted by an earlier error. Roll it back and begin anew.", {
      cause: error,
    });
  }
  if (state === "42P01" || state === "3F000") return otherDatabase(shown, error);
  const isLost =
    state === undefined ? isConnectionLoss(error) || isClosed(error) : isConnectionLoss({ code: state });
  if (isLost) {
    return unusable(`The connection of tx is closed or lost; ${wanted}.`, { cause: error });
  }
  return toDureError(
    state === undefined ? error : Object.assign(new Error(messageOf(error)), { code: state }),
    shown,
  );
}

function isClosed(error: unknown): boolean {
  return /clos|not queryable|terminated|ended|destroyed|released/i.test(messageOf(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const needTransaction = statement("needTransaction", "LOCK TABLE :schema.migrations IN ACCESS SHARE MODE");
const databasePlace = `(SELECT oid FROM pg_database WHERE datname = current_database()), tableoid) AS place
    FROM :schema.migrations LIMIT 1`;
const whichServer = statement(
  "whichServer",
  `SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), ${databasePlace}`,
);
const whichDatabase = statement("whichDatabase", `SELECT concat_ws(' ', ${databasePlace}`);
