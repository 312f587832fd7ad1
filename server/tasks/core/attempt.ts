/** Attempt, the record of one execution, and TaskContext, what a handler is given beside its task. */
import type { TaskProgress } from "./task.ts";
import type { TransactionClient } from "./transaction.ts";

/**
 * How an attempt ended. `completed`, `failed`, `timed-out` and `cancelled` are the handler's; `snoozed` and
 * `released` were given back and cost nothing; `lost` means the worker died or was taken for dead.
 */
export type AttemptOutcome =
  | "completed"
  | "failed"
  | "timed-out"
  | "cancelled"
  | "snoozed"
  | "released"
  | "lost";

/** An error as it is stored: at most 64 KiB in all, whatever was thrown. */
export interface StoredError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  cause?: StoredError;
}

/** Of a line that a handler logged. */
export type LogLevel = "info" | "warn" | "error";

/** A line that a handler logged. */
export interface LogEntry {
  at: Date;
  level: LogLevel;
  message: string;
  fields?: Record<string, unknown>;
}

/** One execution of a task, from claim to settlement. */
export interface Attempt {
  taskId: string;
  /** Grows with every claim of the task and is never reset; `${taskId}:${fence}` names the attempt. */
  fence: number;
  /** The value of `task.attempts` while it ran: 1 for the first charged one. */
  number: number;
  workerId?: string;
  startedAt: Date;
  /** Absent while it runs. */
  endedAt?: Date;
  outcome?: AttemptOutcome;
  error?: StoredError;
  /** What a worker reported after the attempt had been taken from it; never accepted, kept for the record. */
  lateOutcome?: AttemptOutcome;
  logs: LogEntry[];
}

/** Why `context.signal` aborted; `signal.reason` is an AbortReason whose `kind` is one of these. */
export type AbortKind = "cancelled" | "timeout" | "lease-lost" | "shutdown";

/** The reason of an abort: an Error, so that `throw signal.reason` and `signal.throwIfAborted()` read well. */
export class AbortReason extends Error {
  override name = "AbortReason";
  readonly kind: AbortKind;
  constructor(kind: AbortKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Lines kept with the attempt: at most 1,000 lines and 256 KiB; what goes beyond is counted, not kept. */
export interface TaskLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What a handler is given beside its task. */
export interface TaskContext {
  /** Aborts when the task is cancelled, times out, is taken away, or the worker shuts down. */
  readonly signal: AbortSignal;
  /** `task.attempts` of this execution: 1 for the first. */
  readonly attempt: number;
  /** True on the last attempt that `maxAttempts` allows. */
  readonly isLastAttempt: boolean;
  /** Grows with every claim; a system that keeps the highest seen can refuse a late writer. */
  readonly fence: number;
  /** `${task.id}:${fence}`: a key for effects that belong to this attempt alone. */
  readonly attemptKey: string;
  /** The incarnation that runs it, as `dure workers` lists it. */
  readonly workerId: string;
  /**
   * True while the task may have been given to another worker without this one knowing: its lease would be over unless it
   * was renewed in the last moments. Look at it before an effect outside that no fence guards. It may become false again,
   * and what the handler ends with counts whenever the task is still this worker's.
   */
  readonly leaseUncertain: boolean;
  /** Lines that are kept with the attempt. */
  readonly log: TaskLog;
  /** How far it is, in units of its own (`done` of `total`); a message of at most 1,000 characters. Never throws. Stored within a second, at most once a second; shown by `dure show`. */
  progress(done: number, total?: number, message?: string): void;
  /**
   * A PostgreSQL transaction that commits when the task completes: what is written through it and the COMPLETED status
   * are stored together, or neither is. The same client each time; it is over when the attempt is. Never end it yourself.
   * @throws DureError TRANSACTION_UNUSABLE on SQLite; LEASE_LOST; DATABASE_…
   */
  tx(): Promise<TransactionClient>;
  /** The latest progress given in this attempt, or by an earlier attempt of the task. */
  readonly lastProgress: TaskProgress | undefined;
}
