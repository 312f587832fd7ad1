/** `dure migrate`: makes the database, or brings it up to date; and prints what roles need. */
import type { Command } from "commander";
import { grantsFor, roleKinds } from "../../dure-grants.ts";
import { parseChoice } from "../arguments.ts";
import type { Action } from "../context.ts";
import { withContext } from "../context.ts";

interface Options {
  app?: string;
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
        "changes nothing: it prints the SQL that gives a PostgreSQL role what it needs and no more. With --app the database " +
        "belongs to that app from now on, whosever it was: programs that name another one are refused.",
    )
    .option("--app <name>", "the app that the database belongs to")
    .option("--grants <role>", "print the SQL for this role instead")
    .option("--as <kind>", `what the role is for: ${roleKinds.join(", ")}`, "worker")
    .addHelpText(
      "after",
      `
Examples:
  dure migrate
  dure migrate --database /var/lib/app/tasks.db --json
  dure migrate --app shop
  dure migrate --database postgres://db/app --grants web --as client | psql app`,
    )
    .action(withContext(migrate));
}

const migrate: Action<Options> = async (context, { app, grants, as }) => {
  if (grants !== undefined) {
    const statements = grantsFor(context.database, grants, parseChoice(as, roleKinds, "--as"));
    context.output.document({ role: grants, as, statements });
    context.output.print(statements.join("\n"));
    return;
  }
  // Before an instance opens it, which would be refused by a database of another app.
  if (app !== undefined) await (await import("../../dure-app.ts")).nameDatabase(context.database, app);
  const store = await context.openOrCreate(app === undefined ? {} : { app }).instance.store();
  const { stored, known } = await store.schemaVersion();
  const owner = await store.readApp();
  context.output.document({
    location: store.location,
    stored,
    known,
    ...(owner !== undefined && { app: owner }),
  });
  context.output.print(
    `${store.location}  schema ${stored} of ${known}${owner === undefined ? "" : `  app ${owner}`}`,
  );
};
