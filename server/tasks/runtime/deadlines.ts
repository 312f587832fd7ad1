/**
 * When running attempts have to end. No attempt has a timer of its own: one timer stands for the earliest deadline of all,
 * and is set anew only when an earlier one comes. An attempt that ended leaves it as it is; it then finds nothing to do.
 */
import type { Clock } from "../core/clock.ts";
import type { ReadonlyIdMap } from "./id-map.ts";
import type { RunningAttempt } from "./running-attempt.ts";

export interface DeadlineParts {
  clock: Clock;
  /** The attempts that have not ended. */
  running: ReadonlyIdMap<RunningAttempt>;
  /** Sets another deadline, or ends the attempt: one whose deadline stays would be passed again at once. */
  onPassed(attempt: RunningAttempt): void;
}

export class Deadlines {
  readonly #parts: DeadlineParts;
  #nextAt = Number.POSITIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: DeadlineParts) {
    this.#parts = parts;
  }

  /** In the place of the attempt's deadline so far; `now` by the monotonic clock. */
  set(attempt: RunningAttempt, afterMs: number, now = this.#parts.clock.monotonic()): void {
    attempt.deadlineAt = now + afterMs;
    if (attempt.deadlineAt < this.#nextAt) this.#schedule(attempt.deadlineAt, now);
  }

  #schedule(at: number, now: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#nextAt = at;
    if (Number.isFinite(at))
      this.#cancelTimer = this.#parts.clock.after(Math.max(1, at - now), () => this.#pass());
  }

  #pass(): void {
    const { clock, running, onPassed } = this.#parts;
    const now = clock.monotonic();
    for (const attempt of running.values().filter(({ deadlineAt }) => deadlineAt <= now)) onPassed(attempt);
    let next = Number.POSITIVE_INFINITY;
    for (const { deadlineAt } of running.values()) if (deadlineAt < next) next = deadlineAt;
    this.#schedule(next, now);
  }
}
