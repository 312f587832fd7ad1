/** How many tasks each caller may enqueue: a bucket for each that fills again as time passes, so that one does not drown the others. */
import { HttpError } from "./errors.ts";

/** For each caller, when nothing else is said. */
export const usualEnqueuesPerMinute = 60_000;
/** Of those that were heard of last; whoever is forgotten begins with a full bucket. */
const callersMax = 10_000;
const minuteMs = 60_000;

interface Bucket {
  /** So many tasks may be enqueued at once. */
  left: number;
  filledAt: number;
}

export class EnqueueLimit {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param perMinute how many tasks each may enqueue, all at once if they like; Infinity for any number */
  constructor(perMinute: number, now: () => number = () => performance.now()) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Takes so many off what the caller may enqueue. @throws HttpError 429, with when to come again; nothing is taken then */
  take(caller: string, tasks: number): void {
    if (this.#perMinute === Number.POSITIVE_INFINITY) return;
    const bucket = this.#bucketOf(caller);
    if (tasks <= bucket.left) {
      bucket.left -= tasks;
      return;
    }
    const wanted = Math.min(tasks, this.#perMinute);
    const waitMs = Math.ceil(((wanted - bucket.left) * minuteMs) / this.#perMinute);
    throw new HttpError(
      429,
      "TOO_MANY_TASKS",
      `You may enqueue ${this.#perMinute} tasks a minute; ${
        tasks > this.#perMinute ? "send fewer at once" : `come again in ${Math.ceil(waitMs / 1_000)} s`
      }.`,
      { retryAfterMs: waitMs },
    );
  }

  #bucketOf(caller: string): Bucket {
    const now = this.#now();
    const known = this.#buckets.get(caller) ?? { left: this.#perMinute, filledAt: now };
    const filled = ((now - known.filledAt) * this.#perMinute) / minuteMs;
    const bucket = { left: Math.min(this.#perMinute, known.left + filled), filledAt: now };
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    if (this.#buckets.size > callersMax) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
