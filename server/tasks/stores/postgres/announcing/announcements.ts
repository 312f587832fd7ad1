/**
 * Announcements: a task is told of before it is stored. While it is inserted, workers of other processes are
 * woken, ask for it, and wait in the server until that is over, so that nothing is left to be done then but the claim.
 *
 * An insert is announced under a random number, and holds a lock of that number from its beginning until after it is visible.
 * Whoever heard of it waits for the lock in a transaction of its own, and claims in the next. All of it is a hint: who does not
 * find the lock held cannot tell whether the insert is over or has not begun. So what was stored is told of once more, behind the
 * insert, and only a worker that has waited need not look for it again.
 */
import type { News, NewTask } from "../../../core/store.ts";
import { statement } from "../statement.ts";

/** Long for a commit, and short for a claim that there may be other tasks for. */
const waitMsMax = 100;
/** The server's log names each wait that was given up; so for a while there is no other. */
const pauseMs = 60_000;
const knownMax = 100;

/** What a notification told. */
export interface Told {
  news: News;
  /** Of the insert that it is about. */
  number?: string;
}

/** An insert that a claim waits for. */
export interface Announced {
  number: string;
  /** To be called when the claim is over. @param didWait whether the insert was under way, and is over; undefined when it took too long */
  end(didWait: boolean | undefined): void;
}

/** What another process said, as it concerns the workers of this one. */
export class Announcements {
  /** The latest that no claim waited for yet. */
  #next: string | undefined;
  /** Those that a claim waits for, and whom to call when that is over. */
  readonly #waiting = new Map<string, (() => void) | undefined>();
  /** Inserts that were over when a claim was made. */
  readonly #known = new Set<string>();
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /**
   * @param told undefined when anything may have happened
   * @param tell takes the news, once it is known what they are
   */
  hear(told: Told | undefined, tell: (news?: News) => void): void {
    const { news, number } = told ?? {};
    if (news === undefined || number === undefined) tell(news);
    else if (news === "soon") this.#announced(number, tell);
    else if (this.#waiting.has(number)) this.#waiting.set(number, () => tell(this.#newsOf(number, news)));
    else tell(this.#newsOf(number, news));
  }

  /** The insert that the next claim is to wait for; it is given once. */
  take(): Announced | undefined {
    const number = this.#next;
    if (number === undefined) return undefined;
    this.#next = undefined;
    this.#waiting.set(number, undefined);
    return { number, end: (didWait) => this.#end(number, didWait) };
  }

  #announced(number: string, tell: (news: News) => void): void {
    if (performance.now() < this.#pausedUntil) return;
    this.#next = number;
    tell("soon");
  }

  #newsOf(number: string, news: News): News {
    if (this.#next === number) this.#next = undefined;
    return this.#known.delete(number) ? "stored" : news;
  }

  #end(number: string, didWait: boolean | undefined): void {
    if (didWait === undefined) this.#pausedUntil = performance.now() + pauseMs;
    if (this.#known.size >= knownMax) this.#known.clear();
    if (didWait) this.#known.add(number);
    const tell = this.#waiting.get(number);
    this.#waiting.delete(number);
    tell?.();
  }
}

/** One that workers have to look for at once; of several, the last ones are claimed soon enough. */
export function isAnnounced(tasks: readonly NewTask[]): boolean {
  return tasks.length === 1 && tasks[0]!.dueAt <= tasks[0]!.createdAt;
}

/** So large that nobody else is likely to lock it. */
export function newNumber(): string {
  return String(2 ** 52 + Math.floor(Math.random() * 2 ** 52));
}

/** Whether it had to wait, so that the insert is over now. */
export const awaitInsert = statement(
  "awaitInsert",
  `SELECT CASE WHEN pg_try_advisory_xact_lock_shared($1::bigint) THEN false
    WHEN set_config('lock_timeout', '${waitMsMax}ms', true) IS NULL THEN false
    ELSE pg_advisory_xact_lock_shared($1::bigint) IS NOT NULL END`,
);
