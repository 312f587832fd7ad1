/** What PostgreSQL and the network answer, sorted by what a caller can do about it. */
import type { ErrorCode } from "../../../core/errors.ts";
import { DureError } from "../../../core/errors.ts";

/** The connection died after a statement was sent: it may or may not have been committed. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

interface ServerError {
  code?: string;
  message: string;
}

/** The server ended a session that had asked nothing for too long within a transaction, which is undone; it reads no more. */
const idleTooLong = "25P03";

/** Codes of the operating system and of the driver that mean that nobody answers. */
const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** The server ends or refuses the session: shutdown, crash, start-up, idle time-outs. */
const sessionCodes = new Set(["57P01", "57P02", "57P03", "57P05", "25P03", "25P04"]);

export function sqlState(error: unknown): string | undefined {
  const code = (error as ServerError | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** The connection is of no more use, or there was none. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  const code = sqlState(error);
  if (code !== undefined) {
    return networkCodes.has(code) || sessionCodes.has(code) || /^08/.test(code);
  }
  const message = error instanceof Error ? error.message : "";
  return /connection terminated|client has encountered a connection error|query read timeout|timeout expired|timeout exceeded when trying to connect|connection is closed|not queryable/i.test(
    message,
  );
}

/** The driver waited in vain for an answer. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && /query read timeout/i.test(error.message);
}

/** The server undid the statement because of others; it may be sent again at once. */
export function isRetryable(error: unknown): boolean {
  const code = sqlState(error);
  return code === "40001" || code === "40P01";
}

/** A pooler between us and the server does not keep prepared statements. */
export function isPreparedStatementTrouble(error: unknown): boolean {
  const code = sqlState(error);
  return code === "26000" || code === "42P05";
}

/** The server takes no writes: a standby, or set to read only. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === "25006";
}

export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === "23505";
}

/** What the seal on a database that was moved raises; see records.ts. */
export const movedState = "DU001";

interface Meaning {
  code: ErrorCode;
  next: string;
}

const meanings: [RegExp, Meaning][] = [
  [/^(53100|53200)$/, { code: "DATABASE_FULL", next: "Free some space or memory on the server." }],
  [
    /^53300$/,
    {
      code: "DATABASE_UNAVAILABLE",
      next: "The server has no connection left: raise max_connections, lower pool_size, or use a pooler.",
    },
  ],
  [
    /^25006$/,
    {
      code: "DATABASE_READ_ONLY",
      next: "The server takes no writes, a standby perhaps. Name the primary, or all hosts: postgres://a,b/…",
    },
  ],
  [
    /^28/,
    { code: "DATABASE_UNAVAILABLE", next: "Check the user and the password in the connection string." },
  ],
  [/^3D000$/, { code: "DATABASE_UNAVAILABLE", next: "Create the database, or name another one." }],
  [
    /^42501$/,
    {
      code: "DATABASE_UNAVAILABLE",
      next: "The user lacks a right; `dure migrate --grants <role>` prints what each kind of program needs.",
    },
  ],
  [
    /^(42P01|42703|42883|3F000)$/,
    { code: "DATABASE_VERSION", next: "The schema is not the one this program knows: run `dure migrate`." },
  ],
  [
    /^(XX001|XX002)$/,
    { code: "DATABASE_CORRUPT", next: "The server says that its files are damaged; restore a backup." },
  ],
  [
    /^(57014|55P03)$/,
    { code: "DATABASE_UNAVAILABLE", next: "The server's statement or lock time-out was too short for this." },
  ],
];

/** What the driver and Node say, without a code of PostgreSQL's, that a connection string can mend. */
const mended: [RegExp, string][] = [
  [
    /password must be a (non-empty )?string/,
    "The server asks for a password: postgres://user:password@host/…, or PGPASSWORD.",
  ],
  [
    /does not support SSL/i,
    "Every host but this machine is asked for encryption, and so is one whose sslmode says so. Turn ssl on at the server; " +
      "where nobody else can read the network, add sslmode=disable&unencrypted=allow to the connection string.",
  ],
  [
    /certificate|altnames/i,
    "Name the file of the authority that signed it by sslrootcert, and the server as its certificate does; " +
      "sslmode=no-verify encrypts without asking who answers.",
  ],
];

function nextStep(error: unknown, text: string): string {
  const found = mended.find(([pattern]) => pattern.test(text));
  if (found) return found[1];
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall === "open") return "Check sslrootcert, sslcert and sslkey in the connection string.";
  return isConnectionLoss(error)
    ? "Dure tries again by itself; check that the server runs and can be reached."
    : "This was not expected; please report it.";
}

/** The DureError of an error that was met while working with `location`. */
export function toDureError(error: unknown, location: string): DureError {
  if (error instanceof DureError) return error;
  const code = sqlState(error);
  const said = error instanceof Error && error.message !== "" ? error.message : String(code ?? error);
  // Another sentence follows.
  const text = said.replace(/\.$/, "");
  const details = { location, ...(code !== undefined && { sqlState: code }) };
  if (code === movedState) return movedError(location, text, error);
  const meaning = code === undefined ? undefined : meanings.find(([pattern]) => pattern.test(code))?.[1];
  if (meaning) {
    return new DureError(meaning.code, `${location}: ${text}. ${meaning.next}`, { details, cause: error });
  }
  return new DureError("DATABASE_UNAVAILABLE", `${location}: ${text}. ${nextStep(error, text)}`, {
    details,
    cause: error,
  });
}

function movedError(location: string, movedTo: string, cause: unknown): DureError {
  return new DureError(
    "DATABASE_MOVED",
    `${location} takes no changes any more: its tasks were moved to ${movedTo}, or a copy there is not finished. Point this ` +
      "program there, or start the copy again; `dure copy --reopen` makes this database usable again.",
    { details: { location, movedTo }, cause },
  );
}

/** The statement was not sent, or what was sent is undone for certain: it may be sent again. */
export class NotSent extends Error {
  constructor(cause: unknown) {
    super("The server could not be reached.", { cause });
  }
}

/** The connection was gone before the whole statement was on its way, so that the server cannot have carried it out. */
export function wasNeverSent(error: unknown): boolean {
  const { syscall, message } = (error ?? {}) as { syscall?: string; message?: string };
  return syscall === "write" || /is not queryable/.test(message ?? "") || sqlState(error) === idleTooLong;
}
