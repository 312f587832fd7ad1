/** From the words on the command line to an exit code: the commands, the options all of them take, and errors. */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Help, type Option } from "commander";
import { DureError } from "../tasks/core/errors.ts";
import { addArchive } from "./commands/archive.ts";
import { addAudit } from "./commands/audit.ts";
import { addCancel } from "./commands/cancel.ts";
import { addCompletion } from "./commands/completion.ts";
import { addCopy } from "./commands/copy.ts";
import { addDashboard } from "./commands/dashboard.ts";
import { addDefinitions } from "./commands/definitions.ts";
import { addDelete } from "./commands/delete.ts";
import { addDev } from "./commands/dev.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEdit } from "./commands/edit.ts";
import { addEnqueue } from "./commands/enqueue.ts";
import { addErrors } from "./commands/errors.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addPause } from "./commands/pause.ts";
import { addPrune } from "./commands/prune.ts";
import { addRecover } from "./commands/recover.ts";
import { addReindex } from "./commands/reindex.ts";
import { addResume } from "./commands/resume.ts";
import { addRetry } from "./commands/retry.ts";
import { addRun } from "./commands/run.ts";
import { addSearch } from "./commands/search.ts";
import { addSearches } from "./commands/searches.ts";
import { addShow } from "./commands/show.ts";
import { addStats } from "./commands/stats.ts";
import { addTail } from "./commands/tail.ts";
import { addTokens } from "./commands/tokens.ts";
import { addTop } from "./commands/top.ts";
import { addWorker } from "./commands/worker.ts";
import { addWorkers } from "./commands/workers.ts";
import { printCompletions } from "./complete.ts";
import { outputOf } from "./context.ts";
import { CommandError, exitCodeOf, exitUsage } from "./exit-codes.ts";
import { endWithReader, flushOutput } from "./output.ts";
import { refuseSwallowedTerms } from "./swallowed-term.ts";
import { plainLines } from "./text.ts";

/** Runs one command and ends the process with its exit code. */
export async function runCommandLine(args: readonly string[]): Promise<never> {
  endWithReader();
  const program = createProgram();
  try {
    if (args[0] === "complete") await printCompletions(program, args.slice(1));
    else {
      refuseSwallowedTerms(program, args);
      await program.parseAsync(args.length > 0 ? args : ["--help"], { from: "user" });
    }
  } catch (error) {
    process.exitCode = report(error, program, args);
  }
  await flushOutput();
  process.exit();
}

/** The whole command line, ready to parse. */
export function createProgram(): Command {
  const program = new Command("dure")
    .description("Runs a server's background tasks, and finds any of them.")
    .usage("<command> [options]")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpCommand(
      new Command("help").argument("[command]").description("print the help of a command").helpGroup("More:"),
    )
    .option(
      "-d, --database <database>",
      "a file or postgres://… (default: DURE_DATABASE, else .dure/tasks.db)",
    )
    .option("--json", "print one JSON document instead of text")
    .option("--no-color", "print without colours")
    .addHelpText("after", programHelp)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, subcommandTerm, optionDescription })
    .configureOutput({ writeErr: () => {} });
  program.commandsGroup("Run tasks:");
  for (const add of [addDev, addWorker, addRun, addEnqueue]) add(program);
  program.commandsGroup("Find tasks:");
  for (const add of [
    addSearch,
    addSearches,
    addShow,
    addErrors,
    addStats,
    addTail,
    addTop,
    addWorkers,
    addAudit,
    addDefinitions,
    addDashboard,
    addTokens,
  ])
    add(program);
  program.commandsGroup("Change tasks:");
  for (const add of [addCancel, addRetry, addEdit, addDelete, addPause, addResume]) add(program);
  program.commandsGroup("Look after the database:");
  for (const add of [addDoctor, addArchive, addPrune, addReindex, addMigrate, addCopy, addRecover])
    add(program);
  program.commandsGroup("More:");
  addCompletion(program);
  return program;
}

const programHelp = `
Examples:
  dure dev                                run server/tasks, restart on changes
  dure enqueue resize-image '{"width":9}' store a task for a worker
  dure search --status failed --since 2h  what failed in the last two hours
  dure show 01JD8Z6Q5N0000000000000000    everything about one task

Data goes to stdout, everything else to stderr. With --json, stdout is one JSON
document: an object, or an array from the commands searches, workers,
definitions, doctor, cancel, retry and delete; an error is {"error": {"code",
"message", "details"}} on stderr.
Exit codes: 0 done, 1 something failed or is not well, 2 not understood, others
one per kind of error.`;

/** A default in words and one in numbers look alike: `(default: 3s)`, not `(default: "3s")`. */
function optionDescription(this: Help, option: Option): string {
  const described = Help.prototype.optionDescription.call(this, option);
  return described.replace(/\(default: "([^"]*)"\)/, "(default: $1)");
}

/** `search [options]` says nothing that the reader of a list of commands needs. */
function subcommandTerm(this: Help, command: Command): string {
  return command.name();
}

function version(): string {
  for (const place of ["../../package.json", "../../../package.json"]) {
    const found = readVersion(new URL(place, import.meta.url));
    if (found !== undefined) return found;
  }
  return "unknown";
}

function readVersion(place: URL): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(place, "utf8")) as { name?: string; version?: string };
    return name === "dure" ? version : undefined;
  } catch {
    return undefined;
  }
}

/** Says what went wrong; answers the exit code. */
function report(error: unknown, program: Command, args: readonly string[]): number {
  const output = outputOf(program.opts());
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const text = usageText(error, helpOf(program, args));
    output.error(text, { code: "USAGE", message: plainLines(text), details: {} });
    return exitUsage;
  }
  const exitCode = exitCodeOf(error);
  if (error instanceof DureError) {
    output.error(error.message, { code: error.code, message: error.message, details: error.details });
  } else if (error instanceof CommandError) {
    const code = exitCode === exitUsage ? "USAGE" : "MODULE";
    output.error(error.message, { code, message: error.message, details: {} });
  } else {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    output.error(stack ?? message, { code: "UNEXPECTED", message, details: { stack } });
  }
  return exitCode;
}

/** Commander's words in the form of ours: one sentence, then what was perhaps meant. */
function usageText({ message, code }: CommanderError, help: string): string {
  if (code === "commander.help") return `No command was given. "dure --help" lists them.`;
  const [problem = "", hint] = message.replace(/^error: /, "").split("\n");
  const meant = hint?.match(/^\(Did you mean (.*)\?\)$/)?.[1];
  const sentence = problem.charAt(0).toUpperCase() + problem.slice(1);
  return `${sentence}${/[.?]$/.test(sentence) ? "" : "."}${meant ? ` Did you mean ${meant}?` : ""} See "${help}".`;
}

/** The help that fits what was typed: that of the command, if it is one. */
function helpOf(program: Command, args: readonly string[]): string {
  const known = program.commands.map((command) => command.name());
  const command = args.find((word) => known.includes(word));
  return command === undefined ? "dure --help" : `dure ${command} --help`;
}
