/** Backoff: how long a task waits between an attempt that failed and the next. */
import type { StoredError } from "./attempt.ts";
import { type Duration, formatDuration, parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import { checkOptions, durationRule, oneOf } from "./options.ts";
import { showValue } from "./values/show.ts";

/** A backoff as data, kept with the task. */
export interface BackoffPolicy {
  firstMs: number;
  /** What each wait is multiplied by to give the next; 1 keeps it constant. Not used when growth is linear. */
  factor: number;
  maxMs: number;
  /** `full`: a uniform share of the wait, so that tasks which failed together do not come back together. */
  jitter: "full" | "none";
  /** `linear`: the first wait times the number of attempts that failed. Default `exponential`. */
  growth?: "exponential" | "linear";
}

/** Settings of a backoff; what is left out is taken from `defaultBackoff`. */
export interface BackoffOptions {
  /** The wait after the first failure. Default '1s'. */
  first?: Duration;
  /** 1 to 1,000; 1 for a constant wait. Default 2. */
  factor?: number;
  /** No wait is longer. Default '1h', or `first` if that is longer. */
  max?: Duration;
  /** Default 'full'. */
  jitter?: "full" | "none";
  /** Default 'exponential'. */
  growth?: "exponential" | "linear";
}

/** The wait after `attempt` failed attempts (1 after the first), given the latest error. Runs in the worker. */
export type BackoffFunction = (attempt: number, error: StoredError) => Duration;

export type Backoff = BackoffOptions | BackoffFunction;

/** 1 s, doubled each time up to 1 h, full jitter. */
export const defaultBackoff: BackoffPolicy = Object.freeze({
  firstMs: 1000,
  factor: 2,
  maxMs: 3_600_000,
  jitter: "full",
  growth: "exponential",
});

const rules = {
  first: durationRule(),
  factor: factorRule,
  max: durationRule(),
  jitter: oneOf("full", "none"),
  growth: oneOf("exponential", "linear"),
};

/**
 * Checks backoff options and fills in the defaults.
 *
 * @throws DureError INVALID_OPTION with every problem
 */
export function resolveBackoff(option: BackoffOptions = {}): BackoffPolicy {
  checkOptions("backoff", option, rules);
  const firstMs = option.first === undefined ? defaultBackoff.firstMs : parseDuration(option.first, "first");
  const maxMs =
    option.max === undefined ? Math.max(defaultBackoff.maxMs, firstMs) : parseDuration(option.max, "max");
  if (firstMs > maxMs) throw firstOverMax(firstMs, maxMs);
  return {
    firstMs,
    factor: option.factor ?? defaultBackoff.factor,
    maxMs,
    jitter: option.jitter ?? defaultBackoff.jitter,
    growth: option.growth ?? "exponential",
  };
}

function factorRule(value: unknown, name: string): string | undefined {
  if (typeof value === "number" && value >= 1 && value <= 1000) return undefined;
  return `${name} is ${showValue(value)}; it must be a number from 1 to 1000.`;
}

function firstOverMax(firstMs: number, maxMs: number): DureError {
  const problem = `first (${formatDuration(firstMs)}) is longer than max (${formatDuration(maxMs)}). Raise max or lower first.`;
  return new DureError("INVALID_OPTION", `backoff cannot take these options: ${problem}`, {
    details: { what: "backoff", problems: [problem], firstMs, maxMs },
  });
}

/**
 * Whole milliseconds to wait before the next attempt.
 *
 * @param failedAttempts attempts that failed so far, from 1
 * @param random gives numbers in [0, 1)
 * Source: "full jitter", AWS Architecture Blog, Exponential Backoff And Jitter (2015).
 */
export function backoffMs(policy: BackoffPolicy, failedAttempts: number, random: () => number): number {
  const waitMs = Math.min(policy.maxMs, grownMs(policy, Math.max(1, failedAttempts)));
  return Math.ceil(policy.jitter === "full" ? waitMs * (1 - random()) : waitMs);
}

/** May be Infinity after many attempts, never NaN. */
function grownMs({ firstMs, factor, growth }: BackoffPolicy, failedAttempts: number): number {
  if (firstMs === 0) return 0;
  if (growth === "linear") return firstMs * failedAttempts;
  return firstMs * factor ** (failedAttempts - 1);
}
