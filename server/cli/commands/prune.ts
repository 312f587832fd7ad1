/** `dure prune`: retention now, instead of by a worker. */
import type { Command } from "commander";
import type { Kept, RetentionOptions } from "../../dure-options.ts";
import { given, parseInteger } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { knownTypes } from "../known-types.ts";
import { pruneWithBar } from "../retention.ts";
import { parseRetention, refuseUnknownTypes, retentionOption } from "../retention-rules.ts";
import { parseSize } from "../sizes.ts";
import { counted } from "../text.ts";
import { parseSpan } from "../times.ts";

const countMax = 1_000_000_000;

interface Options {
  completed: string;
  failed: string;
  cancelled: string;
  keep?: string;
  maxSize?: string;
  retention?: string[];
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
        "themselves, by their own --retention. Says how many first and asks on a terminal; elsewhere it wants --yes. To keep a " +
        "copy use archive.",
    )
    .option("--completed <duration>", "how long COMPLETED tasks are kept, or forever", "30d")
    .option("--failed <duration>", "how long FAILED tasks are kept, or forever", "30d")
    .option("--cancelled <duration>", "how long CANCELLED tasks are kept, or forever", "30d")
    .option("--keep <n>", "of each type and status at most so many, those that ended last (default: all)")
    .option(
      "--max-size <size>",
      "of each type and status about so much, those that ended last: 500MB, 2GB (default: any)",
    )
    .option(...retentionOption)
    .option("--dry-run", "only say how many would be deleted")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      `
Examples:
  dure prune --dry-run
  dure prune --completed 7d --failed forever
  dure prune --keep 10000 --dry-run
  dure prune --max-size 2GB --dry-run
  dure prune --retention failed=90d,1GB --retention 'report-*:all=forever'
  dure prune --yes`,
    )
    .action(withContext(prune));
}

const prune: Action<Options> = async (context, options) => {
  const { output, shownDatabase } = context;
  const retention = retentionOf(options);
  const dure = context.open({ retention });
  if (retention.types) refuseUnknownTypes(retention, await knownTypes(dure));
  const { wouldDelete: total = 0 } = await dure.prune({ dryRun: true });
  if (options.dryRun || total === 0) {
    output.document({ deleted: 0, wouldDelete: total });
    output.print(`${counted(total, "task")} past retention`);
    return 0;
  }
  if (!(await confirm(output, `Delete ${counted(total, "task")} from ${shownDatabase}`, options.yes)))
    return 1;
  const { deleted } = await pruneWithBar(output, dure, total);
  output.document({ deleted });
  output.print(`${counted(deleted, "task")} deleted`);
  return 0;
};

/** A rule takes the place of what the other options say of its status. */
function retentionOf({ completed, failed, cancelled, keep, maxSize, retention }: Options): RetentionOptions {
  const more = {
    ...given(keep, (text) => ({ count: parseInteger(text, "--keep", 0, countMax) })),
    ...given(maxSize, (text) => ({ sizeBytes: parseSize(text, "--max-size") })),
  };
  const kept = (text: string, option: string): Kept => {
    return { age: text === "forever" ? false : parseSpan(text, option), ...more };
  };
  return {
    completed: kept(completed, "--completed"),
    failed: kept(failed, "--failed"),
    cancelled: kept(cancelled, "--cancelled"),
    ...given(retention, parseRetention),
    // How long the audit log is kept, workers are told; nobody shortens it by a command.
    audit: false,
  };
}
