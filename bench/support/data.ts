/** Where the bench keeps its databases: `bench/.data`, on the disk and out of git. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const dataFolder = fileURLToPath(new URL("../.data/", import.meta.url));

/** A new folder, removed when the process ends. */
export function temporaryFolder(name: string): string {
  mkdirSync(dataFolder, { recursive: true });
  const folder = mkdtempSync(join(dataFolder, `${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Removes a database file and what SQLite keeps beside it. */
export function removeDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-workers"])
    rmSync(path + suffix, { recursive: true, force: true });
}
