/**
 * The reaper: takes back the tasks of dead workers. Whether a worker is dead is judged without comparing clocks: its
 * `renewals` stood still for its whole lease on this process's monotonic clock. What the store knows for certain
 * (a lock that the kernel let go of) it acts on by itself in the same call.
 *
 * How the others do is read from the list of workers, or comes with this worker's own beats. Then there is no need to
 * ask for long: it reaps when a beat says that there is something, when somebody's lease is over, and seldom besides.
 */
import type { Clock } from "../core/clock.ts";
import type { Beat, ReapedTask, TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Logger } from "./logger.ts";
import { Loop } from "./loop.ts";

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
  onTakenBack(tasks: readonly ReapedTask[]): void;
}

export class Reaper {
  readonly #parts: ReaperParts;
  readonly #loop: Loop;
  #sightings = new Map<string, Sighting>();
  #lookAt = Number.NEGATIVE_INFINITY;
  /** When the sightings were brought last. */
  #toldAt: number | undefined;
  #reapAt = Number.NEGATIVE_INFINITY;

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

  /** What this worker's beat told of the others. */
  onBeat({ peers, reapable }: Beat): void {
    if (this.#parts.store.pace.lookMs !== undefined) return;
    const now = this.#parts.clock.monotonic();
    const sightings = new Map<string, Sighting>();
    for (const { workerId, renewals, leaseMs, ageMs } of peers ?? []) {
      const earlier = this.#sightings.get(workerId);
      // The renewal came after the last look; how long after, the store's clock may say, as far as that is possible.
      const age = Math.min(Math.max(0, ageMs), now - (this.#toldAt ?? now));
      sightings.set(
        workerId,
        earlier?.renewals === renewals ? earlier : { renewals, since: now - age, leaseMs },
      );
    }
    this.#sightings = sightings;
    this.#toldAt = now;
    if (reapable) this.#reapAt = now;
    // Whose lease is over next may have changed, and with it how long to wait.
    this.#loop.wake();
  }

  /** One round; how long to wait for the next, spread so that many workers do not reap together. */
  async tick(): Promise<number> {
    const { store, clock } = this.#parts;
    const { reapMs, lookMs } = store.pace;
    const now = clock.monotonic();
    if (now >= this.#lookAt) {
      await this.#look();
      // Where beats tell of the others, they do so from now on.
      this.#lookAt = now + (lookMs ?? Number.POSITIVE_INFINITY);
    }
    const suspects = this.#suspects(now);
    if (lookMs !== undefined || suspects.length > 0 || now >= this.#reapAt) {
      this.#reapAt = now + reapMs * (0.75 + clock.random() / 2);
      await this.#reap(suspects);
    }
    return Math.max(1, this.#nextAt() - now);
  }

  async #reap(suspects: { workerId: string; renewals: number }[]): Promise<void> {
    const { store, logger } = this.#parts;
    const observerId = this.#parts.observerId();
    const reaped = committed(
      await store.reapWorkers({
        suspects,
        crashBudget,
        cancelGraceMs: 2 * this.#parts.abortGraceMs() + cancelSlackMs,
        ...(observerId !== undefined && { observerId }),
      }),
      store,
    );
    for (const { workerId } of suspects) this.#sightings.delete(workerId);
    if (reaped.buried.length > 0 || reaped.tasks.length > 0) {
      const [tasks, workers] = [reaped.tasks.length, reaped.buried.length];
      const [taken, dead] = [counted(tasks, "task"), counted(workers, "dead worker")];
      logger.warn(`Took back ${taken}${workers === 0 ? "" : ` of ${dead}`}.`, {
        workerIds: reaped.buried.slice(0, 20),
      });
      this.#parts.onTakenBack(reaped.tasks);
    }
  }

  /** The next round; where beats bring the sightings, also when the next lease would be over. */
  #nextAt(): number {
    let at = this.#reapAt;
    if (this.#parts.store.pace.lookMs !== undefined) return at;
    for (const { since, leaseMs } of this.#sightings.values()) at = Math.min(at, since + leaseMs);
    return at;
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
    this.#toldAt = now;
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

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
