/**
 * TaskStore: the port between Dure's rules and a database. Each verb is one atomic step. Stores hold no rules of
 * their own: which status may follow which is lifecycle.ts, and the guards below say when a step is refused.
 *
 * A mutating verb answers `ok`, `rejected` (the guard said no; nothing changed) or `unknown` (the connection died
 * while committing: it may or may not have happened, and the caller must find out by the key it sent).
 * Everything else (disk full, damaged file, lost server) is a DureError with a DATABASE_ code, and nothing changed.
 *
 * The store's clock decides what is due; instants in answers are the store's.
 *
 * With `by`, who asks for a change, a record of it goes into the audit log in the same transaction: if and only if
 * something is changed by it. What was refused, and what was so already, leaves none.
 */
import type { Attempt, LogEntry } from "./attempt.ts";
import type {
  AttemptTransaction,
  ClaimReply,
  ClaimRequest,
  ReapedTask,
  Settled,
  Settlement,
  TransactionRequest,
} from "./port/store-attempts.ts";
import type { AuditFound, AuditPrune, AuditRead, AuditRecord, By, ChangeBy } from "./port/store-audit.ts";
import type { Changes, ChangesRequest } from "./port/store-changes.ts";
import type { AttributeCountRequest, AttributeCounts } from "./port/store-facets.ts";
import type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "./port/store-history.ts";
import type { FilledTask, IndexedText, UnfilledTask, UnindexedTask } from "./port/store-indexing.ts";
import type { Attributes, EnqueueRefusal, NewTask } from "./port/store-new-task.ts";
import type { PauseName, StoredPause } from "./port/store-pauses.ts";
import type { AlertStateWrite, SavedSearchContent, StoredSearch } from "./port/store-saved.ts";
import type {
  Buckets,
  Count,
  CountKey,
  Found,
  SearchPlan,
  StoreSearch,
  TaskCounts,
} from "./port/store-search.ts";
import type { LeaseHandle, LeaseRequest, WorkerRecord } from "./port/store-workers.ts";
import type { Written } from "./port/store-written.ts";
import type { TaskRecord } from "./record.ts";
import type { Task, TaskProgress, TaskStatusName } from "./task.ts";
import type { Transaction } from "./transaction.ts";

export type {
  AttemptTransaction,
  ClaimedTask,
  ClaimReply,
  ClaimRequest,
  ReapedTask,
  Settled,
  Settlement,
  TransactionRequest,
} from "./port/store-attempts.ts";
export type {
  AuditedChange,
  AuditFound,
  AuditPlace,
  AuditPrune,
  AuditRead,
  AuditRecord,
  By,
  ChangeBy,
} from "./port/store-audit.ts";
export type { Changes, ChangesRequest } from "./port/store-changes.ts";
export type { AttributeCount, AttributeCountRequest, AttributeCounts } from "./port/store-facets.ts";
export type { HistoryPrune, HistoryRead, HistoryRow, SpannedRow } from "./port/store-history.ts";
export type { FilledTask, IndexedText, UnfilledTask, UnindexedTask } from "./port/store-indexing.ts";
export type {
  AttributeKey,
  Attributes,
  EnqueueRefusal,
  NewTask,
  TaskSettings,
} from "./port/store-new-task.ts";
export type { PauseKind, PauseName, StoredPause } from "./port/store-pauses.ts";
export type { AlertState, AlertStateWrite, SavedSearchContent, StoredSearch } from "./port/store-saved.ts";
export type {
  Buckets,
  Count,
  CountedGroup,
  CountKey,
  Found,
  Place,
  PlanSource,
  SearchPlan,
  StoreSearch,
  TaskCounts,
} from "./port/store-search.ts";
export type { Beat, LeaseHandle, LeaseRequest, WorkerRecord } from "./port/store-workers.ts";
export type { Written } from "./port/store-written.ts";
export type { AttemptRecord, TaskRecord } from "./record.ts";

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
  /** JSON Schema of the payload as it is given, where the definition's schema can tell it; forms are made from it. */
  payloadSchema?: object;
  createdAt: Date;
  updatedAt: Date;
}

export interface StoreStats {
  byType: { type: string; queue: string; status: TaskStatusName; count: number }[];
  workers: { alive: number; dead: number; stopped: number };
  /** How long the oldest due task has waited whose type and queue are not paused. */
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
  /** Only tasks that ended before this instant; milliseconds since 1970. Default: all. */
  before?: number;
  /** Only tasks of these types. */
  types?: readonly string[];
  /** So many stay of those that have the status and one of the types: those that ended last. */
  keep?: number;
  /** At most 1,000. */
  limit: number;
}

/** A finished task with its whole record, as it goes to the archive. */
export interface ArchivedTask {
  task: Task;
  attempts: Attempt[];
  /** Absent when it has none. */
  attributes?: Attributes;
}

export interface TaskEdit {
  priority?: number;
  /** Milliseconds since 1970. */
  dueAt?: number;
}

/**
 * What changed: tasks may be claimed (`tasks`), or are stored and nobody has to look for them (`stored`), or tasks came to their
 * ends or were asked to (`ends`). Or nothing has, but a claim that is made now may bring what is being stored (`soon`).
 */
export type News = "tasks" | "stored" | "ends" | "soon";

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
  /** Whether it has counts by the minute, and by the change that ended a task, now; those by the hour of creation it always has. */
  readonly keepsMinutes?: boolean;

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
   * Answers `null` for each task that was new, in order. New ones that would leave more than `queueDepthMax` tasks waiting in
   * their queue are rejected; a store of several connections may let pass what these enqueue at the same moment.
   *
   * With `tx` the caller's transaction stores them, and they are there if and only if it commits; an error or a refusal
   * leaves it to the caller to roll it back. Throws DureError TRANSACTION_UNUSABLE for what is no open transaction of
   * this database.
   */
  enqueueTasks(
    tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
    tx?: Transaction,
    by?: By,
  ): Promise<Written<(Task | null)[], EnqueueRefusal>>;

  /** A task, or undefined. For the id of a definition: its entry (`isDefinition`), see design.md 2. */
  getTask(id: string): Promise<Task | undefined>;
  searchTasks(search: StoreSearch): Promise<Found>;
  /** How `searchTasks` would serve it now. */
  explainSearch(search: StoreSearch): Promise<SearchPlan>;
  /** Real tasks only. Exact, unless a `where` outlasts `budgetMs`. `sortBy`, `limit`, `offset`, `after` and `definitions` do not matter. */
  countTasks(search: StoreSearch): Promise<Count>;
  /** Counts the tasks of a search without `where`, by these keys at least, all unless given, and by stretches of time. Exact. */
  summarizeTasks(search: StoreSearch, buckets?: Buckets, by?: readonly CountKey[]): Promise<TaskCounts>;
  /**
   * Tasks that were stored or changed since a cursor, roughly in that order, each as it is now. Nothing that is committed
   * is missed, however long its transaction took; a task may come again without a change. Progress and logs do not count,
   * and deleted tasks are not told. Throws DureError INVALID_CURSOR.
   */
  readChanges(request: ChangesRequest): Promise<Changes>;
  /** Counts tasks by the values of an attribute, by type and status. A text that is long may be given by its beginning alone. */
  countAttribute(request: AttributeCountRequest): Promise<AttributeCounts>;
  /** The attributes of those of these tasks that have any. */
  readAttributes(ids: readonly string[]): Promise<[id: string, Attributes][]>;
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
  }): Promise<Written<{ buried: string[]; tasks: ReapedTask[] }>>;

  /** T6, T7. CANCELLED at once when PENDING; a request when RUNNING. */
  cancelTask(
    id: string,
    expectedVersion?: number,
    by?: ChangeBy,
  ): Promise<Written<{ task: Task; requested: boolean }, "not-found" | "finished" | "version">>;
  /** T13. FAILED or CANCELLED → PENDING, due now, with a fresh budget. The fence goes on. */
  retryTask(
    id: string,
    expectedVersion?: number,
    by?: ChangeBy,
  ): Promise<Written<{ task: Task }, "not-found" | "not-finished" | "completed" | "version">>;
  /** T14. Only PENDING tasks. */
  editTask(
    id: string,
    edit: TaskEdit,
    expectedVersion?: number,
    by?: ChangeBy,
  ): Promise<Written<{ task: Task }, "not-found" | "not-pending" | "version">>;
  /** T15 for one task: with its attempts and logs. Only finished tasks. */
  deleteTask(
    id: string,
    expectedVersion?: number,
    by?: ChangeBy,
  ): Promise<Written<void, "not-found" | "not-finished" | "version">>;

  /** T15. Deletes at most `limit` finished tasks, oldest first and of one instant by id; answers how many. */
  pruneTasks(request: PruneRequest): Promise<Written<number>>;
  /** The tasks that `pruneTasks` with the same request would delete now. */
  readPrunable(request: PruneRequest): Promise<ArchivedTask[]>;

  /**
   * Tasks of these types that were enqueued where nobody could take their attributes, those that wait first as far as that is cheap; else those that were
   * stored before their definition had some attribute, newest first. At most `limit`, of one type, with the names to take. What is read comes again until `writeAttributes` was given it.
   */
  readUnfilled(request: { types: readonly string[]; limit: number }): Promise<UnfilledTask[]>;
  /**
   * Adds attributes to tasks that `readUnfilled` gave: give it all of one answer, also those that have none of the values,
   * for that is how it knows what is done. Values that a task has already stay as they are.
   */
  writeAttributes(filled: readonly FilledTask[]): Promise<Written<void>>;
  /**
   * Tasks whose text is not indexed as they are now, newest first as far as that is cheap, at most `limit`; fewer where their values are large. What is read
   * may come again, here or in another process, until `writeTexts` was given it; twice does no harm.
   * @param after the last of an answer whose texts are being written meanwhile: these are not given again
   */
  readUnindexed(request: { limit: number; after?: UnindexedTask }): Promise<UnindexedTask[]>;
  /**
   * Indexes texts, folded (`searchableText`), of tasks that `readUnindexed` gave: all of one answer at once. With `isAlone`
   * nobody waits meanwhile, and its transactions may take longer.
   */
  writeTexts(texts: readonly IndexedText[], options?: { isAlone: boolean }): Promise<Written<void>>;
  /** Forgets all texts: none is found until `writeTexts` was given it again. `readUnindexed` then gives every task that has ended or waits. */
  clearTexts(): Promise<Written<void>>;

  /** Tasks with all that is known of them, by id: the first `limit` after one, or those of `ids`. For moving. */
  readRecords(which: { after?: string; limit: number } | { ids: readonly string[] }): Promise<TaskRecord[]>;
  /** Stores records as they are, all or none; an id that is stored already is passed over. Answers the ids that were new. */
  writeRecords(records: readonly TaskRecord[]): Promise<Written<string[], "idempotency-conflict">>;
  /**
   * From now on every change of a task, by any process, is refused with DATABASE_MOVED, which names this place;
   * `undefined` takes that back. Refused while a task is RUNNING.
   */
  seal(movedTo: string | undefined): Promise<Written<void, "owns-tasks">>;

  /** Stores rows as they are, for moving; one whose span, start and type are stored already is passed over. */
  writeHistory(rows: readonly SpannedRow[]): Promise<Written<void>>;
  /**
   * In the order of start and type. Exact: `settleTasks`, `reapWorkers` and transactions of attempts count by the same commit
   * each attempt that left its task ended, or `failed` or `timed-out` and PENDING, and each that was taken back, which has no
   * times. The minute is that of the attempt's end, by the store's clock.
   */
  readHistory(request: HistoryRead): Promise<HistoryRow[]>;
  /** Deletes rows, the oldest first; answers how many. */
  pruneHistory(request: HistoryPrune): Promise<Written<number>>;

  /**
   * Keeps a search under its name, in the place of one that has it. Where the query and the rule stay the same, so does
   * how far the rule has come. `full` when there are 1,000 others.
   */
  saveSearch(search: SavedSearchContent, by?: By): Promise<Written<StoredSearch, "full">>;
  /** By name, in the order of its code points. */
  listSearches(): Promise<StoredSearch[]>;
  /** Answers whether there was one. */
  deleteSearch(name: string, by?: By): Promise<Written<boolean>>;
  /** Keeps how far a rule has come, and answers the new revision. `changed` at another revision, or when it is gone. */
  writeAlertState(write: AlertStateWrite): Promise<Written<number, "changed">>;

  /**
   * From the answer on, no claim by any process takes a task of the type or queue; whatever a claim that came before took is
   * RUNNING when this answers. Paused already, only the reason changes, where one is given. `full` when there are 1,000 others.
   */
  pause(pause: PauseName & { reason?: string }, by?: By): Promise<Written<StoredPause, "full">>;
  /** Answers whether it was paused, and lets workers know. */
  resume(name: PauseName, by?: By): Promise<Written<boolean>>;
  /** Types first, then queues, each in the order of the code points of the name. */
  listPauses(): Promise<StoredPause[]>;

  /**
   * The newest first, and of one instant by id. What an index finds is looked at from there on, `looksMax` records at most; where
   * that were too few, the answer says how far it came.
   */
  readAudit(request: AuditRead): Promise<AuditFound>;
  /** Stores records as they are; one whose id is stored already is passed over. */
  writeAudit(records: readonly AuditRecord[]): Promise<Written<void>>;
  /** Deletes records, the oldest first; answers how many. */
  pruneAudit(request: AuditPrune): Promise<Written<number>>;

  stats(): Promise<StoreStats>;
  /** What `dure doctor` prints: integrity, version, permissions, disk, workers, backlog. */
  checkHealth(options: { full: boolean }): Promise<HealthFinding[]>;
  /** The app that the database belongs to; undefined when none was ever named. */
  readApp(): Promise<string | undefined>;
  /** Makes the database this app's, if it is nobody's or with `rename`; answers whose it is now. */
  nameApp(name: string, options: { rename: boolean }): Promise<Written<string>>;
  /** The schema's number in the store, and the newest this program knows. */
  schemaVersion(): Promise<{ stored: number; known: number }>;
}
