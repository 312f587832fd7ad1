/**
 * DureError and the catalogue of its codes. Every error a caller can meet has one code, one meaning and one
 * entry in docs/reference/errors.md; a test compares this list with that page in both directions.
 */

/** Every code, with what it means in a few words. Callers branch on the code, never on the message. */
export const errorCodes = {
  INVALID_OPTION: "an option is unknown, of the wrong type or out of range",
  INVALID_ID: "an id, type, queue, tag or key is not of the allowed form",
  INVALID_PAYLOAD: "the payload does not fit the definition's schema",
  VALUE_NOT_STORABLE:
    "a payload or result holds something that cannot be kept, such as a function or a cycle",
  VALUE_TOO_LARGE: "a payload or result is over the size limit",
  VALUE_UNREADABLE: "a stored payload or result cannot be read back",
  TASK_ALREADY_DEFINED: "a second definition with the same id",
  TASK_NOT_DEFINED: "no definition with that id is known here",
  TASK_NOT_FOUND: "no task with that id is in the store",
  SEARCH_NOT_FOUND: "no search is saved under that name",
  TASK_ID_TAKEN: "another task or definition already has that id",
  IDEMPOTENCY_CONFLICT: "the idempotency key belongs to a task with another payload",
  STATUS_CONFLICT: "the task's status does not allow that change",
  VERSION_CONFLICT: "the task was changed since it was read",
  ENQUEUE_LIMIT: "a handler enqueued too many tasks, or too long a chain of them",
  QUEUE_FULL: "as many tasks wait in the queue as may",
  TASK_FAILED: "a task that was waited for ended FAILED",
  TASK_CANCELLED: "a task that was waited for ended CANCELLED",
  WAIT_TIMEOUT: "a task that was waited for did not end in time",
  HANDLER_TIMEOUT: "a handler ran longer than its timeout",
  HANDLER_FAILURE: "a handler returned a failure envelope",
  CRASH_BUDGET_SPENT: "a task's worker died under it too many times",
  LEASE_LOST: "an attempt's worker was taken for dead and its task given to another",
  INVALID_QUERY: "a query cannot be read; the message points at the column",
  INVALID_CURSOR: "a cursor is damaged, or belongs to another search",
  NODE_TOO_OLD: "this Node lacks what the store needs",
  DATABASE_UNAVAILABLE: "the database cannot be opened or stopped answering",
  DATABASE_CORRUPT: "the database file is damaged or is not a Dure database",
  DATABASE_FULL: "the disk or the database is full",
  DATABASE_READ_ONLY: "the database cannot be written",
  DATABASE_UNSAFE: "the place or the engine would put data at risk, so Dure refuses it",
  DATABASE_VERSION: "the database was made by a newer Dure, or its server is too old",
  DATABASE_OF_OTHER_APP: "the database belongs to another app than this program",
  DATABASE_MOVED: "the tasks were moved to another database, and this one takes no changes any more",
  TRANSACTION_UNUSABLE:
    "a transaction cannot be used: none is open, it failed or ended, or it is of another database",
  COMMIT_UNKNOWN: "the connection died while committing: the change may or may not have happened",
  WORKER_RUNNING: "a worker runs where none may: it was started twice, or its database is to be moved",
  INSTANCE_CLOSED: "the instance was closed",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** The one error class of Dure. `details` holds the values of the message as data. */
export class DureError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DureError";
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Thrown by a handler: the task ends FAILED at once, whatever attempts are left. */
export class NonRetryableError extends Error {
  override name = "NonRetryableError";
}

/** Thrown by a handler: this attempt failed; the next one starts after `delay` instead of the usual backoff. */
export class RetryAfter extends Error {
  override name = "RetryAfter";
  /** A duration such as `'30s'`, or milliseconds. */
  readonly delay: string | number;

  constructor(delay: string | number, message?: string, options?: { cause?: unknown }) {
    super(message ?? `The handler asked to be tried again after ${delay}.`, options);
    this.delay = delay;
  }
}

/** Thrown by a handler: not yet. The task waits for `delay` and this attempt is not charged to `maxAttempts`. */
export class Snooze extends Error {
  override name = "Snooze";
  /** A duration such as `'30s'`, or milliseconds. */
  readonly delay: string | number;

  constructor(delay: string | number, message?: string) {
    super(message ?? `The handler asked to wait for ${delay}.`);
    this.delay = delay;
  }
}
