/**
 * Tells other processes that something changed, by NOTIFY: a hint that saves them a wait, never the truth, which they
 * poll for. It is never part of the transaction that it tells of, because NOTIFY makes commits wait for each other; it
 * is sent after that, by itself, and seldom: some at once, then a few each second whatever happens.
 */
import type { Database } from "./database.ts";
import { statement } from "./statement.ts";

/** What changed: `tasks` may be claimed, or tasks came to their `ends`. */
export type News = "tasks" | "ends";

const burst = 10;
const perSecond = 10;

export class Notifier {
  /** Tells a process's own notifications from those of others. */
  readonly sender = Math.random().toString(36).slice(2, 10);
  readonly #database: Database;
  readonly #waiting = new Set<News>();
  #tokens = burst;
  #filledAt = performance.now();
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Soon; news of the same kind that wait are told once. */
  tell(news: News): void {
    if (!this.#database.location.listen) return;
    this.#waiting.add(news);
    this.#sendSoon();
  }

  /** Sends what waits. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sending;
    if (this.#waiting.size > 0) await this.#send();
  }

  #sendSoon(): void {
    if (this.#sending || this.#timer) return;
    const now = performance.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#sendSoon();
      }, 1_000 / perSecond).unref();
      return;
    }
    this.#tokens -= 1;
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.size > 0) this.#sendSoon();
    });
  }

  /** Never rejects: who is not told finds out by looking. */
  async #send(): Promise<void> {
    const news = [...this.#waiting].join(" ");
    this.#waiting.clear();
    const { schema } = this.#database.location;
    await this.#database.query(notify, [channelOf(schema), `${this.sender} ${news}`]).catch(() => undefined);
  }
}

/** Names are cut at 63 bytes; so is the channel's, alike for all. */
export function channelOf(schema: string): string {
  return Buffer.from(`dure:${schema}`).subarray(0, 63).toString("latin1").slice(0, 63);
}

const notify = statement("notify", "SELECT pg_notify($1, $2)");
