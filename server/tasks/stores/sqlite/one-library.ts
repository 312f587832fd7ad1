/**
 * Whether another SQLite library than Node's has the database open in this process, better-sqlite3 for example. The kernel's
 * locks are the process's: two libraries do not keep each other from writing at once, and what one of them closes drops the
 * locks of both. A library maps the first part of the file that is shared between its connections once, whatever their
 * number, so a second mapping is a second library. Linux tells what is mapped; elsewhere nothing is found.
 */
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DureError } from "../../core/errors.ts";

/** What /proc/self/maps calls files that were deleted since, beside their name. */
const deleted = / \(deleted\)$/;
const isLibrary = /\.(node|so[\d.]*)$/;
const sqliteLike = /sqlite|sqlcipher|libsql/i;

/** Looked up that often, at most: it takes half a millisecond. */
const lookAgainMs = 5_000;

export class OneLibrary {
  readonly #path: string;
  #lookedAt: number;
  #second: unknown;

  /** @param path of an open database, or ':memory:', which no other library reaches */
  constructor(path: string) {
    this.#path = path;
    this.#lookedAt = path === ":memory:" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  /**
   * Once there was a second one it is refused for good: when that one closes, the locks held here are gone.
   * @throws DureError DATABASE_UNSAFE
   */
  check(): void {
    if (this.#second) throw this.#second;
    const now = performance.now();
    if (now - this.#lookedAt < lookAgainMs) return;
    this.#lookedAt = now;
    try {
      refuseSecondLibrary(this.#path);
    } catch (error) {
      this.#second = error;
      throw error;
    }
  }
}

function refuseSecondLibrary(path: string): void {
  const maps = readMaps();
  if (maps === undefined || !hasSecondLibrary(maps, absolute(path))) return;
  const libraries = sqliteLibraries(maps);
  const named = libraries.length > 0 ? ` (${libraries.join(", ")})` : "";
  throw new DureError(
    "DATABASE_UNSAFE",
    `A second SQLite library in this process has ${path} open${named}. The two undo each other's locks, which can destroy the file, ` +
      "so Dure uses it no more in this process. Open it with node:sqlite instead, or in another process, and restart this one.",
    { details: { location: path, libraries } },
  );
}

/** @param maps what /proc/self/maps says @param path absolute, without symbolic links */
export function hasSecondLibrary(maps: string, path: string): boolean {
  const shared = `${escaped(path)}-shm`;
  const first = maps.split("\n").filter((line) => {
    const [, , offset] = line.split(" ", 3);
    return Number.parseInt(offset ?? "", 16) === 0 && line.replace(deleted, "").endsWith(` ${shared}`);
  });
  return first.length > 1;
}

/** The names of mapped files that look like an SQLite library, with their package's where their own does not say so. */
export function sqliteLibraries(maps: string): string[] {
  const files = maps.split("\n").map((line) => line.replace(deleted, ""));
  const names = files.flatMap((file) => {
    const inPackage = file.split("/node_modules/").slice(1).at(-1) ?? "";
    return [basename(file), inPackage]
      .filter((name) => isLibrary.test(name) && sqliteLike.test(name))
      .slice(0, 1);
  });
  return [...new Set(names)];
}

function readMaps(): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return readFileSync("/proc/self/maps", "utf8");
  } catch {
    return undefined;
  }
}

function absolute(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

/** As the kernel writes it. */
function escaped(path: string): string {
  return path.replaceAll("\n", "\\012");
}
