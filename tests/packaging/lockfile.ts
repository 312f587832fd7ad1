/** What the lockfile says of the packages that installing Dure brings along. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/project.ts";

export interface LockedPackage {
  version?: string;
  resolved?: string;
  hasInstallScript?: boolean;
  engines?: { node?: string };
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

export type Lockfile = Record<string, LockedPackage>;

export function readLockfile(): Lockfile {
  return JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
}

/** The folders of all packages that production needs, transitively, optional ones left out. */
export function productionFolders(lockfile: Lockfile): string[] {
  const found = new Set<string>();
  const waiting = Object.keys(lockfile[""]!.dependencies ?? {}).map((name) => folderOf(lockfile, name, ""));
  while (waiting.length > 0) {
    const folder = waiting.pop()!;
    if (found.has(folder)) continue;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = lockfile[folder]!;
    for (const name of Object.keys(dependencies)) {
      if (!(name in optionalDependencies)) waiting.push(folderOf(lockfile, name, folder));
    }
  }
  return [...found].sort();
}

/** As Node finds it: in the asking package's own node_modules first, then further out. */
function folderOf(lockfile: Lockfile, name: string, from: string): string {
  for (let outer = from; ; ) {
    const folder = `${outer === "" ? "" : `${outer}/`}node_modules/${name}`;
    if (lockfile[folder]) return folder;
    if (outer === "")
      throw new Error(`${name}, which ${from || "the project"} needs, is not in the lockfile.`);
    outer = outer.slice(0, Math.max(0, outer.lastIndexOf("/node_modules/")));
  }
}
