/**
 * `context.tx()`: a transaction that holds what a handler writes until its task is completed by the same commit.
 *
 * The completion is the settlement of settle.ts, run as the transaction's last statement, so that fence, owner and status
 * are guarded there and by no other rule. Its row lock makes a lost COMMIT decidable: whoever locks the row after it sees
 * what became of it. The transaction's own id tells one that its handler ended, even if it began another.
 */
import type pg from "pg";
import { DureError } from "../../core/errors.ts";
import type {
  AttemptTransaction,
  Settled,
  Settlement,
  TransactionRequest,
  Written,
} from "../../core/store.ts";
import type { TransactionClient } from "../../core/transaction.ts";
import { unusable } from "../../core/transaction.ts";
import { trust } from "./callers-transaction.ts";
import type { Session } from "./connections/database.ts";
import { commit } from "./connections/driver.ts";
import { isConnectionLoss, sqlState } from "./connections/postgres-errors.ts";
import type { Context } from "./context.ts";
import { settleTasks } from "./settle.ts";
import { onceOnly, statement } from "./statement.ts";

/** How long a rollback may take before its connection is given up, which rolls back as well. */
const rollbackMsMax = 2_000;
/** How long statements that the handler did not wait for may go on after it. */
const idleMsMax = 30_000;
const completedStatus = 3;
const runningStatus = 2;

/** @throws DureError LEASE_LOST, DATABASE_… */
export async function beginTransaction(
  context: Context,
  request: TransactionRequest,
): Promise<AttemptTransaction> {
  const client = await context.database.begin();
  try {
    const { taskId, fence, workerId, idleMs } = request;
    const values = [taskId, fence, workerId, idleMs === null ? null : String(idleMs)];
    const [[xid, pid, owned]] = (await context.database.on(client).query(ownAttempt, values)) as [any[]];
    if (!owned) throw leaseLost(request);
    return new PostgresAttemptTransaction(context, client, xid, pid);
  } catch (error) {
    client.release(true);
    throw error instanceof DureError ? error : context.database.explain(error);
  }
}

class PostgresAttemptTransaction implements AttemptTransaction {
  readonly client: LentClient;
  readonly #context: Context;
  readonly #xid: string;
  readonly #pid: number;
  /** Undefined once it was given back. */
  #connection: pg.PoolClient | undefined;

  constructor(context: Context, connection: pg.PoolClient, xid: string, pid: number) {
    this.#context = context;
    this.#connection = connection;
    this.#xid = xid;
    this.#pid = pid;
    this.client = new LentClient(connection);
    trust(this.client, context.database);
  }

  async commit(settlement: Settlement): Promise<Written<Settled>> {
    const connection = this.#connection;
    if (!connection) throw unusable("The transaction of context.tx() is over.");
    let committing = false;
    try {
      this.client.end(unusable("The handler has returned, and its transaction is being committed."));
      const settled = await this.#settle(connection, settlement);
      if (settled.kind === "lease-lost") {
        await this.rollback();
        return { kind: "ok", value: settled };
      }
      committing = true;
      await commit(connection);
      this.#giveBack(false);
      this.#changed();
      return { kind: "ok", value: settled };
    } catch (error) {
      if (committing && isConnectionLoss(error)) {
        this.#giveBack(true);
        return { kind: "unknown", cause: error };
      }
      await this.rollback();
      throw this.#explained(error);
    }
  }

  async #settle(connection: pg.PoolClient, settlement: Settlement): Promise<Settled> {
    if (!(await isDoneIn(idleMsMax, this.client.idle()))) throw stillBusy();
    const session = this.#context.database.on(connection);
    const [[xid]] = (await session.query(currentTransaction)) as [[string | null]];
    if (xid !== this.#xid || this.client.endedByHandler) throw endedByHandler();
    const answer = await settleTasks(withSession(this.#context, session), [settlement]);
    // After one that is still there the row has another number than the transaction; see migration 0004.
    if (this.client.usedSavepoints) await session.query(noteTransaction, [settlement.taskId]);
    return (answer as { value: Settled[] }).value[0]!;
  }

  async findOutcome({ taskId, fence, workerId }: Settlement): Promise<Settled | undefined> {
    const { database } = this.#context;
    await this.#endBackend();
    const [found] = await database.query(lockTask, [taskId]);
    if (!found) return { kind: "lease-lost", lostTo: "unknown" };
    const [status, latestFence, owner] = found;
    const isOurs = latestFence === fence && owner === workerId;
    if (isOurs && status === completedStatus) {
      this.#changed();
      return { kind: "settled", status: "COMPLETED" };
    }
    return isOurs && status === runningStatus ? undefined : { kind: "lease-lost", lostTo: "unknown" };
  }

  async rollback(): Promise<void> {
    const connection = this.#connection;
    this.client.end(unusable("The attempt is over, and the transaction of context.tx() was rolled back."));
    if (!connection) return;
    this.#connection = undefined;
    const done = await isDoneIn(rollbackMsMax, this.#undo(connection));
    connection.release(!done);
    if (!done) void this.#endBackend();
  }

  /** A server that has not noticed that the connection is lost would hold on to the handler's rows. Never rejects. */
  async #endBackend(): Promise<void> {
    // Refused, it is only waited for until the server's time-outs.
    await this.#context.database.query(endBackend, [this.#pid, this.#xid]).catch(() => undefined);
  }

  async #undo(connection: pg.PoolClient): Promise<void> {
    if (this.client.isBusy)
      await this.#context.database.query(cancelStatement, [this.#pid]).catch(() => undefined);
    await this.client.idle();
    await connection.query("ROLLBACK");
  }

  #giveBack(broken: boolean): void {
    this.#connection?.release(broken);
    this.#connection = undefined;
  }

  /** The handler may have enqueued tasks by the way. */
  #changed(): void {
    this.#context.tasksAdded();
    this.#context.tasksChanged();
    this.#context.attemptsEnded(1);
  }

  #explained(error: unknown): unknown {
    if (error instanceof DureError) return error;
    if (sqlState(error) === "25P02") return aborted(error);
    if (!isConnectionLoss(error)) return error;
    return new DureError(
      "DATABASE_UNAVAILABLE",
      "The connection of context.tx() was lost before the commit. Nothing that the handler wrote through it is stored.",
      { cause: error },
    );
  }
}

/** What a handler is given: the connection, for as long as the transaction lasts. */
class LentClient implements TransactionClient {
  readonly #connection: pg.PoolClient;
  #over: DureError | undefined;
  /** Statements that have not been answered. */
  readonly #underWay = new Set<Promise<unknown>>();
  endedByHandler = false;
  usedSavepoints = false;

  constructor(connection: pg.PoolClient) {
    this.#connection = connection;
  }

  /** Takes whatever the driver's `query` takes. */
  readonly query = (...call: any[]): any => {
    if (this.#over) return Promise.reject(this.#over);
    if (isSavepoint(call[0])) this.usedSavepoints = true;
    const sent = (this.#connection.query as (...call: any[]) => any)(...call);
    if (typeof sent?.then !== "function") return sent;
    const answered = sent.then(
      () => this.#answered(answered),
      () => this.#answered(answered),
    );
    this.#underWay.add(answered);
    return sent;
  };

  get isBusy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Resolves when every statement, also those that the handler did not wait for, has its answer. */
  async idle(): Promise<void> {
    while (this.isBusy) await Promise.all(this.#underWay);
  }

  /** As the driver's: 'T' inside a transaction, 'E' inside one that was aborted. */
  getTransactionStatus(): string | null {
    return this.#over ? null : this.#connection.getTransactionStatus();
  }

  end(why: DureError): void {
    this.#over ??= why;
  }

  #answered(statement: Promise<unknown>): void {
    this.#underWay.delete(statement);
    if (this.#over || this.#connection.getTransactionStatus() !== "I") return;
    this.endedByHandler = true;
    this.#over = endedByHandler();
  }
}

/** The same store on another session, which tells nobody of what is not committed yet. */
function withSession(context: Context, session: Session): Context {
  const database = { ...session, written: (work: () => unknown) => work() };
  return {
    ...context,
    database: database as unknown as Context["database"],
    tellBehind: () => undefined,
    tasksAdded: () => undefined,
    tasksChanged: () => undefined,
    attemptsEnded: () => undefined,
  };
}

async function isDoneIn(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = work.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

function leaseLost({ taskId, fence }: TransactionRequest): DureError {
  return new DureError(
    "LEASE_LOST",
    `Attempt ${taskId}:${fence} is not this worker's any more, so it gets no transaction.`,
    { details: { taskId, fence } },
  );
}

function endedByHandler(): DureError {
  return unusable(
    "The handler ended the transaction of context.tx() itself (COMMIT, ROLLBACK or the like). It is Dure's to end: return to " +
      "commit, throw to roll back, and use a SAVEPOINT in between. What was committed so is stored, though the attempt failed.",
  );
}

function stillBusy(): DureError {
  return unusable(
    `A statement on context.tx() that the handler did not wait for went on for ${idleMsMax} ms after it. Await every statement.`,
  );
}

function aborted(cause?: unknown): DureError {
  return unusable(
    "A statement on context.tx() failed, and the handler went on as if it had not; PostgreSQL takes nothing more in that " +
      "transaction. Let the error end the handler, or put a SAVEPOINT before a statement that may fail.",
    { cause },
  );
}

const ownAttempt = onceOnly(
  "ownAttempt",
  `SELECT pg_current_xact_id()::text, pg_backend_pid(), EXISTS (SELECT 1 FROM :schema.tasks JOIN :schema.workers USING (worker)
      WHERE tasks.id = $1 AND tasks.fence = $2 AND tasks.status = 2 AND workers.id = $3 AND workers.state = 'alive'),
    CASE WHEN $4::text IS NOT NULL THEN set_config('idle_in_transaction_session_timeout', $4::text, true) END`,
);
const noteTransaction = onceOnly(
  "noteTransaction",
  "UPDATE :schema.tasks SET stored_in = pg_current_xact_id() WHERE id = $1 AND status = 3",
);
const currentTransaction = onceOnly("currentTransaction", "SELECT pg_current_xact_id_if_assigned()::text");
/** The transaction's id keeps it from ending whoever has the process number, or the pooled connection, now. */
const endBackend = statement(
  "endBackend",
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1 AND backend_xid::text = ($2::text::numeric % 4294967296)::text`,
);
const cancelStatement = statement("cancelStatement", "SELECT pg_cancel_backend($1)");
const lockTask = statement(
  "lockAttempt",
  `SELECT status, fence, (SELECT id FROM :schema.workers WHERE workers.worker = tasks.worker)
    FROM :schema.tasks WHERE id = $1 FOR UPDATE`,
);

/** Of a statement as drivers take it: a text, or an object with one. */
function isSavepoint(statement: unknown): boolean {
  const text = typeof statement === "string" ? statement : (statement as { text?: unknown } | null)?.text;
  return typeof text !== "string" || /savepoint/i.test(text);
}
