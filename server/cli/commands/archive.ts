/** `dure archive`: finished tasks from the database to compressed files. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";
import { pruneWithBar } from "../retention.ts";
import { counted } from "../text.ts";
import { parseSpan } from "../times.ts";

interface Options {
  to: string;
  before: string;
}

/** Adds the command. */
export function addArchive(program: Command): void {
  program
    .command("archive")
    .summary("move old finished tasks to compressed files")
    .description(
      "Writes finished tasks with their attempts to a folder, one compressed NDJSON file per day they ended, and " +
        "then deletes them from the database, batch by batch; a task is on the disk before it is deleted.",
    )
    .requiredOption("--to <folder>", "where the files go; made if need be")
    .option("--before <duration>", "tasks that ended longer ago than this", "30d")
    .addHelpText(
      "after",
      `
Examples:
  dure archive --to archive
  dure archive --to /var/backups/tasks --before 7d
  zcat archive/tasks-2026-11-01.ndjson.gz | jq .id`,
    )
    .action(withContext(archive));
}

const archive: Action<Options> = async (context, { to, before }) => {
  const keptMs = parseSpan(before, "--before");
  const dure = context.open({
    retention: { completed: keptMs, failed: keptMs, cancelled: keptMs, audit: false, archiveTo: to },
  });
  const { wouldDelete = 0 } = await dure.prune({ dryRun: true });
  const { archived, deleted } = await pruneWithBar(context.output, dure, wouldDelete);
  context.output.document({ archived, deleted, folder: resolve(to) });
  context.output.print(`${counted(archived, "task")} moved${archived > 0 ? ` to ${to}` : ""}`);
  if (archived === 0) context.output.note(`No task ended more than ${before} ago.`);
};
