/** `dure pause`: lets the tasks of a type or a queue wait, and says what waits like that. */
import type { Command } from "commander";
import type { Pause } from "../../tasks/core/pauses.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { pauseText, targetOf } from "../pause-view.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { counted, plainLine } from "../text.ts";
import { formatInstant, formatRelative } from "../times.ts";

interface Options {
  type?: string;
  queue?: string;
  reason?: string;
}

/** Adds the command. */
export function addPause(program: Command): void {
  program
    .command("pause")
    .summary("let the tasks of a type or a queue wait")
    .description(
      "From its answer on no worker starts a task of that type, or of that queue; what runs goes on. Without either it " +
        "lists what is paused.",
    )
    .option("-t, --type <type>", "the tasks of this definition")
    .option("-q, --queue <queue>", "the tasks of this queue")
    .option("--reason <text>", "why, for whoever asks why a task waits")
    .addHelpText(
      "after",
      `
Examples:
  dure pause --type send-receipt --reason 'the mail server is down'
  dure pause --queue reports
  dure pause
  dure resume --type send-receipt`,
    )
    .action(withContext(pause));
}

const pause: Action<Options> = async (context, options) => {
  const { type, queue, reason } = options;
  if (type === undefined && queue === undefined) return list(context, reason);
  const dure = context.open();
  const { by } = context;
  const paused = await dure.pause(targetOf(options, "pause"), reason === undefined ? { by } : { reason, by });
  const { byType } = await dure.stats();
  const waiting = byType
    .filter((row) => row.status === "PENDING" && (row.type === type || row.queue === queue))
    .reduce((sum, { count }) => sum + count, 0);
  const { output } = context;
  output.document(paused);
  output.print(pauseText(paused));
  output.note(`${counted(waiting, "task waits", "tasks wait")} in it.`);
};

async function list(context: Context, reason: string | undefined): Promise<void> {
  if (reason !== undefined)
    throw new CommandError("--reason is of a pause. Give --type or --queue with it, to say of which.");
  const pauses = await context.open().listPauses();
  const { output } = context;
  output.document(pauses);
  if (pauses.length > 0) output.print(renderTable(output, columns(Date.now()), pauses));
  if (pauses.length > 0) output.note(`${counted(pauses.length, "pause")}.`);
  else output.note("Nothing is paused.");
}

function columns(now: number): Column<Pause>[] {
  return [
    { head: "paused", cell: ({ type }) => (type === undefined ? "queue" : "type") },
    { head: "name", cell: ({ type, queue }) => type ?? queue, flexible: true },
    { head: "since", cell: ({ pausedAt }) => `${formatInstant(pausedAt)}  ${formatRelative(pausedAt, now)}` },
    { head: "reason", cell: ({ reason }) => plainLine(reason ?? ""), flexible: true },
  ];
}
