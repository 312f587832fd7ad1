/**
 * The outcome writer. It gathers what ends in one turn of the event loop into one call, keeps at most two calls in
 * flight, and never drops an outcome: it sends again, with growing waits, until the store has answered or ten
 * minutes have passed. Sending twice is safe, because the store recognises its own commit by task and fence.
 */
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import type { Settled, Settlement, TaskStore } from "../core/store.ts";
import { IdMap } from "./id-map.ts";
import type { Logger } from "./logger.ts";
import { describeError } from "./loop.ts";

const batchSizeMax = 1_000;
const inFlightMax = 2;
const retryMsMin = 50;
const retryMsMax = 5_000;
const giveUpMs = 10 * 60_000;

export interface SettlerParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  /** Told of every answer. */
  onSettled(settlement: Settlement, settled: Settled): void;
  /** The store takes settlements again. */
  onRecovered(): void;
}

export class Settler {
  readonly #parts: SettlerParts;
  #waiting: Settlement[] = [];
  /** Every settlement not yet answered, by task: its fence. */
  readonly #pending = new IdMap<number>();
  #inFlight = 0;
  /** How many say that more is about to end. */
  #gathering = 0;
  #scheduled = false;
  #failing = false;
  #whenIdle: (() => void)[] = [];

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** How many settlements have no answer yet. */
  get unsettled(): number {
    return this.#pending.size;
  }

  /** Whether the store is not taking settlements at the moment; a worker then claims nothing. */
  get failing(): boolean {
    return this.#failing;
  }

  has(taskId: string, fence: number): boolean {
    return this.#pending.get(taskId) === fence;
  }

  /** Sends the settlement with all others of this turn. */
  add(settlement: Settlement): void {
    this.#waiting.push(settlement);
    this.#pending.set(settlement.taskId, settlement.fence);
    this.#schedule();
  }

  /** More is about to end: nothing is sent before the returned function is called. */
  gather(): () => void {
    this.#gathering += 1;
    return () => {
      this.#gathering -= 1;
      if (this.#waiting.length > 0) this.#schedule();
    };
  }

  #schedule(): void {
    if (this.#scheduled || this.#gathering > 0 || this.#inFlight >= inFlightMax) return;
    this.#scheduled = true;
    this.#parts.clock.after(0, () => this.flush());
  }

  /** A settlement that is stored elsewhere, by the commit of the attempt's own transaction; `settled` or `add` follows. */
  hold(settlement: Settlement): void {
    this.#pending.set(settlement.taskId, settlement.fence);
  }

  /** The answer to a settlement that was held. */
  settled(settlement: Settlement, settled: Settled): void {
    this.#forget(settlement);
    this.#parts.onSettled(settlement, settled);
    if (this.#pending.size === 0) this.#becomeIdle();
  }

  /** Sends what waits, as far as calls are free. */
  flush(): void {
    this.#scheduled = false;
    while (this.#waiting.length > 0 && this.#inFlight < inFlightMax && this.#gathering === 0) {
      const batch =
        this.#waiting.length <= batchSizeMax ? this.#waiting : this.#waiting.slice(0, batchSizeMax);
      this.#waiting = batch === this.#waiting ? [] : this.#waiting.slice(batchSizeMax);
      this.#inFlight += 1;
      void this.#send(batch).finally(() => {
        this.#inFlight -= 1;
        this.flush();
        if (this.#pending.size === 0) this.#becomeIdle();
      });
    }
  }

  /** Resolves when every settlement given so far has its answer, or was given up. */
  idle(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #becomeIdle(): void {
    const waiters = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiters) resolve();
  }

  /** Never rejects. */
  async #send(batch: Settlement[]): Promise<void> {
    const { store, clock } = this.#parts;
    const giveUpAt = clock.monotonic() + giveUpMs;
    for (let failures = 0; ; failures += 1) {
      let cause: unknown;
      try {
        const answer = await store.settleTasks(batch);
        if (answer.kind === "ok") return this.#answered(batch, answer.value);
        cause = new DureError("COMMIT_UNKNOWN", "It may or may not have been stored.", { cause: answer });
      } catch (error) {
        cause = error;
      }
      if (batch.length > 1 && !isStoreTrouble(cause)) return this.#sendOneByOne(batch);
      if (clock.monotonic() >= giveUpAt || isClosed(cause)) return this.#giveUp(batch, cause);
      this.#reportTrouble(batch, cause, failures);
      if (!isStoreTrouble(cause)) batch = batch.map(withoutValues);
      await clock.sleep(
        Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 10)) * (0.5 + clock.random() / 2),
      );
    }
  }

  /** One settlement that the store cannot take must not hold up the others of its batch. */
  async #sendOneByOne(batch: Settlement[]): Promise<void> {
    for (const settlement of batch) await this.#send([settlement]);
  }

  #answered(batch: Settlement[], answers: Settled[]): void {
    this.#recover();
    for (let index = 0; index < batch.length; index += 1) {
      const settlement = batch[index]!;
      this.#forget(settlement);
      this.#parts.onSettled(settlement, answers[index]!);
    }
  }

  #recover(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#parts.onRecovered();
  }

  #giveUp(batch: Settlement[], cause: unknown): void {
    for (const settlement of batch) this.#forget(settlement);
    // Nothing may be left to be sent, so nothing here would find out that the store takes settlements again: claims do.
    this.#recover();
    this.#parts.logger.error(
      `The ends of ${batch.length} attempts could not be stored and are given up; their tasks will run again. ` +
        describeError(cause),
      { taskIds: batch.slice(0, 20).map((settlement) => settlement.taskId) },
    );
  }

  #forget(settlement: Settlement): void {
    if (this.#pending.get(settlement.taskId) === settlement.fence) this.#pending.delete(settlement.taskId);
  }

  #reportTrouble(batch: Settlement[], cause: unknown, failures: number): void {
    this.#failing = true;
    if (failures % 12 !== 0) return;
    this.#parts.logger.error(
      `The ends of ${batch.length} attempts could not be stored and will be sent again: ${describeError(cause)}`,
    );
  }
}

const troubleCodes = new Set(["COMMIT_UNKNOWN", "INSTANCE_CLOSED"]);

/** Trouble of the store as a whole, not of one settlement. */
function isStoreTrouble(cause: unknown): boolean {
  return cause instanceof DureError && (cause.code.startsWith("DATABASE_") || troubleCodes.has(cause.code));
}

function isClosed(cause: unknown): boolean {
  return cause instanceof DureError && cause.code === "INSTANCE_CLOSED";
}

/** What is left of a settlement that the store could not take: its end, and that its values were lost. */
function withoutValues(settlement: Settlement): Settlement {
  const { ref, taskId, fence, workerId, outcome, retryAt } = settlement;
  const lost = outcome === "completed" ? "failed" : outcome;
  const error = {
    name: "DureError",
    code: "VALUE_NOT_STORABLE",
    message: "The end of this attempt could not be stored as it was.",
  };
  return {
    ...{ ref, taskId, fence, workerId, outcome: lost, error },
    ...(retryAt !== undefined && { retryAt }),
  };
}
