/** How an attempt's end becomes a Settlement: result or error, next attempt or none. Nothing here fails. */
import { takeAttributes } from "../core/attributes.ts";
import { backoffMs, defaultBackoff, resolveBackoff } from "../core/backoff.ts";
import { parseDuration } from "../core/duration.ts";
import { DureError, NonRetryableError, RetryAfter, Snooze } from "../core/errors.ts";
import type { Settlement } from "../core/store.ts";
import { toStoredError } from "../core/values/stored-error.ts";
import { encodeValue } from "../core/values/value.ts";
import type { Logger } from "./logger.ts";
import { describeError } from "./loop.ts";
import type { RunningAttempt } from "./running-attempt.ts";

/** What the mapping needs beside the attempt. */
export interface SettlementRules {
  /** In bytes. */
  readonly valueSizeMax: number;
  readonly logger: Logger;
}

/** The settlement of an attempt whose handler returned `value`. */
export function settleSuccess(attempt: RunningAttempt, value: unknown, rules: SettlementRules): Settlement {
  if (attempt.stray) return settleFailure(attempt, attempt.stray.error, rules);
  let settlement: Settlement;
  try {
    const envelope = isEnvelope(value);
    if (envelope && value.status === "failure")
      return settleFailure(attempt, handlerFailure(value.message), rules);
    const result = envelope ? value.data : value;
    settlement = settlementOf(attempt, "completed");
    if (result !== undefined) settlement.result = encodeValue(result, "result", rules.valueSizeMax);
    if (attempt.definition.attributes.length > 0) addResultAttributes(settlement, attempt, result, rules);
  } catch (error) {
    // The work was done: doing it again would not make its result storable.
    settlement = settlementOf(attempt, "failed");
    settlement.error = toStoredError(error);
  }
  return settlement;
}

/** The work is done: an attribute that cannot be taken is left out, and told of. */
function addResultAttributes(
  settlement: Settlement,
  { definition, task, taken }: RunningAttempt,
  result: unknown,
  { logger }: SettlementRules,
): void {
  const { attributes, errors } = takeAttributes(definition, "result", result);
  if (attributes) settlement.attributes = { ...settlement.attributes, ...attributes };
  for (const error of [...(taken?.errors ?? []), ...errors])
    logger.warn(`Task ${task.id} completed without an attribute: ${describeError(error)}`);
}

/** The settlement of an attempt whose handler threw `error`. */
export function settleFailure(attempt: RunningAttempt, error: unknown, rules: SettlementRules): Settlement {
  switch (attempt.abortReason?.kind) {
    case "timeout":
      return retryLater(
        attempt,
        "timed-out",
        timeoutError(attempt, error),
        delayMsAfter(attempt, error, rules),
      );
    case "cancelled":
      return withError(settlementOf(attempt, "cancelled"), error);
    case "shutdown":
      return settlementOf(attempt, "released");
    case "lease-lost":
    case undefined:
      return settleThrown(attempt, error, rules);
  }
}

/** The settlement of an attempt whose handler did not end in time after it was told to. */
export function settleUnended(attempt: RunningAttempt, rules: SettlementRules): Settlement {
  if (attempt.stray) return settleThrown(attempt, attempt.stray.error, rules);
  return settleFailure(attempt, attempt.abortReason, rules);
}

/** The settlement of an attempt that cannot start because its payload cannot be read back: no attempt could. */
export function settleUnreadable(attempt: RunningAttempt, problem: string): Settlement {
  return withError(settlementOf(attempt, "failed"), new DureError("VALUE_UNREADABLE", problem));
}

/** Gives a task back unrun or unfinished; the attempt is not charged. */
export function release(
  claim: { ref: unknown; taskId: string; fence: number },
  workerId: string,
): Settlement {
  return { ref: claim.ref, taskId: claim.taskId, fence: claim.fence, workerId, outcome: "released" };
}

function settleThrown(attempt: RunningAttempt, error: unknown, rules: SettlementRules): Settlement {
  if (isA(error, Snooze)) {
    const delayMs = givenDelayMs(attempt, error.delay, rules);
    if (delayMs !== undefined) return retryLater(attempt, "snoozed", undefined, delayMs);
  }
  return retryLater(attempt, "failed", error, delayMsAfter(attempt, error, rules));
}

/** The wait before the next attempt; undefined for no further attempt. */
function delayMsAfter(attempt: RunningAttempt, error: unknown, rules: SettlementRules): number | undefined {
  if (isA(error, NonRetryableError)) return undefined;
  if (isA(error, RetryAfter)) {
    const delayMs = givenDelayMs(attempt, error.delay, rules);
    if (delayMs !== undefined) return delayMs;
  }
  return backoffDelayMs(attempt, error, rules);
}

function backoffDelayMs(attempt: RunningAttempt, error: unknown, rules: SettlementRules): number {
  const failedAttempts = attempt.task.attempts;
  const random = () => attempt.host.clock.random();
  const own = attempt.claimed.settings?.backoff;
  const chosen = attempt.definition.backoff;
  if (own) return backoffMs(own, failedAttempts, random);
  if (!chosen) return backoffMs(defaultBackoff, failedAttempts, random);
  try {
    if (typeof chosen === "function")
      return parseDuration(chosen(failedAttempts, toStoredError(error)), "backoff");
    return backoffMs(resolveBackoff(chosen), failedAttempts, random);
  } catch (problem) {
    const { id } = attempt.definition;
    rules.logger.error(
      `The backoff of "${id}" cannot be used, so the default takes its place: ${describeError(problem)}`,
      { type: id, taskId: attempt.task.id },
    );
    return backoffMs(defaultBackoff, failedAttempts, random);
  }
}

/** `instanceof`, which throws for some values that can be thrown. */
function isA<Kind extends Error>(error: unknown, kind: new (...args: any[]) => Kind): error is Kind {
  try {
    return error instanceof kind;
  } catch {
    return false;
  }
}

function givenDelayMs(
  attempt: RunningAttempt,
  delay: string | number,
  rules: SettlementRules,
): number | undefined {
  try {
    return parseDuration(delay, "delay");
  } catch (problem) {
    rules.logger.error(
      `A handler of "${attempt.definition.id}" asked for an impossible delay: ${describeError(problem)}`,
      {
        type: attempt.definition.id,
        taskId: attempt.task.id,
      },
    );
    return undefined;
  }
}

function retryLater(
  attempt: RunningAttempt,
  outcome: "failed" | "timed-out" | "snoozed",
  error: unknown,
  delayMs: number | undefined,
): Settlement {
  const settlement = settlementOf(attempt, outcome);
  if (delayMs !== undefined) settlement.retryAt = Math.round(attempt.host.clock.now() + delayMs);
  return outcome === "snoozed" ? settlement : withError(settlement, error);
}

function settlementOf(attempt: RunningAttempt, outcome: Settlement["outcome"]): Settlement {
  const { ref, fence, task } = attempt.claimed;
  const settlement: Settlement = { ref, taskId: task.id, fence, workerId: attempt.workerId, outcome };
  if (attempt.log) settlement.logs = attempt.log.entries();
  if (attempt.taken?.attributes) settlement.attributes = attempt.taken.attributes;
  return settlement;
}

function withError(settlement: Settlement, error: unknown): Settlement {
  settlement.error = toStoredError(error);
  return settlement;
}

function timeoutError(attempt: RunningAttempt, thrown: unknown): DureError {
  const message = `The handler ran longer than its timeout of ${attempt.timeoutMs} ms. Give it more time, or make it stop when context.signal aborts.`;
  const cause = thrown === attempt.abortReason ? undefined : thrown;
  return new DureError("HANDLER_TIMEOUT", message, { details: { timeoutMs: attempt.timeoutMs }, cause });
}

function handlerFailure(message: unknown): DureError {
  const text =
    typeof message === "string" && message !== ""
      ? message
      : "The handler returned a failure without a message.";
  return new DureError("HANDLER_FAILURE", text);
}

function isEnvelope(
  value: unknown,
): value is { status: "success" | "failure"; message?: unknown; data?: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const { status } = value as { status?: unknown };
  if (status !== "success" && status !== "failure") return false;
  return Object.keys(value).every((key) => key === "status" || key === "message" || key === "data");
}
