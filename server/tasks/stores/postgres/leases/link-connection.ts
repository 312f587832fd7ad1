/**
 * The lease thread's connection: made when it is first needed, watched, and replaced with growing waits when it is
 * lost or has gone silent. It listens as well, and `Hearing` tells whether that works.
 */
import type pg from "pg";
import { Hearing } from "../announcing/hearing.ts";
import { channelOf, isCheck } from "../announcing/notifier.ts";
import type { Database, ResultRow } from "../connections/database.ts";
import { isPreparedStatementTrouble, isReadOnly } from "../connections/postgres-errors.ts";
import { quoted, type Statement } from "../statement.ts";

const reconnectMsMin = 100;
const reconnectMsMax = 2_000;
/** A connection that carried nothing for so long is asked whether it is still there, */
const quietMs = 6_000;
const lookMs = 3_000;
/** and is replaced when it does not answer within this. */
const answerMs = 5_000;

/**
 * A beat comes every few seconds, and the server plans what is prepared anew five times before it keeps a plan. Set where the
 * session is this connection's own: a pooler, which would hand it to others with the setting on it, names another process.
 */
const keepPlans =
  "SELECT set_config('plan_cache_mode', 'force_generic_plan', false) WHERE pg_backend_pid() = $1";

export interface LinkConnectionParts {
  database: Database;
  /** Begins what this process notifies. */
  sender: string;
  /** Whether there is still something to be connected for. */
  isNeeded(): boolean;
  /** What a notification of another process said; undefined for whatever was said while nobody listened. */
  heard(payload: string | undefined): void;
  /** Has something notified on another connection, which must be heard here. */
  prove(): void;
  /** Whether notifications arrive; undefined while that is not known. */
  listening(works: boolean | undefined): void;
}

export class LinkConnection {
  readonly #parts: LinkConnectionParts;
  readonly #hearing: Hearing;
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #failures = 0;
  #reconnectTimer: NodeJS.Timeout | undefined;
  readonly #checkTimer: NodeJS.Timeout;
  #heardAt = 0;
  #named: boolean;
  #closed = false;

  constructor(parts: LinkConnectionParts) {
    this.#parts = parts;
    this.#hearing = new Hearing({
      prove: parts.prove,
      listening: parts.listening,
    });
    this.#named = parts.database.location.prepare !== "off";
    this.#checkTimer = setInterval(() => void this.#check(), lookMs);
  }

  /** Connects, if that is left to do; later, should it fail. */
  need(): void {
    this.#connect().catch(() => undefined);
  }

  /** @throws whatever the driver throws; the connection is then replaced */
  async query(statement: Statement, values: readonly unknown[]): Promise<ResultRow[]> {
    const client = await this.#connect();
    try {
      const rows = await this.#send(client, statement, values);
      this.#heardAt = performance.now();
      return rows;
    } catch (error) {
      if (isReadOnly(error)) this.#parts.database.tryNextHost();
      this.#lose(client);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#checkTimer);
    clearTimeout(this.#reconnectTimer);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #send(client: pg.Client, statement: Statement, values: readonly unknown[]): Promise<ResultRow[]> {
    const { name, text } = this.#parts.database.prepared(statement);
    const query = { text, values: values as unknown[], rowMode: "array" as const };
    if (!this.#named) return (await client.query(query)).rows;
    try {
      return (await client.query({ ...query, name })).rows;
    } catch (error) {
      if (!isPreparedStatementTrouble(error)) throw error;
      this.#named = false;
      return (await client.query(query)).rows;
    }
  }

  #connect(): Promise<pg.Client> {
    if (this.#client) return Promise.resolve(this.#client);
    if (this.#closed) return Promise.reject(new Error("The store was closed."));
    this.#connecting ??= this.#connectNow().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connectNow(): Promise<pg.Client> {
    const { database, heard } = this.#parts;
    const client = database.dedicated({ query_timeout: answerMs });
    client.on("error", () => this.#lose(client));
    client.on("end", () => this.#lose(client));
    client.on("notification", ({ payload }) => this.#hear(client, payload ?? ""));
    try {
      await client.connect();
      if (this.#named) await client.query(keepPlans, [processOf(client)]);
      if (database.location.listen) await this.#listen(client);
    } catch (error) {
      database.tryNextHost();
      void client.end().catch(() => undefined);
      this.#reconnectLater();
      throw error;
    }
    this.#client = client;
    this.#failures = 0;
    this.#heardAt = performance.now();
    heard(undefined);
    return client;
  }

  async #listen(client: pg.Client): Promise<void> {
    try {
      await client.query(`LISTEN ${quoted(channelOf(this.#parts.database.location.schema))}`);
      this.#hearing.begin();
    } catch (error) {
      // Refused by whatever stands between: then polling alone finds what is new.
      if ((error as { code?: string }).code === undefined) throw error;
      this.#hearing.refused();
    }
  }

  #hear(client: pg.Client, payload: string): void {
    if (client !== this.#client) return;
    this.#heardAt = performance.now();
    this.#hearing.heard();
    if (isCheck(payload) || payload.startsWith(`${this.#parts.sender} `)) return;
    this.#parts.heard(payload);
  }

  /** A network that drops everything in silence is found out by asking. */
  async #check(): Promise<void> {
    const client = this.#client;
    if (!client) return;
    this.#hearing.look();
    if (performance.now() - this.#heardAt < quietMs) return;
    try {
      await client.query("SELECT 1");
      this.#heardAt = performance.now();
    } catch {
      this.#lose(client);
    }
  }

  #lose(client: pg.Client): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    this.#hearing.end();
    // What a dead network keeps open is not waited for.
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    this.#reconnectLater();
  }

  #reconnectLater(): void {
    if (this.#closed) return;
    const waitMs = Math.min(reconnectMsMax, reconnectMsMin * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures = Math.min(this.#failures + 1, 10);
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => {
      if (this.#parts.isNeeded()) this.need();
    }, waitMs);
  }
}

/** The server's process, as whoever answered the connection named it. */
function processOf(client: pg.Client): number {
  return (client as unknown as { processID: number }).processID;
}
