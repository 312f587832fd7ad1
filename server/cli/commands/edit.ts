/** `dure edit`: the priority and the time of tasks that wait. */
import type { Command } from "commander";
import type { EditOptions } from "../../tasks/core/manage.ts";
import { given, parseInteger } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import {
  backgroundOption,
  changeFound,
  dryRunOption,
  isByQuery,
  type QueryOptions,
  queryOption,
  rateOption,
  yesOption,
} from "../each-found.ts";
import { changeEach } from "../each-task.ts";
import { CommandError } from "../exit-codes.ts";
import { formatInstant, parseInstant, parseSpan } from "../times.ts";

interface Options extends QueryOptions {
  priority?: string;
  runAt?: string;
  delay?: string;
}

/** Adds the command. */
export function addEdit(program: Command): void {
  program
    .command("edit")
    .summary("change the priority or the time of waiting tasks")
    .description("Changes tasks that are PENDING.")
    .argument("[ids...]", "tasks")
    .option("-p, --priority <n>", "-1000 to 1000; higher goes first")
    .option("--run-at <date>", "not before this instant")
    .option("--delay <duration>", "not before this long from now; 0s makes it due")
    .option(...queryOption)
    .option(...dryRunOption)
    .option(...backgroundOption)
    .option(...rateOption)
    .option(...yesOption)
    .addHelpText(
      "after",
      `
Examples:
  dure edit 01JD8Z6Q5N0000000000000000 --priority 10
  dure edit nightly-17 --run-at 2026-12-01T02:00
  dure edit nightly-17 --delay 0s
  dure edit --query 'status:pending tag:import' --priority -5 --dry-run
  dure edit --query 'type:send-receipt due:<1h' --delay 2h --yes`,
    )
    .action(withContext(edit));
}

const edit: Action<Options> = async (context, options, ids) => {
  const change = changeOf(options);
  if (isByQuery(options, ids)) return changeFound(context, options, "edit", "changed", change);
  const dure = context.open();
  return changeEach(context, ids, "changed", async (id) => {
    const task = await dure.editTask(id, { ...change, by: context.by });
    const due = task.dueAt ? `due ${formatInstant(task.dueAt)}` : "due";
    return { task, line: `${task.id}  priority ${task.priority ?? 0}, ${due}` };
  });
};

function changeOf({ priority, runAt, delay }: Options): EditOptions {
  if (priority === undefined && runAt === undefined && delay === undefined) {
    throw new CommandError("Nothing to change was given: add --priority, --run-at or --delay.");
  }
  if (runAt !== undefined && delay !== undefined)
    throw new CommandError("--run-at and --delay were both given; give one of them.");
  return {
    ...given(priority, (text) => ({ priority: parseInteger(text, "--priority", -1_000, 1_000) })),
    ...given(runAt, (text) => ({ runAt: parseInstant(text, "--run-at") })),
    ...given(delay, (text) => ({ delay: parseSpan(text, "--delay") })),
  };
}
