/** `dure edit`: the priority and the time of a task that waits. */
import type { Command } from "commander";
import { given, parseInteger } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { taskDocument } from "../task-view.ts";
import { formatInstant, parseInstant, parseSpan } from "../times.ts";

interface Options {
  priority?: string;
  runAt?: string;
  delay?: string;
}

/** Adds the command. */
export function addEdit(program: Command): void {
  program
    .command("edit")
    .summary("change the priority or the time of a waiting task")
    .description("Changes a task that is PENDING.")
    .argument("<id>", "a task")
    .option("-p, --priority <n>", "-1000 to 1000; higher goes first")
    .option("--run-at <date>", "not before this instant")
    .option("--delay <duration>", "not before this long from now; 0s makes it due")
    .addHelpText(
      "after",
      `
Examples:
  dure edit 01JD8Z6Q5N0000000000000000 --priority 10
  dure edit nightly-17 --run-at 2026-12-01T02:00
  dure edit nightly-17 --delay 0s`,
    )
    .action(withContext(edit));
}

const edit: Action<Options> = async (context, { priority, runAt, delay }, [id]) => {
  if (priority === undefined && runAt === undefined && delay === undefined) {
    throw new CommandError("Nothing to change was given: add --priority, --run-at or --delay.");
  }
  const change = {
    ...given(priority, (text) => ({ priority: parseInteger(text, "--priority") })),
    ...given(runAt, (text) => ({ runAt: parseInstant(text, "--run-at") })),
    ...given(delay, (text) => ({ delay: parseSpan(text, "--delay") })),
  };
  const task = await context.open().editTask(id!, change);
  context.output.document(taskDocument(task));
  const due = task.dueAt ? `due ${formatInstant(task.dueAt)}` : "due";
  context.output.print(`${task.id}  priority ${task.priority ?? 0}, ${due}`);
};
