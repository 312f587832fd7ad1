/** The project's files and what they import, read as text. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { root } from "../support/project.ts";

export interface Import {
  /** As written: './task.ts', 'node:fs', 'commander'. */
  from: string;
  /** For a relative import: the file's path from the root. */
  file: string | undefined;
  /** Whether nothing of it is left at run time. */
  typesOnly: boolean;
}

const leftOut = new Set(["node_modules", ".git", ".data", ".dure", ".cache"]);

/** Paths of all files below a folder, from the root, in order; built and installed ones left out. */
export function listFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !leftOut.has(name) && !name.startsWith("dist"))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? listFiles(path) : [path];
    })
    .sort();
}

/** TypeScript files below a folder that are not tests. */
export function listSources(folder: string): string[] {
  return listFiles(folder).filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"));
}

export function readSource(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The code without its comments; what stands in quotes stays, as do line breaks. */
export function withoutComments(code: string): string {
  const pieces = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
  return code.replace(pieces, (piece) =>
    piece.startsWith("/*") || piece.startsWith("//") ? piece.replace(/[^\n]/g, "") : piece,
  );
}

const statements = /^(import|export)(\s+type\b)?\s+([^;"']*?)\s*\bfrom\s*"([^"]+)"/gm;
const bareImports = /^import\s*"([^"]+)"/gm;
const dynamicImports = /\bimport\(\s*"([^"]+)"\s*\)/g;

export function importsOf(path: string, code = readSource(path)): Import[] {
  const text = withoutComments(code);
  const named = [...text.matchAll(statements)].map(([, , type, names, from]) =>
    importOf(path, from!, type !== undefined || areTypes(names!)),
  );
  const others = [...text.matchAll(bareImports), ...text.matchAll(dynamicImports)];
  return [...named, ...others.map(([, from]) => importOf(path, from!, false))];
}

function importOf(path: string, from: string, typesOnly: boolean): Import {
  const file = from.startsWith(".") ? relative(root, resolve(root, dirname(path), from)) : undefined;
  return { from, file, typesOnly };
}

/** `{ type A, type B }` leaves nothing at run time. */
function areTypes(names: string): boolean {
  const list = /^\{([\s\S]*)\}$/.exec(names)?.[1] ?? "";
  const each = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return each.length > 0 && each.every((name) => name.startsWith("type "));
}
