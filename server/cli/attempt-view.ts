/** How attempts look in `dure show`: a table of all, then the errors and log lines of each. */

import type { Attempt, LogEntry, LogLevel, StoredError } from "../tasks/core/attempt.ts";
import { formatDuration } from "../tasks/core/duration.ts";
import type { Output } from "./output.ts";
import { renderTable } from "./table.ts";
import { indent, plainLine, plainLines } from "./text.ts";
import { formatInstant } from "./times.ts";

/** One row per attempt, oldest first. */
export function attemptsTable(output: Output, attempts: readonly Attempt[], now: number): string {
  return renderTable(
    output,
    [
      { head: "claim", cell: ({ fence }) => String(fence), right: true },
      { head: "attempt", cell: ({ number }) => String(number), right: true },
      {
        head: "outcome",
        cell: ({ outcome }) => outcome ?? "running",
        paint: (text, { outcome }) => paintOutcome(output, text, outcome),
      },
      { head: "started", cell: ({ startedAt }) => formatInstant(startedAt) },
      {
        head: "duration",
        cell: ({ startedAt, endedAt }) => formatDuration((endedAt?.getTime() ?? now) - startedAt.getTime()),
        right: true,
      },
      { head: "worker", cell: ({ workerId }) => workerId?.slice(0, 8), optional: true },
      { head: "reported late", cell: ({ lateOutcome }) => lateOutcome, optional: true },
      {
        head: "logs",
        cell: ({ logs }) => (logs.length === 0 ? "" : String(logs.length)),
        right: true,
        optional: true,
      },
    ],
    attempts,
  );
}

/** The error and the log of every attempt that has them, under headings that name the attempt. */
export function attemptSections(output: Output, attempts: readonly Attempt[]): string[] {
  return attempts.flatMap((attempt) => {
    const { error, logs } = attempt;
    const name = attemptName(attempt);
    return [
      ...(error ? [`${output.colors.bold(`error of ${name}`)}\n${indent(errorText(output, error))}`] : []),
      ...(logs.length > 0
        ? [`${output.colors.bold(`log of ${name}`)}\n${indent(logText(output, logs))}`]
        : []),
    ];
  });
}

/** A number may stand twice: only attempts that count have one of their own. */
export function attemptName({ number, fence }: Attempt): string {
  return `attempt ${number} (claim ${fence})`;
}

function paintOutcome({ colors }: Output, text: string, outcome: Attempt["outcome"]): string {
  if (outcome === undefined) return colors.cyan(text);
  if (outcome === "completed") return colors.green(text);
  return outcome === "failed" || outcome === "timed-out" || outcome === "lost"
    ? colors.red(text)
    : colors.yellow(text);
}

/** Name, message and stack, then the same of what caused it. */
function errorText(output: Output, error: StoredError): string {
  const { name, message, stack, code, cause } = error;
  const title = `${plainLine(name)}: ${plainLines(message)}${code === undefined ? "" : ` [${plainLine(code)}]`}`;
  const frames = stack === undefined ? "" : framesOf(plainLines(stack));
  const lines = [output.colors.red(title), ...(frames === "" ? [] : [output.colors.dim(frames)])];
  if (cause) lines.push(`caused by ${errorText(output, cause)}`);
  return lines.join("\n");
}

/**
 * The places of a stack down to the handler. Before them it repeats the name and the message; after them come
 * Dure's own, which tell nobody anything; --json has them all.
 */
function framesOf(stack: string): string {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const own = frames.findIndex((line) => /\/tasks\/runtime\/execute\.[jt]s:/.test(line));
  return (own > 0 ? frames.slice(0, own) : frames).join("\n");
}

function logText(output: Output, logs: readonly LogEntry[]): string {
  return logs
    .map(({ at, level, message, fields }) => {
      const time = at.toISOString().slice(11, 23);
      const extra = output.colors.dim(fieldsText(fields));
      return `${output.colors.dim(time)} ${paintLevel(output, level)} ${plainLine(message)}${extra}`;
    })
    .join("\n");
}

/** What a line of the log says beside its message, to be put behind it; empty when that is nothing. */
export function fieldsText(fields: LogEntry["fields"]): string {
  return fields && Object.keys(fields).length > 0 ? ` ${plainLine(JSON.stringify(fields))}` : "";
}

function paintLevel({ colors }: Output, level: LogLevel): string {
  const text = level.padEnd(5);
  if (level === "error") return colors.red(text);
  return level === "warn" ? colors.yellow(text) : text;
}
