/** TaskStore on SQLite: one method per verb, no rules of its own. The database lives in threads; see store-threads.ts. */
import type { Attempt } from "../../core/attempt.ts";
import { DureError } from "../../core/errors.ts";
import { nearest } from "../../core/names.ts";
import { decodeChangeCursor, encodeChangeCursor } from "../../core/port/store-changes.ts";
import { gathered } from "../../core/port/store-new-task.ts";
import type {
  AlertStateWrite,
  ArchivedTask,
  AttemptTransaction,
  AttributeCountRequest,
  AttributeCounts,
  Attributes,
  AuditFound,
  AuditPrune,
  AuditRead,
  AuditRecord,
  Buckets,
  By,
  ChangeBy,
  Changes,
  ChangesRequest,
  ClaimReply,
  ClaimRequest,
  Count,
  CountKey,
  EnqueueRefusal,
  FilledTask,
  Found,
  HealthFinding,
  HistoryPrune,
  HistoryRead,
  HistoryRow,
  IndexedText,
  LeaseHandle,
  LeaseRequest,
  NewTask,
  PauseName,
  PruneRequest,
  SavedSearchContent,
  SearchPlan,
  Settled,
  Settlement,
  SpannedRow,
  StoredDefinition,
  StoredPause,
  StoredSearch,
  StoreSearch,
  StoreStats,
  TaskCounts,
  TaskEdit,
  TaskRecord,
  TaskStore,
  UnfilledTask,
  UnindexedTask,
  WorkerRecord,
  Written,
} from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { Transaction } from "../../core/transaction.ts";
import { unusable } from "../../core/transaction.ts";
import { enqueueInTransaction } from "./callers-transaction.ts";
import { type ChangePlace, placeAfter } from "./changes.ts";
import { toClaimedTask } from "./claimed-task.ts";
import type { Enqueued } from "./enqueue.ts";
import { namesOf, toDefinition, toEntry } from "./rows.ts";
import { archivedOf, attemptsOf, changedTask, existingTasks, toTasks } from "./threads/answers.ts";
import { toNewRuns, toProgressRow } from "./threads/outgoing.ts";
import { readUnindexed, toFilledRows, toTextPortions, toUnfilled } from "./threads/outgoing-index.ts";
import { OutgoingSettlements } from "./threads/outgoing-settlements.ts";
import { type SqliteStoreOptions, StoreThreads } from "./threads/store-threads.ts";
import type { ThreadLink } from "./threads/thread-link.ts";
import type { VerbAnswer, VerbArgument, VerbName } from "./threads/verbs.ts";
import { toWorkerRecord } from "./workers.ts";

export function createSqliteStore(options: SqliteStoreOptions): TaskStore {
  return new SqliteStore(options);
}

class SqliteStore implements TaskStore {
  readonly location: string;
  readonly pace = { pollMs: 1_000, reapMs: 500, lookMs: 2_000 };
  readonly keepsMinutes = true;
  readonly #threads: StoreThreads;
  readonly #writer: ThreadLink;
  #lastStream = 0;

  constructor(options: SqliteStoreOptions) {
    this.location = options.path;
    this.#threads = new StoreThreads({ durability: "full", ...options });
    this.#writer = this.#threads.writer;
  }

  open(): Promise<void> {
    return this.#writer.open();
  }

  close(): Promise<void> {
    return this.#threads.close();
  }

  onChange(listener: () => void): () => void {
    return this.#threads.onChange(listener);
  }

  saveDefinitions(
    definitions: Parameters<TaskStore["saveDefinitions"]>[0],
  ): Promise<Written<void, "id-taken">> {
    return this.#writer.write("saveDefinitions", definitions);
  }

  async listDefinitions(): Promise<StoredDefinition[]> {
    return (await this.#read("listDefinitions", undefined)).map(toDefinition);
  }

  async enqueueTasks(
    tasks: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
    tx?: Transaction,
    by?: By,
  ): Promise<Written<(Task | null)[], EnqueueRefusal>> {
    if (tx !== undefined) {
      const how = { tx, by, now: this.#threads.now() };
      const { answer, count } = await enqueueInTransaction(this.location, tasks, how);
      return existingTasks(answer, count);
    }
    if (by) return this.#enqueueBy(tasks, by);
    if (Array.isArray(tasks)) {
      const answer = await this.#writer.write("enqueueTasks", toNewRuns(tasks));
      return existingTasks(answer, tasks.length);
    }
    return this.#enqueueStream(tasks as AsyncIterable<readonly NewTask[]>);
  }

  async getTask(id: string): Promise<Task | undefined> {
    const found = await this.#read("getTask", id);
    if (!found) return undefined;
    const [task] = toTasks(found.task);
    return found.definition ? toEntry(toDefinition(found.definition), task) : task;
  }

  async searchTasks(search: StoreSearch): Promise<Found> {
    const { tasks: rows, definitions, ...how } = await this.#read("searchTasks", search);
    const tasks = toTasks(rows);
    for (const [place, definition] of definitions) {
      tasks.splice(place, 0, toEntry(toDefinition(definition), undefined));
    }
    return { tasks, ...how };
  }

  explainSearch(search: StoreSearch): Promise<SearchPlan> {
    return this.#read("explainSearch", search);
  }

  countTasks(search: StoreSearch): Promise<Count> {
    return this.#read("countTasks", search);
  }

  summarizeTasks(search: StoreSearch, buckets?: Buckets, by?: readonly CountKey[]): Promise<TaskCounts> {
    return this.#read("summarizeTasks", { search, buckets, by });
  }

  async readChanges({ since, limit }: ChangesRequest): Promise<Changes> {
    const from = since === undefined ? undefined : decodeChangeCursor<ChangePlace>("sqlite", since);
    const { tasks, place, more, read } = await this.#read("readChanges", {
      limit,
      ...(from && { since: from }),
    });
    return {
      changes: toTasks(tasks),
      cursor: encodeChangeCursor("sqlite", place),
      cursorAfter: (index) => encodeChangeCursor("sqlite", read ? placeAfter(read, index) : place),
      more,
    };
  }

  countAttribute(request: AttributeCountRequest): Promise<AttributeCounts> {
    return this.#read("countAttribute", request);
  }

  readAttributes(ids: readonly string[]): Promise<[id: string, Attributes][]> {
    return this.#read("readAttributes", ids);
  }

  async listAttempts(taskId: string): Promise<Attempt[]> {
    const record = await this.#read("listAttempts", taskId);
    return record ? attemptsOf(record) : [];
  }

  async findNearIds(id: string): Promise<string[]> {
    const like = (await this.#read("idsLike", id)).filter((found) => found !== id);
    const near = nearest(id, like);
    return (near.length > 0 ? near : like.filter((found) => found.startsWith(id.slice(0, 8)))).slice(0, 3);
  }

  registerWorker(worker: Parameters<TaskStore["registerWorker"]>[0]): Promise<Written<void>> {
    return this.#writer.write("registerWorker", worker);
  }

  holdLease(request: LeaseRequest): LeaseHandle {
    return this.#threads.holdLease(request);
  }

  stopWorker(workerId: string): Promise<Written<void, "owns-tasks">> {
    return this.#writer.write("stopWorker", workerId);
  }

  async listWorkers(): Promise<WorkerRecord[]> {
    return (await this.#read("listWorkers", undefined)).map(toWorkerRecord);
  }

  async claimTasks(request: ClaimRequest): Promise<Written<ClaimReply, "worker-dead">> {
    const answer = await this.#writer.write("claimTasks", request);
    if (answer.kind !== "ok") return answer;
    const { rows, lanes, claimedAt, nextDueAt } = answer.value;
    const { lane } = namesOf({ lanes, workers: [] });
    const claimed = rows.map((row) => toClaimedTask(row, lane, request.workerId, claimedAt));
    const waited = request.waitMs !== undefined;
    return {
      kind: "ok",
      value: { claimed, waited, ...(nextDueAt === undefined ? {} : { nextDueAt }) },
    };
  }

  endClaimWait(workerId: string): void {
    this.#writer.tell("endClaimWait", workerId);
  }

  /** A handler may take minutes, and whoever has a transaction here has the file's only write lock. */
  async beginTransaction(): Promise<AttemptTransaction> {
    throw unusable(
      `context.tx() needs PostgreSQL; this database is ${this.location}. A transaction held open by a handler would hold the ` +
        "only write lock of an SQLite file, and every enqueue and every other task would wait for it. Write to your own tables " +
        "in one short transaction at the end of the handler, keyed by task.id.",
    );
  }

  async settleTasks(settlements: readonly Settlement[]): Promise<Written<Settled[]>> {
    const outgoing = new OutgoingSettlements(settlements);
    const answer = await this.#writer.write("settleTasks", outgoing.batch());
    return answer.kind === "ok" ? { kind: "ok", value: outgoing.answers(answer.value) } : answer;
  }

  reportProgress(reports: Parameters<TaskStore["reportProgress"]>[0]): Promise<Written<void>> {
    return this.#writer.write("reportProgress", reports.map(toProgressRow));
  }

  listCancelRequests(workerId: string): Promise<{ taskId: string; fence: number }[]> {
    return this.#read("listCancelRequests", workerId);
  }

  reapWorkers(request: Parameters<TaskStore["reapWorkers"]>[0]): ReturnType<TaskStore["reapWorkers"]> {
    return this.#writer.write("reapWorkers", request);
  }

  async cancelTask(id: string, expectedVersion?: number, by?: ChangeBy): ReturnType<TaskStore["cancelTask"]> {
    const answer = await this.#writer.write("cancelTask", { id, expectedVersion, by });
    if (answer.kind !== "ok") return answer;
    return { kind: "ok", value: { ...answer.value, task: toTasks(answer.value.task)[0]! } };
  }

  async retryTask(id: string, expectedVersion?: number, by?: ChangeBy): ReturnType<TaskStore["retryTask"]> {
    return changedTask(await this.#writer.write("retryTask", { id, expectedVersion, by }));
  }

  async editTask(
    id: string,
    edit: TaskEdit,
    expectedVersion?: number,
    by?: ChangeBy,
  ): ReturnType<TaskStore["editTask"]> {
    return changedTask(await this.#writer.write("editTask", { id, edit, expectedVersion, by }));
  }

  deleteTask(id: string, expectedVersion?: number, by?: ChangeBy): ReturnType<TaskStore["deleteTask"]> {
    return this.#writer.write("deleteTask", { id, expectedVersion, by });
  }

  pruneTasks(request: PruneRequest): Promise<Written<number>> {
    return this.#writer.write("pruneTasks", request);
  }

  async readPrunable(request: PruneRequest): Promise<ArchivedTask[]> {
    const records = await this.#read("readPrunable", request);
    return records.map(archivedOf);
  }

  async readUnfilled(request: Parameters<TaskStore["readUnfilled"]>[0]): Promise<UnfilledTask[]> {
    for (;;) {
      const found = await this.#read("readUnfilled", request);
      if (!found) return [];
      if (found.tasks.rows.length > 0) return toUnfilled(found);
      await this.#writer.write("writeAttributes", { lane: found.lane, tasks: [] });
    }
  }

  async writeAttributes(filled: readonly FilledTask[]): Promise<Written<void>> {
    if (filled.length === 0) return { kind: "ok", value: undefined };
    return this.#writer.write("writeAttributes", toFilledRows(filled));
  }

  readUnindexed(request: Parameters<TaskStore["readUnindexed"]>[0]): Promise<UnindexedTask[]> {
    return readUnindexed(this.#threads, request);
  }

  async writeTexts(
    texts: readonly IndexedText[],
    options?: Parameters<TaskStore["writeTexts"]>[1],
  ): Promise<Written<void>> {
    for (const portion of toTextPortions(texts, options)) {
      const answer = await this.#writer.write("writeTexts", portion);
      if (answer.kind !== "ok") return answer;
    }
    return { kind: "ok", value: undefined };
  }

  clearTexts(): Promise<Written<void>> {
    return this.#writer.write("clearTexts", undefined);
  }

  readRecords(which: Parameters<TaskStore["readRecords"]>[0]): Promise<TaskRecord[]> {
    return this.#read("readRecords", which);
  }

  writeRecords(records: readonly TaskRecord[]): ReturnType<TaskStore["writeRecords"]> {
    return this.#writer.write("writeRecords", records);
  }

  seal(movedTo: string | undefined): ReturnType<TaskStore["seal"]> {
    return this.#writer.write("seal", movedTo ?? null);
  }

  writeHistory(rows: readonly SpannedRow[]): Promise<Written<void>> {
    return this.#writer.write("writeHistory", rows);
  }

  readHistory(request: HistoryRead): Promise<HistoryRow[]> {
    return this.#read("readHistory", request);
  }

  pruneHistory(request: HistoryPrune): Promise<Written<number>> {
    return this.#writer.write("pruneHistory", request);
  }

  saveSearch(search: SavedSearchContent, by?: By): Promise<Written<StoredSearch, "full">> {
    return this.#writer.write("saveSearch", { search, by });
  }

  listSearches(): Promise<StoredSearch[]> {
    return this.#read("listSearches", undefined);
  }

  deleteSearch(name: string, by?: By): Promise<Written<boolean>> {
    return this.#writer.write("deleteSearch", { name, by });
  }

  writeAlertState(write: AlertStateWrite): Promise<Written<number, "changed">> {
    return this.#writer.write("writeAlertState", write);
  }

  pause(pause: PauseName & { reason?: string }, by?: By): Promise<Written<StoredPause, "full">> {
    return this.#writer.write("pause", { ...pause, by });
  }

  resume(name: PauseName, by?: By): Promise<Written<boolean>> {
    return this.#writer.write("resume", { ...name, by });
  }

  listPauses(): Promise<StoredPause[]> {
    return this.#read("listPauses", undefined);
  }

  readAudit(request: AuditRead): Promise<AuditFound> {
    return this.#read("readAudit", request);
  }

  writeAudit(records: readonly AuditRecord[]): Promise<Written<void>> {
    return this.#writer.write("writeAudit", records);
  }

  pruneAudit(request: AuditPrune): Promise<Written<number>> {
    return this.#writer.write("pruneAudit", request);
  }

  async stats(): Promise<StoreStats> {
    return this.#read("stats", undefined);
  }

  checkHealth(options: { full: boolean }): Promise<HealthFinding[]> {
    return this.#read("checkHealth", options);
  }

  readApp(): Promise<string | undefined> {
    return this.#read("readApp", undefined);
  }

  nameApp(name: string, { rename }: { rename: boolean }): Promise<Written<string>> {
    return this.#writer.write("nameApp", { name, rename });
  }

  schemaVersion(): Promise<{ stored: number; known: number }> {
    return this.#read("schemaVersion", undefined);
  }

  /** By hand, so in one piece. */
  async #enqueueBy(
    given: readonly NewTask[] | AsyncIterable<readonly NewTask[]>,
    by: By,
  ): Promise<Written<(Task | null)[], EnqueueRefusal>> {
    const tasks = await gathered(given);
    const answer = await this.#writer.write("enqueueBy", { runs: toNewRuns(tasks), by });
    return existingTasks(answer, tasks.length);
  }

  async #enqueueStream(
    parts: AsyncIterable<readonly NewTask[]>,
  ): Promise<Written<(Task | null)[], EnqueueRefusal>> {
    const stream = ++this.#lastStream;
    const thread = this.#writer.lives;
    let tasks = 0;
    try {
      for await (const part of parts) {
        tasks += part.length;
        this.#writer.tell("enqueuePart", { stream, runs: toNewRuns(part) });
      }
      if (this.#writer.lives !== thread) throw partsLost(this.location);
    } catch (error) {
      // A thread that has died holds nothing of them.
      await this.#writer.request("enqueueAbort", stream).catch(() => undefined);
      throw error;
    }
    const end = await this.#writer.request("enqueueEnd", stream, { isWrite: true });
    return existingTasks(end as Enqueued, tasks);
  }

  #read<Name extends VerbName>(verb: Name, argument: VerbArgument<Name>): Promise<VerbAnswer<Name>> {
    return this.#threads.read(verb, argument);
  }
}

function partsLost(path: string): DureError {
  return new DureError(
    "DATABASE_UNAVAILABLE",
    `The thread that writes ${path} died while it was given these tasks. Nothing was enqueued; enqueue them again.`,
  );
}
