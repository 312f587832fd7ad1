/** Watching a search: watchTasks. Changes come from the one reader of the store; this says what they are to the search. */

import { DureError } from "../errors.ts";
import { toStoreSearch } from "../find.ts";
import { asGiven } from "../given.ts";
import type { Instance } from "../instance.ts";
import { isFinished } from "../lifecycle.ts";
import { checkOptions, checkPlain, functionRule, type OptionRule, signalRule } from "../options.ts";
import { savedQueriesFor } from "../saved-searches.ts";
import type { TaskSearchOptions } from "../search.ts";
import type { TaskStore } from "../store.ts";
import type { Task } from "../task.ts";
import type { ChangePage, Follower } from "./change-source.ts";
import { WatchBuffer, type WatchedPage } from "./watch-buffer.ts";
import { matching, mayHaveMatched, type WatchedSearch } from "./watch-match.ts";

/** What to watch: the filters of a search. Spans such as `created:>2h` count from the beginning. */
export interface WatchOptions<Payload = any, Result = any>
  extends Omit<
    TaskSearchOptions<Payload, Result>,
    "limit" | "offset" | "sortBy" | "sortOrder" | "cursor" | "budget" | "definitions" | "updatedSince"
  > {
  /** A cursor of an earlier change, of any watcher or change feed of this database: goes on after it. Default: from now on. */
  since?: string | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal;
  /** Called once, when the first change is waited for: nothing that happens from then on is missed. */
  onBegin?: () => void;
}

export interface TaskChange<Payload = any, Result = any> {
  /**
   * 'entered': it is in the search now and was not known to be; 'changed': it was and is; 'left': it was, or may have been
   * before this began, and is not any more.
   */
  change: "entered" | "changed" | "left";
  /** As it is now; one that was deleted, as it was seen last. */
  task: Task<Payload, Result>;
  /** Set when it left because it was deleted. */
  isDeleted?: true;
  /** Pass as `since` to go on after this change; some of just before it may come again. */
  cursor: string;
}

/** Changed tasks that are held for a consumer that does not ask for them; beyond, they are read when it does. */
const bufferMax = 2_000;
/** Tasks of the search that are remembered; those not heard of for longest are forgotten first. */
const rememberedMax = 20_000;
/** Of those that are there already, this many are known at the beginning. */
const seedMax = 1_000;
const seedBudgetMs = 1_000;
/** How often remembered tasks are looked up, for those that were deleted, and how many at once. */
const lookMs = 10_000;
const lookMax = 200;
/** As many that had not ended when last heard of: that they ended may be unknown, if they were deleted at once. */
const lookOpenMax = 100;

const ownRules: Record<string, OptionRule> = {
  since: (value, name) =>
    typeof value === "string" ? undefined : `${name} is ${typeof value}; expected a cursor`,
  signal: signalRule,
  onBegin: functionRule,
};

/** Options of a search that a watch has not. */
const meaningless = [
  "limit",
  "offset",
  "sortBy",
  "sortOrder",
  "cursor",
  "budget",
  "definitions",
  "updatedSince",
] as const;

/** @throws DureError INVALID_OPTION, INVALID_QUERY */
export function watchTasksIn(
  instance: Instance,
  options: WatchOptions = {},
): AsyncIterableIterator<TaskChange, undefined> {
  checkPlain("watchTasks(options)", options);
  const { since, signal, onBegin, ...filters } = asGiven(options);
  checkOptions("watchTasks(options)", { since, signal, onBegin }, ownRules);
  for (const name of meaningless) {
    if ((filters as Record<string, unknown>)[name] === undefined) continue;
    throw new DureError(
      "INVALID_OPTION",
      `watchTasks(options): ${name} has no meaning for changes; give filters, since, signal and onBegin.`,
    );
  }
  // What a saved search stands for, only the store knows.
  if (!filters.query?.includes("@")) toStoreSearch(instance, filters);
  const watch = new Watch(instance, filters, { since, signal, onBegin });
  const changes = watch.changes();
  return {
    next: () => changes.next(),
    // A generator that waits for its next value would not return before it has one.
    return: () => {
      watch.end();
      return changes.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

type Own = { [name in "since" | "signal" | "onBegin"]: WatchOptions[name] | undefined };

class Watch implements Follower {
  readonly #instance: Instance;
  readonly #options: TaskSearchOptions;
  #search: WatchedSearch = {};
  readonly #signal: AbortSignal | undefined;
  readonly #onBegin: (() => void) | undefined;
  readonly #buffer = new WatchBuffer(bufferMax);
  /** The tasks that are in the search as far as is known, without what is large; the one heard of last is last. */
  readonly #remembered = new Map<string, Task>();
  /** Tasks that were told to have left without having been known. */
  readonly #gone = new Set<string>();
  /** Everything that was in the search at the beginning is remembered. */
  #knowsAll = false;
  /** The end of what is in the buffer or was told. */
  #read: string | undefined;
  /** The end of what was told. */
  #told: string | undefined;
  #isJoined = false;
  #isOver = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(instance: Instance, options: TaskSearchOptions, { since, signal, onBegin }: Own) {
    this.#instance = instance;
    this.#options = options;
    this.#read = since;
    this.#told = since;
    this.#signal = signal;
    this.#onBegin = onBegin;
  }

  /** A page that finds no room is read again once there is some. */
  take(page: ChangePage): void {
    if (this.#buffer.add(page)) {
      this.#read = page.cursor;
      this.#wake?.();
    } else this.#leave();
  }

  end(error?: unknown): void {
    this.#isOver = true;
    this.#error ??= error;
    this.#wake?.();
  }

  async *changes(): AsyncGenerator<TaskChange, undefined> {
    const end = () => this.end();
    this.#signal?.addEventListener("abort", end, { once: true });
    try {
      if (this.#signal?.aborted) return undefined;
      const store = await this.#instance.store();
      this.#search = await this.#readSearch();
      if (this.#read === undefined) await this.#begin(store);
      this.#onBegin?.();
      for (let lookAt = this.#nextLook(); ; ) {
        for (let page = this.#buffer.next(); page && !this.#isOver; page = this.#buffer.next())
          yield* this.#changesOf(store, page);
        if (this.#isOver) break;
        if (!this.#isJoined) await this.#join();
        else await this.#news(lookAt - this.#instance.clock.monotonic());
        if (this.#instance.clock.monotonic() < lookAt) continue;
        yield* this.#deletions(store);
        lookAt = this.#nextLook();
      }
      if (this.#error !== undefined) throw this.#error;
      return undefined;
    } catch (error) {
      // The instance was closed, or the caller has gone, in the middle of a question.
      if (this.#isOver && this.#error === undefined) return undefined;
      throw error;
    } finally {
      this.#signal?.removeEventListener("abort", end);
      this.#leave();
    }
  }

  async #readSearch(): Promise<WatchedSearch> {
    const saved = await savedQueriesFor(this.#instance, this.#options.query);
    const search = toStoreSearch(this.#instance, this.#options, saved);
    const { limit: _limit, offset: _offset, budgetMs: _budget, after: _after, ...watched } = search;
    return watched;
  }

  #nextLook(): number {
    return this.#instance.clock.monotonic() + lookMs;
  }

  #leave(): void {
    this.#isJoined = false;
    this.#instance.changes.leave(this);
  }

  /** What is in the search already is told as changed or left later, not as entered. */
  async #begin(store: TaskStore): Promise<void> {
    await this.#join();
    this.#told = this.#read;
    const { tasks, stoppedAt, isPartial, unindexed, unfilled } = await store.searchTasks({
      ...this.#search,
      sortBy: "createdAt",
      descending: true,
      limit: seedMax,
      offset: 0,
      definitions: false,
      budgetMs: seedBudgetMs,
    });
    for (const task of tasks) this.#remember(task);
    this.#knowsAll = tasks.length < seedMax && !stoppedAt && !isPartial && !unindexed && !unfilled;
  }

  async #join(): Promise<void> {
    const page = await this.#instance.changes.join(this, this.#read).catch((error) => {
      if (error.code !== "INSTANCE_CLOSED") throw error;
    });
    if (!page) return this.end();
    this.#isJoined = page.joined;
    this.#buffer.add(page);
    this.#read = page.cursor;
  }

  /** Until something is in the buffer, it is over, or the time has passed. */
  #news(ms: number): Promise<void> {
    if (this.#isOver || !this.#isJoined || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancelTimer = this.#instance.clock.after(ms, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        cancelTimer();
        resolve();
      };
    });
  }

  /** The cursor of the last is that of the page: nothing of it is left. */
  async *#changesOf(store: TaskStore, { changes, cursor }: WatchedPage): AsyncGenerator<TaskChange> {
    const tasks = changes.map(({ task }) => task);
    const fitting = await matching(store, this.#search, tasks);
    const told = changes.flatMap(({ task, cursor: placeOf }) => {
      const change = this.#changeOf(task, fitting.has(task.id));
      return change ? [{ change, placeOf }] : [];
    });
    for (const [index, { change, placeOf }] of told.entries()) {
      if (this.#isOver) return;
      yield { ...change, cursor: index < told.length - 1 ? placeOf() : cursor };
    }
    this.#told = cursor;
  }

  #changeOf(task: Task, isIn: boolean): Omit<TaskChange, "cursor"> | undefined {
    const known = this.#remembered.get(task.id);
    if (isIn) {
      this.#remember(task);
      this.#gone.delete(task.id);
      if (known?.version === task.version) return undefined;
      return { change: known ? "changed" : "entered", task };
    }
    if (!known && (this.#knowsAll || this.#gone.has(task.id) || !mayHaveMatched(this.#search, task)))
      return undefined;
    if (!known) this.#gone.add(task.id);
    limitSize(this.#gone, rememberedMax);
    this.#remembered.delete(task.id);
    return { change: "left", task };
  }

  #remember({ payload: _payload, result: _result, ...task }: Task): void {
    this.#remembered.delete(task.id);
    this.#remembered.set(task.id, { ...task, payload: undefined });
    if (limitSize(this.#remembered, rememberedMax)) this.#knowsAll = false;
  }

  /** Deletions are no changes: the remembered tasks are looked up in turn, above all those that have ended. */
  async *#deletions(store: TaskStore): AsyncGenerator<TaskChange> {
    const { ended = [], open = [] } = Object.groupBy(this.#remembered.values(), ({ status }) =>
      isFinished(status) ? "ended" : "open",
    );
    const looked = [...ended.slice(0, lookMax), ...open.slice(0, lookOpenMax)];
    if (looked.length === 0) return;
    const records = await store.readRecords({ ids: looked.map(({ id }) => id) });
    const there = new Set(records.map(({ id }) => id));
    for (const task of looked) {
      this.#remembered.delete(task.id);
      if (there.has(task.id)) this.#remembered.set(task.id, task);
      else if (await store.getTask(task.id)) this.#remembered.set(task.id, task);
      else yield { change: "left", task, isDeleted: true, cursor: this.#told! };
    }
  }
}

/** Takes out the oldest until it is no larger; answers whether any was. */
function limitSize(kept: Set<string> | Map<string, unknown>, sizeMax: number): boolean {
  if (kept.size <= sizeMax) return false;
  for (const id of kept.keys()) {
    kept.delete(id);
    if (kept.size <= sizeMax) break;
  }
  return true;
}
