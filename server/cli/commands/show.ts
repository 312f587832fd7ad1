/** `dure show`: everything about one task. */
import type { Command } from "commander";
import type { Attempt } from "../../tasks/core/attempt.ts";
import { DureError } from "../../tasks/core/errors.ts";
import type { ExplanationReason } from "../../tasks/core/explain.ts";
import { findNearIdsIn } from "../../tasks/core/find.ts";
import { didYouMean } from "../../tasks/core/names.ts";
import type { AuditRecord } from "../../tasks/core/port/store-audit.ts";
import type { Task } from "../../tasks/core/task.ts";
import { attemptDiffs } from "../attempt-diff.ts";
import { attemptSections, attemptsTable } from "../attempt-view.ts";
import { changeLine } from "../change-view.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import type { Output } from "../output.ts";
import { renderFields } from "../table.ts";
import { durationText, paintStatus, taskDocument } from "../task-view.ts";
import { indent, plainLine, plainLines } from "../text.ts";
import { formatInstant, formatRelative } from "../times.ts";
import { showStored } from "../values.ts";

const barWidth = 20;

/** Adds the command. */
export function addShow(program: Command): void {
  program
    .command("show")
    .summary("everything about one task")
    .description(
      "Prints a task with its payload, result and progress, who asked for its last change, and its attempts with their outcomes, " +
        "errors and logs. " +
        "The id of a definition shows that definition and its latest task.",
    )
    .argument("<id>", "a task or a definition")
    .option("--diff", "what changed from each attempt to the next, instead of their errors and logs")
    .option("--archive <folder>", "from the files of an archive instead")
    .addHelpText(
      "after",
      `
Examples:
  dure show 01JD8Z6Q5N0000000000000000
  dure show nightly-report                   a definition and its latest task
  dure show order-17 --diff
  dure show order-17 --archive archive
  dure show order-17 --json | jq .result`,
    )
    .action(withContext(show));
}

interface Options {
  diff?: boolean;
  archive?: string;
}

const show: Action<Options> = async (context, { diff = false, archive }, [id]) => {
  if (archive !== undefined) return showArchived(context, archive, id!, diff);
  const dure = context.open();
  const task = await dure.getTaskById(id!);
  if (!task) throw await notFound(context, id!);
  const [attempts, { reasons }, { records }] = await Promise.all([
    dure.listAttempts(id!),
    dure.explainTask(id!),
    dure.readAudit({ target: id!, limit: 1 }),
  ]);
  const { output } = context;
  const [lastChange] = records;
  output.document({ ...taskDocument(task), history: attempts, reasons, ...(lastChange && { lastChange }) });
  output.print(taskText(output, { task, attempts, reasons, lastChange }, diff));
};

async function showArchived(context: Context, folder: string, id: string, diff: boolean): Promise<void> {
  const archived = await context.openArchive(folder).getArchivedTask(id);
  if (!archived) {
    throw new DureError("TASK_NOT_FOUND", `The archive in ${folder} has no task "${id}".`, {
      details: { id },
    });
  }
  const { task, attempts } = archived;
  context.output.document({ ...taskDocument(task), history: attempts });
  context.output.print(taskText(context.output, { task, attempts, reasons: [] }, diff));
}

async function notFound(context: Context, id: string): Promise<DureError> {
  const store = await context.open().instance.store();
  const near = await findNearIdsIn(store, id);
  return new DureError(
    "TASK_NOT_FOUND",
    `There is no task "${id}".${didYouMean(id, near) || ' "dure search" lists tasks.'} ` +
      "Where ended tasks are archived, --archive <folder> looks for it in their files.",
    {
      details: { id, near },
    },
  );
}

interface Shown {
  task: Task;
  attempts: readonly Attempt[];
  reasons: readonly ExplanationReason[];
  lastChange?: AuditRecord | undefined;
}

function taskText(output: Output, shown: Shown, diff: boolean): string {
  const { task, attempts } = shown;
  const now = Date.now();
  const sections = [
    renderFields(output, fieldsOf(output, shown, now)),
    valueSection(output, "payload", task.payload),
    task.status === "COMPLETED" ? valueSection(output, "result", task.result) : undefined,
    attempts.length > 0
      ? `${heading(output, "attempts")}\n${indent(attemptsTable(output, attempts, now))}`
      : undefined,
    ...(diff ? attemptDiffs(output, attempts, now) : attemptSections(output, attempts)),
  ];
  return sections.filter((section) => section !== undefined).join("\n\n");
}

function fieldsOf(
  output: Output,
  { task, reasons, lastChange }: Shown,
  now: number,
): [string, string | undefined][] {
  const at = (instant: Date | undefined) =>
    instant && `${formatInstant(instant)}  ${output.colors.dim(formatRelative(instant, now))}`;
  return [
    ["id", plainLine(task.id)],
    ["type", plainLine(task.type)],
    ["description", plainLines(task.description ?? "")],
    ["status", statusText(output, task)],
    ["waits", task.status === "PENDING" && !task.isDefinition ? whyText(reasons) : undefined],
    ["error", inRed(output, task.error)],
    ["unreadable", inRed(output, task.unreadable)],
    ["progress", progressText(output, task)],
    ["attempts", `${task.attempts} of ${task.maxAttempts}${extraAttempts(task)}`],
    ["queue", plainLine(task.queue ?? "")],
    ["priority", task.priority === undefined ? undefined : String(task.priority)],
    ["tags", task.tags?.map(plainLine).join(", ")],
    ["key", plainLine(task.idempotencyKey ?? "")],
    ["created", at(task.createdAt)],
    ["due", task.status === "PENDING" ? at(task.dueAt) : undefined],
    ["started", at(task.startedAt)],
    ["ended", at(task.completedAt)],
    ["updated", at(task.updatedAt)],
    ["asked for", lastChange && changeLine(output, lastChange, now)],
    ["duration", durationText(task, now)],
    ["worker", plainLine(task.workerId ?? "")],
  ];
}

function whyText(reasons: readonly ExplanationReason[]): string {
  return plainLines(reasons.map(({ message }) => message).join("\n"));
}

function inRed({ colors }: Output, text: string | undefined): string | undefined {
  return text === undefined ? undefined : colors.red(plainLines(text));
}

function statusText(output: Output, task: Task): string {
  const status = paintStatus(output, task.status, task.status);
  if (task.isDefinition)
    return `${status}  (a definition; what follows is of its latest task, if it has one)`;
  return task.cancelRequestedAt && task.status === "RUNNING" ? `${status}  (asked to cancel)` : status;
}

function extraAttempts({ crashes = 0, snoozes = 0 }: Task): string {
  const extras = [crashes > 0 ? `lost ${crashes}` : "", snoozes > 0 ? `snoozed ${snoozes}` : ""];
  const text = extras.filter((extra) => extra !== "").join(", ");
  return text === "" ? "" : ` (${text})`;
}

function progressText(output: Output, { progress }: Task): string | undefined {
  if (!progress) return undefined;
  const { done, total, message } = progress;
  const said = message === undefined ? "" : `  ${plainLine(message)}`;
  if (total === undefined || !(total > 0)) return `${done}${said}`;
  const share = Math.min(1, Math.max(0, done / total));
  const filled = Math.round(share * barWidth);
  const bar = output.colors.cyan("█".repeat(filled)) + output.colors.dim("░".repeat(barWidth - filled));
  return `${bar} ${done} of ${total} (${Math.floor(share * 100)} %)${said}`;
}

function valueSection(output: Output, name: string, value: unknown): string | undefined {
  return value === undefined ? undefined : `${heading(output, name)}\n${indent(showStored(value))}`;
}

function heading(output: Output, name: string): string {
  return output.colors.bold(name);
}
