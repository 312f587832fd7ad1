/** `dure completion`: the script by which a shell completes the words of this command. */
import { Argument, type Command } from "commander";
import { parseChoice } from "../arguments.ts";
import { installs, type Shell, scripts, shells } from "../completion-scripts.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";

/** Adds the command. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .summary("let the tab key complete commands, types and ids")
    .description(
      "Prints a script that completes commands, options, and from the database types, queues and ids, when the tab key " +
        "is pressed. Load it at the start of the shell, with dure on the PATH.",
    )
    .addArgument(shellArgument())
    .addHelpText(
      "after",
      `\nExamples:\n${Object.values(installs)
        .map((line) => `  ${line}`)
        .join("\n")}`,
    )
    .action(withContext(completion));
}

/** Its choices are completed and shown; a wrong one is answered as everywhere. */
function shellArgument(): Argument {
  const argument = new Argument("<shell>", "which shell").choices(shells);
  return argument.argParser((text) => parseChoice(text, shells, "The shell"));
}

const completion: Action<object> = async ({ output }, _options, [shell]) => {
  const script = scripts[shell as Shell];
  output.document({ shell, script });
  output.print(script.trimEnd());
};
