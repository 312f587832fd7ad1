/** Stores progress and logs of running attempts: soon after they come in, and at most once a second. */
import type { Clock } from "../core/clock.ts";
import type { TaskStore } from "../core/store.ts";
import type { Logger } from "./logger.ts";
import { describeError } from "./loop.ts";
import type { RunningAttempt } from "./running-attempt.ts";

const intervalMs = 1_000;
const firstMs = 250;

type Report = Parameters<TaskStore["reportProgress"]>[0][number];

export class Reporter {
  readonly #store: TaskStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #dirty = new Set<RunningAttempt>();
  #cancelTimer: (() => void) | undefined;
  #nextAt = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(store: TaskStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The attempt has news. */
  add(attempt: RunningAttempt): void {
    if (attempt.closed) return;
    this.#dirty.add(attempt);
    if (this.#cancelTimer) return;
    const waitMs = Math.max(firstMs, this.#nextAt - this.#clock.monotonic());
    this.#cancelTimer = this.#clock.after(waitMs, () => this.flush());
  }

  /** The attempt is about to be settled: its last progress goes ahead of the settlement, its logs travel in it. */
  end(attempt: RunningAttempt): void {
    if (!this.#dirty.delete(attempt) || !attempt.progressDirty) return;
    attempt.logDirty = false;
    this.#send([toReport(attempt)]);
  }

  /** Sends all news now; resolves when they are stored or have failed. */
  flush(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#dirty.size > 0) {
      this.#nextAt = this.#clock.monotonic() + intervalMs;
      const reports = Array.from(this.#dirty, toReport);
      this.#dirty.clear();
      this.#send(reports);
    }
    return this.#sending;
  }

  /** Progress is not worth a second try: the next report, or the settlement, says more. */
  #send(reports: Report[]): void {
    const sent = this.#store.reportProgress(reports).then(
      () => {},
      (error) => this.#logger.warn(`Progress could not be stored: ${describeError(error)}`),
    );
    this.#sending = Promise.all([this.#sending, sent]).then(() => {});
  }
}

function toReport(attempt: RunningAttempt): Report {
  const { ref, fence, task } = attempt.claimed;
  const report: Report = { ref, taskId: task.id, fence, workerId: attempt.workerId };
  if (attempt.progressDirty) report.progress = attempt.progress;
  if (attempt.logDirty) report.logs = attempt.log?.entries();
  attempt.progressDirty = false;
  attempt.logDirty = false;
  return report;
}
