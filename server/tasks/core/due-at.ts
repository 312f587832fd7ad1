/** When a task may start: enqueueing and editing take the same. */
import { type Duration, parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";

export const yearMs = 365.25 * 24 * 3_600_000;

/**
 * Milliseconds since 1970; undefined where neither is given.
 * @throws DureError INVALID_OPTION for an instant that is further than 10 years back or 100 years ahead
 */
export function dueAtOf(
  { delay, runAt }: { delay?: Duration; runAt?: Date },
  now: number,
): number | undefined {
  if (delay !== undefined) return now + parseDuration(delay, "delay");
  if (runAt === undefined) return undefined;
  const dueAt = runAt.getTime();
  if (dueAt >= now - 10 * yearMs && dueAt <= now + 100 * yearMs) return dueAt;
  throw new DureError(
    "INVALID_OPTION",
    `runAt is ${runAt.toISOString()}; expected a time from 10 years ago to 100 years ahead.`,
    { details: { runAt: dueAt } },
  );
}
