/**
 * Time and chance. Everything in Dure that needs either is given a Clock, so that tests and the simulator can
 * advance time by hand and repeat a run from its seed. The real one lives in runtime/system-clock.ts.
 */

export interface Clock {
  /** Wall-clock time in milliseconds since 1970, UTC. May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. Leases are judged by this one. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms` milliseconds; the returned function takes that back. */
  after(ms: number, callback: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}
