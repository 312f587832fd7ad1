/** `dure recover`: what can still be read of a damaged file, into a new one. */
import type { Command } from "commander";
import { grouped } from "../../tasks/core/grouped.ts";
import type { Recovered } from "../../tasks/runtime/recoverer.ts";
import type { Action } from "../context.ts";
import { refuseMissing, withContext } from "../context.ts";
import { CommandError, exitFindings } from "../exit-codes.ts";
import { progressBar } from "../progress-bar.ts";
import { counted, plainLine } from "../text.ts";

interface Options {
  from: string;
  to: string;
}

const idsShown = 10;

/** Adds the command. */
export function addRecover(program: Command): void {
  program
    .command("recover")
    .summary("save what can be read of a damaged file")
    .description(
      "Reads a damaged SQLite file, writes nothing to it, and puts every task that can still be read into a new file, " +
        "with its attempts. Tasks that were running wait again. Stop everything that uses the file first. Says which " +
        "tasks were lost as far as that can be known, and exits 1 when there are any.",
    )
    .requiredOption("--from <file>", "the damaged file")
    .requiredOption("--to <file>", "the file to be made")
    .addHelpText(
      "after",
      `
Examples:
  dure recover --from .dure/tasks.db --to .dure/recovered.db
  dure doctor --full --database .dure/recovered.db
  dure recover --from tasks.db --to new.db --json | jq -r '.lostIds[]'`,
    )
    .action(withContext(recover));
}

const recover: Action<Options> = async ({ output }, { from, to }) => {
  for (const database of [from, to]) refuseServer(database);
  refuseMissing(from);
  const { recoverDatabase } = await import("../../dure-recover.ts");
  const bar = progressBar(output);
  try {
    const recovered = await recoverDatabase({
      from,
      to,
      onProgress: ({ tasks, total }) => {
        if (total !== undefined) bar.update(tasks, total, "task");
      },
    });
    bar.end();
    output.document({ from, to, ...recovered });
    for (const line of linesOf(recovered, to)) output.print(line);
    output.note(`${from} is as it was. Look at ${to} with dure doctor --full, then put it in its place.`);
    return recovered.lost + recovered.unreadable.length > 0 ? exitFindings : 0;
  } finally {
    bar.end();
  }
};

function refuseServer(database: string): void {
  if (!database.includes("://")) return;
  throw new CommandError("dure recover works on SQLite files; a PostgreSQL server has its own tools.");
}

function linesOf({ tasks, takenBack, lost, lostIds, unreadable }: Recovered, to: string): string[] {
  const again = takenBack === 0 ? "" : `; ${takenBack} of them had been running and wait again`;
  const lines = [`${counted(tasks, "task")} recovered into ${to}${again}`];
  if (lost > 0) lines.push(`${counted(lost, "task")} lost: ${namesOf(lostIds, lost)}`);
  if (unreadable.length > 0) lines.push(`Also lost, at least in part: ${unreadable.join(", ")}`);
  return lines;
}

function namesOf(ids: readonly string[], lost: number): string {
  const shown = ids.slice(0, idsShown).map(plainLine);
  if (shown.length === 0) return "their ids are not known";
  const more = lost - shown.length;
  return more === 0 ? shown.join(", ") : `${shown.join(", ")} and ${grouped(more)} more`;
}
