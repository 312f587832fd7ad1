/** Workers, their heartbeats and leases, as stores know them. */

export interface WorkerRecord {
  /** Random, one per start of a worker: its incarnation. */
  id: string;
  state: "alive" | "dead" | "stopped";
  host: string;
  pid: number;
  name?: string;
  concurrency: number;
  types: readonly string[];
  queues?: readonly string[];
  startedAt: Date;
  /** The last beat, by the store's clock; for people. Death is judged by `renewals` standing still. */
  beatAt: Date;
  renewals: number;
  leaseMs: number;
  running: number;
  /** How late its event loop was at most in the seconds before the last beat; absent before the first. In milliseconds. */
  loopDelayMs?: number;
}

/** What a heartbeat found: whether this incarnation still counts, and what it owns in the store's eyes. */
export interface Beat {
  alive: boolean;
  owned: { taskId: string; fence: number; ref: unknown; cancelRequested: boolean }[];
  /** The other workers that are alive, where the store tells of them with the beat; see `Pace`. */
  peers?: { workerId: string; renewals: number; leaseMs: number; ageMs: number }[];
  /** How often this incarnation has renewed its lease, where a database may be put back to an earlier state below workers that run. */
  renewals?: number;
  /** How long ago it was asked for, in milliseconds; absent for just now. */
  ageMs?: number;
  /** What is wrong with the database beside the beat, for people to put right; one sentence or two. */
  trouble?: string;
  /** True when `reapWorkers` would find something even without suspects. */
  reapable?: boolean;
}

/** A lease kept by the store's own thread, so that a blocked main thread does not lose it. */
export interface LeaseHandle {
  /**
   * Says that the main thread is well, and how late its event loop was lately; the thread stops renewing when this stays
   * away for `maxBlockMs`.
   */
  alive(loopDelayMs?: number): void;
  /** Beats now and resolves with what was found. */
  beat(): Promise<Beat>;
  release(): Promise<void>;
}

export interface LeaseRequest {
  workerId: string;
  leaseMs: number;
  beatMs: number;
  maxBlockMs: number;
  onBeat(beat: Beat): void;
}
