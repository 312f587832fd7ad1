/** How tasks look: as a row of a table, and as JSON. */

import { formatDuration } from "../tasks/core/duration.ts";
import type { Task } from "../tasks/core/task.ts";
import { encodedDocument, encodeValue } from "../tasks/core/values/value.ts";
import type { Output } from "./output.ts";
import type { Column } from "./table.ts";
import { durationMsOf, formatRelative } from "./times.ts";

/** A status in its colour. */
export function paintStatus({ colors }: Output, text: string, status: string): string {
  switch (status) {
    case "COMPLETED":
      return colors.green(text);
    case "FAILED":
      return colors.red(text);
    case "RUNNING":
      return colors.cyan(text);
    case "CANCELLED":
      return colors.yellow(text);
    default:
      return text;
  }
}

/** The columns of a list of tasks. */
export function taskColumns(output: Output, now: number): Column<Task>[] {
  return [
    { head: "id", cell: (task) => task.id },
    { head: "type", cell: (task) => task.type, flexible: true },
    {
      head: "status",
      cell: (task) => task.status,
      paint: (text, task) => paintStatus(output, text, task.status),
    },
    { head: "attempts", cell: (task) => `${task.attempts}/${task.maxAttempts}`, right: true },
    { head: "created", cell: (task) => formatRelative(task.createdAt, now), right: true },
    { head: "duration", cell: (task) => durationText(task, now), right: true },
    {
      head: "error",
      cell: (task) => task.error ?? (task.isDefinition ? "(a definition, no task yet)" : ""),
      paint: (text) => output.colors.dim(text),
      flexible: true,
      optional: true,
      below: true,
    },
  ];
}

/** How long its latest attempt took; nothing before the first. */
export function durationText(task: Task, now: number): string | undefined {
  const ms = durationMsOf(task, now);
  return ms === undefined ? undefined : formatDuration(ms);
}

/** A task for --json: dates as ISO text, payload and result as they are stored, with the types that JSON lacks beside them. */
export function taskDocument({ payload, result, ...task }: Task): Record<string, unknown> {
  return { ...task, ...valueFields("payload", payload), ...valueFields("result", result) };
}

function valueFields(name: "payload" | "result", value: unknown): Record<string, unknown> {
  if (value === undefined) return {};
  const document = encodedDocument(encodeValue(value, name, Number.POSITIVE_INFINITY));
  return {
    [name]: document.value,
    ...(document.types !== undefined && { [`${name}Types`]: document.types }),
  };
}
