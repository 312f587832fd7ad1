/** What an instance is made of: store, registry, clock and loops, and every call handed to whose it is. */
import type { DureSettings } from "./dure-options.ts";
import { makeStore } from "./dure-store.ts";
import { exitWhenBlocked } from "./dure-watchdog.ts";
import { StartedWorker } from "./dure-worker.ts";
import {
  type ActionSearch,
  type ActOptions,
  type ActReport,
  actOnTasksIn,
  type TaskAction,
} from "./tasks/core/act.ts";
import {
  type ActionPayload,
  type ActionResult,
  actionDefinition,
  type StartActionOptions,
  startActionIn,
} from "./tasks/core/action.ts";
import type { Attempt } from "./tasks/core/attempt.ts";
import { type AuditOptions, type AuditPage, readAuditIn } from "./tasks/core/audit.ts";
import { type HistoryBucket, type HistoryOptions, readHistoryIn } from "./tasks/core/counts/history.ts";
import { summarizeTasksIn, type TaskSummary, type TaskSummaryOptions } from "./tasks/core/counts/summary.ts";
import { define } from "./tasks/core/definition.ts";
import type { EnqueueOptions } from "./tasks/core/enqueue.ts";
import { enqueueTaskIn } from "./tasks/core/enqueue.ts";
import { DureError } from "./tasks/core/errors.ts";
import { explainTaskIn, type TaskExplanation } from "./tasks/core/explain.ts";
import { explainSearchIn, type SearchExplanation } from "./tasks/core/explain-search.ts";
import { countTasksIn, getTaskByIdIn, searchTaskPageIn, searchTasksIn } from "./tasks/core/find.ts";
import { definedByDefault, type Instance } from "./tasks/core/instance.ts";
import type { CancelReply, ChangeOptions, EditOptions } from "./tasks/core/manage.ts";
import { cancelTaskIn, deleteTaskIn, editTaskIn, listAttemptsIn, retryTaskIn } from "./tasks/core/manage.ts";
import { booleanRule, checkOptions, type OptionRule } from "./tasks/core/options.ts";
import type { Pause, PauseOptions, PauseTarget } from "./tasks/core/pauses.ts";
import { listPausesIn, pauseIn, resumeIn } from "./tasks/core/pauses.ts";
import type { Completion } from "./tasks/core/query/query-complete.ts";
import { formatQueryIn, parseQueryIn, type QueryFilter } from "./tasks/core/query/query-options.ts";
import { completeQueryIn } from "./tasks/core/query/query-sources.ts";
import { Registry } from "./tasks/core/registry.ts";
import type { SavedSearch, SaveSearchOptions } from "./tasks/core/saved-searches.ts";
import { deleteSearchIn, listSearchesIn, saveSearchIn } from "./tasks/core/saved-searches.ts";
import type { TaskPage, TaskSearchOptions } from "./tasks/core/search.ts";
import type {
  ArchivedTask,
  HealthFinding,
  StoredDefinition,
  StoreStats,
  TaskStore,
  WorkerRecord,
} from "./tasks/core/store.ts";
import type { defineTask, Task, TaskHandler, TaskOptions } from "./tasks/core/task.ts";
import { type WaitForTaskOptions, waitForTaskIn } from "./tasks/core/wait.ts";
import { type TaskChange, type WatchOptions, watchTasksIn } from "./tasks/core/watch/watch.ts";
import { Alerts } from "./tasks/runtime/alerts.ts";
import { claimDatabase } from "./tasks/runtime/app-name.ts";
import { Archive } from "./tasks/runtime/archive/archive.ts";
import {
  type ArchiveCount,
  type ArchiveSummary,
  countArchiveIn,
  summarizeArchiveIn,
} from "./tasks/runtime/archive/archive-count.ts";
import { type ArchivePage, readArchivedIn, searchArchiveIn } from "./tasks/runtime/archive/archive-search.ts";
import { ChangeReader } from "./tasks/runtime/change-reader.ts";
import { Indexer } from "./tasks/runtime/indexer.ts";
import { closedError, LazyStore } from "./tasks/runtime/lazy-store.ts";
import { guard } from "./tasks/runtime/logger.ts";
import { describeError } from "./tasks/runtime/loop.ts";
import type { Pruned, PruneOptions } from "./tasks/runtime/pruner.ts";
import { Pruner } from "./tasks/runtime/pruner.ts";
import { attemptStorage } from "./tasks/runtime/running-attempt.ts";
import type { SystemClock } from "./tasks/runtime/system-clock.ts";
import { createSystemClock, createSystemIds } from "./tasks/runtime/system-clock.ts";
import { type RebuildOptions, type Rebuilt, rebuildTexts } from "./tasks/runtime/text-rebuild.ts";
import { Waiter } from "./tasks/runtime/waiter.ts";
import { WorkerService } from "./tasks/runtime/worker-service.ts";

/** A machine's clock drifts, and may be set while the process lives. */
const followClockMs = 60_000;

const rebuildRules: Record<string, OptionRule> = {
  clear: booleanRule,
  onProgress: () => undefined,
  signal: () => undefined,
};

export class DureInstance {
  readonly instance: Instance;
  readonly defineTask: typeof defineTask;
  readonly #settings: DureSettings;
  readonly #clock: SystemClock = createSystemClock();
  readonly #store: LazyStore;
  readonly #waiter: Waiter;
  readonly #changes: ChangeReader;
  readonly #pruner: Pruner;
  #worker: StartedWorker | undefined;
  #closing: Promise<void> | undefined;
  /** When the store was asked for its clock, in monotonic milliseconds; never as long as it was not. */
  #followedAt = Number.POSITIVE_INFINITY;

  constructor(settings: DureSettings) {
    this.#settings = settings;
    const registry = new Registry();
    const clock = this.#clock;
    const { logger, retention, auditMs, archiveTo, valueSizeMax, queueDepthMax } = settings;
    this.#store = new LazyStore(
      registry,
      () => this.#makeStore(),
      (store) => this.#accept(store),
    );
    const store = () => this.#openStore();
    this.#waiter = new Waiter(clock, store);
    this.#changes = new ChangeReader(clock, store);
    const archive = archiveTo === undefined ? undefined : new Archive(archiveTo);
    this.#pruner = new Pruner({ store, clock, logger, retention, auditMs, archive });
    this.instance = {
      registry,
      clock,
      ids: createSystemIds(clock),
      valueSizeMax,
      queueDepthMax,
      origin: () => attemptStorage.getStore(),
      store,
      storeUnopened: () => this.#store.unopened(),
      changes: this.#changes,
      waitForEnd: (id, options) => this.#heldAlive(() => this.#waiter.waitForEnd(id, options)),
    };
    const { instance } = this;
    registry.addBuiltIn(actionDefinition(instance));
    this.defineTask = function defineTask(id: string, handler: TaskHandler, options?: TaskOptions) {
      return define(instance, id, handler, options, defineTask);
    } as typeof this.defineTask;
  }

  enqueueTask(type: string, payload: unknown, options?: EnqueueOptions): Promise<Task> {
    return enqueueTaskIn(this.instance, type, payload, options);
  }

  searchTasks(options?: TaskSearchOptions): Promise<Task[]> {
    return searchTasksIn(this.instance, options);
  }

  searchTaskPage(options?: TaskSearchOptions): Promise<TaskPage> {
    return searchTaskPageIn(this.instance, options);
  }

  countTasks(options?: TaskSearchOptions): Promise<number> {
    return countTasksIn(this.instance, options);
  }

  summarizeTasks(options?: TaskSummaryOptions): Promise<TaskSummary> {
    return summarizeTasksIn(this.instance, options);
  }

  explainTask(id: string): Promise<TaskExplanation> {
    return explainTaskIn(this.instance, id);
  }

  explainSearch(options?: TaskSearchOptions): Promise<SearchExplanation> {
    return explainSearchIn(this.instance, options);
  }

  completeQuery(text: string, position?: number): Promise<Completion> {
    return completeQueryIn(this.instance, text, position);
  }

  parseQuery(text: string): Promise<QueryFilter> {
    return parseQueryIn(this.instance, text);
  }

  formatQuery(options: TaskSearchOptions): Promise<string | undefined> {
    return formatQueryIn(this.instance, options);
  }

  getTaskById(id: string): Promise<Task | undefined> {
    return getTaskByIdIn(this.instance, id);
  }

  listAttempts(taskId: string): Promise<Attempt[]> {
    return listAttemptsIn(this.instance, taskId);
  }

  waitForTask(id: string, options?: WaitForTaskOptions): Promise<Task> {
    return waitForTaskIn(this.instance, id, options);
  }

  watchTasks(options?: WatchOptions): AsyncIterableIterator<TaskChange, undefined> {
    const changes = watchTasksIn(this.instance, options);
    return {
      next: () => this.#heldAlive(() => changes.next()),
      return: () => changes.return!(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  cancelTask(id: string, options?: ChangeOptions): Promise<CancelReply> {
    return cancelTaskIn(this.instance, id, options);
  }

  retryTask(id: string, options?: ChangeOptions): Promise<Task> {
    return retryTaskIn(this.instance, id, options);
  }

  editTask(id: string, edit: EditOptions): Promise<Task> {
    return editTaskIn(this.instance, id, edit);
  }

  deleteTask(id: string, options?: ChangeOptions): Promise<void> {
    return deleteTaskIn(this.instance, id, options);
  }

  actOnTasks(search: ActionSearch, action: TaskAction, options?: ActOptions): Promise<ActReport> {
    return this.#heldAlive(() => actOnTasksIn(this.instance, search, action, options));
  }

  startAction(
    search: ActionSearch,
    action: TaskAction,
    options?: StartActionOptions,
  ): Promise<Task<ActionPayload, ActionResult>> {
    return startActionIn(this.instance, search, action, options);
  }

  readHistory(options?: HistoryOptions): Promise<HistoryBucket[]> {
    return readHistoryIn(this.instance, options);
  }

  saveSearch(name: string, options: SaveSearchOptions): Promise<SavedSearch> {
    return saveSearchIn(this.instance, name, options);
  }

  listSearches(): Promise<SavedSearch[]> {
    return listSearchesIn(this.instance);
  }

  deleteSearch(name: string, options?: Pick<SaveSearchOptions, "by">): Promise<void> {
    return deleteSearchIn(this.instance, name, options);
  }

  pause(target: PauseTarget, options?: PauseOptions): Promise<Pause> {
    return pauseIn(this.instance, target, options);
  }

  resume(target: PauseTarget, options?: Pick<PauseOptions, "by">): Promise<boolean> {
    return resumeIn(this.instance, target, options);
  }

  listPauses(): Promise<Pause[]> {
    return listPausesIn(this.instance);
  }

  readAudit(options?: AuditOptions): Promise<AuditPage> {
    return readAuditIn(this.instance, options);
  }

  async listDefinitions(): Promise<StoredDefinition[]> {
    return (await this.#store.get()).listDefinitions();
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return (await this.#store.get()).listWorkers();
  }

  async stats(): Promise<StoreStats> {
    return (await this.#store.get()).stats();
  }

  async checkHealth(options: { full?: boolean } = {}): Promise<HealthFinding[]> {
    checkOptions("checkHealth(options)", options, { full: booleanRule });
    const { full = false } = options;
    return (await this.#store.get()).checkHealth({ full });
  }

  searchArchive(options?: TaskSearchOptions): Promise<ArchivePage> {
    return this.#heldAlive(() => searchArchiveIn(this.instance, this.#settings.archiveTo, options));
  }

  countArchive(options?: TaskSearchOptions): Promise<ArchiveCount> {
    return this.#heldAlive(() => countArchiveIn(this.instance, this.#settings.archiveTo, options));
  }

  summarizeArchive(options?: TaskSummaryOptions): Promise<ArchiveSummary> {
    return this.#heldAlive(() => summarizeArchiveIn(this.instance, this.#settings.archiveTo, options));
  }

  getArchivedTask(id: string): Promise<ArchivedTask | undefined> {
    return this.#heldAlive(() => readArchivedIn(this.#settings.archiveTo, id));
  }

  async rebuildTexts(options: RebuildOptions = {}): Promise<Rebuilt> {
    checkOptions("rebuildTexts(options)", options, rebuildRules);
    const store = await this.#store.get();
    return this.#heldAlive(() => rebuildTexts(store, this.#makeIndexer(true), options));
  }

  async prune(options: PruneOptions = {}): Promise<Pruned> {
    checkOptions("prune(options)", options, { dryRun: booleanRule });
    if (!options.dryRun) return this.#heldAlive(() => this.#pruner.pruneNow());
    const wouldDelete = await this.#heldAlive(() => this.#pruner.countNow());
    return { archived: 0, deleted: 0, wouldDelete };
  }

  async start(): Promise<void> {
    if (this.#closing) throw closedError();
    if (this.#worker) {
      throw new DureError(
        "WORKER_RUNNING",
        "The worker of this instance runs already. Stop it before starting it again.",
      );
    }
    const worker = new StartedWorker(this.#clock, async () => this.#makeService(await this.#store.get()));
    this.#worker = worker;
    this.#warnOfOtherDefinitions();
    try {
      await worker.started;
    } catch (error) {
      if (this.#worker === worker) this.#worker = undefined;
      throw error;
    }
  }

  async stop(options: { now?: boolean } = {}): Promise<{ released: number }> {
    checkOptions("stop", options, { now: booleanRule });
    const { now = false } = options;
    const worker = this.#worker;
    if (!worker) return { released: 0 };
    try {
      return await worker.stop(now);
    } finally {
      if (this.#worker === worker) this.#worker = undefined;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#changes.close();
    await this.stop();
    await this.#store.close();
  }

  #warnOfOtherDefinitions(): void {
    if (this.instance.registry.all().length > 0 || !definedByDefault()) return;
    this.#settings.logger.warn(
      "This worker runs nothing: no task is defined on its instance, and defineTask defined some on the default instance. " +
        "Start that one, defaultDure().start(), or define the tasks on this one, dure.defineTask(…).",
    );
  }

  #makeStore(): TaskStore | Promise<TaskStore> {
    const { store, database, durability } = this.#settings;
    return store ?? makeStore(database, durability, this.#clock);
  }

  async #accept(store: TaskStore): Promise<void> {
    const { app } = this.#settings;
    if (app !== undefined) await claimDatabase(store, app);
    await this.#followClockOf(store);
  }

  /** A worker asks for the store's clock by itself; in a process without one a call does, and does not wait for it. */
  #openStore(): Promise<TaskStore> {
    const opened = this.#store.get();
    if (this.#clock.monotonic() - this.#followedAt > followClockMs)
      void opened.then((store) => this.#followClockOf(store)).catch(() => undefined);
    return opened;
  }

  /** Where the store has a clock of its own, that one decides: what is due, and every instant. */
  async #followClockOf(store: TaskStore): Promise<void> {
    this.#followedAt = this.#clock.monotonic();
    if (store.measureSkew) this.#clock.setSkew(await store.measureSkew());
  }

  #makeService(store: TaskStore): WorkerService {
    const { worker, logger, valueSizeMax, fullText, historyMs } = this.#settings;
    const { onUnhealthy, exitAfterBlockMs, ...settings } = worker;
    return new WorkerService({
      ...settings,
      store,
      registry: this.instance.registry,
      clock: this.#clock,
      ids: this.instance.ids,
      logger,
      pruner: this.#pruner,
      indexer: this.#makeIndexer(fullText),
      alerts: new Alerts({ instance: this.instance, logger }),
      valueSizeMax,
      historyMs,
      onEnded: (taskId) => this.#waiter.onEnded(taskId),
      onUnhealthy: (reason) =>
        guard(
          () => onUnhealthy?.(reason),
          (error) => logger.error(`worker.onUnhealthy failed: ${describeError(error)}`),
        ),
      watchProcess: () => (exitAfterBlockMs === null ? () => undefined : exitWhenBlocked(exitAfterBlockMs)),
      followClock: () => this.#followClockOf(store),
    });
  }

  /** A caller that waits for us wants the process to live that long. */
  #makeIndexer(fullText: boolean): Indexer {
    const { registry } = this.instance;
    const { logger } = this.#settings;
    return new Indexer({ store: () => this.#store.get(), registry, clock: this.#clock, logger, fullText });
  }

  async #heldAlive<Value>(work: () => Promise<Value>): Promise<Value> {
    const letEnd = this.#clock.keepAlive();
    try {
      return await work();
    } finally {
      letEnd();
    }
  }
}
