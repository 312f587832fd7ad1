/**
 * The shapes that the API answers with; the one file of the server that the dashboard knows. Instants are ISO strings,
 * absent values are left out, and unknown keys are to be ignored.
 */

export type Status = "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED";

/** A viewer reads, an operator changes tasks, an admin deletes them too. */
export type Role = "viewer" | "operator" | "admin";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface StoredError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  cause?: StoredError;
}

/** A task as JSON; instants are ISO strings. */
export interface TaskDocument {
  id: string;
  type: string;
  status: Status;
  createdAt: string;
  updatedAt: string;
  startedAt?: string;
  completedAt?: string;
  payload?: Json;
  result?: Json;
  error?: string;
  maxAttempts: number;
  attempts: number;
  description?: string;
  queue?: string;
  priority?: number;
  dueAt?: string;
  tags?: string[];
  /** Of a task alone, and of lists that ask for them. */
  attributes?: { [name: string]: Json };
  idempotencyKey?: string;
  progress?: { done: number; total?: number; message?: string };
  workerId?: string;
  cancelRequestedAt?: string;
  crashes?: number;
  snoozes?: number;
  version?: number;
  isDefinition?: boolean;
  unreadable?: string;
}

export interface LogDocument {
  at: string;
  level: "info" | "warn" | "error";
  message: string;
  fields?: { [key: string]: Json };
}

export interface AttemptDocument {
  fence: number;
  number: number;
  workerId?: string;
  startedAt: string;
  endedAt?: string;
  outcome?: "completed" | "failed" | "timed-out" | "cancelled" | "snoozed" | "released" | "lost";
  error?: StoredError;
  lateOutcome?: string;
  logs: LogDocument[];
}

export interface TaskPage {
  tasks: TaskDocument[];
  nextCursor?: string;
  previousCursor?: string;
  complete: boolean;
  searchedBackTo?: string;
  unindexed?: number;
  hint?: string;
}

export interface TaskDetail {
  task: TaskDocument;
  attempts: AttemptDocument[];
}

/** Of `POST actions`: with `dryRun` how many it would be and the first of them, else the task that does it. */
export type ActionAnswer = { count: number; sample: TaskDocument[] } | { task: TaskDocument };

export interface DefinitionDocument {
  id: string;
  description?: string;
  maxAttempts: number;
  queue: string;
  priority: number;
  timeoutMs: number | null;
  tags: string[];
  rerunAfterCrash: boolean;
  /** Names of the values that tasks are searched by. */
  attributes?: string[];
  createdAt: string;
  updatedAt: string;
  /** JSON Schema of the payload, where the definition has one; the enqueue form is made from it. */
  payloadSchema?: Json;
}

export interface WorkerDocument {
  id: string;
  state: "alive" | "dead" | "stopped";
  host: string;
  pid: number;
  name?: string;
  concurrency: number;
  types: string[];
  queues?: string[];
  startedAt: string;
  beatAt: string;
  leaseMs: number;
  running: number;
  /** How late its event loop was at most in the seconds before the last beat. */
  loopDelayMs?: number;
}

export interface Stats {
  byType: { type: string; queue: string; status: Status; count: number }[];
  workers: { alive: number; dead: number; stopped: number };
  oldestDueMs?: number;
  sizeBytes: number;
  writeAheadBytes?: number;
}

/** One group of `GET summary`: the values of the keys asked for, and how many tasks have them. */
export interface SummaryGroup {
  [key: string]: string | number | boolean | undefined;
  count: number;
}

/** In milliseconds; at most 6.25 % off, `max` exact. */
export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** What ended in one stretch of time. */
export interface HistoryBucket {
  start: string;
  type?: string;
  completed: number;
  failed: number;
  cancelled: number;
  /** Attempts that failed and are followed by another. */
  retried: number;
  /** Tasks that ended per second. */
  throughput: number;
  failureRate: number;
  waitMs?: Percentiles;
  runMs?: Percentiles;
}

/** Failed tasks whose errors say the same once numbers and ids are taken out. */
export interface ErrorGroup {
  /** The search that finds them, by the longest part of the message that they share. */
  query: string;
  fingerprint: string;
  message: string;
  count: number;
  types: string[];
  firstAt: string;
  lastAt: string;
  exampleId: string;
  /** How many of them failed in each step of the stretch of time that the answer names. */
  trend: number[];
}

/** Of `GET errors`. */
export interface ErrorsAnswer {
  errors: ErrorGroup[];
  /** The stretch of time that the trends are of: equal steps, the last of which ends now. */
  trend: { from: string; to: string; steps: number };
  /** Failures before it were not looked at, as there are too many; absent when all were. */
  lookedBackTo?: string;
}

/** What needs attention, with the search behind it. */
export type Attention =
  | { kind: "no-workers"; count: number; query: string }
  | { kind: "no-worker"; type: string; count: number; query: string }
  /** `count` of the last day; `share` of what ended in it. */
  | { kind: "failing"; type: string; count: number; share: number; query: string }
  /** Tasks that have been running for more than a quarter of an hour. */
  | { kind: "stuck"; count: number; query: string }
  /** So many more came than ended in the last hour, and they wait. */
  | { kind: "backlog"; type: string; count: number; query: string }
  | { kind: "oldest-due"; ms: number; query: string }
  | { kind: "dead-workers"; count: number };

/** A task that an alert enqueues; the alert is added to its payload. */
export interface AlertTask {
  type: string;
  payload?: { [key: string]: Json };
}

/** A query under a name; `@name` stands for it in every other. */
export interface SavedSearchDocument {
  name: string;
  query: string;
  description?: string;
  alert?: {
    over?: number;
    under?: number;
    for?: string | number;
    enqueue: AlertTask;
    recovered?: AlertTask;
  };
  createdAt: string;
  updatedAt: string;
  /** What the latest look at the alert found. */
  alertState?: {
    checkedAt: string;
    /** May be an estimate. */
    count?: number;
    /** Since when the count is out of bounds. */
    since?: string;
    enqueuedAt?: string;
    /** Why the look came to nothing. */
    problem?: string;
  };
}

/** A type or a queue, one of them, whose tasks wait. */
export interface PauseDocument {
  type?: string;
  queue?: string;
  pausedAt: string;
  reason?: string;
}

/** What to put in the place of `from` to `to`, counted in UTF-16 units from 0. */
export interface Completion {
  from: number;
  to: number;
  items: { text: string; detail?: string }[];
}
