/** `dure worker`: loads definitions and runs their tasks until it is told to stop. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { defaultFolder, loadModules, modulesIn, modulesNamed, requireDefinitions } from "../modules.ts";
import { retentionOption } from "../retention-rules.ts";
import { counted } from "../text.ts";
import type { WorkingOptions } from "../working.ts";
import { concurrencyOption, graceOption, queuesOption, Working } from "../working.ts";

interface Options extends WorkingOptions {
  dir?: string;
}

/** Adds the command. */
export function addWorker(program: Command): void {
  program
    .command("worker")
    .summary("load definitions and run their tasks until stopped")
    .description(
      "Loads the modules that define tasks and runs their tasks until SIGTERM or SIGINT. It then finishes what is " +
        "running, gives the rest back, and exits 0; a second signal ends it at once (130, 143). It exits 75 when too " +
        "many handlers do not end; start it again then.",
    )
    .argument("[modules...]", "files, folders or patterns")
    .option("--dir <folder>", `a folder of modules (default: ${defaultFolder}, when no module is named)`)
    .option(...concurrencyOption)
    .option(...queuesOption)
    .option(...graceOption)
    .option("--name <name>", "shown in lists of workers (default: host and process id)")
    .option("--no-full-text", "do not index the texts of tasks")
    .option(...retentionOption)
    .option("--archive-to <folder>", "what retention deletes is first written there, as compressed NDJSON")
    .addHelpText(
      "after",
      `
Examples:
  dure worker                                every module in ${defaultFolder}
  dure worker tasks/receipts.ts              one module
  dure worker 'dist/tasks/*.js' -c 50        compiled, 50 tasks at once
  dure worker --queues mail,reports          only these queues
  dure worker --retention failed=90d,2GB     what is kept (30 days unless said)`,
    )
    .action(withContext(work));
}

const work: Action<Options> = async (context, options, named) => {
  const files = filesOf(options, named);
  const working = new Working(context, options);
  await loadModules(files);
  const { types } = working;
  requireDefinitions(types, options.dir ?? (named.join(", ") || defaultFolder));
  await working.start();
  context.output.note(
    `Running ${counted(types.length, "definition")} on ${context.shownDatabase}: ${shortened(types)}. Ctrl-C stops.`,
  );
  const { exitCode, released } = await working.until();
  context.output.document({ released });
  return exitCode;
};

function filesOf({ dir }: Options, named: readonly string[]): string[] {
  const files = modulesNamed(named);
  if (dir !== undefined || named.length === 0) files.push(...modulesIn(dir ?? defaultFolder));
  return [...new Set(files)];
}

function shortened(types: readonly string[]): string {
  const shown = types.slice(0, 8).join(", ");
  return types.length > 8 ? `${shown} and ${types.length - 8} more` : shown;
}
