/**
 * Tells other processes that something changed, by NOTIFY: a hint that saves them a wait, never the truth, which they
 * poll for. It is never part of the transaction that it tells of, because NOTIFY makes commits wait for each other; it
 * is sent after that, by itself, and seldom: some at once, then a few each second whatever happens.
 */
import { createHash } from "node:crypto";
import type { News, NewTask } from "../../../core/store.ts";
import type { Database } from "../connections/database.ts";
import type { Lull } from "../connections/lull.ts";
import { type Behind, type Statement, statement } from "../statement.ts";
import { isAnnounced, newNumber, type Told } from "./announcements.ts";

const burst = 50;
const perSecond = 30;
/** Where an announcement could not be sent at once, the statements after it are not held up by another. */
const silenceMs = 60_000;

export class Notifier {
  /** Tells a process's own notifications from those of others. */
  readonly sender = Math.random().toString(36).slice(2, 10);
  readonly #database: Database;
  readonly #lull: Lull;
  readonly #waiting = new Set<News>();
  #tokens = burst;
  #filledAt = performance.now();
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether one is under way behind a statement, whose connection it keeps. */
  #isBehind = false;
  /** Until then nothing is announced. */
  #silentUntil = Number.NEGATIVE_INFINITY;

  /** @param lull what is told of is stored already, and a worker of this process may be at it */
  constructor(database: Database, lull: Lull) {
    this.#lull = lull;
    this.#database = database;
  }

  /**
   * A notification to be sent on the connection of the statement that it tells of, right behind it: a round trip sooner,
   * and hardly ever lost with the process that stored something. Undefined when it is `tell`'s turn, as while another is
   * under way: where NOTIFY hangs, one connection hangs with it, not all of the pool.
   * @param tasks what is stored; it may be told of before that, too: see announcements.ts
   */
  behind(news: News, tasks: readonly NewTask[]): Behind | undefined {
    const isBusy = this.#isBehind || this.#sending || this.#timer;
    if (!this.#database.location.listen || isBusy || !this.#mayTell()) return undefined;
    this.#isBehind = true;
    let under: Promise<unknown> | undefined;
    const mayAnnounce = isAnnounced(tasks) && performance.now() >= this.#silentUntil;
    const ahead = mayAnnounce ? this.#announcement() : undefined;
    return {
      statement: notify,
      values: this.#valuesOf(ahead ? `${news} ${ahead.number}` : news),
      // A key may be met by others, who answer by it at once; so it is not seen before it is on the disk.
      ...(ahead && { ahead, isHasty: tasks[0]!.idempotencyKey === undefined }),
      sent: (ended) => {
        under = ended;
        return ended;
      },
      done: () =>
        void Promise.allSettled([under]).then(() => {
          this.#isBehind = false;
        }),
    };
  }

  #announcement(): NonNullable<Behind["ahead"]> {
    const number = newNumber();
    return {
      number,
      statement: announce,
      values: this.#valuesOf(`soon ${number}`),
      failed: () => {
        this.#silentUntil = performance.now() + silenceMs;
      },
    };
  }

  /** Soon; news of the same kind that wait are told once. */
  tell(news: News): void {
    if (!this.#database.location.listen) return;
    this.#waiting.add(news);
    this.#sendSoon();
  }

  /** At once, that notifications arrive; it is no news. */
  prove(): void {
    void this.#notify(check);
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
    if (!this.#mayTell()) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#sendSoon();
      }, 1_000 / perSecond).unref();
      return;
    }
    this.#sending = this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.size > 0) this.#sendSoon();
    });
  }

  /** Whether one more may be sent; then it counts as sent. */
  #mayTell(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  async #send(): Promise<void> {
    await this.#lull.come();
    const news = [...this.#waiting].join(" ");
    this.#waiting.clear();
    return this.#notify(news);
  }

  /** Never rejects: who is not told finds out by looking. */
  async #notify(what: string): Promise<void> {
    await this.#database.query(notify, this.#valuesOf(what)).catch(() => undefined);
  }

  #valuesOf(what: string): string[] {
    return [channelOf(this.#database.location.schema), `${this.sender} ${what}`];
  }
}

const check = "check";

/** Whether it was sent only to see whether it arrives, by whatever process. */
export function isCheck(payload: string): boolean {
  return payload.endsWith(` ${check}`);
}

/** What a notification tells; undefined for anything, or for what is not known here. */
export function readTold(payload: string): Told | undefined {
  const [, news, number] = payload.split(" ");
  if (number === undefined) return news === "tasks" || news === "ends" ? { news } : undefined;
  return (news === "tasks" || news === "soon") && /^\d+$/.test(number) ? { news, number } : undefined;
}

const channelBytesMax = 63;

/** The channel of a schema: its name, or what stands for one that is too long. */
export function channelOf(schema: string): string {
  const channel = `dure:${schema}`;
  if (Buffer.byteLength(channel) <= channelBytesMax) return channel;
  return `dure:${createHash("sha256").update(schema).digest("hex").slice(0, 32)}`;
}

/**
 * Every NOTIFY takes one lock of the whole server to commit. Whoever keeps it, a hint is not worth waiting for: a pool's
 * connection would hang on it. Nor is it worth a
 * wait for the disk, which the server would make because it counts as a write: what it tells of is stored already.
 */
export const notify = notifying("notify", 500);

/** Whoever keeps that lock holds up the statement that is announced, so it is hardly waited for. */
const announce = notifying("announce", 2);

function notifying(name: string, timeoutMs: number): Statement {
  return statement(
    name,
    `SELECT pg_notify($1, $2)
    FROM set_config('lock_timeout', '${timeoutMs}ms', true) AS bounded, set_config('synchronous_commit', 'off', true) AS hasty`,
  );
}
