/**
 * A Clock that a test advances. Timers fire in order of their time, each after everything the one before set off has
 * come to rest; chance comes from a seed, so a run can be repeated.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../server/tasks/core/clock.ts";
import { seeded } from "./seeded.ts";

interface Timer {
  at: number;
  order: number;
  callback: () => void;
}

export class TestClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly random: () => number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** @param startAt wall-clock time in milliseconds since 1970 */
  constructor(startAt = Date.UTC(2026, 10, 23), seed = 1) {
    this.#now = startAt;
    this.random = seeded(seed);
  }

  now = (): number => this.#now;

  monotonic = (): number => this.#monotonic;

  /** Timers of 0 ms fire by themselves at the end of the turn; all others when the clock is advanced. */
  after = (ms: number, callback: () => void): (() => void) => {
    if (ms <= 0) {
      const soon = setImmediate(callback);
      return () => clearImmediate(soon);
    }
    const timer = { at: this.#monotonic + ms, order: this.#order++, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.after(ms, finish);
      signal?.addEventListener("abort", finish, { once: true });
      function finish(): void {
        cancel();
        signal?.removeEventListener("abort", finish);
        resolve();
      }
    });
  };

  /** How many timers wait for a later time. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets time pass, firing what is due on the way; resolves when all it set off in this process has come to rest. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.#moveTo(Math.max(next.at, this.#monotonic));
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  /** The machine's clock is set: wall-clock time jumps, monotonic time does not. */
  jump(ms: number): void {
    this.#now += ms;
  }

  #nextUntil(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }

  #moveTo(at: number): void {
    this.#now += at - this.#monotonic;
    this.#monotonic = at;
  }
}

/** A few turns of the event loop: enough for promises and immediates that follow from each other. */
export async function settle(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
}
