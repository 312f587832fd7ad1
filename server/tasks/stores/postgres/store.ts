/**
 * TaskStore on PostgreSQL: one method per verb, no rules of its own. Statements run on a pool of this thread; heartbeats and
 * notifications have a thread and a connection of their own (lease-link.ts), so that nothing that blocks costs a lease.
 */
import type { Attempt } from "../../core/attempt.ts";
import type { Clock } from "../../core/clock.ts";
import type {
  AlertStateWrite,
  AttemptTransaction,
  AttributeCountRequest,
  AttributeCounts,
  Attributes,
  Buckets,
  By,
  Changes,
  ChangesRequest,
  ClaimReply,
  ClaimRequest,
  Count,
  CountKey,
  Found,
  HealthFinding,
  LeaseHandle,
  LeaseRequest,
  News,
  Pace,
  SearchPlan,
  Settled,
  Settlement,
  StoredDefinition,
  StoredPause,
  StoredSearch,
  StoreSearch,
  StoreStats,
  TaskCounts,
  TaskRecord,
  TaskStore,
  TransactionRequest,
  WorkerRecord,
  Written,
} from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { listeningFinding } from "./announcing/listening.ts";
import { Notifier } from "./announcing/notifier.ts";
import { nameApp, readApp } from "./app.ts";
import { beginTransaction } from "./attempt-transaction.ts";
import { readUnfilled, writeAttributes } from "./attributes/attribute-fills.ts";
import { AttributeNames } from "./attributes/attribute-names.ts";
import { pruneAudit, readAudit, writeAudit } from "./audit.ts";
import { enqueueInTransaction } from "./callers-transaction.ts";
import { readChanges } from "./changes.ts";
import { claimTasks } from "./claim.ts";
import { Database } from "./connections/database.ts";
import { GivingWay } from "./connections/giving-way.ts";
import { parseLocation } from "./connections/location.ts";
import { Lull } from "./connections/lull.ts";
import type { Context } from "./context.ts";
import { countAttribute, readAttributes } from "./counts/facets.ts";
import { Folding } from "./counts/folding.ts";
import { pruneHistory, readHistory, writeHistory } from "./counts/history.ts";
import { readKept } from "./counts/minute-fill.ts";
import { summarizeTasks } from "./counts/summary.ts";
import type { Enqueued } from "./enqueue.ts";
import { EnqueueBatch } from "./enqueue-batch.ts";
import { Floors } from "./floors.ts";
import { checkHealth, stats } from "./health.ts";
import { Lanes } from "./lanes.ts";
import { LeaseLink } from "./leases/lease-link.ts";
import { Lookout } from "./look.ts";
import * as manage from "./manage.ts";
import { listPauses, pause, resume } from "./pauses.ts";
import * as read from "./read.ts";
import { readRecords, seal, writeRecords } from "./records.ts";
import { ReportsUnderWay } from "./reports.ts";
import { deleteSearch, listSearches, saveSearch, writeAlertState } from "./saved-searches.ts";
import { knownVersion, prepareSchema, storedVersion } from "./schema.ts";
import { askable } from "./search/search.ts";
import { countTasks, explainSearch, searchTasks } from "./search/search-walk.ts";
import { reportProgress, settleTasks } from "./settle.ts";
import { nowOf, statement } from "./statement.ts";
import { clearTexts, readUnindexed, writeTexts } from "./texts/texts.ts";
import * as workers from "./workers.ts";

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database`; see location.ts for the store's own parameters. */
  url: string;
  /** For tests: the database's clock decides unless this is given. */
  clock?: Clock;
}

export function createPostgresStore(options: PostgresStoreOptions): TaskStore {
  return new PostgresStore(options);
}

/**
 * An idle worker asks less than once a second: it polls, its beats (every five seconds by default) bring what would
 * make it reap, and reaping unasked is for what those could have missed.
 */
const pace: Pace = { pollMs: 2_000, reapMs: 60_000 };
/** While notifications are seen to arrive, polling finds what nobody told of: whoever stored it died in that instant. */
const toldPace: Pace = { ...pace, pollMs: 5_000 };

class PostgresStore implements TaskStore {
  readonly location: string;
  readonly #context: Context;
  readonly #database: Database;
  readonly #folding: Folding;
  readonly #enqueues: EnqueueBatch;
  readonly #notifier: Notifier;
  readonly #link: LeaseLink;
  readonly #listeners = new Set<(news?: News) => void>();
  readonly #reports = new ReportsUnderWay();
  #skewWasMeasured = false;
  #closing: Promise<void> | undefined;

  constructor({ url, clock }: PostgresStoreOptions) {
    const location = parseLocation(url);
    this.location = location.shown;
    this.#database = new Database(location);
    const [lanes, attributes] = [new Lanes(this.#database), new AttributeNames(this.#database)];
    this.#database.connected = () => {
      for (const known of [lanes, attributes]) known.forget();
    };
    const lull = new Lull(this.#database);
    this.#notifier = new Notifier(this.#database, lull);
    this.#context = {
      database: this.#database,
      ...{ lanes, attributes, lull },
      searching: new GivingWay(this.#database),
      floors: new Floors(),
      lookout: new Lookout(),
      minutes: { areKept: true, isOneQuestion: true },
      now: () => clock?.now() ?? null,
      // Where a worker of this process may take them at once, telling others must not take the processor from it meanwhile.
      tellBehind: (tasks) => (this.#listeners.size > 0 ? undefined : this.#notifier.behind("tasks", tasks)),
      tasksAdded: ({ wereTold } = { wereTold: false }) => {
        this.#changed("tasks");
        if (!wereTold) this.#notifier.tell("tasks");
        this.#folding.counted();
      },
      tasksChanged: () => {
        this.#changed("ends");
        this.#notifier.tell("ends");
        this.#folding.counted();
      },
      tasksDeleted: () => this.#folding.counted(),
      attemptsEnded: (attempts) => this.#folding.ended(attempts),
    };
    this.#folding = new Folding(this.#context);
    this.#enqueues = new EnqueueBatch(this.#context, this.#folding.indexing);
    this.#link = new LeaseLink(url, this.#notifier.sender, {
      changed: (told) => this.#context.lookout.announcements.hear(told, (news) => this.#changed(news)),
      prove: () => this.#notifier.prove(),
    });
  }

  get keepsMinutes(): boolean {
    return this.#context.minutes.areKept;
  }

  get pace(): Pace {
    return this.#link.listens ? toldPace : pace;
  }

  async open(): Promise<void> {
    await this.#database.open();
    try {
      await prepareSchema(this.#database);
      await readKept(this.#context);
    } catch (error) {
      await this.#database.close();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** By the question that took least time: its answer is the nearest to the truth. Later only one is asked. */
  async measureSkew(): Promise<number> {
    let best = { tookMs: Number.POSITIVE_INFINITY, skewMs: 0 };
    const questions = this.#skewWasMeasured ? 1 : 3;
    this.#skewWasMeasured = true;
    for (let question = 0; question < questions; question += 1) {
      const askedAt = Date.now();
      const [row] = await this.#database.read(databaseNow);
      const tookMs = Date.now() - askedAt;
      if (tookMs < best.tookMs) best = { tookMs, skewMs: row![0] - (askedAt + tookMs / 2) };
    }
    return best.skewMs;
  }

  onChange(listener: (news?: News) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#link.watch(true);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#link.watch(false);
    };
  }

  saveDefinitions(
    definitions: Parameters<TaskStore["saveDefinitions"]>[0],
  ): Promise<Written<void, "id-taken">> {
    return manage.saveDefinitions(this.#context, definitions);
  }

  listDefinitions(): Promise<StoredDefinition[]> {
    return read.listDefinitions(this.#context);
  }

  enqueueTasks(...[tasks, tx, by]: Parameters<TaskStore["enqueueTasks"]>): Promise<Enqueued> {
    if (tx !== undefined) return enqueueInTransaction(this.#context, tasks, tx, by);
    return this.#context.lull.during(() => this.#enqueues.enqueue(tasks, by));
  }

  getTask(id: string): Promise<Task | undefined> {
    return read.getTask(this.#context, id);
  }

  searchTasks(search: StoreSearch): Promise<Found> {
    return searchTasks(this.#context, askable(search));
  }

  explainSearch(search: StoreSearch): Promise<SearchPlan> {
    return explainSearch(this.#context, search);
  }

  countTasks(search: StoreSearch): Promise<Count> {
    return countTasks(this.#context, askable(search));
  }

  summarizeTasks(search: StoreSearch, buckets?: Buckets, by?: readonly CountKey[]): Promise<TaskCounts> {
    return summarizeTasks(this.#context, askable(search), buckets, by);
  }

  readChanges(request: ChangesRequest): Promise<Changes> {
    return readChanges(this.#context, request);
  }

  countAttribute(request: AttributeCountRequest): Promise<AttributeCounts> {
    return countAttribute(this.#context, request);
  }

  readAttributes(ids: readonly string[]): Promise<[id: string, Attributes][]> {
    return readAttributes(this.#context, ids);
  }

  listAttempts(taskId: string): Promise<Attempt[]> {
    return read.listAttempts(this.#context, taskId);
  }

  findNearIds(id: string): Promise<string[]> {
    return read.findNearIds(this.#context, id);
  }

  registerWorker(worker: Parameters<TaskStore["registerWorker"]>[0]): Promise<Written<void>> {
    this.#folding.beginFill();
    return workers.registerWorker(this.#context, worker);
  }

  holdLease(request: LeaseRequest): LeaseHandle {
    return this.#link.hold(request, (loopDelayMs) =>
      workers.beat(this.#context, request.workerId, loopDelayMs),
    );
  }

  stopWorker(workerId: string): Promise<Written<void, "owns-tasks">> {
    return workers.stopWorker(this.#context, workerId);
  }

  listWorkers(): Promise<WorkerRecord[]> {
    return workers.listWorkers(this.#context);
  }

  claimTasks(request: ClaimRequest): Promise<Written<ClaimReply, "worker-dead">> {
    return this.#context.lull.during(() => claimTasks(this.#context, request));
  }

  /** Claims are never held back here. */
  endClaimWait(): void {}

  beginTransaction(request: TransactionRequest): Promise<AttemptTransaction> {
    return beginTransaction(this.#context, request);
  }

  async settleTasks(settlements: readonly Settlement[]): Promise<Written<Settled[]>> {
    await this.#reports.endOf(settlements);
    return this.#context.lull.during(() => settleTasks(this.#context, settlements));
  }

  reportProgress(reports: Parameters<TaskStore["reportProgress"]>[0]): Promise<Written<void>> {
    return this.#reports.add(reports, reportProgress(this.#context, reports));
  }

  listCancelRequests(workerId: string): Promise<{ taskId: string; fence: number }[]> {
    return workers.listCancelRequests(this.#context, workerId);
  }

  reapWorkers(request: Parameters<TaskStore["reapWorkers"]>[0]): ReturnType<TaskStore["reapWorkers"]> {
    this.#folding.beginFill();
    return workers.reapWorkers(this.#context, request);
  }

  cancelTask(...change: Parameters<TaskStore["cancelTask"]>): ReturnType<TaskStore["cancelTask"]> {
    return manage.cancelTask(this.#context, ...change);
  }

  retryTask(...change: Parameters<TaskStore["retryTask"]>): ReturnType<TaskStore["retryTask"]> {
    return manage.retryTask(this.#context, ...change);
  }

  editTask(...change: Parameters<TaskStore["editTask"]>): ReturnType<TaskStore["editTask"]> {
    return manage.editTask(this.#context, ...change);
  }

  deleteTask(...change: Parameters<TaskStore["deleteTask"]>): ReturnType<TaskStore["deleteTask"]> {
    return manage.deleteTask(this.#context, ...change);
  }

  pruneTasks(...given: Parameters<TaskStore["pruneTasks"]>): ReturnType<TaskStore["pruneTasks"]> {
    return manage.pruneTasks(this.#context, ...given);
  }

  readPrunable(...given: Parameters<TaskStore["readPrunable"]>): ReturnType<TaskStore["readPrunable"]> {
    return read.readPrunable(this.#context, ...given);
  }

  readUnfilled(request: Parameters<TaskStore["readUnfilled"]>[0]): ReturnType<TaskStore["readUnfilled"]> {
    return readUnfilled(this.#context, request);
  }

  writeAttributes(filled: Parameters<TaskStore["writeAttributes"]>[0]): Promise<Written<void>> {
    return writeAttributes(this.#context, filled);
  }

  readUnindexed(request: Parameters<TaskStore["readUnindexed"]>[0]): ReturnType<TaskStore["readUnindexed"]> {
    return readUnindexed(this.#context, request);
  }

  writeTexts(...[texts, options]: Parameters<TaskStore["writeTexts"]>): Promise<Written<void>> {
    return writeTexts(this.#context, texts, options?.isAlone ?? false);
  }

  clearTexts(): Promise<Written<void>> {
    return clearTexts(this.#context);
  }

  readRecords(which: Parameters<TaskStore["readRecords"]>[0]): Promise<TaskRecord[]> {
    return readRecords(this.#context, which);
  }

  writeRecords(given: readonly TaskRecord[]): ReturnType<TaskStore["writeRecords"]> {
    return writeRecords(this.#context, given);
  }

  readApp(): Promise<string | undefined> {
    return readApp(this.#context);
  }

  nameApp(name: string, { rename }: { rename: boolean }): Promise<Written<string>> {
    return nameApp(this.#context, name, rename);
  }

  seal(movedTo: string | undefined): ReturnType<TaskStore["seal"]> {
    return seal(this.#context, movedTo);
  }

  writeHistory(...given: Parameters<TaskStore["writeHistory"]>): ReturnType<TaskStore["writeHistory"]> {
    return writeHistory(this.#context, ...given);
  }

  readHistory(...given: Parameters<TaskStore["readHistory"]>): ReturnType<TaskStore["readHistory"]> {
    return readHistory(this.#context, ...given);
  }

  pruneHistory(...given: Parameters<TaskStore["pruneHistory"]>): ReturnType<TaskStore["pruneHistory"]> {
    return pruneHistory(this.#context, ...given);
  }

  saveSearch(...search: Parameters<TaskStore["saveSearch"]>): ReturnType<TaskStore["saveSearch"]> {
    return saveSearch(this.#context, ...search);
  }

  listSearches(): Promise<StoredSearch[]> {
    return listSearches(this.#context);
  }

  deleteSearch(name: string, by?: By): Promise<Written<boolean>> {
    return deleteSearch(this.#context, name, by);
  }

  writeAlertState(write: AlertStateWrite): Promise<Written<number, "changed">> {
    return writeAlertState(this.#context, write);
  }

  pause(...request: Parameters<TaskStore["pause"]>): ReturnType<TaskStore["pause"]> {
    return pause(this.#context, ...request);
  }

  resume(...request: Parameters<TaskStore["resume"]>): ReturnType<TaskStore["resume"]> {
    return resume(this.#context, ...request);
  }

  listPauses(): Promise<StoredPause[]> {
    return listPauses(this.#context);
  }

  readAudit(...given: Parameters<TaskStore["readAudit"]>): ReturnType<TaskStore["readAudit"]> {
    return readAudit(this.#context, ...given);
  }

  writeAudit(...given: Parameters<TaskStore["writeAudit"]>): ReturnType<TaskStore["writeAudit"]> {
    return writeAudit(this.#context, ...given);
  }

  pruneAudit(...given: Parameters<TaskStore["pruneAudit"]>): ReturnType<TaskStore["pruneAudit"]> {
    return pruneAudit(this.#context, ...given);
  }

  stats(): Promise<StoreStats> {
    return stats(this.#context);
  }

  async checkHealth(options: { full: boolean }): Promise<HealthFinding[]> {
    const findings = await checkHealth(this.#context, options);
    return [...findings, await listeningFinding(this.#database, this.#link.listens)];
  }

  async schemaVersion(): Promise<{ stored: number; known: number }> {
    const stored = await storedVersion(this.#database, this.#database.location.schema);
    return { stored, known: knownVersion };
  }

  #changed(news?: News): void {
    if (news !== "ends" && news !== "stored") this.#context.lookout.tell();
    for (const listener of this.#listeners) listener(news);
  }

  async #close(): Promise<void> {
    await this.#enqueues.idle();
    await this.#folding.close();
    await this.#link.close();
    await this.#notifier.close();
    await this.#database.close();
  }
}

const databaseNow = statement("databaseNow", `SELECT ${nowOf("NULL")}`);
