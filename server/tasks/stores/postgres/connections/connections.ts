/**
 * The connections of one process: a pool for statements, and one for transactions that handlers hold. One that was lost, or went
 * silent, leaves its pool; what that means for the work on it is told by the error: ConnectionLost when nobody can know whether
 * it was done, NotSent when it was not.
 */
import type pg from "pg";
import { DureError } from "../../../core/errors.ts";
import type { Drain } from "./drain.ts";
import { Driver } from "./driver.ts";
import { type KeptClient, KeptConnections } from "./kept-connections.ts";
import type { Location } from "./location.ts";
import {
  ConnectionLost,
  isConnectionLoss,
  isReadOnly,
  isTimeout,
  NotSent,
  wasNeverSent,
} from "./postgres-errors.ts";
import { Sends } from "./sends.ts";

/** How long `close` waits for answers. */
const closeGraceMs = 5_000;
/** While more of the pool's connections are out, none is taken to be made ready. */
const sparedShare = 0.4;

/** May `hold` its connection until something has ended. */
type Work<Value> = (client: pg.PoolClient, hold: (until: Promise<unknown>) => void) => Promise<Value>;

export class Connections {
  readonly #location: Location;
  readonly #onConnect: () => void;
  #driver: Driver | undefined;
  #pool: pg.Pool | undefined;
  /** Connections that handlers have for their transactions, apart from those that claims and heartbeats need. */
  #lent: pg.Pool | undefined;
  /** When each connection was last asked something that it answered; those never asked are new. */
  readonly #answeredAt = new WeakMap<pg.ClientBase, number>();
  /** When something was asked last that was never answered. A network that swallowed that has swallowed others. */
  #silentSince = Number.NEGATIVE_INFINITY;
  #ended: Promise<void> | undefined;
  readonly #clients = new Set<pg.PoolClient>();
  readonly #kept = new KeptConnections();
  readonly #sends: Sends;
  /** Refuses those who wait for a connection. */
  readonly #connecting = new Set<() => void>();

  /** @param onConnect called for each new connection, before its first statement */
  constructor(location: Location, drain: Drain, onConnect: () => void) {
    this.#location = location;
    this.#sends = new Sends(drain);
    this.#onConnect = onConnect;
  }

  /** Of an open store. */
  get driver(): Driver {
    return this.#driver!;
  }

  /** @throws DureError DATABASE_UNAVAILABLE when the driver is not installed */
  async open(): Promise<void> {
    this.#driver = await Driver.load(this.#location);
    this.#pool = this.#makePool(false);
  }

  close(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  /** What is under way is waited for, but not for a server that has fallen silent. */
  async #end(): Promise<void> {
    const cut = setTimeout(() => {
      for (const client of this.#clients) client.connection.stream.destroy();
    }, closeGraceMs);
    this.#kept.end();
    const ended = Promise.all([this.#pool?.end(), this.#lent?.end()]);
    for (const refuse of this.#connecting) refuse();
    await ended;
    clearTimeout(cut);
  }

  /** A connection that is kept for as long as a handler takes; waits while all of them are out. The caller releases it. */
  lend(): Promise<pg.PoolClient> {
    this.#lent ??= this.#makePool(true);
    return this.#take(this.#lent);
  }

  /** Runs `work` on a connection of the pool; one that is of no more use leaves the pool. @param work may `hold` it for longer */
  async use<Value>(work: Work<Value>): Promise<Value> {
    const taken = await this.#take(this.#pool);
    await this.#sends.turn();
    return this.#on(taken, work, ({ client, broken, held }) => {
      if (held) void held.then((lost) => client.release(broken || lost));
      else client.release(broken);
    });
  }

  /** `use` for what only reads: on the connection that was read on before, even while that is held. */
  async read<Value>(work: Work<Value>): Promise<Value> {
    const taken = await this.#take(this.#pool, true);
    await this.#sends.turn();
    return this.#on(taken, work, ({ client, broken, held }) => {
      const ended = held ?? Promise.resolve(false);
      const isWaitedFor = (this.#pool?.waitingCount ?? 0) > 0;
      if (broken || this.#kept.isLost(client)) client.release(true);
      else if (isWaitedFor || !this.#kept.keep(client, ended)) {
        this.#kept.leave(client);
        void ended.then((lost) => client.release(lost));
      }
    });
  }

  /** Whether one was made ready, and is kept. */
  get hasReady(): boolean {
    return this.#kept.hasReady;
  }

  /**
   * Has `work` make a connection ready for reads, if the pool has one to spare; it is asked before others from then on.
   * @param work is told whether to go on, and answers whether it is ready
   */
  async ready(work: (client: pg.PoolClient, goesOn: () => boolean) => Promise<boolean>): Promise<void> {
    const pool = this.#pool;
    const mayTake = () => !this.#ended && pool !== undefined && pool.waitingCount === 0;
    if (!pool || !mayTake() || pool.totalCount - pool.idleCount > this.#location.poolSize * sparedShare)
      return;
    const client = await this.#take(pool);
    let [isReady, isBroken] = [false, true];
    try {
      // No process stays alive for it.
      (client as KeptClient).unref();
      isReady = await work(client, mayTake);
      isBroken = false;
    } finally {
      (client as KeptClient).ref();
      if (isReady) this.#kept.madeReady(client);
      if (!isReady || !this.#kept.keep(client, Promise.resolve(false))) {
        this.#kept.leave(client);
        client.release(isBroken);
      }
    }
  }

  async #on<Value>(
    client: pg.PoolClient,
    work: Work<Value>,
    end: (used: { client: pg.PoolClient; broken: boolean; held: Promise<boolean> | undefined }) => void,
  ): Promise<Value> {
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
      if (isReadOnly(error) && this.#location.connectionStrings.length > 1) throw new NotSent(error);
      if (wasNeverSent(error)) throw new NotSent(error);
      if (isConnectionLoss(error) && !(error instanceof ConnectionLost)) {
        throw new ConnectionLost("The connection was lost before the answer came.", { cause: error });
      }
      throw error;
    } finally {
      end({ client, broken, held });
    }
  }

  /** @param reads whether it is for what only reads */
  async #take(pool: pg.Pool | undefined, reads = false): Promise<pg.PoolClient> {
    if (!pool) throw new DureError("DATABASE_UNAVAILABLE", `${this.#location.shown} is not open.`);
    try {
      for (;;) {
        const client = this.#keptOf(pool, reads) ?? (await this.#clientOf(pool));
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

  #keptOf(pool: pg.Pool, reads: boolean): pg.PoolClient | undefined {
    const isLeft = pool !== this.#pool || pool.idleCount > 0 || pool.totalCount < this.#location.poolSize;
    if (reads) return this.#kept.take();
    return isLeft ? undefined : this.#kept.giveUp();
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

  /** The host of the latest connection is of no use at the moment. */
  tryNextHost(): void {
    this.driver.tryNextHost();
  }

  #makePool(lent: boolean): pg.Pool {
    return this.driver.makePool({
      max: this.#location.poolSize,
      lent,
      onConnect: (client) => {
        this.#clients.add(client);
        this.#onConnect();
        client.on("end", () => {
          this.#clients.delete(client);
          this.#kept.lose(client);
        });
      },
    });
  }
}
