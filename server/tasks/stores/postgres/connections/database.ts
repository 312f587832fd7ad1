/**
 * Statements and transactions on one PostgreSQL, and what to do when the server or the network fails; connections.ts has the connections.
 *
 * A verb is one statement wherever that is possible: one round trip, one commit, no session state, so that a pooler
 * in transaction mode may stand between. Before a statement is sent, a lost server is waited for, within a budget.
 * After it was sent nobody can know whether it was committed: ConnectionLost says so, and `written` makes `unknown`
 * of it.
 */
import type pg from "pg";
import { DureError } from "../../../core/errors.ts";
import type { Written } from "../../../core/store.ts";
import { CopyIn } from "../copy-in.ts";
import { type Behind, onDisk, type Statement } from "../statement.ts";
import { ask } from "./ask.ts";
import { Connections } from "./connections.ts";
import { Drain } from "./drain.ts";
import { inOneGo, queryTimeoutMs } from "./driver.ts";
import type { Location } from "./location.ts";
import { type Planning, planningFreely } from "./planning.ts";
import {
  ConnectionLost,
  isConnectionLoss,
  isPreparedStatementTrouble,
  isRetryable,
  NotSent,
  toDureError,
} from "./postgres-errors.ts";
import { PreparedTexts } from "./prepared-texts.ts";
import { Rehearsal, type Rehearsed } from "./rehearsal.ts";
import {
  type Asked,
  OpenSnapshot,
  type ResultRow,
  type Session,
  type Snapshot,
  SnapshotOver,
} from "./snapshot.ts";
import { Turns } from "./turns.ts";

export type { ResultRow, Session, Settings, Snapshot } from "./snapshot.ts";

/** All answers, and not before all are over: what was sent together ends together. */
export async function allOver<Asked extends readonly unknown[]>(
  asked: readonly [...{ [Place in keyof Asked]: Promise<Asked[Place]> }],
): Promise<Asked> {
  await Promise.allSettled(asked);
  return (await Promise.all(asked)) as unknown as Asked;
}

/** A transaction that is open. */
export interface OpenTransaction extends Session {
  /** Begins a statement that ends in FROM STDIN, and takes rows in the text format of COPY (`copyLine`). */
  copy(statement: Statement): CopyIn;
}

/** How long a call waits for a server that cannot be reached. */
const connectBudgetMs = 5_000;
/** A worker's own steps are short, and it does nothing while it waits for one. */
const stepTimeoutMs = 10_000;
const retriesMax = 5;
const backoffMsMin = 50;
const backoffMsMax = 1_000;

// Each statement is to see what was committed before it, whatever the role's default is.
const begin = { text: "BEGIN ISOLATION LEVEL READ COMMITTED" };
const commit = { text: "COMMIT" };
const rollback = { text: "ROLLBACK" };

interface Looking {
  plan: Planning;
  /** Whether it ends with what is said to be last. */
  mayEnd: boolean;
  hold(until: Promise<unknown>): void;
}

export class Database implements Session {
  readonly location: Location;
  /** For what changes nothing: as `read`. */
  readonly reading: Session = { query: (statement, values) => this.read(statement, values) };
  readonly drain = new Drain();
  /** Called for each new connection, before its first statement: its server may know less than the one before it did. */
  connected: () => void = () => undefined;
  /** Of the texts of searches. */
  readonly rehearsal: Rehearsal;
  readonly #connections: Connections;
  readonly #texts: PreparedTexts;
  readonly #turns: Turns;
  #prepare: boolean;
  #wasSmall = false;
  #closed = false;

  constructor(location: Location) {
    this.location = location;
    this.#connections = new Connections(location, this.drain, () => this.connected());
    this.#texts = new PreparedTexts(location.schema);
    this.#turns = new Turns(location.poolSize - 1);
    this.#prepare = location.prepare !== "off";
    this.rehearsal = new Rehearsal({
      // Plans of a small table are not used for long.
      isWanted: () => this.#prepare && !this.#wasSmall && !this.#connections.hasReady,
      open: (work) =>
        this.#connections.ready((client, goesOn) => work((one) => this.#rehearse(client, one), goesOn)),
    });
  }

  /** @throws DureError DATABASE_UNAVAILABLE when the driver is not installed */
  open(): Promise<void> {
    return this.#connections.open();
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#connections.close();
  }

  /** One statement that commits by itself. @throws ConnectionLost, DureError DATABASE_… */
  query(statement: Statement, values: readonly unknown[] = []): Promise<ResultRow[]> {
    return this.#alone(statement, values, stepTimeoutMs);
  }

  /** `query` with values that are made once the connection is there, with its help; if it is new, `connected` was called before. */
  queryWith(
    statement: Statement,
    values: (session: Session, number?: string) => Promise<readonly unknown[]>,
    behind?: Behind,
  ): Promise<ResultRow[]> {
    return this.#retrying(() =>
      this.#connections.use(async (client, hold) => {
        const send: Session["query"] = (statement, values = []) =>
          this.#send(client, statement, values, stepTimeoutMs);
        const known = await values({ query: send }, behind?.ahead?.number);
        if (!behind) return send(statement, known);
        const ahead = this.#connections.driver.pipelines ? behind.ahead : undefined;
        const { asked, ended } = inOneGo(client, () => {
          // That the connection was lost the others tell.
          if (ahead) send(ahead.statement, ahead.values).catch(ahead.failed);
          const both = [send(statement, known), send(behind.statement, behind.values)];
          return behind.isHasty ? [...both, send(onDisk)] : both;
        });
        hold(behind.sent(ended.then(() => asked[1])));
        return this.#durably(asked[0]!, asked[2], behind);
      }),
    );
  }

  /** What was answered, once it is on the disk. */
  async #durably(
    asked: Promise<ResultRow[]>,
    stored: Promise<unknown> | undefined,
    { ahead }: Behind,
  ): Promise<ResultRow[]> {
    const rows = await asked;
    try {
      await stored;
    } catch (cause) {
      ahead?.failed();
      throw new ConnectionLost("A write was done, and nobody knows whether it is on the disk.", { cause });
    }
    return rows;
  }

  /**
   * Two statements that are sent together, and commit each by itself: the second does not depend on what becomes of the first,
   * whose rows are undefined when it failed. @throws ConnectionLost, DureError DATABASE_…, of the second
   */
  queryBoth(
    first: Parameters<Database["query"]>,
    second: Parameters<Database["query"]>,
  ): Promise<[ResultRow[] | undefined, ResultRow[]]> {
    return this.#retrying(() =>
      this.#connections.use(async (client) => {
        const send = ([statement, values = []]: Parameters<Database["query"]>) =>
          this.#send(client, statement, values, stepTimeoutMs);
        const { asked, ended } = inOneGo(client, () => [send(first), send(second)] as const);
        await ended;
        return [await asked[0].catch(() => undefined), await asked[1]];
      }),
    );
  }

  #alone(statement: Statement, values: readonly unknown[], timeoutMs: number): Promise<ResultRow[]> {
    return this.#retrying(() =>
      this.#connections.use((client) => this.#send(client, statement, values, timeoutMs)),
    );
  }

  /** One statement that changes nothing, so it is sent again when its connection is lost. @throws DureError DATABASE_… */
  async read(statement: Statement, values: readonly unknown[] = []): Promise<ResultRow[]> {
    for (let losses = 1; ; losses += 1) {
      try {
        return await this.#alone(statement, values, queryTimeoutMs);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (losses === retriesMax) throw toDureError(error, this.location.shown);
      }
    }
  }

  /** A transaction; `work` may run more than once. @throws ConnectionLost when the commit's answer was lost, DureError DATABASE_… */
  transaction<Value>(
    work: (session: OpenTransaction) => Promise<Value>,
    timeoutMs = queryTimeoutMs,
  ): Promise<Value> {
    const transact = () => this.#connections.use((client) => this.#transact(client, work, timeoutMs));
    return this.#retrying(() => this.#inTurn(transact));
  }

  /**
   * Several reads of one snapshot. `work` may run more than once.
   * @param plan what holds for this transaction only
   * @throws DureError DATABASE_…
   */
  async snapshot<Value>(work: (session: Snapshot) => Promise<Value>, plan = planningFreely): Promise<Value> {
    const look = () =>
      this.#connections.read(async (client, hold) => {
        try {
          return await this.#look(client, work, { plan, mayEnd: true, hold });
        } catch (error) {
          if (!(error instanceof SnapshotOver)) throw error;
          return await this.#look(client, work, { plan, mayEnd: false, hold });
        }
      });
    for (let losses = 1; ; losses += 1) {
      try {
        return await this.#retrying(() => this.#inTurn(look));
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (losses === retriesMax) throw toDureError(error, this.location.shown);
      }
    }
  }

  /**
   * A connection with a transaction open, for as long as a handler takes; waits while all of them are out. Numbers come as
   * the driver reads them by itself. The caller ends the transaction and releases the connection.
   */
  begin(): Promise<pg.PoolClient> {
    return this.#retrying(async () => {
      const client = await this.#connections.lend();
      try {
        await client.query({ ...begin, query_timeout: stepTimeoutMs } as pg.QueryConfig);
        return client;
      } catch (error) {
        client.release(true);
        throw isConnectionLoss(error) ? new NotSent(error) : error;
      }
    });
  }

  /** The DureError of an error met on a connection that was lent. */
  explain(error: unknown): DureError {
    return toDureError(error, this.location.shown);
  }

  /** Statements of ours on a connection that was lent. */
  on(client: pg.ClientBase): Session {
    const { types } = this.#connections.driver;
    return {
      query: async (statement, values = []) => {
        const { text } = this.prepared(statement);
        const query = {
          text,
          values: values as unknown[],
          rowMode: "array" as const,
          types,
          query_timeout: stepTimeoutMs,
        };
        return (await client.query(query)).rows;
      },
    };
  }

  /** A connection of its own, outside the pool, not yet connected; the caller ends it. */
  dedicated(options: pg.ClientConfig = {}): pg.Client {
    return this.#connections.driver.makeClient(options);
  }

  /**
   * Does work again when its answer was lost. For work that may be done twice: what is named by an id of the caller's is
   * met the second time, and never stored twice. @throws ConnectionLost when it was lost time and again
   */
  async surely<Value>(work: () => Promise<Value>): Promise<Value> {
    for (let losses = 1; ; losses += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConnectionLost) || losses === retriesMax) throw error;
      }
    }
  }

  /** A step that was done, refused, or that nobody knows of. */
  async written<Value, Reason extends string>(
    work: () => Promise<Written<Value, Reason>>,
  ): Promise<Written<Value, Reason>> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ConnectionLost) return { kind: "unknown", cause: error };
      throw error;
    }
  }

  /** The statement as the driver takes it; for those who have a client of their own. */
  prepared(statement: Statement): { name: string; text: string } {
    return this.#texts.of(statement);
  }

  /**
   * Says how large the table of tasks is. A plan that was made while it was small reads all of it, and the server keeps
   * such a plan until the table is analysed, a minute later; so a table that grew gets plans of its own.
   */
  sawTaskTable(isSmall: boolean): void {
    if (this.#wasSmall && !isSmall) this.#texts.startOver();
    this.#wasSmall = isSmall;
  }

  async #retrying<Value>(work: () => Promise<Value>): Promise<Value> {
    const giveUpAt = performance.now() + connectBudgetMs;
    for (let failures = 0; ; failures += 1) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof ConnectionLost || error instanceof DureError) throw error;
        const again = isRetryable(error)
          ? failures < retriesMax
          : error instanceof NotSent && performance.now() < giveUpAt;
        if (!again || this.#closed) throw this.#failure(error);
        const waitMs = Math.min(backoffMsMax, backoffMsMin * 2 ** failures) * (0.5 + Math.random() / 2);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #failure(error: unknown): Error {
    if (this.#closed) {
      return new DureError(
        "INSTANCE_CLOSED",
        `${this.location.shown} was closed by this process; make a new instance.`,
      );
    }
    return toDureError(error instanceof NotSent ? error.cause : error, this.location.shown);
  }

  /** A transaction may ask something on another connection before it ends. */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const late = () => new NotSent(new Error("All connections of the pool are in use: timeout expired"));
    return this.#turns.while(work, queryTimeoutMs, late);
  }

  async #send(
    client: pg.ClientBase,
    statement: Statement,
    values: readonly unknown[],
    timeoutMs: number,
  ): Promise<ResultRow[]> {
    const { name, text } = this.#sent(statement);
    const plain = { text, values: values as unknown[], rowMode: "array" as const };
    const query = name === undefined ? plain : { ...plain, name };
    return this.#refused(name !== undefined, async () => (await ask(client, query, timeoutMs)).rows);
  }

  #sendAtOnce(client: pg.ClientBase, asked: readonly Asked[]): Promise<ResultRow[][]> {
    const sent = asked.map((one) => ({ ...this.#sent(one.statement), ...one }));
    const isNamed = sent.some(({ name }) => name !== undefined);
    return this.#refused(isNamed, () => this.#connections.driver.atOnce(client, sent, queryTimeoutMs));
  }

  /** With a name only where it is to be prepared. */
  #sent(statement: Statement): { name?: string; text: string } {
    const { name, text } = this.prepared(statement);
    return this.#prepare && this.#texts.isWorthIt(statement) ? { name, text } : { text };
  }

  /** Goes without prepared statements once the server, or who stands before it, does not know one. */
  async #refused<Value>(isNamed: boolean, send: () => Promise<Value>): Promise<Value> {
    try {
      return await send();
    } catch (error) {
      if (!isNamed || this.location.prepare === "on" || !isPreparedStatementTrouble(error)) throw error;
      // It was refused before it did anything, and so was the transaction that it may be part of.
      this.#prepare = false;
      throw new NotSent(error);
    }
  }

  /** Nobody waits for the end of the transaction; the connection does. */
  async #look<Value>(
    client: pg.ClientBase,
    work: (session: Snapshot) => Promise<Value>,
    { plan, mayEnd, hold }: Looking,
  ): Promise<Value> {
    const snapshot = new OpenSnapshot((asked) => this.#sendAtOnce(client, asked), plan, mayEnd);
    let value: Value;
    try {
      value = await work(snapshot);
    } catch (error) {
      if (isConnectionLoss(error)) throw new NotSent(error);
      if (snapshot.isOpen) await ask(client, rollback, queryTimeoutMs).catch(() => undefined);
      throw error;
    }
    if (!snapshot.isOpen) return value;
    const ended = ask(client, commit, queryTimeoutMs).catch((cause) => {
      // The next one must not go on in it.
      throw new ConnectionLost("The end of a transaction was not answered.", { cause });
    });
    hold(ended);
    return value;
  }

  async #rehearse(client: pg.PoolClient, { statement, values, planning: plan }: Rehearsed): Promise<void> {
    const ask = (session: Snapshot) =>
      session.inOneGo(
        () => [session.query(statement, values)],
        () => true,
      );
    await this.#look(client, ask, { plan, mayEnd: true, hold: () => undefined });
  }

  async #transact<Value>(
    client: pg.ClientBase,
    work: (session: OpenTransaction) => Promise<Value>,
    timeoutMs: number,
  ): Promise<Value> {
    let value: Value;
    try {
      await ask(client, begin, timeoutMs);
      value = await work({
        query: (statement, values = []) => this.#send(client, statement, values, timeoutMs),
        copy: (statement) => client.query(new CopyIn(this.prepared(statement).text, timeoutMs)),
      });
    } catch (error) {
      // Nothing was committed, so a connection that was lost here may be replaced and the work done again.
      if (isConnectionLoss(error)) throw new NotSent(error);
      await ask(client, rollback, timeoutMs).catch(() => undefined);
      throw error;
    }
    await ask(client, commit, timeoutMs);
    return value;
  }

  /** The host of the latest connection is of no use at the moment. */
  tryNextHost(): void {
    this.#connections.tryNextHost();
  }
}
