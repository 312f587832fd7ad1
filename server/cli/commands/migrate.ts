/** `dure migrate`: makes the database, or brings it up to date. */
import type { Command } from "commander";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";

/** Adds the command. */
export function addMigrate(program: Command): void {
  program
    .command("migrate")
    .summary("make the database, or bring it up to date")
    .description(
      "Applies the migrations that the database lacks, each once, under a lock; makes the database if there is none. " +
        "Workers do the same when they start. A database that a newer Dure made is left alone.",
    )
    .addHelpText(
      "after",
      `
Examples:
  dure migrate
  dure migrate --database /var/lib/app/tasks.db --json`,
    )
    .action(withContext(migrate));
}

const migrate: Action<object> = async (context) => {
  const store = await context.openOrCreate().instance.store();
  const { stored, known } = await store.schemaVersion();
  context.output.document({ location: store.location, stored, known });
  context.output.print(`${store.location}  schema ${stored} of ${known}`);
};
