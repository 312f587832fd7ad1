/**
 * Counts what this worker ends, by type and minute, and adds it to the store's history every few seconds: for each attempt
 * a look at a map and a few increments. What was counted since the last time is lost when the process is killed.
 */
import type { Clock } from "../core/clock.ts";
import { bucketOf, bucketsMax, type Durations } from "../core/duration-counts.ts";
import type { HistoryRow, ReapedTask, Settled, Settlement, TaskStore } from "../core/store.ts";
import { type Ending, merged, startOf } from "../core/store-history.ts";
import { pruneHistory } from "./history-pruner.ts";
import type { Logger } from "./logger.ts";
import { describeError, Loop } from "./loop.ts";

const flushMs = 5_000;
const pruneMs = 3_600_000;
/** Rows in one call. */
const batchSize = 50;
/** More are not kept while the store cannot be written to. */
const unsentMax = 10_000;
/** At the worker's stop. */
const lastTries = 4;
const lastRetryMs = 100;

/** When an attempt ended, and how long it took until then. In milliseconds. */
export interface AttemptEnd {
  readonly type: string;
  readonly endedAt: number;
  /** From when the task was due to its start. */
  readonly waitMs: number;
  readonly runMs: number;
}

/** A settlement of an attempt that ran. */
export interface TimedSettlement extends Settlement {
  ended?: AttemptEnd;
}

export interface HistoryRecorderParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  /** How long days are kept, in milliseconds; null for ever. */
  keptMs: number | null;
}

export class HistoryRecorder {
  readonly #parts: HistoryRecorderParts;
  readonly #loop: Loop;
  /** By the start of the minute. */
  #minutes = new Map<number, Map<string, MinuteSum>>();
  /** Of the minute that was counted last. */
  #sums = new Map<string, MinuteSum>();
  #minuteAt = Number.NaN;
  #unsent: HistoryRow[] = [];
  /** By the monotonic clock. */
  #pruneAt: number;
  #stopped: Promise<void> | undefined;

  constructor(parts: HistoryRecorderParts) {
    this.#parts = parts;
    const { clock, logger } = parts;
    this.#pruneAt = clock.monotonic() + pruneMs * clock.random();
    this.#loop = new Loop({ name: "history", clock, logger, tick: () => this.#tick() });
  }

  start(): void {
    this.#loop.start();
  }

  /** Adds what is left to the store's history. Never rejects; a repeated call joins the first. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Counts an attempt; not one that was given back, put off or lost. */
  record({ ended, outcome }: TimedSettlement, settled: Settled): void {
    if (ended === undefined || settled.kind !== "settled") return;
    const ending = settled.status === "PENDING" ? endingOfPending(outcome) : endingOf[settled.status];
    if (ending === undefined) return;
    const sum = this.#sumOf(ended.type, ended.endedAt);
    sum[ending] += 1;
    sum.waits.add(ended.waitMs);
    sum.runs.add(ended.runMs);
  }

  /** Counts the attempts of dead workers. How long they ran nobody knows. */
  recordReaped(tasks: readonly ReapedTask[]): void {
    for (const { type, status } of tasks) {
      const ending = status === "PENDING" ? "retried" : endingOf[status];
      if (ending !== undefined) this.#sumOf(type, this.#parts.clock.now())[ending] += 1;
    }
  }

  #sumOf(type: string, at: number): MinuteSum {
    if (!(at >= this.#minuteAt && at < this.#minuteAt + 60_000)) this.#goTo(startOf(at, "minute"));
    let sum = this.#sums.get(type);
    if (sum === undefined) {
      sum = new MinuteSum();
      this.#sums.set(type, sum);
    }
    return sum;
  }

  #goTo(minuteAt: number): void {
    const sums = this.#minutes.get(minuteAt) ?? new Map<string, MinuteSum>();
    this.#minutes.set(minuteAt, sums);
    this.#minuteAt = minuteAt;
    this.#sums = sums;
  }

  async #tick(): Promise<number> {
    await this.#flush();
    await this.#prune();
    return flushMs * (0.75 + this.#parts.clock.random() / 2);
  }

  async #prune(): Promise<void> {
    const { store, clock, keptMs } = this.#parts;
    if (clock.monotonic() < this.#pruneAt) return;
    await pruneHistory(store, clock, keptMs);
    this.#pruneAt = clock.monotonic() + pruneMs;
  }

  async #stop(): Promise<void> {
    await this.#loop.stop();
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#flush();
      } catch (error) {
        if (tries < lastTries) await this.#parts.clock.sleep(lastRetryMs);
        else
          return this.#parts.logger.warn(
            `The last seconds are missing in the history: ${describeError(error)}`,
          );
      }
    }
  }

  /** What could not be sent is sent the next time. */
  async #flush(): Promise<void> {
    this.#unsent = merged([...this.#unsent, ...this.#take()]).slice(-unsentMax);
    while (this.#unsent.length > 0) {
      const batch = this.#unsent.slice(0, batchSize);
      // After an answer that was lost nobody knows whether it is stored: it is rather missing than counted twice.
      await this.#parts.store.addHistory(batch);
      this.#unsent = this.#unsent.slice(batch.length);
    }
  }

  #take(): HistoryRow[] {
    const minutes = this.#minutes;
    this.#minutes = new Map();
    this.#minuteAt = Number.NaN;
    return [...minutes].flatMap(([start, sums]) =>
      [...sums].map(([type, { completed, failed, cancelled, retried, waits, runs }]) => ({
        ...{ type, start, completed, failed, cancelled, retried },
        waits: waits.durations(),
        runs: runs.durations(),
      })),
    );
  }
}

const endingOf = {
  COMPLETED: "completed",
  FAILED: "failed",
  CANCELLED: "cancelled",
  RUNNING: undefined,
} as const;

function endingOfPending(outcome: Settlement["outcome"]): Ending | undefined {
  return outcome === "failed" || outcome === "timed-out" ? "retried" : undefined;
}

class MinuteSum {
  completed = 0;
  failed = 0;
  cancelled = 0;
  retried = 0;
  readonly waits = new Counter();
  readonly runs = new Counter();
}

class Counter {
  readonly #counts = new Uint32Array(bucketsMax);
  #max = 0;

  add(ms: number): void {
    this.#counts[bucketOf(ms)]! += 1;
    if (ms > this.#max) this.#max = ms;
  }

  durations(): Durations {
    const counts: Record<number, number> = {};
    this.#counts.forEach((count, bucket) => {
      if (count > 0) counts[bucket] = count;
    });
    return { counts, max: Math.round(this.#max) };
  }
}
