/** Instants and durations as they are typed, and as they are shown to people. */
import { durationProblem, formatDuration, parseDuration } from "../tasks/core/duration.ts";
import { startOf } from "../tasks/core/query/query-values.ts";
import type { Task } from "../tasks/core/task.ts";
import { showValue } from "../tasks/core/values/show.ts";
import { CommandError } from "./exit-codes.ts";

const datePattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * An instant: `2026-11-23` is midnight here, `2026-11-23T09:30` is here too unless it ends in `Z` or an offset.
 * @throws CommandError
 */
export function parseInstant(text: string, option: string): Date {
  const match = datePattern.exec(text);
  const instant = match && isCalendarDay(match) ? new Date(isoForm(text)) : undefined;
  if (instant && !Number.isNaN(instant.getTime())) return instant;
  throw new CommandError(
    `${option} is ${showValue(text)}, which is no date. Write it like 2026-11-23, 2026-11-23T09:30 or 2026-11-23T09:30:00Z.`,
  );
}

/** The same, and the words that a query has for one: `2d` ago, `+1h`, `today`, `yesterday`, `monday`. @throws CommandError */
export function parseTime(text: string, option: string): Date {
  const start = datePattern.test(text) ? undefined : startOf(text, { now: Date.now() });
  return start === undefined ? parseInstant(text, option) : new Date(start);
}

function isoForm(text: string): string {
  return text.length === 10 ? `${text}T00:00` : text.replace(" ", "T");
}

function isCalendarDay([, year, month, day]: readonly string[]): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/** A duration such as `30s`, in milliseconds. @throws CommandError */
export function parseSpan(text: string, option: string): number {
  const problem = durationProblem(text, option);
  if (problem !== undefined) throw new CommandError(problem);
  return parseDuration(text, option);
}

/** `3m ago`, `in 2h`, `now`. */
export function formatRelative(instant: Date, now: number): string {
  const ms = instant.getTime() - now;
  if (Math.abs(ms) < 1_000) return "now";
  // What was to be in an hour is not to be in 59 minutes a moment later.
  const span = largestUnit(ms < 0 ? -ms : ms + 999);
  return ms < 0 ? `${span} ago` : `in ${span}`;
}

function largestUnit(ms: number): string {
  return formatDuration(ms < 60_000 ? Math.floor(ms / 1_000) * 1_000 : ms).split(" ")[0]!;
}

/** `2026-11-23 09:30:00`, in the local time zone. */
export function formatInstant(instant: Date): string {
  const pad = (value: number) => String(value).padStart(2, "0");
  const day = `${instant.getFullYear()}-${pad(instant.getMonth() + 1)}-${pad(instant.getDate())}`;
  return `${day} ${pad(instant.getHours())}:${pad(instant.getMinutes())}:${pad(instant.getSeconds())}`;
}

/** A stretch of time in UTC by its start: `2026-11-23 UTC` of days, `2026-11-23 09:30 UTC` of shorter ones. */
export function formatStretch(start: Date, isDay: boolean): string {
  const text = start.toISOString();
  return `${isDay ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ")} UTC`;
}

/** How long the latest attempt took, or has taken so far; undefined before the first. */
export function durationMsOf(task: Task, now: number): number | undefined {
  if (!task.startedAt || task.status === "PENDING") return undefined;
  return Math.max(0, (task.completedAt?.getTime() ?? now) - task.startedAt.getTime());
}
