/**
 * Alerts: looks at the saved searches that have a rule, and enqueues the rule's task when the count has been out of bounds
 * for as long as the rule says. Every worker does so; what is known of a rule stands beside it in the store.
 *
 * Whoever looks first writes that he does, from the revision he has read; the others find another revision and leave it to
 * him until the next time. The start of an episode is stored before its task is enqueued, and the task's idempotency key is
 * made of it: after a death between the two, or when two look at once after all, there is still one task.
 *
 * While an attribute that a rule's search asks for is filled in, its count may be off by what is left. Where that may decide, the
 * rule waits: an episode neither begins nor ends, no task is enqueued, and `problem` says so.
 */
import { enqueueTaskIn } from "../core/enqueue.ts";
import { DureError } from "../core/errors.ts";
import { narrowed } from "../core/filters/narrowed.ts";
import { toStoreSearch } from "../core/find.ts";
import type { Instance } from "../core/instance.ts";
import type { AlertRule, AlertTask } from "../core/port/store-saved.ts";
import { forMsOf, isOutOfBounds, savedQueriesFor } from "../core/saved-searches.ts";
import type { AlertState, StoredSearch, TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Logger } from "./logger.ts";
import { describeError, Loop } from "./loop.ts";

/** How often a rule is looked at, by whichever worker comes first. */
const everyMs = 30_000;
/** A worker that has just started has better things to do. */
const firstMsMax = 5_000;
/** A count that takes longer is an estimate. */
const budgetMs = 5_000;
const problemMax = 1_000;
const pauseMsMin = 100;

export interface AlertsParts {
  instance: Instance;
  logger: Logger;
}

type Watched = StoredSearch & { alert: AlertRule };

export class Alerts {
  readonly #parts: AlertsParts;
  #loop: Loop | undefined;
  #begun = false;

  constructor(parts: AlertsParts) {
    this.#parts = parts;
  }

  start(): void {
    const { instance, logger } = this.#parts;
    this.#loop = new Loop({
      name: "look at alert rules",
      clock: instance.clock,
      logger,
      tick: (signal) => this.#paced(signal),
    });
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
  }

  /** Looks at every rule whose turn it is; how long to wait before the next one. */
  async tick(signal?: AbortSignal): Promise<number> {
    const { clock } = this.#parts.instance;
    const store = await this.#parts.instance.store();
    const states: [Watched, AlertState | undefined][] = [];
    for (const search of (await store.listSearches()).filter(isWatched)) {
      if (signal?.aborted) break;
      const isDue = dueAt(search, search.alertState, clock.now()) <= clock.now();
      states.push([search, isDue ? await new Look(this.#parts, store, search).run() : search.alertState]);
    }
    const now = clock.now();
    const nextAt = Math.min(...states.map(([search, state]) => dueAt(search, state, now)));
    return Math.max(pauseMsMin, Math.min(everyMs * (0.75 + clock.random() / 2), nextAt - now));
  }

  async #paced(signal: AbortSignal): Promise<number> {
    if (this.#begun) return this.tick(signal);
    this.#begun = true;
    return firstMsMax * this.#parts.instance.clock.random();
  }
}

function isWatched(search: StoredSearch): search is Watched {
  return search.alert !== undefined;
}

/** When a rule is to be looked at again: after a while, or when the time is up that it gives the count. */
function dueAt({ alert }: Watched, state: AlertState | undefined, now: number): number {
  // A clock that was set back must not leave the rule alone until it has caught up.
  if (!state || state.checkedAt > now + everyMs) return now;
  const { checkedAt, since, enqueuedAt } = state;
  const next = checkedAt + everyMs;
  if (since === undefined || enqueuedAt !== undefined) return next;
  const endAt = since + forMsOf(alert);
  return endAt > checkedAt ? Math.min(next, endAt) : next;
}

/** One look at one rule. */
class Look {
  readonly #parts: AlertsParts;
  readonly #store: TaskStore;
  readonly #search: Watched;
  /** As it stands in the store, with its revision. */
  #state: AlertState;
  #revision: number;

  constructor(parts: AlertsParts, store: TaskStore, search: Watched) {
    this.#parts = parts;
    this.#store = store;
    this.#search = search;
    this.#state = search.alertState ?? { checkedAt: 0 };
    this.#revision = search.revision;
  }

  /** How far the rule has come, as far as is known here: somebody else may look instead. */
  async run(): Promise<AlertState> {
    const { problem: known } = this.#state;
    const taken = { ...this.#state, checkedAt: this.#parts.instance.clock.now() };
    if (!(await this.#write(taken))) return taken;
    const { problem: _known, ...state } = taken;
    try {
      await this.#write(await this.#judge(state));
    } catch (error) {
      const problem = error instanceof Undecided ? error.message : describeError(error).slice(0, problemMax);
      if (problem !== known) this.#report(problem, error instanceof Undecided ? "warn" : "error");
      await this.#write({ ...this.#state, problem });
    }
    return this.#state;
  }

  async #judge(state: AlertState): Promise<AlertState> {
    const { name, alert } = this.#search;
    const { checkedAt, since = checkedAt, enqueuedAt, lastEnqueuedAt } = state;
    const count = await this.#count();
    if (!isOutOfBounds(alert, count)) {
      if (enqueuedAt !== undefined && alert.recovered)
        await this.#enqueue(alert.recovered, `recovered ${since} ${name}`, count, since);
      return { checkedAt, count, ...(lastEnqueuedAt !== undefined && { lastEnqueuedAt }) };
    }
    const episode = { ...state, count, since };
    if (enqueuedAt !== undefined || checkedAt < since + forMsOf(alert)) return episode;
    if (!(await this.#write(episode))) return episode;
    await this.#enqueue(alert.enqueue, `alert ${since} ${name}`, count, since);
    const now = this.#parts.instance.clock.now();
    return { ...episode, enqueuedAt: now, lastEnqueuedAt: now };
  }

  /** @throws Undecided */
  async #count(): Promise<number> {
    const { instance } = this.#parts;
    const { query, alert } = this.#search;
    const saved = await savedQueriesFor(instance, query);
    const search = toStoreSearch(instance, { query, budget: budgetMs }, saved);
    const { count, unfilled = 0 } = await this.#store.countTasks(await narrowed(this.#store, search));
    const asCounted = isOutOfBounds(alert, count);
    const isDecided = [count - unfilled, count + unfilled].every(
      (end) => isOutOfBounds(alert, end) === asCounted,
    );
    if (!isDecided) throw new Undecided();
    return count;
  }

  /** A task that has the key already is the one of this episode, whatever its count was. */
  async #enqueue(task: AlertTask, idempotencyKey: string, count: number, since: number): Promise<void> {
    const { enqueue: _enqueue, recovered: _recovered, ...rule } = this.#search.alert;
    const payload = { ...task.payload, search: this.#search.name, count, since: new Date(since), rule };
    try {
      await enqueueTaskIn(this.#parts.instance, task.type, payload, { idempotencyKey });
    } catch (error) {
      if (!(error instanceof DureError && error.code === "IDEMPOTENCY_CONFLICT")) throw error;
    }
  }

  /** False when the search or its state is another by now. */
  async #write(state: AlertState): Promise<boolean> {
    const { name } = this.#search;
    const answer = await this.#store.writeAlertState({ name, revision: this.#revision, state });
    if (answer.kind === "rejected") return false;
    this.#revision = committed(answer, this.#store);
    this.#state = state;
    return true;
  }

  #report(problem: string, level: "warn" | "error"): void {
    const { name } = this.#search;
    this.#parts.logger[level](`The alert of the saved search "${name}" comes to nothing: ${problem}`, {
      search: name,
    });
  }
}

/** What is not filled in yet may decide whether the count is out of bounds. */
class Undecided extends Error {
  override readonly message =
    "An attribute that it asks for is being filled in for older tasks, and those that are left may decide; it waits for them.";
}
