/** Errors as HTTP answers: one table from code to status, and nothing of the inside in the body. */
import type { ErrorCode } from "../tasks/core/errors.ts";
import { DureError } from "../tasks/core/errors.ts";

export const httpStatuses: Record<ErrorCode, number> = {
  INVALID_OPTION: 400,
  INVALID_ID: 400,
  INVALID_PAYLOAD: 422,
  VALUE_NOT_STORABLE: 422,
  VALUE_TOO_LARGE: 413,
  VALUE_UNREADABLE: 500,
  TASK_ALREADY_DEFINED: 409,
  TASK_NOT_DEFINED: 404,
  TASK_NOT_FOUND: 404,
  SEARCH_NOT_FOUND: 404,
  TASK_ID_TAKEN: 409,
  IDEMPOTENCY_CONFLICT: 409,
  STATUS_CONFLICT: 409,
  VERSION_CONFLICT: 409,
  ENQUEUE_LIMIT: 429,
  QUEUE_FULL: 429,
  TASK_FAILED: 500,
  TASK_CANCELLED: 500,
  WAIT_TIMEOUT: 504,
  HANDLER_TIMEOUT: 500,
  HANDLER_FAILURE: 500,
  CRASH_BUDGET_SPENT: 500,
  LEASE_LOST: 409,
  INVALID_QUERY: 400,
  INVALID_CURSOR: 400,
  NODE_TOO_OLD: 500,
  DATABASE_UNAVAILABLE: 503,
  DATABASE_CORRUPT: 500,
  DATABASE_FULL: 507,
  DATABASE_READ_ONLY: 503,
  DATABASE_UNSAFE: 500,
  DATABASE_VERSION: 500,
  DATABASE_OF_OTHER_APP: 500,
  DATABASE_MOVED: 410,
  TRANSACTION_UNUSABLE: 500,
  COMMIT_UNKNOWN: 503,
  WORKER_RUNNING: 409,
  INSTANCE_CLOSED: 503,
};

/** Codes of the API's own, beside those of Dure. */
const ownCodes = [
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "INVALID_REQUEST",
  "NOT_JSON",
  "BODY_TOO_LARGE",
  "WRONG_HOST",
  "OTHER_ORIGIN",
  "TOO_MANY_ATTEMPTS",
  "TOO_MANY_STREAMS",
  "TOO_MANY_TASKS",
  "UNEXPECTED",
] as const;

export type HttpCode = ErrorCode | (typeof ownCodes)[number];

/** Every code that an answer may carry. */
export const errorCodes: readonly HttpCode[] = [...ownCodes, ...(Object.keys(httpStatuses) as ErrorCode[])];

interface HttpDetails {
  /** Becomes a header, too. */
  retryAfterMs?: number;
  /** Where in the request what is wrong stands: `query.limit`. */
  places?: readonly string[];
  /** Who is calling is said by the server around this one, not by a token. */
  authorize?: true;
}

/** A refusal of the API's own, with the code that its body carries. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: HttpCode;
  readonly details: HttpDetails;

  constructor(status: number, code: HttpCode, message: string, details: HttpDetails = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export interface ErrorAnswer {
  status: number;
  body: { code: HttpCode; message: string; details: object };
}

/** What is answered for anything thrown. A fault of ours says no more than that it happened; the log has the rest. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof HttpError) {
    return {
      status: error.status,
      body: { code: error.code, message: error.message, details: error.details },
    };
  }
  if (error instanceof DureError) {
    const status = httpStatuses[error.code];
    if (status < 500) {
      return { status, body: { code: error.code, message: error.message, details: error.details } };
    }
    const message = "The database cannot do that at the moment; the server's log says why.";
    return { status, body: { code: error.code, message, details: {} } };
  }
  const message = "Something went wrong in the server; its log says what.";
  return { status: 500, body: { code: "UNEXPECTED", message, details: {} } };
}

/** For the log. */
export function describeError(error: unknown): string {
  if (error instanceof DureError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
