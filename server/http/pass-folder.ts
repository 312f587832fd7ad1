/**
 * Passes as files of a folder, one each, so that several servers and the command line share them without a lock: what is
 * there lets in, who removes a file is the one who used it, and what is revoked is gone for all within a second.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  type Stats,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DureError } from "../tasks/core/errors.ts";
import type { Pass, PassShelf } from "./passes.ts";

/** For so long a file is believed to be as it was read: hundreds of requests a second come with the same cookie. */
const believedMs = 1_000;
/** Uses are noted no more often. */
const noteEveryMs = 60_000;
const bytesMax = 4_096;
const placePattern = /^(?:token|link|session)-[0-9a-f]{64}$/;

interface Read {
  pass: Pass;
  usedAt: number;
  notedAt: number;
  readAt: number;
}

export class PassFolder implements PassShelf {
  readonly #folder: string;
  readonly #now: () => number;
  /** Whose the folder is, where root works in another's: so are its files. */
  readonly #owner: { uid: number; gid: number } | undefined;
  readonly #read = new Map<string, Read>();

  /** @throws DureError INVALID_OPTION when others may look into the folder, or it is another's */
  constructor(folder: string, now: () => number = Date.now) {
    this.#folder = folder;
    this.#now = now;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, gid } = checkOwn(folder);
    this.#owner = isRoot() && uid !== 0 ? { uid, gid } : undefined;
  }

  put(place: string, pass: Pass): void {
    const file = openSync(
      this.#path(place),
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
      0o600,
    );
    try {
      if (this.#owner) fchownSync(file, this.#owner.uid, this.#owner.gid);
      writeFileSync(file, JSON.stringify(pass));
    } catch (error) {
      // A disk that is full takes the file, and nothing into it.
      unlinkSync(this.#path(place));
      throw error;
    } finally {
      closeSync(file);
    }
  }

  get(place: string): Pass | undefined {
    return this.#lookAt(place)?.pass;
  }

  usedAt(place: string): number | undefined {
    return this.#lookAt(place)?.usedAt;
  }

  noteUse(place: string, at: number): void {
    const read = this.#read.get(place);
    if (!read) return;
    read.usedAt = at;
    if (at - read.notedAt < noteEveryMs) return;
    read.notedAt = at;
    ignoringAbsence(() => utimesSync(this.#path(place), at / 1_000, at / 1_000));
  }

  take(place: string): boolean {
    this.#read.delete(place);
    return (
      ignoringAbsence(() => {
        unlinkSync(this.#path(place));
        return true;
      }) === true
    );
  }

  places(): string[] {
    const names = ignoringAbsence(() => readdirSync(this.#folder)) ?? [];
    return names.filter((name) => placePattern.test(name));
  }

  #path(place: string): string {
    return join(this.#folder, place);
  }

  #lookAt(place: string): Read | undefined {
    const now = this.#now();
    const before = this.#read.get(place);
    if (before && now - before.readAt < believedMs) return before;
    const found = ignoringAbsence(() => readPass(this.#path(place)));
    if (!found?.pass) {
      this.#read.delete(place);
      return undefined;
    }
    const usedAt = Math.max(found.usedAt, before?.usedAt ?? 0);
    const read = { pass: found.pass, usedAt, notedAt: before?.notedAt ?? found.usedAt, readAt: now };
    this.#read.set(place, read);
    return read;
  }
}

/** Nothing, where it is no pass. No link is followed, and nothing is waited for. */
function readPass(path: string): { pass: Pass | undefined; usedAt: number } | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > bytesMax) return undefined;
    return { pass: parsed(readFileSync(file, "utf8")), usedAt: stat.mtimeMs };
  } finally {
    closeSync(file);
  }
}

/** One that is being written is none yet. */
function parsed(text: string): Pass | undefined {
  try {
    const pass = JSON.parse(text) as Partial<Pass>;
    const isPass = typeof pass.createdAt === "number" && ["viewer", "operator", "admin"].includes(pass.role!);
    return isPass ? (pass as Pass) : undefined;
  } catch {
    return undefined;
  }
}

function ignoringAbsence<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENXIO"].includes((error as { code?: string }).code ?? "")) return undefined;
    throw error;
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whoever is root may do so in the folder of whom the database belongs to. */
function checkOwn(folder: string): Stats {
  const stat = lstatSync(folder);
  const problem = !stat.isDirectory()
    ? "is no folder"
    : process.getuid && !isRoot() && stat.uid !== process.getuid()
      ? `belongs to another user (${stat.uid}), who made it first; \`chown -R ${process.getuid()} '${folder}'\` gives it to the one who runs this`
      : process.platform !== "win32" && (stat.mode & 0o077) !== 0
        ? "is open to other users; chmod 700 closes it"
        : undefined;
  if (problem === undefined) return stat;
  throw new DureError(
    "INVALID_OPTION",
    `${folder}, which keeps who may log in to the dashboard, ${problem}.`,
    {
      details: { folder },
    },
  );
}
