/**
 * `context.tx()`: an attempt's own transaction, whose commit is the task's completion. Only an attempt that completed
 * commits; every other end rolls back first and is settled as usual, so that the next attempt finds nothing of this one.
 * A commit whose answer was lost is looked up by fence until it is known: it is never reported either way before.
 */
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import type { AttemptTransaction, Settled, Settlement, TaskStore } from "../core/store.ts";
import { unusable } from "../core/transaction.ts";
import type { Logger } from "./logger.ts";
import { describeError } from "./loop.ts";
import type { RunningAttempt } from "./running-attempt.ts";
import { attemptStorage } from "./running-attempt.ts";
import { settleFailure } from "./settlement.ts";
import type { Settler } from "./settler.ts";

const retryMsMin = 50;
const retryMsMax = 5_000;
const giveUpMs = 10 * 60_000;
/** What a server gets beside the attempt's own time before it ends an idle transaction. */
const idleSlackMs = 1_000;

export interface TransactionsParts {
  store: TaskStore;
  clock: Clock;
  logger: Logger;
  settler: Settler;
  /** In bytes. */
  valueSizeMax: number;
}

export class Transactions {
  readonly #parts: TransactionsParts;

  constructor(parts: TransactionsParts) {
    this.#parts = parts;
  }

  /** Opens the attempt's transaction. @throws DureError TRANSACTION_UNUSABLE, LEASE_LOST, DATABASE_… */
  async begin(attempt: RunningAttempt): Promise<AttemptTransaction> {
    const { timeoutMs, definition, task, fence, workerId } = attempt;
    const idleMs = timeoutMs === null ? null : timeoutMs + definition.abortGraceMs + idleSlackMs;
    // Connections outlive the attempt: what goes wrong with them later is not its handler's doing.
    const transaction = await attemptStorage.exit(() =>
      this.#parts.store.beginTransaction({ taskId: task.id, fence, workerId, idleMs }),
    );
    if (!attempt.over) return transaction;
    await transaction.rollback();
    throw unusable(
      "The attempt was over before its transaction was open; context.tx() serves a running handler alone.",
    );
  }

  /** Ends an attempt that has a transaction. Never rejects. */
  async end(attempt: RunningAttempt, settlement: Settlement): Promise<void> {
    const { settler } = this.#parts;
    settler.hold(settlement);
    if (settlement.outcome === "completed") await this.#commit(attempt, settlement);
    else {
      await this.undo(attempt);
      settler.add(settlement);
    }
  }

  /** Rolls back what the attempt wrote, if it has a transaction. Never rejects. */
  async undo(attempt: RunningAttempt): Promise<void> {
    const transaction = await attempt.transaction?.catch(() => undefined);
    await transaction?.rollback();
  }

  async #commit(attempt: RunningAttempt, settlement: Settlement): Promise<void> {
    const { settler } = this.#parts;
    try {
      const transaction = await attempt.transaction!;
      const answer = await transaction.commit(settlement);
      const settled = answer.kind === "ok" ? answer.value : await this.#find(transaction, settlement);
      settler.settled(settlement, settled);
    } catch (error) {
      settler.add(settleFailure(attempt, error, this.#parts));
    }
  }

  /** @throws DureError when the commit did not happen, or the store could not be asked for ten minutes */
  async #find(transaction: AttemptTransaction, settlement: Settlement): Promise<Settled> {
    const { clock, logger } = this.#parts;
    const giveUpAt = clock.monotonic() + giveUpMs;
    for (let failures = 0; ; failures += 1) {
      try {
        const settled = await transaction.findOutcome(settlement);
        if (settled) return settled;
        break;
      } catch (error) {
        if (clock.monotonic() >= giveUpAt) throw error;
        if (failures % 12 === 0) {
          logger.error(
            `It could not be found out whether a transaction was committed: ${describeError(error)}`,
            {
              taskId: settlement.taskId,
            },
          );
        }
        const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 10));
        await clock.sleep(waitMs * (0.5 + clock.random() / 2));
      }
    }
    throw new DureError(
      "DATABASE_UNAVAILABLE",
      "The connection was lost before the transaction of context.tx() was committed. Nothing that the handler wrote through it is stored.",
    );
  }
}
