/** How late this process's event loop is, sampled by Node itself, so that nothing of ours turns the loop. */
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Each sample wakes the process: at every 50 ms they took more than all else that an idle worker does on its main thread. */
const sampleMs = 100;

export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: sampleMs });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** The most since the last call, in whole milliseconds. */
  takeMaxMs(): number {
    const maxMs = this.#histogram.max / 1e6 - sampleMs;
    this.#histogram.reset();
    return Math.max(0, Math.round(maxMs));
  }
}
