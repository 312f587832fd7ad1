/** The beats of this process's workers, timed on the store's own thread. */

import { sayBlocked } from "../../shared/blocked.ts";

interface Held {
  workerId: string;
  beatMs: number;
  maxBlockMs: number;
}

export class Leases {
  readonly #pulse: Int32Array;
  readonly #beat: (workerId: string, loopDelayMs: number) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `pulse[0]` moves on while the main thread is well; `pulse[1]` is how late its event loop was lately, in milliseconds. */
  constructor(pulse: Int32Array, beat: (workerId: string, loopDelayMs: number) => void) {
    this.#pulse = pulse;
    this.#beat = beat;
  }

  hold({ workerId, beatMs, maxBlockMs }: Held): void {
    this.release(workerId);
    let seen = Atomics.load(this.#pulse, 0);
    let seenAt = performance.now();
    let said = false;
    const timer = setInterval(() => {
      const now = Atomics.load(this.#pulse, 0);
      if (now !== seen) {
        seen = now;
        seenAt = performance.now();
        said = false;
      }
      const silentMs = performance.now() - seenAt;
      if (silentMs > maxBlockMs) {
        if (!said) sayBlocked(silentMs);
        said = true;
        return;
      }
      this.#beat(workerId, Math.max(Atomics.load(this.#pulse, 1), Math.round(silentMs)));
    }, beatMs);
    this.#timers.set(workerId, timer);
  }

  release(workerId: string): void {
    clearInterval(this.#timers.get(workerId));
    this.#timers.delete(workerId);
  }

  releaseAll(): void {
    for (const workerId of [...this.#timers.keys()]) this.release(workerId);
  }
}
