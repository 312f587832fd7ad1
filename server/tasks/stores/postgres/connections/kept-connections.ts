/**
 * Connections that reads come back to. Each connection plans every text anew, which takes longer than most pages do, and the
 * first ones on a new connection three times as long; so questions that come one after another are asked on the same one, and
 * some stay open for longer than others do; one that was made ready for them (rehearsal.ts) is asked first. They are of the pool, out of its hands meanwhile: where it has no other left, whoever
 * wants one takes one of these.
 */
import type pg from "pg";

/** Of each process; further ones go back to the pool. */
const keptMax = 3;
/** So long one stays open without being asked anything, in milliseconds. */
const idleMs = 300_000;

/** What waits keeps no process alive. */
export type KeptClient = pg.PoolClient & { ref(): void; unref(): void };

interface Kept {
  client: KeptClient;
  timer: NodeJS.Timeout;
  /** Whether it was lost in the end of what it was used for. */
  ended: Promise<boolean>;
}

export class KeptConnections {
  /** The last one is the one that was used last, behind them those that were made ready. */
  readonly #idle: Kept[] = [];
  readonly #lost = new WeakSet<pg.ClientBase>();
  /** Those that were made ready, whoever has them, until they are released. */
  readonly #ready = new Set<pg.PoolClient>();
  #isEnded = false;

  /** One that waits, or ends what it was used for: what is asked next is sent behind that. */
  take(): pg.PoolClient | undefined {
    return this.#taken(this.#idle.pop());
  }

  /** The one that waited longest, for whoever wants any: the pool has it from then on. */
  giveUp(): pg.PoolClient | undefined {
    const client = this.#taken(this.#idle.shift());
    if (client) this.leave(client);
    return client;
  }

  #taken(kept: Kept | undefined): pg.PoolClient | undefined {
    if (!kept) return undefined;
    clearTimeout(kept.timer);
    kept.client.ref();
    return kept.client;
  }

  get hasReady(): boolean {
    return this.#ready.size > 0;
  }

  /** It is asked before others, as long as it is kept. */
  madeReady(client: pg.PoolClient): void {
    if (!this.#lost.has(client)) this.#ready.add(client);
  }

  /** Whether it is kept; else the caller releases it when that has ended. @param ended whether it was lost */
  keep(client: pg.PoolClient, ended: Promise<boolean>): boolean {
    const isReady = this.#ready.has(client);
    if (isReady && this.#idle.length >= keptMax) this.#release(this.#idle[0]!.client);
    if (this.#isEnded || this.#lost.has(client) || this.#idle.length >= keptMax) return false;
    const timer = setTimeout(() => this.#release(client), idleMs);
    timer.unref();
    const kept = { client: client as KeptClient, timer, ended };
    kept.client.unref();
    const ready = this.#idle.findIndex((one) => this.#ready.has(one.client));
    this.#idle.splice(isReady || ready < 0 ? this.#idle.length : ready, 0, kept);
    void ended.then((isLost) => isLost && this.lose(client));
    return true;
  }

  /** It is of no more use, whoever has it. */
  lose(client: pg.PoolClient): void {
    this.#lost.add(client);
    this.leave(client);
    this.#release(client);
  }

  /** The pool has it again, and gives it to whoever comes. */
  leave(client: pg.PoolClient): void {
    this.#ready.delete(client);
  }

  isLost(client: pg.PoolClient): boolean {
    return this.#lost.has(client);
  }

  /** Gives all back to the pool, and keeps none from now on. */
  end(): void {
    this.#isEnded = true;
    for (const { client } of [...this.#idle]) this.#release(client);
  }

  #release(client: pg.PoolClient): void {
    const place = this.#idle.findIndex((kept) => kept.client === client);
    if (place < 0) return;
    const [{ timer, ended }] = this.#idle.splice(place, 1) as [Kept];
    clearTimeout(timer);
    this.leave(client);
    // The pool has those for whom a statement may be sent that must not be lost.
    if (this.#lost.has(client)) client.release(true);
    else void ended.then((isLost) => client.release(isLost));
  }
}
