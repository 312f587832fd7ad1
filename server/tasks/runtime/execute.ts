/** One attempt: calls the handler inside the attempt's async context and says once how it ended. */
import type { RunningAttempt } from "./running-attempt.ts";
import { attemptStorage } from "./running-attempt.ts";

/** Told exactly once per started attempt, outside the attempt's async context. */
export type Ended = (attempt: RunningAttempt, succeeded: boolean, value: unknown) => void;

/** Never rejects. */
export async function execute(attempt: RunningAttempt, ended: Ended): Promise<void> {
  attempt.started = true;
  let succeeded = true;
  let value: unknown;
  try {
    value = await attemptStorage.run(attempt, callHandler, attempt);
  } catch (error) {
    succeeded = false;
    value = error;
  }
  ended(attempt, succeeded, value);
}

function callHandler(attempt: RunningAttempt): Promise<unknown> {
  return attempt.definition.handler(attempt.task, attempt.context);
}
