/** waitForTask: the end of a task, within a time. */
import type { Duration } from "./duration.ts";
import { parseDuration } from "./duration.ts";
import type { Instance } from "./instance.ts";
import { checkOptions, durationRule, signalRule } from "./options.ts";
import type { Task } from "./task.ts";

/** How long to wait for a task's end, and what ends the wait early. */
export interface WaitForTaskOptions {
  /** Default: for ever. */
  timeout?: Duration;
  signal?: AbortSignal;
}

export async function waitForTaskIn(
  instance: Instance,
  id: string,
  options: WaitForTaskOptions = {},
): Promise<Task> {
  checkOptions("waitForTask", options, { timeout: durationRule(), signal: signalRule });
  const { timeout, signal } = options;
  return instance.waitForEnd(id, {
    ...(timeout !== undefined && { timeoutMs: parseDuration(timeout, "timeout") }),
    ...(signal && { signal }),
  });
}
