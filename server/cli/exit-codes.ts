/** What the process exits with: one number per code of DureError, and those of the command line itself. */
import type { ErrorCode } from "../tasks/core/errors.ts";
import { DureError } from "../tasks/core/errors.ts";

/** Something that was asked about is not well: a task that FAILED in `dure run`, an error that `dure doctor` found. */
export const exitFindings = 1;
/** A command, option or argument that cannot be understood. */
export const exitUsage = 2;
/** A module could not be loaded. */
export const exitModule = 65;
/** An error that has no code: a defect of Dure's, or of a program that it runs. */
const exitUnexpected = 70;
/** A worker whose handlers do not end; whoever supervises it should start it again. */
export const exitUnhealthy = 75;

/** By tens: what was given, definitions and tasks, waiting, attempts, the database, the instance. */
export const exitCodes: Record<ErrorCode, number> = {
  INVALID_OPTION: 2,
  INVALID_ID: 11,
  INVALID_PAYLOAD: 12,
  VALUE_NOT_STORABLE: 13,
  VALUE_TOO_LARGE: 14,
  VALUE_UNREADABLE: 15,
  INVALID_CURSOR: 16,
  INVALID_QUERY: 17,
  TASK_ALREADY_DEFINED: 20,
  TASK_NOT_DEFINED: 21,
  TASK_NOT_FOUND: 22,
  TASK_ID_TAKEN: 23,
  IDEMPOTENCY_CONFLICT: 24,
  STATUS_CONFLICT: 25,
  VERSION_CONFLICT: 26,
  SEARCH_NOT_FOUND: 27,
  ENQUEUE_LIMIT: 28,
  QUEUE_FULL: 29,
  TASK_FAILED: 30,
  TASK_CANCELLED: 31,
  WAIT_TIMEOUT: 32,
  HANDLER_TIMEOUT: 40,
  HANDLER_FAILURE: 41,
  CRASH_BUDGET_SPENT: 42,
  LEASE_LOST: 43,
  DATABASE_UNAVAILABLE: 50,
  DATABASE_CORRUPT: 51,
  DATABASE_FULL: 52,
  DATABASE_READ_ONLY: 53,
  DATABASE_UNSAFE: 54,
  DATABASE_VERSION: 55,
  COMMIT_UNKNOWN: 56,
  DATABASE_MOVED: 57,
  TRANSACTION_UNUSABLE: 58,
  DATABASE_OF_OTHER_APP: 59,
  WORKER_RUNNING: 60,
  INSTANCE_CLOSED: 61,
  NODE_TOO_OLD: 62,
};

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** 128 and the signal's number, as shells count: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return 128 + (signalNumbers[signal] ?? 0);
}

/** An error of the command line itself: what somebody typed, or a module that cannot be loaded. */
export class CommandError extends Error {
  override name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitUsage, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The number for anything thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof DureError) return exitCodes[error.code];
  return exitUnexpected;
}
