/** `dure copy`: all tasks of one database to another, from a file to PostgreSQL for instance. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { refuseMissing, withContext, withoutPassword } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { progressBar } from "../progress-bar.ts";
import { counted } from "../text.ts";

interface Options {
  from: string;
  to?: string;
  reopen?: boolean;
}

/** Adds the command. */
export function addCopy(program: Command): void {
  program
    .command("copy")
    .summary("move all tasks to another database")
    .description(
      "Copies definitions, tasks and attempts to another database and compares what was written. The workers of the " +
        "first must be stopped; from then on it takes no changes, so that nothing is lost and nothing runs twice. " +
        "Broken off, it goes on where it was when it is started again.",
    )
    .requiredOption("--from <database>", "where the tasks are: a file or postgres://…")
    .option("--to <database>", "where they go: a file or postgres://…; made if need be")
    .option("--reopen", "instead: let the --from database take changes again")
    .addHelpText(
      "after",
      `
Examples:
  dure copy --from .dure/tasks.db --to postgres://dure@db.example.com/app
  dure copy --from postgres://localhost/app --to tasks.db
  dure copy --from .dure/tasks.db --reopen`,
    )
    .action(withContext(copy));
}

const copy: Action<Options> = async ({ output }, { from, to, reopen }) => {
  refuseMissing(from);
  const { copyDatabase, reopenDatabase } = await import("../../dure-copy.ts");
  if (reopen) {
    await reopenDatabase(from);
    output.document({ reopened: withoutPassword(from) });
    output.print(`${withoutPassword(from)} takes changes again`);
    return;
  }
  if (to === undefined) throw new CommandError("dure copy needs --to <database>, or --reopen.");
  if (to === from) throw new CommandError("--from and --to name the same database.");
  const bar = progressBar(output);
  try {
    const copied = await copyDatabase({
      from,
      to,
      onProgress: ({ tasks, total }) => bar.update(tasks, total, "task"),
    });
    bar.end();
    output.document({ ...copied, from: withoutPassword(from), to: withoutPassword(to) });
    const before = copied.present === 0 ? "" : `, ${counted(copied.present, "task")} were there already`;
    output.print(`${counted(copied.copied, "task")} copied and compared${before}`);
    output.note(
      `${withoutPassword(from)} takes no changes any more. Point your programs at ${withoutPassword(to)}.`,
    );
  } finally {
    bar.end();
  }
};
