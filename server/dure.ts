/**
 * createDure: joins store, registry, clock and loops into an instance; start, stop and close. Also the default
 * instance, which the free functions work on.
 */
import { DureInstance } from "./dure-instance.ts";
import type { DureOptions } from "./dure-options.ts";
import { resolveDureOptions } from "./dure-options.ts";
import type { ActionSearch, ActOptions, ActReport, TaskAction } from "./tasks/core/act.ts";
import type { ActionPayload, ActionResult, StartActionOptions } from "./tasks/core/action.ts";
import type { Attempt } from "./tasks/core/attempt.ts";
import type { AuditOptions, AuditPage } from "./tasks/core/audit.ts";
import type { HistoryBucket, HistoryOptions } from "./tasks/core/counts/history.ts";
import type { TaskSummary, TaskSummaryOptions } from "./tasks/core/counts/summary.ts";
import type { EnqueueOptions } from "./tasks/core/enqueue.ts";
import { enqueueTaskIn } from "./tasks/core/enqueue.ts";
import { DureError } from "./tasks/core/errors.ts";
import type { TaskExplanation } from "./tasks/core/explain.ts";
import type { SearchExplanation } from "./tasks/core/explain-search.ts";
import type { Instance } from "./tasks/core/instance.ts";
import { defaultInstance, provideDefaultInstance } from "./tasks/core/instance.ts";
import type { CancelReply, ChangeOptions, EditOptions } from "./tasks/core/manage.ts";
import type { Pause, PauseOptions, PauseTarget } from "./tasks/core/pauses.ts";
import type { Completion } from "./tasks/core/query/query-complete.ts";
import type { QueryFilter } from "./tasks/core/query/query-options.ts";
import type { SavedSearch, SaveSearchOptions } from "./tasks/core/saved-searches.ts";
import type { TaskPage, TaskSearchOptions } from "./tasks/core/search.ts";
import type {
  ArchivedTask,
  HealthFinding,
  StoredDefinition,
  StoreStats,
  WorkerRecord,
} from "./tasks/core/store.ts";
import type { defineTask, Task } from "./tasks/core/task.ts";
import { type WaitForTaskOptions, waitForTaskIn } from "./tasks/core/wait.ts";
import type { TaskChange, WatchOptions } from "./tasks/core/watch/watch.ts";
import type { ArchiveCount, ArchiveSummary } from "./tasks/runtime/archive/archive-count.ts";
import type { ArchivePage } from "./tasks/runtime/archive/archive-search.ts";
import type { Pruned, PruneOptions } from "./tasks/runtime/pruner.ts";
import type { RebuildOptions, Rebuilt } from "./tasks/runtime/text-rebuild.ts";

/** A Dure instance: everything the free functions do, on its own database and registry. */
export interface Dure {
  /** What adapters work on, such as `dure/http`. */
  readonly instance: Instance;
  /** As the free function, on this instance. */
  defineTask: typeof defineTask;
  /**
   * As `definition.enqueue`, for a type known by its id, whose handler may be in another process.
   * @throws DureError TASK_NOT_DEFINED, and all of `enqueue`'s
   */
  enqueueTask(type: string, payload: unknown, options?: EnqueueOptions): Promise<Task>;
  /**
   * Tasks that fit, newest first unless told otherwise, 50 at most unless told otherwise; see the free function.
   * @throws DureError INVALID_OPTION, INVALID_QUERY, INVALID_CURSOR
   */
  searchTasks(options?: TaskSearchOptions): Promise<Task[]>;
  /** `searchTasks` with cursors to the neighbouring pages, and whether it was complete. @throws as `searchTasks` */
  searchTaskPage(options?: TaskSearchOptions): Promise<TaskPage>;
  /** How many tasks fit: exact, real tasks only, whatever `limit` and `offset` say. @throws as `searchTasks` */
  countTasks(options?: TaskSearchOptions): Promise<number>;
  /**
   * How many tasks of a search there are by status, type, queue, attribute and time, within its budget.
   * @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  summarizeTasks(options?: TaskSummaryOptions): Promise<TaskSummary>;
  /** One task, or undefined; the id of a definition always answers, with its latest task's status. */
  getTaskById(id: string): Promise<Task | undefined>;
  /** Why a task is where it is, and what happens to it next. @throws DureError TASK_NOT_FOUND */
  explainTask(id: string): Promise<TaskExplanation>;
  /**
   * Which way a search is served, about how many tasks it looks at, and what would make it cheaper. Reads no task.
   * @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  explainSearch(options?: TaskSearchOptions): Promise<SearchExplanation>;
  /** What may stand at a place of a query that is being written: fields, values, ids. Never fails for what is written there. */
  completeQuery(text: string, position?: number): Promise<Completion>;
  /**
   * A query as the options that ask for the same: spans such as `created:>2h` are instants from now on, and saved searches
   * what they stand for.
   * @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  parseQuery(text: string): Promise<QueryFilter>;
  /** Filters and order as one line of text; undefined for what no query can say. @throws DureError INVALID_OPTION, INVALID_QUERY */
  formatQuery(options: TaskSearchOptions): Promise<string | undefined>;
  /** Oldest first, the running one included; empty when there is no such task. */
  listAttempts(taskId: string): Promise<Attempt[]>;
  /**
   * Resolves with the task once it is COMPLETED, FAILED or CANCELLED.
   * @throws DureError TASK_NOT_FOUND, WAIT_TIMEOUT; the signal's reason when it aborts
   */
  waitForTask(id: string, options?: WaitForTaskOptions): Promise<Task>;
  /**
   * What enters, changes in and leaves a search, from now on or since a cursor, whichever process does it. Ends by `break`,
   * by its signal, or with the instance; holds the process open only while the next change is waited for.
   * @throws DureError INVALID_OPTION, INVALID_QUERY at once; INVALID_CURSOR and DATABASE_… from the iteration
   */
  watchTasks<Payload = any, Result = any>(
    options?: WatchOptions<NoInfer<Payload>, NoInfer<Result>>,
  ): AsyncIterableIterator<TaskChange<Payload, Result>, undefined>;
  /**
   * PENDING: CANCELLED at once. RUNNING: its handler is asked to stop, and may succeed first. Again, it changes nothing.
   * @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT once it has ended, VERSION_CONFLICT
   */
  cancelTask(id: string, options?: ChangeOptions): Promise<CancelReply>;
  /**
   * A FAILED or CANCELLED task is PENDING again, due now, with all its attempts.
   * @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT, VERSION_CONFLICT
   */
  retryTask(id: string, options?: ChangeOptions): Promise<Task>;
  /** Of a PENDING task. @throws DureError INVALID_OPTION, TASK_NOT_FOUND, STATUS_CONFLICT, VERSION_CONFLICT */
  editTask(id: string, edit: EditOptions): Promise<Task>;
  /** With its attempts and logs. @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT until it has ended, VERSION_CONFLICT */
  deleteTask(id: string, options?: ChangeOptions): Promise<void>;
  /**
   * Cancels, retries, deletes or edits every task that fits and whose status allows it, the oldest first; with `dryRun` only says
   * how many. What anybody changes after the start is left alone, and counted as skipped.
   * @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  actOnTasks(search: ActionSearch, action: TaskAction, options?: ActOptions): Promise<ActReport>;
  /**
   * `actOnTasks` as a task of its own, of the type `dure.act-on-tasks`: a worker does it, with progress, also after this
   * process has ended; cancel the task to end it early. The set of tasks is fixed now.
   * @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  startAction(
    search: ActionSearch,
    action: TaskAction,
    options?: StartActionOptions,
  ): Promise<Task<ActionPayload, ActionResult>>;
  /**
   * Throughput, failures, wait and run time by minute, hour or day; also of tasks that were deleted long ago.
   * @throws DureError INVALID_OPTION
   */
  readHistory(options?: HistoryOptions): Promise<HistoryBucket[]>;
  /**
   * Keeps a query under a name, in the place of one that has it: `@name` stands for it in every query. With an alert,
   * workers look at it every 30 seconds.
   * @throws DureError INVALID_ID, INVALID_OPTION, INVALID_QUERY, TASK_NOT_DEFINED for the type of an alert
   */
  saveSearch(name: string, options: SaveSearchOptions): Promise<SavedSearch>;
  /** By name, in the order of its code points. */
  listSearches(): Promise<SavedSearch[]>;
  /** @throws DureError SEARCH_NOT_FOUND */
  deleteSearch(name: string, options?: Pick<SaveSearchOptions, "by">): Promise<void>;
  /**
   * From its answer on no worker of any process starts a task of a type, or of a queue; what runs goes on. Again, it
   * changes the reason at most.
   * @throws DureError INVALID_OPTION, INVALID_ID, TASK_NOT_DEFINED
   */
  pause(target: PauseTarget, options?: PauseOptions): Promise<Pause>;
  /** Lets them start again, at once; answers whether it was paused. @throws DureError INVALID_OPTION, INVALID_ID */
  resume(target: PauseTarget, options?: Pick<PauseOptions, "by">): Promise<boolean>;
  /** Types first, then queues, each by name. */
  listPauses(): Promise<Pause[]>;
  /**
   * The audit log, newest first: who asked for which change, when, and from where; each record was stored in the transaction of its
   * change. Kept for `retention.audit`.
   * @throws DureError INVALID_OPTION, INVALID_CURSOR
   */
  readAudit(options?: AuditOptions): Promise<AuditPage>;
  /** As stored, those of other processes included, by id. */
  listDefinitions(): Promise<StoredDefinition[]>;
  /** Starts of workers that the database knows of: those that are alive first, then the latest; at most 1,000. */
  listWorkers(): Promise<WorkerRecord[]>;
  /** Exact counts by type, queue and status; sizes in bytes, ages in milliseconds. */
  stats(): Promise<StoreStats>;
  /** What `dure doctor` prints; with `full` every page and count is looked at, which takes minutes on large databases. */
  checkHealth(options?: { full?: boolean }): Promise<HealthFinding[]>;
  /**
   * `searchTaskPage` in the folder of `retention.archiveTo`: reads its files, newest first, so it is slower; its default
   * budget is 10 seconds. Says which files are damaged.
   * @throws DureError INVALID_OPTION, also without such a folder; INVALID_QUERY, INVALID_CURSOR
   */
  searchArchive(options?: TaskSearchOptions): Promise<ArchivePage>;
  /** `countTasks` in the archive, within the budget. @throws DureError INVALID_OPTION, INVALID_QUERY */
  countArchive(options?: TaskSearchOptions): Promise<ArchiveCount>;
  /**
   * `summarizeTasks` of the archive, within the budget (default: 10 seconds). Tasks are counted as they were archived, none
   * twice. @throws DureError INVALID_OPTION, INVALID_QUERY
   */
  summarizeArchive(options?: TaskSummaryOptions): Promise<ArchiveSummary>;
  /** An archived task with its attempts and logs. @throws DureError INVALID_OPTION without an archive */
  getArchivedTask(id: string): Promise<ArchivedTask | undefined>;
  /**
   * Forgets the index of texts and makes it anew; until that is done a search by text finds what is indexed so far. Running workers help, and go on when this is ended. With `clear` it only forgets.
   * @throws DureError INVALID_OPTION, DATABASE_…
   */
  rebuildTexts(options?: RebuildOptions): Promise<Rebuilt>;
  /**
   * Archives (when told to) and deletes what is past its retention, now; running workers do so by themselves. A dry run counts it.
   * @throws DureError INVALID_OPTION, DATABASE_…
   */
  prune(options?: PruneOptions): Promise<Pruned>;
  /**
   * Starts a worker in this process; resolves when it claims.
   * @throws DureError WORKER_RUNNING, INSTANCE_CLOSED, DATABASE_…
   */
  start(): Promise<void>;
  /**
   * Stops the worker: finish, abort, give back. Resolves with how many tasks were given back, uncharged. A repeated
   * call joins the first; `now: true` cuts the grace period short.
   */
  stop(options?: { now?: boolean }): Promise<{ released: number }>;
  /** Stops the worker and lets go of the database. Every later call is refused with INSTANCE_CLOSED. */
  close(): Promise<void>;
}

/**
 * Makes an instance. Nothing is opened before it is used.
 * @throws DureError INVALID_OPTION with every problem of the options; DATABASE_UNAVAILABLE
 */
export function createDure(options?: DureOptions): Dure {
  const dure = new DureInstance(resolveDureOptions(options));
  dures.set(dure.instance, dure);
  return dure;
}

const dures = new WeakMap<Instance, Dure>();

/** The default instance, for `start`, `stop` and all that has no free function. */
export function defaultDure(): Dure {
  const dure = dures.get(defaultInstance());
  if (dure) return dure;
  throw new DureError(
    "INSTANCE_CLOSED",
    "The default instance was not made by createDure, so there is nothing to start.",
  );
}

/** `dure.enqueueTask` on the default instance. @throws DureError TASK_NOT_DEFINED, and all of `definition.enqueue`'s */
export function enqueueTask(type: string, payload: unknown, options?: EnqueueOptions): Promise<Task> {
  return enqueueTaskIn(defaultInstance(), type, payload, options);
}

/** `dure.waitForTask` on the default instance. @throws DureError TASK_NOT_FOUND, WAIT_TIMEOUT */
export function waitForTask(id: string, options?: WaitForTaskOptions): Promise<Task> {
  return waitForTaskIn(defaultInstance(), id, options);
}

/** `dure.watchTasks` on the default instance. */
export function watchTasks<Payload = any, Result = any>(
  options?: WatchOptions<NoInfer<Payload>, NoInfer<Result>>,
): AsyncIterableIterator<TaskChange<Payload, Result>, undefined> {
  return defaultDure().watchTasks(options);
}

provideDefaultInstance(() => createDure().instance);
