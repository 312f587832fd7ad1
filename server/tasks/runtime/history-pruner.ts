/** Deletes what is kept of the history no more: minutes after two days, hours after 60, days after their retention. */
import type { Clock } from "../core/clock.ts";
import { keptMs, type Span } from "../core/port/store-history.ts";
import type { TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Logger } from "./logger.ts";
import { Loop } from "./loop.ts";

const everyMs = 3_600_000;
const batchSize = 1_000;
/** Between two batches, so that claims and settlements come through. */
const pauseMs = 50;
const spans: readonly Span[] = ["minute", "hour", "day"];

export interface HistoryPrunerParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  /** How long days are kept, in milliseconds; null for ever. */
  daysMs: number | null;
}

export class HistoryPruner {
  readonly #parts: HistoryPrunerParts;
  readonly #loop: Loop;
  #isFirst = true;

  constructor(parts: HistoryPrunerParts) {
    this.#parts = parts;
    const { clock, logger } = parts;
    this.#loop = new Loop({ name: "deletion of old history", clock, logger, tick: () => this.#tick() });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Workers that start together do not prune together. */
  async #tick(): Promise<number> {
    if (this.#isFirst) {
      this.#isFirst = false;
      return everyMs * this.#parts.clock.random();
    }
    await this.#prune();
    return everyMs;
  }

  async #prune(): Promise<void> {
    const { store, clock, daysMs } = this.#parts;
    const now = clock.now();
    for (const span of spans) {
      const kept = keptMs[span] ?? daysMs;
      if (kept === null) continue;
      const request = { span, before: now - kept, limit: batchSize };
      while (committed(await store.pruneHistory(request), store) === batchSize) await clock.sleep(pauseMs);
    }
  }
}
