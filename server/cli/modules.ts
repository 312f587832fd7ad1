/** Loading the modules that define tasks: which files, in which order, and what is said when one does not load. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DureError } from "../tasks/core/errors.ts";
import { didYouMean } from "../tasks/core/names.ts";
import { CommandError, exitModule } from "./exit-codes.ts";

/** Where `dure dev` and `dure worker` look when nothing else is named. */
export const defaultFolder = "server/tasks";

const extensions = "{ts,mts,js,mjs}";
const leftOut = /(?:\.d\.m?ts|\.(?:test|spec|bench)\.m?[jt]s)$/;

/** Every module below a folder, sorted, tests and declarations left out. @throws CommandError when there is no folder */
export function modulesIn(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CommandError(
      `There is no folder ${folder} here (${process.cwd()}). Name the modules that define your tasks, or their folder with --dir.`,
    );
  }
  return matching(`${folder}/**/*.${extensions}`);
}

/** The files that paths and patterns name, each once. @throws CommandError for one that names nothing */
export function modulesNamed(patterns: readonly string[]): string[] {
  return [...new Set(patterns.flatMap(filesOf))];
}

function filesOf(pattern: string): string[] {
  if (existsSync(pattern)) return statSync(pattern).isDirectory() ? modulesIn(pattern) : [resolve(pattern)];
  const found = matching(pattern);
  if (found.length > 0) return found;
  throw new CommandError(`There is no file ${pattern}.${didYouMean(basename(pattern), neighbours(pattern))}`);
}

function matching(pattern: string): string[] {
  const found = globSync(pattern, { exclude: (path) => basename(path) === "node_modules" });
  return found
    .filter((path) => !leftOut.test(path))
    .map((path) => resolve(path))
    .sort();
}

function neighbours(path: string): string[] {
  try {
    return readdirSync(dirname(path));
  } catch {
    return [];
  }
}

/** Imports modules one after the other. @throws CommandError or DureError that names the file */
export async function loadModules(files: readonly string[]): Promise<void> {
  for (const file of files) await loadModule(file);
}

/** @throws CommandError or DureError that names the file */
export async function loadModule(file: string): Promise<void> {
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    throw loadError(relative(process.cwd(), file), error);
  }
}

function loadError(file: string, error: unknown): Error {
  if (error instanceof DureError) {
    return new DureError(error.code, `${file}: ${error.message}`, { details: error.details, cause: error });
  }
  const shown = placeOfSyntaxError(file, error) ?? stackOf(error);
  return new CommandError(`${file} could not be loaded:\n${shown}${hintFor(error)}`, exitModule, {
    cause: error,
  });
}

/** The error itself does not tell where JavaScript is wrong. Undefined when it is in a module that this one imports. */
function placeOfSyntaxError(file: string, error: unknown): string | undefined {
  if (!(error instanceof SyntaxError) || stackOf(error).includes("\n")) return undefined;
  const { stderr } = spawnSync(process.execPath, ["--check", resolve(file)], { encoding: "utf8" });
  const end = stderr.indexOf(error.message);
  return end < 0 ? undefined : stderr.slice(0, end + error.message.length).trimEnd();
}

/** Without the places inside Node, where the loader called the loader, and those of this command. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack ?? error.message).split("\n");
  const own = lines.findIndex((line) => line.includes(import.meta.url));
  const before = own < 0 ? lines : lines.slice(0, own);
  return before.filter((line) => !/^\s+at .*\(?node:(internal\/|diagnostics_channel)/.test(line)).join("\n");
}

function hintFor(error: unknown): string {
  if (
    error instanceof SyntaxError &&
    /import statement outside a module|Unexpected token 'export'/.test(error.message)
  )
    return `\nModules that import or export need "type": "module" in their package.json, or a name that ends in .mts or .mjs.`;
  switch ((error as NodeJS.ErrnoException | undefined)?.code) {
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return `\nNode runs TypeScript by leaving its types out, so enums, namespaces and parameter properties need "node --experimental-transform-types" or a build.`;
    case "ERR_MODULE_NOT_FOUND":
      return "\nImports name files with their endings, such as ./receipts.ts; packages must be installed.";
    default:
      return "";
  }
}

/** @throws DureError TASK_NOT_DEFINED when the modules defined nothing */
export function requireDefinitions(ids: readonly string[], from: string): void {
  if (ids.length > 0) return;
  throw new DureError(
    "TASK_NOT_DEFINED",
    `No task is defined in ${from}. A module defines one by calling defineTask, imported from the same installation ` +
      `of "dure" as this command (${dirname(new URL(import.meta.url).pathname)}).`,
  );
}
