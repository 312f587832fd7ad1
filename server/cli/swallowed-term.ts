/**
 * Terms that begin with a minus, such as `-queue:images`: commander takes their first letter for a short option and the rest
 * for its value, and another search is answered than the one asked for.
 */
import type { Command } from "commander";
import { CommandError } from "./exit-codes.ts";

/** Commands that take a query in words of their own. */
const asking = ["search", "searches", "tail"];

/** @throws CommandError for a term with a minus that stands where options stand, and for `--query` */
export function refuseSwallowedTerms(program: Command, args: readonly string[]): void {
  const command = program.commands.find((one) => args.includes(one.name()));
  if (!command || !asking.includes(command.name())) return;
  const options = [...program.options, ...command.options];
  const takesNext = (arg: string | undefined) =>
    options.some(({ long, short, required }) => required && (arg === long || arg === short));
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  refuseQueryOption(command.name(), args.slice(0, end));
  const term = args.slice(0, end).find((arg, index) => isTerm(arg) && !takesNext(args[index - 1]));
  if (term === undefined) return;
  throw new CommandError(
    `${term} would be taken for options. Put -- before a query that begins with a minus: dure ${command.name()} -- '${term}'`,
  );
}

/** Commands that act on tasks take it so; the nearest name of an option would be `--queue`. */
function refuseQueryOption(name: string, args: readonly string[]): void {
  const index = args.findIndex((arg) => arg === "--query" || arg.startsWith("--query="));
  if (index < 0) return;
  const query = args[index]!.slice("--query=".length) || (args[index + 1] ?? "status:failed");
  throw new CommandError(`dure ${name} takes its query without --query: dure ${name} '${query}'`);
}

/** `-d/a/file`, `-dpostgres://…` and `-dC:\file` are databases. */
function isTerm(arg: string): boolean {
  return /^-(?:[\p{L}_$][^\s=/\\]+:(?![/\\]{2})|["(@])/u.test(arg) && !/^-d[a-z]:\\/i.test(arg);
}
