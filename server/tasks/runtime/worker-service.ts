/** A worker with all that keeps it honest: lease, settler, reaper, pruner, stray errors. Starts and stops them in order. */
import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import type { Ids } from "../core/ids.ts";
import { isFinished } from "../core/lifecycle.ts";
import type { OriginLimits } from "../core/origin.ts";
import type { Registry } from "../core/registry.ts";
import type { Settled, Settlement, TaskStore } from "../core/store.ts";
import type { Alerts } from "./alerts.ts";
import { HistoryPruner } from "./history-pruner.ts";
import type { Indexer } from "./indexer.ts";
import { Lease } from "./lease.ts";
import type { Logger } from "./logger.ts";
import { describeError, Loop } from "./loop.ts";
import { LoopDelay } from "./loop-delay.ts";
import type { Pruner } from "./pruner.ts";
import { Reaper } from "./reaper.ts";
import type { RunningAttempt } from "./running-attempt.ts";
import { Settler } from "./settler.ts";
import { takeStrayErrors } from "./stray-errors.ts";
import { watchSuddenExit } from "./sudden-exit.ts";
import { Worker } from "./worker.ts";

/** Of the time to stop, at most this much is for handlers to end after their signals aborted. */
const abortShareMsMax = 5_000;
/** How long the last settlements, the loops and the lease may each take after the grace period: a second in all. */
const flushMsMax = 600;
const letGoMsMax = 200;
/** Clocks drift, and are set. */
const followClockMs = 60_000;

export interface WorkerServiceParts {
  store: TaskStore;
  registry: Registry;
  clock: Clock;
  ids: Ids;
  logger: Logger;
  pruner: Pruner | undefined;
  indexer?: Indexer;
  alerts?: Alerts;
  concurrency: number;
  queues: readonly string[] | undefined;
  leaseMs: number;
  stopGraceMs: number;
  name: string | undefined;
  limits: OriginLimits;
  /** Watches the process while the worker runs; what it answers ends that. */
  watchProcess(): () => void;
  /** In bytes. */
  valueSizeMax: number;
  /** How long the days of the history are kept, in milliseconds; null for ever. */
  historyMs: number | null;
  onEnded(taskId: string): void;
  onUnhealthy(reason: string): void;
  /** Puts this process's clock right by the store's. */
  followClock(): Promise<void>;
}

export class WorkerService {
  readonly #parts: WorkerServiceParts;
  readonly #settler: Settler;
  readonly #worker: Worker;
  readonly #lease: Lease;
  readonly #reaper: Reaper;
  readonly #historyPruner: HistoryPruner;
  readonly #clockFollower: Loop;
  readonly #loopDelay = new LoopDelay();
  #undo: (() => void)[] = [];
  readonly #hurry = new AbortController();
  #stopping: Promise<{ released: number }> | undefined;

  constructor(parts: WorkerServiceParts) {
    this.#parts = parts;
    const { store, registry, clock, logger, concurrency, queues } = parts;
    this.#settler = new Settler({
      store,
      clock,
      logger,
      onSettled: (settlement, settled) => this.#settled(settlement, settled),
      onRecovered: () => this.#worker.wake(),
    });
    this.#worker = new Worker({
      store,
      registry,
      clock,
      logger,
      settler: this.#settler,
      concurrency,
      queues,
      limits: parts.limits,
      valueSizeMax: parts.valueSizeMax,
      incarnation: () => this.#lease.incarnation,
      leaseUncertain: (workerId) => this.#lease.isUncertain(workerId),
      onBuried: (workerId) => this.#lease.onBuried(workerId),
      onPutBack: (workerId) => this.#lease.onPutBack(workerId),
      onUnhealthy: parts.onUnhealthy,
    });
    this.#lease = new Lease({
      store,
      clock,
      logger,
      settler: this.#settler,
      leaseMs: parts.leaseMs,
      newIncarnation: () => parts.ids.incarnation(),
      onBeat: (beat) => this.#reaper.onBeat(beat),
      loopDelayMs: () => this.#loopDelay.takeMaxMs(),
      describe: () => this.#describe(),
      worker: () => this.#worker,
    });
    this.#reaper = new Reaper({
      store,
      clock,
      logger,
      observerId: () => this.#lease.incarnation,
      abortGraceMs: () => Math.max(0, ...registry.allWithBuiltIn().map(({ abortGraceMs }) => abortGraceMs)),
      onTakenBack: () => this.#worker.wake(),
    });
    this.#historyPruner = new HistoryPruner({ store, clock, logger, daysMs: parts.historyMs });
    this.#clockFollower = new Loop({
      name: "look at the store's clock",
      clock,
      logger,
      tick: () => parts.followClock().then(() => followClockMs),
    });
  }

  /** False while the worker cannot do its work. */
  get healthy(): boolean {
    return this.#worker.healthy;
  }

  /** Resolves when the worker claims. */
  async start(): Promise<void> {
    const { store, registry, logger } = this.#parts;
    this.#loopDelay.start();
    await this.#lease.start();
    this.#undo = [
      takeStrayErrors(this.#worker, (attempt, error) => this.#takeStray(attempt, error)),
      this.#parts.watchProcess(),
      watchSuddenExit(() => this.#worker.running.values().map(({ task }) => task), logger),
      registry.onAdd(() => this.#worker.claimAnew()),
      store.onChange((news) => {
        if (news === undefined || news === "tasks" || news === "soon") this.#worker.wake();
        if (news === undefined || news === "ends") this.#lease.onChange();
      }),
    ];
    this.#worker.start();
    this.#reaper.start();
    this.#historyPruner.start();
    this.#clockFollower.start();
    this.#parts.pruner?.start();
    this.#parts.indexer?.start(this.#worker);
    this.#parts.alerts?.start();
  }

  /**
   * Claims no more, lets attempts finish, aborts those left, gives their tasks back, and lets go of the lease; all
   * within the grace period and a second. A repeated call joins the first; with `now` it cuts the grace period short.
   */
  stop({ now = false } = {}): Promise<{ released: number }> {
    if (now) this.#hurry.abort();
    this.#stopping ??= this.#stop(this.#parts.stopGraceMs);
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<{ released: number }> {
    const { clock } = this.#parts;
    const endAt = clock.monotonic() + graceMs;
    const abortMs = Math.min(abortShareMsMax, graceMs / 2);
    const claimed = this.#worker.stopClaiming();
    const finished = claimed.then(() => this.#worker.empty());
    await this.#grace(Math.max(0, graceMs - abortMs), finished);
    for (const attempt of [...this.#worker.running.values()]) this.#worker.abort(attempt, "shutdown");
    await this.#grace(Math.max(0, endAt - clock.monotonic()), this.#worker.empty());
    const released = this.#worker.releaseAll();
    const settled = claimed.then(() => this.#settler.idle());
    await this.#within(flushMsMax, Promise.all([this.#worker.flushReports(), settled]));
    await this.#letGo();
    return { released };
  }

  async #letGo(): Promise<void> {
    const loops = [
      this.#reaper.stop(),
      this.#historyPruner.stop(),
      this.#clockFollower.stop(),
      this.#parts.pruner?.stop(),
      this.#parts.indexer?.stop(),
      this.#parts.alerts?.stop(),
    ];
    await this.#within(letGoMsMax, Promise.all(loops));
    this.#loopDelay.stop();
    for (const undo of this.#undo) undo();
    try {
      await this.#within(letGoMsMax, this.#lease.stop());
    } catch (error) {
      this.#parts.logger.warn(`The lease could not be given back: ${describeError(error)}`);
    }
  }

  /** Waits for `work`, but no longer than this, and not at all once hurried. */
  #grace(ms: number, work: Promise<unknown>): Promise<void> {
    if (this.#hurry.signal.aborted) return Promise.resolve();
    const hurried = new Promise<void>((resolve) => {
      this.#hurry.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    return this.#within(ms, Promise.race([work, hurried]));
  }

  /** Waits for `work`, but no longer than this. */
  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    await Promise.race([work, this.#parts.clock.sleep(ms, over.signal)]).finally(() => over.abort());
  }

  #describe() {
    const { concurrency, queues, name, registry } = this.#parts;
    const shown = name ?? `${hostname()} ${process.pid}`;
    return { host: hostname(), pid: process.pid, name: shown, concurrency, ...registry.claimed(queues) };
  }

  #takeStray(attempt: RunningAttempt, error: unknown): void {
    const { id, type } = attempt.task;
    const failed = this.#worker.stray(attempt, error);
    const end = failed ? "its attempt fails" : "its attempt was already over";
    this.#parts.logger.error(
      `A handler of "${type}" threw an error that it did not catch; ${end}: ${describeError(error)}`,
      {
        taskId: id,
        fence: attempt.fence,
      },
    );
  }

  #settled(settlement: Settlement, settled: Settled): void {
    if (settled.kind === "lease-lost") this.#reportLost(settlement.taskId, settled.lostTo);
    else if (isFinished(settled.status)) this.#parts.onEnded(settlement.taskId);
  }

  #reportLost(taskId: string, lostTo: string): void {
    this.#parts.logger.warn(
      "What an attempt ended with was not accepted: the task was no longer this worker's.",
      {
        taskId,
        lostTo,
      },
    );
  }
}
