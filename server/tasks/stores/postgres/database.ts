/**
 * The connections to one PostgreSQL: statements, transactions, and what to do when the server or the network fails.
 *
 * A verb is one statement wherever that is possible: one round trip, one commit, no session state, so that a pooler
 * in transaction mode may stand between. Before a statement is sent, a lost server is waited for, within a budget.
 * After it was sent nobody can know whether it was committed: ConnectionLost says so, and `written` makes `unknown`
 * of it.
 */
import type pg from "pg";
import { DureError } from "../../core/errors.ts";
import type { Written } from "../../core/store.ts";
import { CopyIn } from "./copy-in.ts";
import { Driver, queryTimeoutMs } from "./driver.ts";
import type { Location } from "./location.ts";
import {
  ConnectionLost,
  isConnectionLoss,
  isPreparedStatementTrouble,
  isReadOnly,
  isRetryable,
  isTimeout,
  NotSent,
  toDureError,
  wasNeverSent,
} from "./postgres-errors.ts";
import { PreparedTexts } from "./prepared-texts.ts";
import type { Behind, Statement } from "./statement.ts";
import { Turns } from "./turns.ts";

/** A result row: the columns in the order of the statement; int8 as number. */
export type ResultRow = any[];

/** Where statements go: the pool, or one transaction. */
export interface Session {
  query(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]>;
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
/** How long `close` waits for answers. */
const closeGraceMs = 5_000;
const retriesMax = 5;
const backoffMsMin = 50;
const backoffMsMax = 1_000;

/**
 * The planner guesses that a new table is large, and a server with JIT then compiles for a second what takes milliseconds to
 * run. No statement of ours is long enough to be worth it.
 */
const reading = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL jit = off"];

export class Database implements Session {
  readonly location: Location;
  /** Called for each new connection, before its first statement: its server may know less than the one before it did. */
  connected: () => void = () => undefined;
  readonly #texts: PreparedTexts;
  #driver: Driver | undefined;
  #pool: pg.Pool | undefined;
  readonly #turns: Turns;
  #prepare: boolean;
  #wasSmall = false;
  #closed = false;
  /** When each connection was last asked something that it answered; those never asked are new. */
  readonly #answeredAt = new WeakMap<pg.ClientBase, number>();
  /** When something was asked last that was never answered. A network that swallowed that has swallowed others. */
  #silentSince = Number.NEGATIVE_INFINITY;
  /** Connections that handlers have for their transactions, apart from those that claims and heartbeats need. */
  #lent: pg.Pool | undefined;
  #ended: Promise<void> | undefined;
  readonly #clients = new Set<pg.PoolClient>();
  /** Refuses those who wait for a connection. */
  readonly #connecting = new Set<() => void>();

  constructor(location: Location) {
    this.location = location;
    this.#texts = new PreparedTexts(location.schema);
    this.#turns = new Turns(location.poolSize - 1);
    this.#prepare = location.prepare !== "off";
  }

  /** @throws DureError DATABASE_UNAVAILABLE when the driver is not installed */
  async open(): Promise<void> {
    this.#driver = await Driver.load(this.location);
    this.#pool = this.#makePool(false);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ended ??= this.#end();
    await this.#ended;
  }

  /** What is under way is waited for, but not for a server that has fallen silent. */
  async #end(): Promise<void> {
    const cut = setTimeout(() => {
      for (const client of this.#clients) client.connection.stream.destroy();
    }, closeGraceMs);
    const ended = Promise.all([this.#pool?.end(), this.#lent?.end()]);
    for (const refuse of this.#connecting) refuse();
    await ended;
    clearTimeout(cut);
  }

  /** One statement that commits by itself. @throws ConnectionLost, DureError DATABASE_… */
  query(statement: Statement, values: readonly unknown[] = []): Promise<ResultRow[]> {
    return this.#alone(statement, values, stepTimeoutMs);
  }

  /** `query` with values that are made once the connection is there, with its help; if it is new, `connected` was called before. */
  queryWith(
    statement: Statement,
    values: (session: Session) => Promise<readonly unknown[]>,
    behind?: Behind,
  ): Promise<ResultRow[]> {
    return this.#retrying(() =>
      this.#once(async (client, hold) => {
        const send: Session["query"] = (statement, values = []) =>
          this.#send(client, statement, values, stepTimeoutMs);
        const answer = send(statement, await values({ query: send }));
        if (behind) hold(behind.sent(send(behind.statement, behind.values)));
        return answer;
      }),
    );
  }

  #alone(statement: Statement, values: readonly unknown[], timeoutMs: number): Promise<ResultRow[]> {
    return this.#retrying(() => this.#once((client) => this.#send(client, statement, values, timeoutMs)));
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
    return this.#retrying(() => this.#inTurn((client) => this.#transact(client, work, timeoutMs)));
  }

  /**
   * Several reads of one snapshot.
   * @param settings a statement that sets what holds for this transaction only
   * @throws DureError DATABASE_…
   */
  async snapshot<Value>(work: (session: Session) => Promise<Value>, settings = ""): Promise<Value> {
    const before = settings ? [...reading, settings] : reading;
    for (let losses = 1; ; losses += 1) {
      try {
        return await new Promise<Value>((resolve, reject) => {
          const look = (client: pg.PoolClient) => this.#look(client, work, before, resolve);
          this.#retrying(() => this.#inTurn(look)).catch(reject);
        });
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
      this.#lent ??= this.#makePool(true);
      const client = await this.#connect(this.#lent);
      try {
        const text = "BEGIN ISOLATION LEVEL READ COMMITTED";
        await client.query({ text, query_timeout: stepTimeoutMs } as pg.QueryConfig);
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
    const { types } = this.#driver!;
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
    return this.#driver!.makeClient(options);
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
  #inTurn<Value>(work: (client: pg.PoolClient) => Promise<Value>): Promise<Value> {
    const late = () => new NotSent(new Error("All connections of the pool are in use: timeout expired"));
    return this.#turns.while(() => this.#once(work), queryTimeoutMs, late);
  }

  /** Runs `work` on a connection of the pool; one that is of no more use leaves the pool. @param work may `hold` it for longer */
  async #once<Value>(
    work: (client: pg.PoolClient, hold: (until: Promise<unknown>) => void) => Promise<Value>,
  ): Promise<Value> {
    const client = await this.#connect(this.#pool);
    const askedAt = performance.now();
    let broken = false;
    let held: Promise<boolean> | undefined;
    const hold = (until: Promise<unknown>) => {
      held = until.then(() => false, isConnectionLoss);
    };
    try {
      const value = await work(client, hold);
      this.#answeredAt.set(client, askedAt);
      return value;
    } catch (error) {
      if (isTimeout(error instanceof NotSent ? error.cause : error)) this.#silentSince = askedAt;
      broken = isConnectionLoss(error) || error instanceof NotSent || isReadOnly(error);
      if (isReadOnly(error)) this.tryNextHost();
      if (isReadOnly(error) && this.location.connectionStrings.length > 1) throw new NotSent(error);
      if (wasNeverSent(error)) throw new NotSent(error);
      if (isConnectionLoss(error) && !(error instanceof ConnectionLost)) {
        throw new ConnectionLost("The connection was lost before the answer came.", { cause: error });
      }
      throw error;
    } finally {
      if (held) void held.then((lost) => client.release(broken || lost));
      else client.release(broken);
    }
  }

  async #connect(pool: pg.Pool | undefined): Promise<pg.PoolClient> {
    if (!pool) throw new DureError("DATABASE_UNAVAILABLE", `${this.location.shown} is not open.`);
    try {
      for (;;) {
        const client = await this.#clientOf(pool);
        if ((this.#answeredAt.get(client) ?? Number.POSITIVE_INFINITY) >= this.#silentSince) return client;
        client.release(true);
      }
    } catch (error) {
      this.tryNextHost();
      // Refused for a reason that waiting does not mend: a wrong password, no such database.
      if (!isConnectionLoss(error) && !isReadOnly(error) && (error as { code?: string }).code !== "53300")
        throw error;
      throw new NotSent(error);
    }
  }

  /** The pool forgets who waits for a connection when it ends; they are told here. */
  #clientOf(pool: pg.Pool): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      let isRefused = false;
      const refuse = () => {
        isRefused = true;
        reject(new Error("The pool was closed."));
      };
      this.#connecting.add(refuse);
      pool
        .connect()
        .then((client) => (isRefused ? client.release() : resolve(client)), reject)
        .finally(() => this.#connecting.delete(refuse));
    });
  }

  async #send(
    client: pg.ClientBase,
    statement: Statement,
    values: readonly unknown[],
    timeoutMs: number,
    before: readonly string[] = [],
  ): Promise<ResultRow[]> {
    const { name, text } = this.prepared(statement);
    const plain = { text, values: values as unknown[], rowMode: "array" as const, query_timeout: timeoutMs };
    const isNamed = this.#prepare && this.#texts.isWorthIt(statement);
    const query = isNamed ? { ...plain, name } : plain;
    try {
      return (
        await (before.length > 0 ? this.#driver!.queryAfter(client, before, query) : client.query(query))
      ).rows;
    } catch (error) {
      if (!isNamed || this.location.prepare === "on" || !isPreparedStatementTrouble(error)) throw error;
      // It was refused before it did anything, and so was the transaction that it may be part of.
      this.#prepare = false;
      throw new NotSent(error);
    }
  }

  /** Begins together with the first question, and gives out the value before it ends. */
  async #look<Value>(
    client: pg.ClientBase,
    work: (session: Session) => Promise<Value>,
    before: readonly string[],
    give: (value: Value) => void,
  ): Promise<void> {
    let isOpen = false;
    const query: Session["query"] = (statement, values = []) => {
      const sent = this.#send(client, statement, values, queryTimeoutMs, isOpen ? [] : before);
      isOpen = true;
      return sent;
    };
    try {
      give(await work({ query }));
    } catch (error) {
      if (isConnectionLoss(error)) throw new NotSent(error);
      if (isOpen) await client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
    if (!isOpen) return;
    await client.query("COMMIT").catch((cause) => {
      // The next one must not go on in it.
      throw new ConnectionLost("The end of a transaction was not answered.", { cause });
    });
  }

  async #transact<Value>(
    client: pg.ClientBase,
    work: (session: OpenTransaction) => Promise<Value>,
    timeoutMs: number,
  ): Promise<Value> {
    let value: Value;
    try {
      await client.query("BEGIN");
      value = await work({
        query: (statement, values = []) => this.#send(client, statement, values, timeoutMs),
        copy: (statement) => client.query(new CopyIn(this.prepared(statement).text, timeoutMs)),
      });
    } catch (error) {
      // Nothing was committed, so a connection that was lost here may be replaced and the work done again.
      if (isConnectionLoss(error)) throw new NotSent(error);
      await client.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
    await client.query("COMMIT");
    return value;
  }

  /** The host of the latest connection is of no use at the moment. */
  tryNextHost(): void {
    this.#driver!.tryNextHost();
  }

  #makePool(lent: boolean): pg.Pool {
    return this.#driver!.makePool({
      max: this.location.poolSize,
      lent,
      onConnect: (client) => {
        this.#clients.add(client);
        this.connected();
        client.on("end", () => this.#clients.delete(client));
      },
    });
  }
}
