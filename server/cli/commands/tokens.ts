/** `dure tokens`: who may use the dashboard and the HTTP API, by which token, and until when. */
import type { Command } from "commander";
import type { Role } from "../../http/contract.ts";
import type { Admitted } from "../../http/passes.ts";
import { byOf, recordIn } from "../../tasks/core/audit.ts";
import { parseDuration } from "../../tasks/core/duration.ts";
import { checkSearchName } from "../../tasks/core/names.ts";
import type { AuditedChange } from "../../tasks/core/port/store-audit.ts";
import { passesOf } from "../access-folder.ts";
import { parseChoice } from "../arguments.ts";
import type { Action, Context } from "../context.ts";
import { refuseMissing, withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import type { Column } from "../table.ts";
import { renderTable } from "../table.ts";
import { plainLine } from "../text.ts";
import { formatInstant } from "../times.ts";

const roles = ["viewer", "operator", "admin"] as const satisfies readonly Role[];

const actions = ["list", "create", "revoke"] as const;

interface Options {
  role: string;
  expires: string;
}

/** Adds the command. */
export function addTokens(program: Command): void {
  program
    .command("tokens")
    .summary("who may use the dashboard and the HTTP API")
    .description(
      "Lists the tokens that dure dashboard and dure dev of this database let in, makes one or revokes one. A token is printed when it is " +
        "made and never again: only its digest is kept, in a folder beside the database.",
    )
    .argument("[action]", "list, create or revoke (default: list)")
    .argument("[name]", "who uses it, as the audit log will tell; 1 to 64 letters, digits and . _ : / -")
    .option("--role <role>", "with create: viewer, operator or admin", "viewer")
    .option("--expires <duration>", "with create: how long it lets in, or never", "90d")
    .addHelpText(
      "after",
      `
Examples:
  dure tokens
  dure tokens create ci --role operator --expires 30d
  dure tokens revoke ci`,
    )
    .action(withContext(tokens));
}

const tokens: Action<Options> = async (context, options, [word = "list", name]) => {
  const action = parseChoice(word, actions, "The action");
  refuseMissing(context.database);
  if (action === "list") return list(context);
  if (name === undefined) throw new CommandError(`"dure tokens ${action}" needs the name of a token.`);
  return action === "create" ? create(context, name, options) : revoke(context, name);
};

function list(context: Context): void {
  const { output } = context;
  const found = passesOf(context).tokens();
  output.document({
    tokens: found.map(({ pass: { name, role, createdAt, expiresAt } }) => ({
      ...{ name, role, createdAt: new Date(createdAt) },
      ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) }),
    })),
  });
  if (found.length > 0) output.print(renderTable(output, columns, found));
  else output.note("There is no token. dure tokens create makes one.");
}

const columns: Column<Admitted>[] = [
  { head: "name", cell: ({ pass }) => plainLine(pass.name ?? "") },
  { head: "role", cell: ({ pass }) => pass.role },
  { head: "created", cell: ({ pass }) => formatInstant(new Date(pass.createdAt)) },
  {
    head: "expires",
    cell: ({ pass }) => (pass.expiresAt === undefined ? "never" : formatInstant(new Date(pass.expiresAt))),
  },
];

async function create(context: Context, name: string, { role: word, expires }: Options): Promise<void> {
  checkSearchName(name);
  const role = parseChoice(word, roles, "--role");
  const lifeMs = expires === "never" ? undefined : parseDuration(expires, "--expires");
  const passes = passesOf(context);
  if (passes.tokens().some(({ pass }) => pass.name === name))
    throw new CommandError(`There is a token named ${name}; revoke it first, or choose another name.`);
  // Before it is made: there is no token of which nobody knows.
  await tell(context, { action: "create-token", kind: "token", target: name, after: { role, expires } });
  const token = passes.newToken(name, role, lifeMs);
  context.output.document({ name, role, token });
  context.output.print(token);
  context.output.note(
    "It is not told again. Send it as Authorization: Bearer …, or log in to the dashboard with it.",
  );
}

async function revoke(context: Context, name: string): Promise<void> {
  const passes = passesOf(context);
  const found = passes.tokens().filter(({ pass }) => pass.name === name);
  if (found.length === 0) throw new CommandError(`There is no token named ${name}.`);
  for (const { place } of found) passes.end(place);
  context.output.document({ revoked: name });
  context.output.note(`${name} is let in no more.`);
  await tell(context, { action: "revoke-token", kind: "token", target: name });
}

/** In the audit log. */
function tell(context: Context, change: AuditedChange): Promise<void> {
  const { instance } = context.open();
  return recordIn(instance, byOf(instance, context.by), change);
}
