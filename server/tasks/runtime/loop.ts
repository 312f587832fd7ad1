/**
 * The only loop: tick, wait, again. A tick says how long to wait; `wake` ends the wait early. A tick that throws is
 * reported and tried again after a wait that doubles, which `wake` does not shorten, so no failure spins.
 */
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import type { Logger } from "./logger.ts";

const failureMsMin = 50;
const failureMsMax = 5_000;
/** The same error of the same loop is not logged again within this time. */
const reportMs = 60_000;

export interface LoopOptions {
  /** For messages: what the loop does. */
  name: string;
  clock: Clock;
  logger: Logger;
  /** One round; resolves with how many milliseconds to wait, `Infinity` for until woken. */
  tick(signal: AbortSignal): Promise<number>;
}

export class Loop {
  readonly #options: LoopOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #endWait: (() => void) | undefined;
  #woken = false;
  #failures = 0;
  readonly #reported = new Map<string, number>();

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** True while the latest tick failed. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Makes the next tick follow at once. Cheap; call it as often as there is a hint. */
  wake(): void {
    this.#woken = true;
    this.#endWait?.();
  }

  /** Resolves when the tick under way is over and no further one will follow. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#endWait?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, tick } = this.#options;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        const waitMs = await tick(signal);
        this.#failures = 0;
        if (waitMs > 0) await this.#wait(waitMs);
      } catch (error) {
        this.#failures += 1;
        this.#report(error);
        await clock.sleep(this.#failureMs(), signal);
      }
    }
  }

  #wait(ms: number): Promise<void> | undefined {
    if (this.#woken || this.#stopping.signal.aborted) return undefined;
    return new Promise((resolve) => {
      const cancel = Number.isFinite(ms) ? this.#options.clock.after(ms, () => this.#endWait?.()) : undefined;
      this.#endWait = () => {
        this.#endWait = undefined;
        cancel?.();
        resolve();
      };
    });
  }

  #failureMs(): number {
    const full = Math.min(failureMsMax, failureMsMin * 2 ** Math.min(this.#failures - 1, 10));
    return full * (0.5 + this.#options.clock.random() / 2);
  }

  #report(error: unknown): void {
    const { clock, logger, name } = this.#options;
    const text = describeError(error);
    const now = clock.monotonic();
    const last = this.#reported.get(text);
    if (last !== undefined && now - last < reportMs) return;
    if (this.#reported.size >= 100) this.#reported.clear();
    this.#reported.set(text, now);
    logger.error(`The ${name} failed and will be tried again: ${text}`, {
      loop: name,
      failures: this.#failures,
    });
  }
}

/** One line about anything that was thrown; never throws. */
export function describeError(error: unknown): string {
  try {
    if (error instanceof DureError) return `${error.code}: ${error.message}`;
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "an error that cannot be shown";
  }
}
