/** `dure prune`: retention now, instead of by a worker. */
import type { Command } from "commander";
import type { Kept, RetentionOptions } from "../../dure-options.ts";
import { parseInteger } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import type { KeptMs } from "../retention.ts";
import { countPast, pruneWithBar } from "../retention.ts";
import { counted } from "../text.ts";
import { parseSpan } from "../times.ts";

interface Options {
  completed: string;
  failed: string;
  cancelled: string;
  keep?: string;
  dryRun?: boolean;
  yes?: boolean;
}

/** Adds the command. */
export function addPrune(program: Command): void {
  program
    .command("prune")
    .summary("delete finished tasks past their retention")
    .description(
      "Deletes finished tasks that are past their retention, with their attempts and logs; running workers do so by " +
        "themselves. Says how many first and asks on a terminal; elsewhere it wants --yes. To keep a copy use archive.",
    )
    .option("--completed <duration>", "how long COMPLETED tasks are kept, or forever", "30d")
    .option("--failed <duration>", "how long FAILED tasks are kept, or forever", "30d")
    .option("--cancelled <duration>", "how long CANCELLED tasks are kept, or forever", "30d")
    .option("--keep <n>", "of each type and status at most so many, those that ended last (default: all)")
    .option("--dry-run", "only say how many would be deleted")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      `
Examples:
  dure prune --dry-run
  dure prune --completed 7d --failed forever
  dure prune --keep 10000 --dry-run
  dure prune --yes`,
    )
    .action(withContext(prune));
}

const prune: Action<Options> = async (context, options) => {
  const { output, shownDatabase } = context;
  const kept = keptMs(options);
  const keep = options.keep === undefined ? undefined : parseInteger(options.keep, "--keep", 0);
  const dure = context.open({ retention: retentionOf(kept, keep) });
  const total = await countPast(dure, kept, Date.now(), keep);
  if (options.dryRun || total === 0) {
    output.document({ deleted: 0, wouldDelete: total });
    output.print(`${counted(total, "task")} past retention`);
    return 0;
  }
  if (!(await confirm(output, `Delete ${counted(total, "task")} from ${shownDatabase}`, options.yes)))
    return 1;
  const { deleted } = await pruneWithBar(output, dure, kept, total, keep);
  output.document({ deleted });
  output.print(`${counted(deleted, "task")} deleted`);
  return 0;
};

function keptMs({ completed, failed, cancelled }: Options): KeptMs {
  return {
    ...keptFor("COMPLETED", completed, "--completed"),
    ...keptFor("FAILED", failed, "--failed"),
    ...keptFor("CANCELLED", cancelled, "--cancelled"),
  };
}

function keptFor(status: keyof KeptMs, text: string, option: string): KeptMs {
  return text === "forever" ? {} : { [status]: parseSpan(text, option) };
}

function retentionOf({ COMPLETED, FAILED, CANCELLED }: KeptMs, keep: number | undefined): RetentionOptions {
  const kept = (age: number | undefined): Kept =>
    keep === undefined ? (age ?? false) : { age: age ?? false, count: keep };
  // How long the audit log is kept, workers are told; nobody shortens it by a command.
  return { completed: kept(COMPLETED), failed: kept(FAILED), cancelled: kept(CANCELLED), audit: false };
}
