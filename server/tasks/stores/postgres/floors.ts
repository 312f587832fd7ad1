/**
 * Where the live part of the claim index begins, by lane and priority. Normally nobody needs to know: entries of tasks
 * that were claimed are cleared away as claims step over them. A transaction that is held open elsewhere keeps the server
 * from that, and then every claim steps over all that were claimed since. So when a claim had to step over many, the
 * next ones begin where it ended.
 *
 * Tasks stored later may belong before that place: with a due time in the past, or by another's clock. So the places
 * are never younger than two seconds, and again and again a claim looks at everything, as far as a twentieth of the time
 * allows: at once where that is quick, after some seconds where half a million entries lie there.
 */

/** Of the last task claimed in one lane and priority. */
interface Floor {
  lane: number;
  priority: number;
  dueAt: number;
  seq: number;
}

/** Stepping over entries for so long is worth avoiding. */
const slowMs = 2;
const youngMs = 2_000;
/** At most this share of the time goes into looking at everything. */
const fullShare = 0.05;
/** After this, whoever looked at everything has failed. */
const fullMsMax = 10_000;
const floorsMax = 1_000;

export class Floors {
  readonly #floors = new Map<string, Floor>();
  #isSlow = false;
  #fullAt = Number.NEGATIVE_INFINITY;

  /** The floors for a claim at this instant (monotonic); none when it is to look at everything. */
  at(now: number): readonly Floor[] {
    if (!this.#isSlow) return [];
    if (now < this.#fullAt) return [...this.#floors.values()];
    // Those who claim beside it do not look at everything too.
    this.#fullAt = now + fullMsMax;
    return [];
  }

  /** Whether claims step over so much that they are better told where to begin. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** How long a claim took to step to its first task, or to find none; `wasFull` when it looked at everything. */
  saw(now: number, wasFull: boolean, stepMs: number): void {
    if (!wasFull) return;
    this.#isSlow = stepMs > slowMs;
    this.#fullAt = now + stepMs / fullShare;
  }

  /** A task was claimed after all that are due before it; `at` is the store's instant. */
  claimed(lane: number, priority: number, dueAt: number, seq: number, at: number): void {
    const key = `${lane} ${priority}`;
    const floor =
      dueAt < at - youngMs ? { lane, priority, dueAt, seq } : { lane, priority, dueAt: at - youngMs, seq: 0 };
    const before = this.#floors.get(key);
    if (before && (before.dueAt - floor.dueAt || before.seq - floor.seq) >= 0) return;
    if (!before && this.#floors.size >= floorsMax) this.#floors.clear();
    this.#floors.set(key, floor);
  }
}
