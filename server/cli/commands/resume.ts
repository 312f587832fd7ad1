/** `dure resume`: lets the tasks of a paused type or queue start again. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { targetOf, targetText } from "../pause-view.ts";

interface Options {
  type?: string;
  queue?: string;
}

/** Adds the command. */
export function addResume(program: Command): void {
  program
    .command("resume")
    .summary("let the tasks of a paused type or queue start again")
    .description("Takes a pause back; workers go on with its tasks at once.")
    .option("-t, --type <type>", "the tasks of this definition")
    .option("-q, --queue <queue>", "the tasks of this queue")
    .addHelpText(
      "after",
      `
Examples:
  dure resume --type send-receipt
  dure resume --queue reports`,
    )
    .action(withContext(resume));
}

const resume: Action<Options> = async (context, options) => {
  const target = targetOf(options, "resume");
  const resumed = await context.open().resume(target, { by: context.by });
  const { output } = context;
  output.document({ ...target, resumed });
  output.note(`${targetText(target)} ${resumed ? "is no longer paused" : "was not paused"}.`);
};
