/**
 * One attempt: calls the handler inside the attempt's async context and says once how it ended.
 *
 * Entered inside a snapshot of the worker's own context, which is put back as it was: `AsyncLocalStorage.run` would make
 * a second context for every attempt, only to leave the first (docs/design/storage.md).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { RunningAttempt } from "./running-attempt.ts";
import { attemptStorage } from "./running-attempt.ts";

/** Told exactly once per started attempt, outside the attempt's async context. */
export type Ended = (attempt: RunningAttempt, succeeded: boolean, value: unknown) => void;

/** Runs a function in the context that it was made in. */
export type Outside = ReturnType<typeof AsyncLocalStorage.snapshot>;

/** The context to start attempts from. */
export function takeOutside(): Outside {
  return AsyncLocalStorage.snapshot();
}

/** Never throws. */
export function execute(attempt: RunningAttempt, ended: Ended, outside: Outside): void {
  attempt.started = true;
  outside(callHandler, attempt).then(
    (value) => ended(attempt, true, value),
    (error) => ended(attempt, false, error),
  );
}

/** A handler in plain JavaScript may throw at once, or return no promise. */
function callHandler(attempt: RunningAttempt): Promise<unknown> {
  attemptStorage.enterWith(attempt);
  try {
    return Promise.resolve(attempt.definition.handler(attempt.task, attempt.context));
  } catch (error) {
    return Promise.reject(error);
  }
}
