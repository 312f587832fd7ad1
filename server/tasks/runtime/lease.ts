/**
 * The lease: this worker's incarnation and what it owns in the store's eyes.
 *
 * The store's own thread renews the lease, so that a handler that blocks the main thread does not lose it; `alive`,
 * called each second, tells that thread that the main thread still turns. Each beat brings what the store believes
 * this incarnation to own, and `reconcile` makes both sides agree:
 *
 * - owned in the store, unknown here, at two beats, with every claim sent before the first answered: the claim's
 *   reply was lost, so the task is released, uncharged. (A beat can be older than the settlement of a task that it
 *   shows, and can be read before the reply of a claim that it already shows.)
 * - running here, not owned in the store: a beat may be older than the claim, so a fresh beat is asked for, and only
 *   what ran before the question and is missing in the answer is aborted as lost.
 * - a cancel request aborts the attempt.
 *
 * A beat that counts no more renewals than an earlier one tells that the database was put back to an earlier state, a backup
 * or a standby that had not all of it. What this incarnation was given since then will be given again, with the same
 * fences, so it ends there and another one begins.
 *
 * An incarnation that was buried never comes back: everything it ran is aborted, and a new one is registered.
 */
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import type { Beat, LeaseHandle, TaskStore, WorkerRecord } from "../core/store.ts";
import type { Logger } from "./logger.ts";
import { describeError, Loop } from "./loop.ts";
import { release } from "./settlement.ts";
import type { Settler } from "./settler.ts";
import type { Worker } from "./worker.ts";

const aliveMs = 1_000;
const cancelCheckMs = 100;
/** So many of the latest looks at the event loop count: those between two beats. */
const loopDelaysMax = 5;
/** So long before the lease is over it counts as uncertain; of a short lease, a fifth of it. */
const uncertainMs = 1_000;
/** A store that buries every incarnation at once does not make us spin. */
const registerMs = 1_000;

export interface LeaseParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  settler: Settler;
  leaseMs: number;
  newIncarnation(): string;
  /** What the beats of this incarnation tell of others. */
  onBeat(beat: Beat): void;
  /** The most that the event loop was late since the last call, in milliseconds. */
  loopDelayMs(): number;
  /** What is registered beside the incarnation. */
  describe(): WorkerDescription;
  worker(): Worker;
}

/** How a worker is shown in lists. */
export type WorkerDescription = Pick<
  WorkerRecord,
  "host" | "pid" | "name" | "concurrency" | "types" | "queues"
>;

type Owned = Beat["owned"][number];

export class Lease {
  readonly #parts: LeaseParts;
  readonly #loop: Loop;
  #handle: LeaseHandle | undefined;
  #incarnation: string | undefined;
  /** Tasks owned but unknown, by attempt: how many claims had been sent when each was first seen. */
  #unknown = new Map<string, number>();
  #registerAt = Number.NEGATIVE_INFINITY;
  #checking = false;
  #cancelCheckAt = 0;
  #cancelCheckScheduled = false;
  #stopped = false;
  /** Monotonic: until then nobody can have taken this incarnation for dead. */
  #certainUntil = Number.NEGATIVE_INFINITY;
  #loopDelays: number[] = [];
  /** Of this incarnation, as its latest beat told. */
  #renewals = -1;
  /** Whether the latest beat told of trouble, so that it is said once. */
  #troubled = false;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    const { clock, logger } = parts;
    this.#loop = new Loop({ name: "worker's lease", clock, logger, tick: () => this.#tick() });
  }

  /** The incarnation to claim for; undefined while there is none. */
  get incarnation(): string | undefined {
    return this.#incarnation;
  }

  /** Registers the first incarnation and keeps its lease. */
  async start(): Promise<void> {
    await this.#register();
    this.#loop.start();
  }

  /** The store says that the incarnation is dead: forgets all it ran and takes a new one. */
  onBuried(workerId: string): void {
    this.#end(
      workerId,
      "This worker was silent for longer than its lease and was taken for dead. Its tasks run elsewhere; it goes on with new ones.",
      { recorded: true },
    );
  }

  /** What the store tells can only be of an earlier time than what this incarnation has seen. */
  onPutBack(workerId: string): void {
    this.#end(
      workerId,
      "The database was put back to an earlier state, by a backup perhaps. What this worker ran is aborted, for it may be given to " +
        "others again; it goes on with new tasks.",
      { recorded: false },
    );
  }

  #end(workerId: string, why: string, { recorded }: { recorded: boolean }): void {
    if (this.#incarnation !== workerId) return;
    this.#incarnation = undefined;
    this.#unknown.clear();
    this.#parts.logger.error(why, { workerId });
    this.#parts.worker().loseAll({ recorded });
    this.#loop.wake();
  }

  /** Whether this incarnation may be buried without this process knowing: it was not renewed for nearly its whole lease. */
  isUncertain(workerId: string): boolean {
    return this.#incarnation !== workerId || this.#parts.clock.monotonic() >= this.#certainUntil;
  }

  /** Something changed in the store: looks for cancel requests, at most ten times a second. */
  onChange(): void {
    if (this.#cancelCheckScheduled || this.#parts.worker().running.size === 0) return;
    this.#cancelCheckScheduled = true;
    const waitMs = Math.max(0, this.#cancelCheckAt - this.#parts.clock.monotonic());
    this.#parts.clock.after(waitMs, () => void this.#checkCancelRequests());
  }

  /** Says that this worker ended in good order, then lets go of the lease. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop.stop();
    const workerId = this.#incarnation;
    this.#incarnation = undefined;
    try {
      if (workerId !== undefined) await this.#sayStopped(workerId);
    } finally {
      await this.#handle?.release();
    }
  }

  async #sayStopped(workerId: string): Promise<void> {
    const answer = await this.#parts.store.stopWorker(workerId);
    if (answer.kind !== "rejected") return;
    this.#parts.logger.warn("This worker stopped while it still owned tasks; others will take them over.", {
      workerId,
    });
  }

  async #tick(): Promise<number> {
    const waitMs = this.#registerAt - this.#parts.clock.monotonic();
    if (this.#incarnation === undefined && !this.#stopped) {
      if (waitMs > 0) return waitMs;
      await this.#handle?.release();
      this.#handle = undefined;
      await this.#register();
      this.#parts.worker().wake();
    }
    this.#loopDelays = [...this.#loopDelays, this.#parts.loopDelayMs()].slice(-loopDelaysMax);
    this.#handle?.alive(Math.max(...this.#loopDelays));
    return aliveMs;
  }

  async #register(): Promise<void> {
    const { store, leaseMs } = this.#parts;
    this.#registerAt = this.#parts.clock.monotonic() + registerMs;
    const workerId = this.#parts.newIncarnation();
    const askedAt = this.#parts.clock.monotonic();
    const answer = await store.registerWorker({ id: workerId, leaseMs, ...this.#parts.describe() });
    if (answer.kind !== "ok") {
      throw new DureError(
        "COMMIT_UNKNOWN",
        "It is not known whether this worker was registered; it takes another id.",
      );
    }
    this.#handle = store.holdLease({
      workerId,
      leaseMs,
      beatMs: Math.max(1, Math.floor(leaseMs / 3)),
      maxBlockMs: 60_000 + leaseMs,
      onBeat: (beat) => this.#onBeat(workerId, beat),
    });
    this.#incarnation = workerId;
    this.#renewals = -1;
    this.#renewed(askedAt);
  }

  /** @param askedAt when the renewal was asked for: observers count from its arrival, which came later */
  #renewed(askedAt: number): void {
    const { leaseMs } = this.#parts;
    this.#certainUntil = askedAt + leaseMs - Math.min(uncertainMs, leaseMs / 5);
  }

  #onBeat(workerId: string, beat: Beat): void {
    if (this.#incarnation !== workerId) return;
    if (!beat.alive) {
      this.onBuried(workerId);
      return;
    }
    if (beat.renewals !== undefined) {
      if (beat.renewals <= this.#renewals) {
        this.onPutBack(workerId);
        return;
      }
      this.#renewals = beat.renewals;
    }
    this.#renewed(this.#parts.clock.monotonic() - (beat.ageMs ?? 0));
    if (beat.trouble !== undefined && !this.#troubled) this.#parts.logger.warn(beat.trouble);
    this.#troubled = beat.trouble !== undefined;
    this.#parts.onBeat(beat);
    this.#abortCancelled(beat.owned);
    this.#releaseUnknown(workerId, beat.owned);
    if (this.#isMissing(beat.owned)) void this.#loseMissing(workerId);
  }

  #abortCancelled(owned: readonly Owned[]): void {
    for (const { taskId, fence, cancelRequested } of owned) {
      if (cancelRequested) this.#cancel(taskId, fence);
    }
  }

  #cancel(taskId: string, fence: number): void {
    const worker = this.#parts.worker();
    const attempt = worker.running.get(taskId);
    if (attempt?.fence === fence) worker.abort(attempt, "cancelled");
  }

  #releaseUnknown(workerId: string, owned: readonly Owned[]): void {
    const { settler } = this.#parts;
    const { running, claims } = this.#parts.worker();
    const seen = new Map<string, number>();
    for (const { taskId, fence, ref } of owned) {
      if (running.get(taskId)?.fence === fence || settler.has(taskId, fence)) continue;
      const key = `${taskId}:${fence}`;
      const claimsBefore = this.#unknown.get(key);
      if (claimsBefore === undefined) seen.set(key, claims.started);
      else if (claims.ended >= claimsBefore) settler.add(release({ ref, taskId, fence }, workerId));
      else seen.set(key, claimsBefore);
    }
    this.#unknown = seen;
  }

  #isMissing(owned: readonly Owned[]): boolean {
    const { running } = this.#parts.worker();
    if (running.size === 0) return false;
    const fences = fencesOf(owned);
    for (const attempt of running.values()) {
      if (fences.get(attempt.task.id) !== attempt.fence) return true;
    }
    return false;
  }

  async #loseMissing(workerId: string): Promise<void> {
    if (this.#checking || !this.#handle) return;
    this.#checking = true;
    try {
      const worker = this.#parts.worker();
      const before = [...worker.running.values()];
      const beat = await this.#handle.beat();
      if (this.#incarnation !== workerId || !beat.alive) return;
      const fences = fencesOf(beat.owned);
      for (const attempt of before) {
        const { id } = attempt.task;
        if (worker.running.get(id) === attempt && fences.get(id) !== attempt.fence) worker.lose(attempt);
      }
    } catch (error) {
      this.#parts.logger.warn(`A beat could not be read: ${describeError(error)}`);
    } finally {
      this.#checking = false;
    }
  }

  async #checkCancelRequests(): Promise<void> {
    this.#cancelCheckScheduled = false;
    this.#cancelCheckAt = this.#parts.clock.monotonic() + cancelCheckMs;
    const workerId = this.#incarnation;
    if (workerId === undefined || this.#parts.worker().running.size === 0) return;
    try {
      const requests = await this.#parts.store.listCancelRequests(workerId);
      for (const { taskId, fence } of requests) this.#cancel(taskId, fence);
    } catch {
      // Only a hint: the next beat brings the same requests, and says so if the store is in trouble.
    }
  }
}

function fencesOf(owned: readonly Owned[]): Map<string, number> {
  return new Map(owned.map(({ taskId, fence }) => [taskId, fence]));
}
