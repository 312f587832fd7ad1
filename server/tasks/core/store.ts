/**
 * TaskStore: the port between Dure's rules and a database. Each verb is one atomic step. Stores hold no rules of
 * their own: which status may follow which is lifecycle.ts, and the guards below say when a step is refused.
 *
 * A mutating verb answers `ok`, `rejected` (the guard said no; nothing changed) or `unknown` (the connection died
 * while committing: it may or may not have happened, and the caller must find out by the key it sent).
 * Everything else (disk full, damaged file, lost server) is a DureError with a DATABASE_ code, and nothing changed.
 *
 * The store's clock decides what is due; instants in answers are the store's.
 */
import type { Attempt, AttemptOutcome, LogEntry, StoredError } from "./attempt.ts";
import type { BackoffPolicy } from "./backoff.ts";
import type { TaskRecord } from "./record.ts";
import type { Buckets, Count, Found, StoreSearch, TaskCount } from "./store-search.ts";
import type { Task, TaskProgress, TaskStatusName } from "./task.ts";
import type { Transaction, TransactionClient } from "./transaction.ts";
import type { EncodedValue } from "./value.ts";

export type { AttemptRecord, TaskRecord } from "./record.ts";
export type { Buckets, Count, Found, Place, StoreSearch, TaskCount } from "./store-search.ts";

export type Written<Value, Reason extends string = never> =
  | { kind: "ok"; value: Value }
  | { kind: "rejected"; reason: Reason; details?: Record<string, unknown> }
  | { kind: "unknown"; cause: unknown };

/** A task about to be stored: every default filled in, every value encoded. */
export interface NewTask {
  id: string;
  type: string;
  queue: string;
  priority: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  dueAt: number;
  maxAttempts: number;
  payload: EncodedValue;
  /** Only when it is the task's own; a reader gets the definition's otherwise. */
  description: string | undefined;
  tags: readonly string[] | undefined;
  idempotencyKey: string | undefined;
  /** Whether the task may start again after its worker died. */
  rerunAfterCrash: boolean;
  /** What this task sets differently from its definition. */
  settings: TaskSettings | undefined;
  /** Whether the caller chose the id; generated ids sort by time, chosen ones need not. */
  ownId: boolean;
  /** Of the definition's attributes, those the payload has. */
  attributes?: Attributes;
}

/** By name; a Date counts as its milliseconds, and lists hold at most 20 values. Text of at most 1,000 characters. */
export type Attributes = Readonly<Record<string, AttributeKey | readonly AttributeKey[]>>;
export type AttributeKey = string | number | boolean;

/** Per-task overrides, kept as JSON beside the task and given back with the claim. */
export interface TaskSettings {
  timeoutMs?: number | null;
  backoff?: BackoffPolicy;
}

/** A definition as the store keeps it: data, not code. */
export interface StoredDefinition {
  id: string;
  description?: string;
  maxAttempts: number;
  queue: string;
  priority: number;
  timeoutMs: number | null;
  tags: readonly string[];
  rerunAfterCrash: boolean;
  /** Names of the values that are indexed. A name that is new here is filled in for older tasks: see `readUnfilled`. */
  attributes?: readonly string[];
  createdAt: Date;
  updatedAt: Date;
}

/** A claim: what one attempt needs. `ref` is the store's own handle; it comes back in the settlement unread. */
export interface ClaimedTask {
  ref: unknown;
  fence: number;
  task: Task;
  settings?: TaskSettings;
  /** Why the payload cannot be read, when it cannot; the worker settles such a claim as failed. */
  unreadable?: string;
}

export interface ClaimRequest {
  workerId: string;
  /** Only these types. */
  types: readonly string[];
  /** Only these queues; undefined for all. */
  queues?: readonly string[];
  /** At most this many. */
  limit: number;
  /** Whether a task whose worker died before may be among them (at most one is given); see worker.ts, quarantine. */
  suspect: boolean;
  /** How long the answer may be held back while nothing is due. A store that cannot wait answers at once. */
  waitMs?: number;
}

export interface ClaimReply {
  claimed: ClaimedTask[];
  /** When the next task these types and queues wait for is due, if one is known; milliseconds since 1970. */
  nextDueAt?: number;
  /** True when the store may have held the answer back; the caller need not wait again. */
  waited?: boolean;
}

/**
 * How a worker ends an attempt. The store reads the task as it is at that moment: after a cancel request every
 * end but `completed` makes it CANCELLED; `failed` and `timed-out` with `retryAt` go back to PENDING while
 * `attempts < maxAttempts`, and to FAILED otherwise; `snoozed` and `released` go back to PENDING uncharged.
 */
export interface Settlement {
  ref: unknown;
  taskId: string;
  fence: number;
  workerId: string;
  outcome: Exclude<AttemptOutcome, "lost">;
  result?: EncodedValue;
  error?: StoredError;
  /** Milliseconds since 1970. For `failed` and `timed-out`: absent means no further attempt. For `snoozed`: required. */
  retryAt?: number;
  logs?: LogEntry[];
  /** Of the definition's attributes, those the result has; only with `completed`. Kept beside those of the payload. */
  attributes?: Attributes;
}

export interface TransactionRequest {
  taskId: string;
  fence: number;
  workerId: string;
  /** How long the server waits for the next statement before it ends the transaction; null for no limit of ours. */
  idleMs: number | null;
}

/** A transaction that holds what a handler writes until its task is completed by the same commit. */
export interface AttemptTransaction {
  /** What the handler works with. It refuses every statement once the transaction is over. */
  readonly client: TransactionClient;
  /**
   * T3, and commits; both or neither. Answers `lease-lost` after rolling back. After `unknown` ask `findOutcome`. What it
   * throws (the handler ended or broke the transaction, a constraint that is checked at the end) rolled back.
   */
  commit(settlement: Settlement): Promise<Written<Settled>>;
  /** After a commit whose answer was lost: what became of it; undefined when it was rolled back. */
  findOutcome(settlement: Settlement): Promise<Settled | undefined>;
  /** Undoes what was written and lets go of the connection. Never rejects; a repeated call does nothing. */
  rollback(): Promise<void>;
}

/** What became of a settlement: the task's status after it, or that the attempt was no longer this worker's. */
export type Settled =
  | { kind: "settled"; status: TaskStatusName; dueAt?: number }
  | { kind: "lease-lost"; lostTo: AttemptOutcome | "unknown" };

export interface WorkerRecord {
  /** Random, one per start of a worker: its incarnation. */
  id: string;
  state: "alive" | "dead" | "stopped";
  host: string;
  pid: number;
  name?: string;
  concurrency: number;
  types: readonly string[];
  queues?: readonly string[];
  startedAt: Date;
  /** The last beat, by the store's clock; for people. Death is judged by `renewals` standing still. */
  beatAt: Date;
  renewals: number;
  leaseMs: number;
  running: number;
}

/** What a heartbeat found: whether this incarnation still counts, and what it owns in the store's eyes. */
export interface Beat {
  alive: boolean;
  owned: { taskId: string; fence: number; ref: unknown; cancelRequested: boolean }[];
  /** The other workers that are alive, where the store tells of them with the beat; see `Pace`. */
  peers?: { workerId: string; renewals: number; leaseMs: number; ageMs: number }[];
  /** True when `reapWorkers` would find something even without suspects. */
  reapable?: boolean;
}

/** A lease kept by the store's own thread, so that a blocked main thread does not lose it. */
export interface LeaseHandle {
  /** Says that the main thread is well; the thread stops renewing when this stays away for `maxBlockMs`. */
  alive(): void;
  /** Beats now and resolves with what was found. */
  beat(): Promise<Beat>;
  release(): Promise<void>;
}

export interface LeaseRequest {
  workerId: string;
  leaseMs: number;
  beatMs: number;
  maxBlockMs: number;
  onBeat(beat: Beat): void;
}

export interface StoreStats {
  byType: { type: string; queue: string; status: TaskStatusName; count: number }[];
  workers: { alive: number; dead: number; stopped: number };
  /** Age in milliseconds of the due task that has waited longest. */
  oldestDueMs?: number;
  /** About how many tasks are not yet found by their text, or are found by what they were before. */
  textLag?: number;
  /** Types whose older tasks are being looked through for attributes, with about how many are left. */
  filling?: { type: string; tasks: number }[];
  sizeBytes: number;
  writeAheadBytes?: number;
}

/** One finding of `checkHealth`; `next` says what to do. */
export interface HealthFinding {
  level: "ok" | "warning" | "error";
  check: string;
  message: string;
  next?: string;
}

export interface PruneRequest {
  status: "COMPLETED" | "FAILED" | "CANCELLED";
  /** Only tasks that ended before this instant; milliseconds since 1970. */
  before: number;
  /** At most 1,000. */
  limit: number;
}

/** A finished task with its whole record, as it goes to the archive. */
export interface ArchivedTask {
  task: Task;
  attempts: Attempt[];
}

export interface UnfilledTask {
  /** The store's own handle; it comes back unread. */
  ref: unknown;
  task: Task;
  /** Names of attributes. */
  attributes: readonly string[];
}

export interface FilledTask {
  ref: unknown;
  attributes: Attributes;
}

export interface UnindexedTask {
  /** The store's own handle; it comes back unread. */
  ref: unknown;
  task: Task;
  /** Oldest first, with errors and logs. */
  attempts: readonly Attempt[];
}

export interface IndexedText {
  ref: unknown;
  /** Empty for a task without any text. */
  text: string;
}

export interface TaskEdit {
  priority?: number;
  /** Milliseconds since 1970. */
  dueAt?: number;
}

/** What changed: tasks may be claimed, or tasks came to their ends or were asked to. */
export type News = "tasks" | "ends";

/** How often to ask a store for what it was not heard to tell; in milliseconds. */
export interface Pace {
  /** An idle worker looks for due tasks: the truth behind every hint. */
  pollMs: number;
  /** A worker takes back what the dead left. */
  reapMs: number;
  /** A worker looks at the others' renewals; undefined where each of its beats brings them (`Beat.peers`). */
  lookMs?: number;
}

export interface TaskStore {
  /** For messages: the file's path, or the server's address without its password. */
  readonly location: string;
  readonly pace: Pace;

  /** Opens and migrates. Called once, before every other verb. */
  open(): Promise<void>;
  /** Waits for what is under way, then lets go of everything. Repeated calls do nothing. */
  close(): Promise<void>;
  /** How far the store's clock is ahead of this process's, in milliseconds. Absent where both are the same clock. */
  measureSkew?(): Promise<number>;
  /**
   * Calls back soon after something may have changed in the store, by this process or another; a hint, never a promise.
   * A store that cannot tell what it was says nothing, and anything may have.
   */
  onChange(listener: (news?: News) => void): () => void;

  /** Adds definitions or brings them up to date. Refused when a task has such an id. */
  saveDefinitions(
    definitions: readonly Omit<StoredDefinition, "createdAt" | "updatedAt">[],
  ): Promise<Written<void, "id-taken">>;
  listDefinitions(): Promise<StoredDefinition[]>;

  /**
   * Stores tasks, all or none, in the given order. A task whose (type, idempotencyKey) is already stored with the
   * same payload is answered with the stored one; with another payload the whole call is rejected. So is an id that
   * a task or a definition already has, unless the stored task is equal: sending the same call again is safe.
   * Batches arrive as an async iterable of parts, so that a hundred thousand tasks never block the event loop.
   * Answers `null` for each task that was new, in order.
   *
   * With `tx` the caller's transaction stores them, and they are there if and only if it commits; an error or a refusal
   * leaves it to the caller to roll it back. Throws DureError TRANSACTION_UNUSABLE for what is no open transaction of
   * this database.
   */
  enqueueTasks(
    tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
    tx?: Transaction,
  ): Promise<Written<(Task | null)[], "id-taken" | "idempotency-conflict">>;

  /** A task, or undefined. For the id of a definition: its entry (`isDefinition`), see design.md 2. */
  getTask(id: string): Promise<Task | undefined>;
  searchTasks(search: StoreSearch): Promise<Found>;
  /** Real tasks only. Exact, unless a `where` outlasts `budgetMs`. `sortBy`, `limit`, `offset`, `after` and `definitions` do not matter. */
  countTasks(search: StoreSearch): Promise<Count>;
  /** Counts the tasks of a search without `where`, by type, queue and status, and by stretches of time. Exact. */
  summarizeTasks(search: StoreSearch, buckets?: Buckets): Promise<TaskCount[]>;
  /** Oldest first. Empty when the task does not exist. */
  listAttempts(taskId: string): Promise<Attempt[]>;
  /** Ids of tasks and definitions that begin with, or are one edit away from, the given one; at most 3. */
  findNearIds(id: string): Promise<string[]>;

  registerWorker(
    worker: Pick<
      WorkerRecord,
      "id" | "host" | "pid" | "name" | "concurrency" | "types" | "queues" | "leaseMs"
    >,
  ): Promise<Written<void>>;
  /** Renews until released; the beats run beside the main thread. */
  holdLease(request: LeaseRequest): LeaseHandle;
  /** `alive → stopped`; refused while it owns running tasks. */
  stopWorker(workerId: string): Promise<Written<void, "owns-tasks">>;
  listWorkers(): Promise<WorkerRecord[]>;

  /** T1. Highest priority first, then the longest due, then the first stored. Only for an alive worker. */
  claimTasks(request: ClaimRequest): Promise<Written<ClaimReply, "worker-dead">>;
  /** Has the worker's claim answered now, if it is held back. */
  endClaimWait(workerId: string): void;
  /**
   * Opens a transaction for an attempt, whose commit completes the task. Throws DureError LEASE_LOST when the attempt is
   * not this worker's any more, TRANSACTION_UNUSABLE when this store has none to give.
   */
  beginTransaction(request: TransactionRequest): Promise<AttemptTransaction>;
  /** T3, T4, T5, T8, T11, T12. One answer per settlement, in order. */
  settleTasks(settlements: readonly Settlement[]): Promise<Written<Settled[]>>;
  /** Keeps progress and the logs so far of running attempts; stale fences are passed over. */
  reportProgress(
    reports: readonly {
      ref: unknown;
      taskId: string;
      fence: number;
      workerId: string;
      progress?: TaskProgress;
      logs?: LogEntry[];
    }[],
  ): Promise<Written<void>>;
  /** Fences of the worker's tasks that somebody asked to cancel. */
  listCancelRequests(workerId: string): Promise<{ taskId: string; fence: number }[]>;

  /**
   * T9. Buries workers and takes back their tasks: each suspect whose `renewals` still stands where it was seen,
   * and every worker that the store knows for certain to be dead. Tasks go back to PENDING with `crashes + 1`, or
   * to FAILED past `crashBudget` or with `rerunAfterCrash: false`, or to CANCELLED when that was asked for.
   * Also sweeps running tasks whose owner is missing or not alive, and cancels (T8b) running tasks whose
   * cancel request is older than `cancelGraceMs`.
   */
  reapWorkers(request: {
    observerId?: string;
    suspects: readonly { workerId: string; renewals: number }[];
    crashBudget: number;
    cancelGraceMs: number;
  }): Promise<Written<{ buried: string[]; tasks: { id: string; status: TaskStatusName }[] }>>;

  /** T6, T7. CANCELLED at once when PENDING; a request when RUNNING. */
  cancelTask(
    id: string,
    expectedVersion?: number,
  ): Promise<Written<{ task: Task; requested: boolean }, "not-found" | "finished" | "version">>;
  /** T13. FAILED or CANCELLED → PENDING, due now, with a fresh budget. The fence goes on. */
  retryTask(
    id: string,
    expectedVersion?: number,
  ): Promise<Written<{ task: Task }, "not-found" | "not-finished" | "completed" | "version">>;
  /** T14. Only PENDING tasks. */
  editTask(
    id: string,
    edit: TaskEdit,
    expectedVersion?: number,
  ): Promise<Written<{ task: Task }, "not-found" | "not-pending" | "version">>;
  /** T15 for one task: with its attempts and logs. Only finished tasks. */
  deleteTask(
    id: string,
    expectedVersion?: number,
  ): Promise<Written<void, "not-found" | "not-finished" | "version">>;

  /** T15. Deletes at most `limit` finished tasks, oldest first; answers how many. */
  pruneTasks(request: PruneRequest): Promise<Written<number>>;
  /** The tasks that `pruneTasks` with the same request would delete now. */
  readPrunable(request: PruneRequest): Promise<ArchivedTask[]>;

  /**
   * Tasks of these types that were stored before their definition had some attribute, newest first and at most `limit`, of
   * one type, with the names that it has gained. What is read comes again until `writeAttributes` was given it.
   */
  readUnfilled(request: { types: readonly string[]; limit: number }): Promise<UnfilledTask[]>;
  /**
   * Adds attributes to tasks that `readUnfilled` gave: give it all of one answer, also those that have none of the values,
   * for that is how it knows what is done. Values that a task has already stay as they are.
   */
  writeAttributes(filled: readonly FilledTask[]): Promise<Written<void>>;
  /**
   * Tasks whose text is not indexed as they are now, newest first as far as that is cheap, at most `limit`. What is read
   * may come again, here or in another process, until `writeTexts` was given it; twice does no harm.
   */
  readUnindexed(request: { limit: number }): Promise<UnindexedTask[]>;
  /** Indexes texts, folded (`searchableText`), of tasks that `readUnindexed` gave: all of one answer at once. */
  writeTexts(texts: readonly IndexedText[]): Promise<Written<void>>;

  /** Tasks with all that is known of them, by id: the first `limit` after one, or those of `ids`. For moving. */
  readRecords(which: { after?: string; limit: number } | { ids: readonly string[] }): Promise<TaskRecord[]>;
  /** Stores records as they are, all or none; an id that is stored already is passed over. Answers the ids that were new. */
  writeRecords(records: readonly TaskRecord[]): Promise<Written<string[], "idempotency-conflict">>;
  /**
   * From now on every change of a task, by any process, is refused with DATABASE_MOVED, which names this place;
   * `undefined` takes that back. Refused while a task is RUNNING.
   */
  seal(movedTo: string | undefined): Promise<Written<void, "owns-tasks">>;

  stats(): Promise<StoreStats>;
  /** What `dure doctor` prints: integrity, version, permissions, disk, workers, backlog. */
  checkHealth(options: { full: boolean }): Promise<HealthFinding[]>;
  /** The schema's number in the store, and the newest this program knows. */
  schemaVersion(): Promise<{ stored: number; known: number }>;
}
