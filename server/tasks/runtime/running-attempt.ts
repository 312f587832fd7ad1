/**
 * One attempt while it runs, and the context its handler is given. What a handler may not touch costs nothing:
 * the abort controller, the log and the progress are made on first use.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AbortKind, TaskContext, TaskLog } from "../core/attempt.ts";
import { AbortReason } from "../core/attempt.ts";
import { type Taken, takeAttributes } from "../core/attributes.ts";
import type { Clock } from "../core/clock.ts";
import type { Origin, OriginLimits } from "../core/origin.ts";
import type { RegisteredDefinition } from "../core/registry.ts";
import type { AttemptTransaction, ClaimedTask, TaskSettings } from "../core/store.ts";
import type { Task, TaskProgress } from "../core/task.ts";
import type { TransactionClient } from "../core/transaction.ts";
import { unusable } from "../core/transaction.ts";
import { AttemptLog } from "./attempt-log.ts";

/** Which attempt the running code belongs to, through every await, timer and callback it started. */
export const attemptStorage = new AsyncLocalStorage<RunningAttempt>();

/** What an attempt tells its worker while it runs. */
export interface AttemptHost {
  readonly clock: Clock;
  /** Of what its attempts enqueue. */
  readonly limits: OriginLimits;
  /** Whether others may have taken this worker for dead. */
  leaseUncertain(workerId: string): boolean;
  /** Progress or log lines came in. */
  reported(attempt: RunningAttempt): void;
  /** Opens the transaction whose commit completes the attempt. */
  beginTransaction(attempt: RunningAttempt): Promise<AttemptTransaction>;
}

const abortMessages: Record<AbortKind, string> = {
  cancelled: "The task was cancelled.",
  timeout: "The attempt ran longer than its timeout.",
  "lease-lost":
    "The worker was taken for dead and the task given to another; nothing this attempt does counts.",
  shutdown: "The worker is stopping; the task will run again elsewhere.",
};

export class RunningAttempt implements Origin {
  readonly claimed: ClaimedTask;
  readonly definition: RegisteredDefinition;
  readonly workerId: string;
  readonly host: AttemptHost;
  readonly context: AttemptContext;
  /** Monotonic. While it runs undisturbed its timeout, after an abort the end of the grace period. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** Whether the handler was called. */
  started = false;
  /** Whether the attempt was ended without its handler: what the handler still does counts for nothing. */
  closed = false;
  /** Whether its late end is put on record; not when the store may have given its fence to another attempt. */
  recorded = true;
  /** Whether it has come to an end, by its handler or without. */
  over = false;
  /** How many tasks its handler has enqueued. */
  children = 0;
  declare childSettings?: TaskSettings;
  /** Of its payload, where whoever enqueued it could not take them; as it was before the handler had it. */
  declare taken?: Taken;
  /** Made on the handler's first `context.tx()`. */
  transaction: Promise<AttemptTransaction> | undefined;
  abortReason: AbortReason | undefined;
  /** An error that the handler's code threw where nobody could catch it. */
  stray: { error: unknown } | undefined;
  log: AttemptLog | undefined;
  progress: TaskProgress | undefined;
  progressDirty = false;
  logDirty = false;
  #controller: AbortController | undefined;

  constructor(claimed: ClaimedTask, definition: RegisteredDefinition, workerId: string, host: AttemptHost) {
    this.claimed = claimed;
    this.definition = definition;
    this.workerId = workerId;
    this.host = host;
    this.context = new AttemptContext(this);
    if (claimed.settings?.lacksAttributes)
      this.taken = takeAttributes(definition, "payload", claimed.task.payload);
  }

  get task(): Task {
    return this.claimed.task;
  }

  get fence(): number {
    return this.claimed.fence;
  }

  get type(): string {
    return this.claimed.task.type;
  }

  get depth(): number {
    return this.claimed.settings?.depth ?? 0;
  }

  get limits(): OriginLimits {
    return this.host.limits;
  }

  /** Null for no limit. */
  get timeoutMs(): number | null {
    const own = this.claimed.settings?.timeoutMs;
    return own === undefined ? this.definition.timeoutMs : own;
  }

  get leaseUncertain(): boolean {
    return this.abortReason?.kind === "lease-lost" || this.host.leaseUncertain(this.workerId);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.abortReason) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal, once; the first reason stays. What its listeners throw belongs to this attempt. */
  abort(kind: AbortKind): void {
    if (this.abortReason) return;
    const reason = new AbortReason(kind, abortMessages[kind]);
    this.abortReason = reason;
    if (this.#controller) attemptStorage.run(this, () => this.#controller!.abort(reason));
  }

  report(progress: TaskProgress): void {
    this.progress = progress;
    this.progressDirty = true;
    this.host.reported(this);
  }

  /** The same client each time. One that could not be had may be asked for again. */
  async openTransaction(): Promise<TransactionClient> {
    if (this.over) throw unusable("The attempt is over; context.tx() serves a running handler alone.");
    if (!this.transaction) {
      const opening = this.host.beginTransaction(this);
      this.transaction = opening;
      opening.catch(() => {
        if (this.transaction === opening && !this.over) this.transaction = undefined;
      });
    }
    return (await this.transaction).client;
  }

  takeLog(): TaskLog {
    this.log ??= new AttemptLog(this.host.clock, () => {
      this.logDirty = true;
      this.host.reported(this);
    });
    return this.log;
  }
}

class AttemptContext implements TaskContext {
  readonly #attempt: RunningAttempt;

  constructor(attempt: RunningAttempt) {
    this.#attempt = attempt;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get attempt(): number {
    return this.#attempt.task.attempts;
  }

  get isLastAttempt(): boolean {
    return this.#attempt.task.attempts >= this.#attempt.task.maxAttempts;
  }

  get fence(): number {
    return this.#attempt.fence;
  }

  get attemptKey(): string {
    return `${this.#attempt.task.id}:${this.#attempt.fence}`;
  }

  get workerId(): string {
    return this.#attempt.workerId;
  }

  get leaseUncertain(): boolean {
    return this.#attempt.leaseUncertain;
  }

  get log(): TaskLog {
    return this.#attempt.takeLog();
  }

  get lastProgress(): TaskProgress | undefined {
    return this.#attempt.progress ?? this.#attempt.task.progress;
  }

  /** A function of its own, so that a handler may take it out of the context. */
  get progress(): TaskContext["progress"] {
    return (done, total, message) => this.#attempt.report(toProgress(done, total, message));
  }

  /** As `progress`. */
  get tx(): TaskContext["tx"] {
    return () => this.#attempt.openTransaction();
  }
}

const progressMessageMax = 1_000;

/** What cannot be kept is left out: progress never makes a handler fail. */
function toProgress(done: unknown, total: unknown, message: unknown): TaskProgress {
  const progress: TaskProgress = { done: Number.isFinite(done) ? (done as number) : 0 };
  if (Number.isFinite(total)) progress.total = total as number;
  if (typeof message === "string") progress.message = message.slice(0, progressMessageMax);
  return progress;
}
