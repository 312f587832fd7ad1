/**
 * The worker: claim, execute, settle, within its concurrency.
 *
 * A claim asks for as many tasks as there are free slots, because a claimed task counts as RUNNING. When a hint comes while
 * one is under way, a second may go out beside it; and in a drain, while claims bring what they ask for and the store says that
 * no other worker is alive (docs/design/storage-postgres.md has what two give). Handlers start only after the claim's reply, some 250
 * in one turn of the event loop (starts.ts). What ends meanwhile is settled together and its slots are claimed again in the
 * turn after the last of them, so that the store commits both at once while this thread runs the next handlers.
 *
 * An attempt that does not end within its grace period is closed without its handler; the handler is then a zombie.
 * Past as many zombies as slots (at least ten) the worker claims no more and says that it is unhealthy.
 *
 * Quarantine: a task whose worker died before may be what killed it. One death is most often somebody else's doing, so
 * after it every task starts again at once; after the second at most one such task is in flight here, so that one that
 * kills its worker a third time takes no other's last chance with it.
 */
import type { AbortKind } from "../core/attempt.ts";
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import type { OriginLimits } from "../core/origin.ts";
import type { Registry } from "../core/registry.ts";
import type { AttemptTransaction, ClaimedTask, ClaimReply, Settlement, TaskStore } from "../core/store.ts";
import { Deadlines } from "./deadlines.ts";
import { execute, type Outside, takeOutside } from "./execute.ts";
import { IdMap, type ReadonlyIdMap } from "./id-map.ts";
import type { Logger } from "./logger.ts";
import { Loop } from "./loop.ts";
import { Reporter } from "./reporter.ts";
import type { AttemptHost } from "./running-attempt.ts";
import { RunningAttempt } from "./running-attempt.ts";
import { release, settleFailure, settleSuccess, settleUnended, settleUnreadable } from "./settlement.ts";
import type { Settler } from "./settler.ts";
import { Starts } from "./starts.ts";
import { Transactions } from "./transactions.ts";

const claimSizeMax = 500;
const atWorkMs = 1_000;
const zombiesMin = 10;
/** A task that has lost so many workers runs without another such task beside it. */
const lonelyCrashes = 2;

export interface WorkerParts {
  store: TaskStore;
  registry: Registry;
  clock: Clock;
  logger: Logger;
  settler: Settler;
  concurrency: number;
  queues: readonly string[] | undefined;
  /** Of what one attempt enqueues. */
  limits: OriginLimits;
  /** In bytes. */
  valueSizeMax: number;
  /** The incarnation to claim for; undefined while there is none, and nothing is claimed then. */
  incarnation(): string | undefined;
  /** Whether others may have taken this incarnation for dead. */
  leaseUncertain(workerId: string): boolean;
  /** The store says that the incarnation is dead. */
  onBuried(workerId: string): void;
  /** The store gives again what this incarnation runs already. */
  onPutBack(workerId: string): void;
  /** Called once, when there are too many zombies. */
  onUnhealthy(reason: string): void;
}

export class Worker implements AttemptHost {
  readonly #parts: WorkerParts;
  readonly #reporter: Reporter;
  readonly #transactions: Transactions;
  readonly #loop: Loop;
  /** A second claim, beside the one that waits, for slots that are free while there may be more. */
  readonly #ahead: Loop;
  /** Claimed and not yet ended, by task id. */
  readonly #running = new IdMap<RunningAttempt>();
  readonly #zombies = new Set<RunningAttempt>();
  readonly #deadlines: Deadlines;
  readonly #starts: Starts;
  readonly #outside: Outside = takeOutside();
  #suspect: RunningAttempt | undefined;
  #stopping = false;
  #unhealthy = false;
  /** Whether the store may have due tasks that the last claim did not bring. */
  #mayHaveMore = true;
  #isPressed = false;
  /** Whether no other worker is alive that the next claim would be taken from. */
  #isAlone = false;
  #turnScheduled = false;
  /** Slots that claims under way may fill. */
  #claiming = 0;
  /** Whether the claim that waits found no slot free; nobody asks for what is due until it does again. */
  #starved = false;
  /** Monotonic: when a claim brought something last. */
  #takenAt = Number.NEGATIVE_INFINITY;
  /** The incarnation of the claim that the store may hold back. */
  #claimsFor: string | undefined;
  #claimsStarted = 0;
  #claimsEnded = 0;
  #whenEmpty: (() => void)[] = [];

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#reporter = new Reporter(parts.store, parts.clock, parts.logger);
    this.#transactions = new Transactions(parts);
    const { clock, logger } = parts;
    const onPassed = (attempt: RunningAttempt) => this.#passDeadline(attempt);
    this.#deadlines = new Deadlines({ clock, running: this.#running, onPassed });
    this.#starts = new Starts(clock, parts.settler);
    const looking = (name: string, waits: boolean) =>
      new Loop({ clock, logger, name, tick: () => this.#tick(waits) });
    this.#loop = looking("search for due tasks", true);
    this.#ahead = looking("search for further due tasks", false);
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  get limits(): OriginLimits {
    return this.#parts.limits;
  }

  /** The attempts that have not ended, by task id. */
  get running(): ReadonlyIdMap<RunningAttempt> {
    return this.#running;
  }

  /** Attempts that were ended while their handlers go on. */
  get zombies(): number {
    return this.#zombies.size;
  }

  get healthy(): boolean {
    return !this.#unhealthy && !this.#loop.failing && !this.#ahead.failing && !this.#parts.settler.failing;
  }

  /** Whether tasks run, or did a moment ago: those that end at once are hardly ever seen running. */
  get isAtWork(): boolean {
    return this.#running.size > 0 || this.clock.monotonic() - this.#takenAt < atWorkMs;
  }

  /** Whether more tasks are due than it has slots for, as the latest claim tells. */
  get isPressed(): boolean {
    return this.#isPressed;
  }

  /** Claims are counted so that a reconcile can tell a claim whose reply is on its way from one that was lost. */
  get claims(): { started: number; ended: number } {
    return { started: this.#claimsStarted, ended: this.#claimsEnded };
  }

  start(): void {
    this.#loop.start();
    this.#ahead.start();
  }

  /** There may be something to claim. */
  wake(): void {
    this.#mayHaveMore = true;
    this.#loop.wake();
  }

  /** What may be claimed has changed: a claim that the store holds back is made anew. */
  claimAnew(): void {
    this.wake();
    if (this.#claimsFor !== undefined) this.#parts.store.endClaimWait(this.#claimsFor);
  }

  /** Claims no more; resolves when the claim under way, if any, is over. Attempts go on. */
  async stopClaiming(): Promise<void> {
    this.#stopping = true;
    this.claimAnew();
    await Promise.all([this.#loop.stop(), this.#ahead.stop()]);
  }

  /** Resolves when no attempt is left. */
  empty(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  abort(attempt: RunningAttempt, kind: AbortKind): void {
    if (attempt.abortReason || attempt.closed) return;
    attempt.abort(kind);
    const graceMs = kind === "shutdown" ? Number.POSITIVE_INFINITY : attempt.definition.abortGraceMs;
    this.#deadlines.set(attempt, graceMs);
  }

  /** Ends every attempt that is left by giving its task back, uncharged; answers how many. */
  releaseAll(): number {
    const left = this.#running.values();
    for (const attempt of left) this.#close(attempt, release(claimOf(attempt), attempt.workerId));
    return left.length;
  }

  /**
   * The incarnation is dead: aborts everything it ran and forgets it. What still ends is only put on record, and not even that
   * without `recorded`: when the store may take it for the end of another attempt.
   */
  loseAll({ recorded = true } = {}): void {
    this.claimAnew();
    for (const attempt of this.#running.values()) {
      attempt.recorded = recorded;
      this.lose(attempt);
    }
  }

  /** The attempt is no longer this worker's. */
  lose(attempt: RunningAttempt): void {
    this.#remove(attempt);
    attempt.closed = true;
    attempt.over = true;
    this.#zombies.add(attempt);
    attempt.abort("lease-lost");
    if (attempt.transaction) void this.#transactions.undo(attempt);
    this.#checkHealth();
  }

  /**
   * An error that code of this attempt threw where nobody could catch it. The handler may still end within its
   * grace period; the attempt fails in any case.
   */
  stray(attempt: RunningAttempt, error: unknown): boolean {
    if (attempt.closed || this.#running.get(attempt.task.id) !== attempt) return false;
    if (attempt.stray) return true;
    attempt.stray = { error };
    if (!attempt.abortReason) this.#deadlines.set(attempt, attempt.definition.abortGraceMs);
    return true;
  }

  leaseUncertain(workerId: string): boolean {
    return this.#parts.leaseUncertain(workerId);
  }

  /** An attempt has progress or log lines to store. */
  reported(attempt: RunningAttempt): void {
    this.#reporter.add(attempt);
  }

  beginTransaction(attempt: RunningAttempt): Promise<AttemptTransaction> {
    return this.#transactions.begin(attempt);
  }

  flushReports(): Promise<void> {
    return this.#reporter.flush();
  }

  /** One claim; the one that `waits` is held back by the store while nothing is due. */
  async #tick(waits: boolean): Promise<number> {
    const workerId = this.#parts.incarnation();
    const limit = Math.min(this.#free(), claimSizeMax);
    const { types, queues } = this.#parts.registry.claimed(this.#parts.queues);
    if (workerId === undefined || types.length === 0) return Number.POSITIVE_INFINITY;
    if (waits) this.#starved = limit <= 0;
    if (limit <= 0 || (!waits && !this.#mayHaveMore && !this.#mayClaimAhead)) return Number.POSITIVE_INFINITY;
    this.#mayHaveMore = false;
    this.#claimsStarted += 1;
    this.#claiming += limit;
    if (waits) this.#claimsFor = workerId;
    try {
      const { store } = this.#parts;
      const suspect = waits && this.#suspect === undefined;
      const request = {
        workerId,
        types,
        limit,
        suspect,
        ...(waits && { waitMs: store.pace.pollMs }),
        ...(queues && { queues }),
      };
      const answer = await store.claimTasks(request);
      if (answer.kind === "ok") return await this.#accept(answer.value, workerId, limit);
      if (answer.kind === "unknown")
        throw new DureError("COMMIT_UNKNOWN", "A claim may or may not have happened.", {
          cause: answer.cause,
        });
      this.#parts.onBuried(workerId);
      return store.pace.pollMs;
    } finally {
      this.#claiming -= limit;
      if (waits) this.#claimsFor = undefined;
      this.#claimsEnded += 1;
      // An attempt that ends wakes it anyway. A claim ahead that brought too little leaves its slots to it.
      if (this.#starved && this.#free() > 0) this.#loop.wake();
    }
  }

  /** A second claim in a drain would only hold rows that another worker then passes over. */
  get #mayClaimAhead(): boolean {
    return this.#isPressed && this.#isAlone;
  }

  #free(): number {
    if (this.#stopping || this.#unhealthy || this.#parts.settler.failing) return 0;
    return this.#parts.concurrency - this.#running.size - this.#claiming;
  }

  /** Answers how long to wait for the next claim. */
  async #accept(reply: ClaimReply, workerId: string, limit: number): Promise<number> {
    await this.#starts.over();
    if (this.#parts.incarnation() !== workerId) return 0;
    if (reply.claimed.some((claimed) => this.#knows(claimed))) {
      this.#releaseUnknown(reply, workerId);
      this.#parts.onPutBack(workerId);
      return 0;
    }
    const now = this.clock.monotonic();
    if (reply.claimed.length > 0) this.#takenAt = now;
    this.#isPressed = reply.claimed.length >= limit;
    this.#isAlone = reply.isAlone ?? this.#isAlone;
    if (this.#isPressed) this.#mayHaveMore = true;
    // Between two turns the incarnation may come to its end.
    const isCurrent = () => this.#parts.incarnation() === workerId;
    await this.#starts.each(reply.claimed, (claimed) => isCurrent() && this.#take(claimed, workerId, now));
    if (this.#mayHaveMore) this.#wakeNextTurn();
    if (this.#isPressed) return Number.POSITIVE_INFINITY;
    const { pollMs } = this.#parts.store.pace;
    if (this.#parts.settler.failing) return pollMs;
    // A claim brings one suspect at most; the others start at once too.
    if (reply.waited || reply.claimed.some(({ task }) => (task.crashes ?? 0) > 0)) return 0;
    const dueInMs = reply.nextDueAt === undefined ? pollMs : reply.nextDueAt - this.clock.now();
    return Math.min(pollMs, Math.max(0, dueInMs));
  }

  /** Nobody renews the incarnation any more: what has not started here would cost its task a crash. */
  #releaseUnknown({ claimed }: ClaimReply, workerId: string): void {
    const { settler } = this.#parts;
    for (const one of claimed) {
      const { ref, fence, task } = one;
      if (this.#knows(one) || settler.has(task.id, fence)) continue;
      settler.add(release({ ref, fence, taskId: task.id }, workerId));
    }
  }

  /** A fence is given once; one that is given again, or an earlier one, is of a database that was put back to an earlier state. */
  #knows({ task, fence }: ClaimedTask): boolean {
    const attempt = this.#running.get(task.id);
    return attempt !== undefined && attempt.fence >= fence;
  }

  #take(claimed: ClaimedTask, workerId: string, now: number): void {
    const definition = this.#parts.registry.get(claimed.task.type);
    const { ref, fence, task } = claimed;
    if (!definition || this.#stopping) {
      this.#parts.settler.add(release({ ref, fence, taskId: task.id }, workerId));
      return;
    }
    const attempt = new RunningAttempt(claimed, definition, workerId, this);
    this.#running.set(task.id, attempt);
    if ((task.crashes ?? 0) >= lonelyCrashes) this.#suspect = attempt;
    this.#startOne(attempt, now);
  }

  #startOne(attempt: RunningAttempt, now: number): void {
    const { unreadable } = attempt.claimed;
    if (unreadable !== undefined) {
      this.#close(attempt, settleUnreadable(attempt, unreadable));
      return;
    }
    const { timeoutMs } = attempt;
    if (timeoutMs !== null) this.#deadlines.set(attempt, timeoutMs, now);
    execute(attempt, this.#ended, this.#outside);
  }

  readonly #ended = (attempt: RunningAttempt, succeeded: boolean, value: unknown): void => {
    if (attempt.closed) {
      this.#endedLate(attempt, succeeded, value);
      return;
    }
    this.#reporter.end(attempt);
    this.#remove(attempt);
    this.#settle(
      attempt,
      succeeded ? settleSuccess(attempt, value, this.#parts) : settleFailure(attempt, value, this.#parts),
    );
  };

  /** A zombie came to its end. When its lease was lost the store puts that on record; else its end is known. */
  #endedLate(attempt: RunningAttempt, succeeded: boolean, value: unknown): void {
    this.#zombies.delete(attempt);
    const { logger, settler } = this.#parts;
    const { id, type } = attempt.task;
    logger.warn(`A handler of "${type}" ended after its attempt was over; what it ended with is dropped.`, {
      taskId: id,
      fence: attempt.fence,
      reason: attempt.abortReason?.kind,
    });
    if (attempt.abortReason?.kind !== "lease-lost" || !attempt.recorded) return;
    settler.add(
      succeeded ? settleSuccess(attempt, value, this.#parts) : settleFailure(attempt, value, this.#parts),
    );
  }

  /** Ends an attempt without its handler. */
  #close(attempt: RunningAttempt, settlement: Settlement): void {
    this.#reporter.end(attempt);
    this.#remove(attempt);
    attempt.closed = true;
    if (attempt.started) this.#zombies.add(attempt);
    this.#settle(attempt, settlement);
    this.#checkHealth();
  }

  #remove(attempt: RunningAttempt): void {
    if (this.#running.get(attempt.task.id) === attempt) this.#running.delete(attempt.task.id);
    if (this.#suspect === attempt) {
      this.#suspect = undefined;
      this.claimAnew();
    }
    if (this.#running.size > 0) return;
    const waiters = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiters) resolve();
  }

  #settle(attempt: RunningAttempt, settlement: Settlement): void {
    attempt.over = true;
    if (attempt.transaction) void this.#transactions.end(attempt, settlement);
    else this.#parts.settler.add(settlement);
    if (this.#mayHaveMore || this.#mayClaimAhead) this.#wakeNextTurn();
  }

  /** Claims go out in the turn in which the settlements of this one do, so that one commit serves both. */
  #wakeNextTurn(): void {
    if (this.#turnScheduled || this.#starts.areUnderWay) return;
    this.#turnScheduled = true;
    this.clock.after(0, () => {
      this.#turnScheduled = false;
      this.#loop.wake();
      this.#ahead.wake();
    });
  }

  #checkHealth(): void {
    const allowed = Math.max(this.#parts.concurrency, zombiesMin);
    if (this.#unhealthy || this.#zombies.size <= allowed) return;
    this.#unhealthy = true;
    const reason = `${this.#zombies.size} handlers go on after their attempts were ended; the worker claims no more. Restart it, and make handlers stop when context.signal aborts.`;
    this.#parts.logger.error(reason);
    this.#parts.onUnhealthy(reason);
  }

  #passDeadline(attempt: RunningAttempt): void {
    if (attempt.abortReason || attempt.stray) this.#close(attempt, settleUnended(attempt, this.#parts));
    else this.abort(attempt, "timeout");
  }
}

function claimOf(attempt: RunningAttempt): { ref: unknown; taskId: string; fence: number } {
  return { ref: attempt.claimed.ref, taskId: attempt.task.id, fence: attempt.fence };
}
