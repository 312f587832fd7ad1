/** SQLite's result codes → DureError. Extended codes are cut to their primary one: the low byte. */
import { DureError, type ErrorCode } from "../../core/errors.ts";

interface SqliteError extends Error {
  errcode?: number;
  errstr?: string;
}

/** Begins the message of a refusal by the seal; see records.ts. */
export const sealMark = "dure: moved to ";
const busy = 5;
const locked = 6;

/** By primary result code: our code, and what to do about it. */
const known: Record<number, { code: ErrorCode; next: string | ((location: string) => string) }> = {
  3: { code: "DATABASE_UNAVAILABLE", next: "Check the permissions of the file and its folder." },
  5: {
    code: "DATABASE_UNAVAILABLE",
    next: "Another process holds its lock: one that is stopped, or a program with a long transaction. Let it go on, or end it.",
  },
  8: {
    code: "DATABASE_READ_ONLY",
    next: "Make the file and its folder writable for this user, or use another database.",
  },
  10: { code: "DATABASE_UNAVAILABLE", next: "The disk answered with an error; check it before going on." },
  11: {
    code: "DATABASE_CORRUPT",
    next: recoverStep,
  },
  13: { code: "DATABASE_FULL", next: "Free space on the disk; Dure goes on by itself then." },
  14: { code: "DATABASE_UNAVAILABLE", next: "Check that the folder exists and may be written by this user." },
  26: {
    code: "DATABASE_CORRUPT",
    next: "The file is not an SQLite database; point Dure at another file, or restore a backup.",
  },
};

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === busy || code === locked;
}

export function isConstraint(error: unknown): boolean {
  return resultCode(error) === 19;
}

/** What to do about a damaged file. */
export function recoverStep(path: string): string {
  const save = `dure recover --from ${path} --to ${path}.recovered`;
  return `Stop everything that uses it and restore a backup, or save what can still be read: ${save}`;
}

/** Anything thrown by node:sqlite or by us, as a DureError; errors that are neither come back as they are. */
export function toDureError(error: unknown, location: string): unknown {
  if (error instanceof DureError) return error;
  const result = resultCode(error);
  if (result === undefined) return error;
  const { message } = error as Error;
  if (message.startsWith(sealMark)) return movedError(location, message.slice(sealMark.length));
  const entry = known[result] ?? { code: "DATABASE_UNAVAILABLE" as const, next: "Run dure doctor for more." };
  const next = typeof entry.next === "string" ? entry.next : entry.next(location);
  return new DureError(entry.code, `${location}: ${message}. ${next}`, {
    details: { location, sqlite: (error as SqliteError).errcode },
    cause: error,
  });
}

function movedError(location: string, movedTo: string): DureError {
  return new DureError(
    "DATABASE_MOVED",
    `${location} takes no changes any more: its tasks were moved to ${movedTo}, or a copy there is not finished. Point this ` +
      "program there, or start the copy again; `dure copy --reopen` makes this database usable again.",
    { details: { location, movedTo } },
  );
}

function resultCode(error: unknown): number | undefined {
  const code = (error as SqliteError | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
