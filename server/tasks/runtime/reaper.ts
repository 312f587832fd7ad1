/**
 * The reaper: takes back the tasks of dead workers. Whether a worker is dead is judged without comparing clocks: its
 * `renewals` stood still for its whole lease on this process's monotonic clock. What the store knows for certain
 * (a lock that the kernel let go of) it acts on by itself in the same call.
 */
import type { Clock } from "../core/clock.ts";
import type { TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Logger } from "./logger.ts";
import { Loop } from "./loop.ts";

const reapMs = 500;
const listMs = 2_000;
const crashBudget = 3;
/** What an owner gets beside twice its handlers' grace period to act on a cancel request: two beats. */
const cancelSlackMs = 10_000;

interface Sighting {
  renewals: number;
  /** Monotonic: when `renewals` was first seen at this count. */
  since: number;
  leaseMs: number;
}

export interface ReaperParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  observerId(): string | undefined;
  /** The longest grace period of a handler after its signal aborted. */
  abortGraceMs(): number;
  /** Tasks went back to PENDING. */
  onTakenBack(): void;
}

export class Reaper {
  readonly #parts: ReaperParts;
  readonly #loop: Loop;
  #sightings = new Map<string, Sighting>();
  #listAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ReaperParts) {
    this.#parts = parts;
    const { clock, logger } = parts;
    this.#loop = new Loop({ name: "search for dead workers", clock, logger, tick: () => this.tick() });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** One round; how long to wait for the next, spread so that many workers do not reap together. */
  async tick(): Promise<number> {
    const { store, clock, logger } = this.#parts;
    const now = clock.monotonic();
    if (now >= this.#listAt) {
      await this.#look();
      this.#listAt = now + listMs;
    }
    const observerId = this.#parts.observerId();
    const reaped = committed(
      await store.reapWorkers({
        suspects: this.#suspects(now),
        crashBudget,
        cancelGraceMs: 2 * this.#parts.abortGraceMs() + cancelSlackMs,
        ...(observerId !== undefined && { observerId }),
      }),
      store,
    );
    for (const workerId of reaped.buried) this.#sightings.delete(workerId);
    if (reaped.buried.length > 0 || reaped.tasks.length > 0) {
      const [tasks, workers] = [reaped.tasks.length, reaped.buried.length];
      logger.warn(`Took back tasks of dead workers: ${tasks} of ${workers}.`, {
        workerIds: reaped.buried.slice(0, 20),
      });
      this.#parts.onTakenBack();
    }
    return reapMs * (0.75 + clock.random() / 2);
  }

  async #look(): Promise<void> {
    const workers = await this.#parts.store.listWorkers();
    const now = this.#parts.clock.monotonic();
    const sightings = new Map<string, Sighting>();
    for (const { id, state, renewals, leaseMs } of workers) {
      if (state !== "alive") continue;
      const earlier = this.#sightings.get(id);
      sightings.set(id, earlier?.renewals === renewals ? earlier : { renewals, since: now, leaseMs });
    }
    this.#sightings = sightings;
  }

  #suspects(now: number): { workerId: string; renewals: number }[] {
    const own = this.#parts.observerId();
    const suspects: { workerId: string; renewals: number }[] = [];
    for (const [workerId, { renewals, since, leaseMs }] of this.#sightings) {
      if (workerId !== own && now - since >= leaseMs) suspects.push({ workerId, renewals });
    }
    return suspects;
  }
}
