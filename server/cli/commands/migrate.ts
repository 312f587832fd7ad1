/** `dure migrate`: makes the database, or brings it up to date; and prints what roles need. */
import type { Command } from "commander";
import { grantsFor, roleKinds } from "../../dure-grants.ts";
import { parseChoice } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";

interface Options {
  grants?: string;
  as: string;
}

/** Adds the command. */
export function addMigrate(program: Command): void {
  program
    .command("migrate")
    .summary("make the database, or bring it up to date")
    .description(
      "Applies the migrations that the database lacks, each once, under a lock; makes the database if there is none. " +
        "Workers do the same when they start. A database that a newer Dure made is left alone. With --grants it " +
        "changes nothing: it prints the SQL that gives a PostgreSQL role what it needs and no more.",
    )
    .option("--grants <role>", "print the SQL for this role instead")
    .option("--as <kind>", `what the role is for: ${roleKinds.join(", ")}`, "worker")
    .addHelpText(
      "after",
      `
Examples:
  dure migrate
  dure migrate --database /var/lib/app/tasks.db --json
  dure migrate --database postgres://db/app --grants web --as client | psql app`,
    )
    .action(withContext(migrate));
}

const migrate: Action<Options> = async (context, { grants, as }) => {
  if (grants !== undefined) {
    const statements = grantsFor(context.database, grants, parseChoice(as, roleKinds, "--as"));
    context.output.document({ role: grants, as, statements });
    context.output.print(statements.join("\n"));
    return;
  }
  const store = await context.openOrCreate().instance.store();
  const { stored, known } = await store.schemaVersion();
  context.output.document({ location: store.location, stored, known });
  context.output.print(`${store.location}  schema ${stored} of ${known}`);
};
