/** The driver, `pg`, loaded when it is needed, and how connections are made with it: to which host, with which settings. */
import type pg from "pg";
import { DureError } from "../../../core/errors.ts";
import { ask } from "./ask.ts";
import { type AtOnce, makeAtOnce } from "./at-once.ts";
import type { Location } from "./location.ts";

const connectTimeoutMs = 3_000;
/** No statement of ours takes so long; a connection that does not answer for longer is dead. */
export const queryTimeoutMs = 30_000;
const idleMs = 30_000;
const int8 = 20;

export interface PoolOptions {
  /** Connections at most. */
  max: number;
  /** For handlers: numbers come as the driver reads them by itself, and nothing is given up after some time. */
  lent?: boolean;
  onConnect(client: pg.PoolClient): void;
}

export class Driver {
  readonly atOnce: AtOnce;
  /** Whether statements can be sent before those ahead of them are answered; an older driver cannot. */
  readonly pipelines: boolean;
  readonly #pg: typeof pg;
  readonly #location: Location;
  #host = 0;

  private constructor(driver: typeof pg, location: Location) {
    this.pipelines = "pipeline" in new driver.Client();
    this.#pg = driver;
    this.#location = location;
    this.atOnce = makeAtOnce(this.types);
  }

  /** @throws DureError DATABASE_UNAVAILABLE when the driver is not installed */
  static async load(location: Location): Promise<Driver> {
    try {
      return new Driver((await import("pg")).default, location);
    } catch (error) {
      throw new DureError(
        "DATABASE_UNAVAILABLE",
        `A PostgreSQL database needs the package "pg", which is not installed. Run: npm install pg`,
        { cause: error },
      );
    }
  }

  /** Numbers as the store reads them: int8 as number. */
  get types(): pg.CustomTypesConfig {
    const { types } = this.#pg;
    return {
      getTypeParser: (oid: number, format?: any) =>
        oid === int8 ? Number : types.getTypeParser(oid, format),
    } as pg.CustomTypesConfig;
  }

  makePool({ max, lent = false, onConnect }: PoolOptions): pg.Pool {
    const next = () => this.#connectionString();
    class HostClient extends this.#pg.Client {
      constructor(config?: pg.ClientConfig) {
        super({ ...config, connectionTimeoutMillis: connectTimeoutMs, connectionString: next() });
      }
    }
    const pool = new this.#pg.Pool({
      ...this.#config(),
      // For its turn a statement may wait as long as for its answer; a connection is made sooner or not at all.
      connectionTimeoutMillis: queryTimeoutMs,
      ...(lent && { connectionTimeoutMillis: 0, types: this.#pg.types }),
      max,
      Client: HostClient,
      allowExitOnIdle: true,
      idleTimeoutMillis: idleMs,
      ...(this.#location.connectionStrings.length > 1 && { verify: refuseStandby }),
    } as pg.PoolConfig);
    // What a lost connection means is told to whoever uses it; an idle one is simply replaced.
    pool.on("error", () => undefined);
    pool.on("connect", (client) => {
      client.on("error", () => undefined);
      onConnect(client);
    });
    return pool;
  }

  /** A connection of its own, not yet connected. */
  makeClient(options: pg.ClientConfig): pg.Client {
    const own = { connectionString: this.#connectionString(), query_timeout: queryTimeoutMs };
    return new this.#pg.Client({ ...this.#config(), ...own, ...options });
  }

  /** The host of the latest connection is of no use at the moment. */
  tryNextHost(): void {
    this.#host += 1;
  }

  #connectionString(): string {
    const { connectionStrings } = this.#location;
    return connectionStrings[this.#host % connectionStrings.length]!;
  }

  #config(): pg.ClientConfig {
    return {
      application_name: "dure",
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: connectTimeoutMs,
      types: this.types,
    };
  }
}

/**
 * Statements sent together, each a transaction of its own unless one is open: the server begins the next when the one before is over, and
 * does not wait until its answer has been here. They go out in one write; one each took a fifteenth of the process's time for a page by an
 * attribute. An older driver knows no pipeline, and sends the next after that answer.
 * @returns what was asked, and when all are over
 */
export function inOneGo<Asked extends readonly Promise<unknown>[]>(
  client: pg.ClientBase,
  ask: () => Asked,
): { asked: Asked; ended: Promise<unknown> } {
  const mode = client as unknown as { pipeline: boolean; connection: pg.Connection };
  const { stream } = mode.connection;
  mode.pipeline = true;
  stream.cork();
  let asked: Asked;
  try {
    asked = ask();
  } finally {
    stream.uncork();
  }
  const ended = Promise.allSettled(asked).then(() => {
    mode.pipeline = false;
  });
  return { asked, ended };
}

/** COMMIT on a connection that was lent; an aborted transaction is an error here, not a rollback that looks like success. */
export async function commit(client: pg.ClientBase): Promise<void> {
  const { command } = await client.query({
    text: "COMMIT",
    query_timeout: queryTimeoutMs,
  } as pg.QueryConfig);
  if (command !== "COMMIT") throw Object.assign(new Error("The transaction was aborted."), { code: "25P02" });
}

/** Among several hosts only one takes writes. */
function refuseStandby(client: pg.ClientBase, done: (error?: Error) => void): void {
  const text = "SELECT 1 WHERE pg_is_in_recovery()";
  ask(client, { text }, queryTimeoutMs).then(
    ({ rows }) =>
      rows.length > 0 ? done(Object.assign(new Error("This host is a standby."), { code: "25006" })) : done(),
    done,
  );
}
