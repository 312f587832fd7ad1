/** Durations as people write them, and as people read them. */
import { DureError } from "./errors.ts";
import { showValue } from "./values/show.ts";

/** `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`, `'2w'`, `'1.5h'`, `'1h30m'`; a number is milliseconds. */
export type Duration = string | number;

const unitsMs = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** 100 years, the longest duration anything takes. */
export const durationMaxMs = 36_525 * unitsMs.d;

const part = String.raw`(\d+(?:\.\d+)?)`;
const pattern = new RegExp(
  `^${["w", "d", "h", "m", "s", "ms"].map((unit) => `(?:${part}${unit}(?![a-z]) ?)?`).join("")}$`,
);

/**
 * Milliseconds, whole, of a duration. Units go from the larger to the smaller, each at most once.
 *
 * @param name the option's, for the message
 * @param range both ends included. Default 0 to 100 years.
 * @throws DureError INVALID_OPTION
 */
export function parseDuration(
  value: unknown,
  name: string,
  range: { minMs?: number; maxMs?: number } = {},
): number {
  const problem = durationProblem(value, name, range);
  if (problem !== undefined) {
    throw new DureError("INVALID_OPTION", problem, {
      details: { name, value: showValue(value), problems: [problem] },
    });
  }
  return Math.round(millisecondsOf(value)!);
}

/** What is wrong with a duration, in a sentence; undefined when nothing is. */
export function durationProblem(
  value: unknown,
  name: string,
  { minMs = 0, maxMs = durationMaxMs }: { minMs?: number; maxMs?: number } = {},
): string | undefined {
  const ms = millisecondsOf(value);
  if (ms === undefined) {
    return `${name} is ${showValue(value)}, which is no duration. Write it like '500ms', '30s', '5m', '1h30m' or '7d', or as a number of milliseconds.`;
  }
  if (ms >= minMs && ms <= maxMs) return undefined;
  return `${name} is ${showValue(value)}; it must be ${formatDuration(minMs)} to ${formatDuration(maxMs)}.`;
}

/** Whether it is written as a duration is, and longer than any that is taken. */
export function isTooLong(value: string): boolean {
  const ms = millisecondsOf(value);
  return ms !== undefined && ms > durationMaxMs;
}

function millisecondsOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string" || value === "" || value.length > 60) return undefined;
  const match = pattern.exec(value);
  if (match === null) return undefined;
  let ms = 0;
  for (const [index, unitMs] of Object.values(unitsMs).entries()) {
    ms += Number(match[index + 1] ?? 0) * unitMs;
  }
  return ms;
}

/** A duration for people, in at most two units: `250ms`, `1.2s`, `3m 5s`, `2h 5m`, `2d 4h`. Rounds down. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return String(ms);
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < unitsMs.s) return `${Math.floor(ms)}ms`;
  if (ms < unitsMs.m) return `${Math.floor(ms / 100) / 10}s`;
  if (ms < unitsMs.h) return twoUnits(ms, "m", "s");
  if (ms < unitsMs.d) return twoUnits(ms, "h", "m");
  return twoUnits(ms, "d", "h");
}

function twoUnits(ms: number, large: "d" | "h" | "m", small: "h" | "m" | "s"): string {
  const rest = Math.floor((ms % unitsMs[large]) / unitsMs[small]);
  const whole = `${Math.floor(ms / unitsMs[large])}${large}`;
  return rest === 0 ? whole : `${whole} ${rest}${small}`;
}
