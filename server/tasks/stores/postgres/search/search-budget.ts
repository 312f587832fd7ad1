/**
 * The budget of a search, kept by the server too: the clock is looked at between statements, and one whose rows lie on a slow disk may
 * take several budgets. It is cancelled, and what was found before is answered.
 */

import { planning } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import { tookTooLong } from "./fewer.ts";

/** A statement goes on so long behind the budget, which has what is nearly read. */
const graceMs = 50;
/** What a search has in any case: the first tasks that are looked at, whatever its budget. */
const leastMs = 250;

/** It ended while something was read. */
class BudgetOver extends Error {
  override name = "BudgetOver";
}

export class SearchBudget {
  /** Of `performance.now()`. */
  readonly endsAt: number;
  readonly #beganAt = performance.now();
  #hasEnded = false;

  constructor(budgetMs = Number.POSITIVE_INFINITY) {
    this.endsAt = this.#beganAt + budgetMs;
  }

  get isOver(): boolean {
    return this.#hasEnded || performance.now() > this.endsAt;
  }

  /** Whether something was not read because of it. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The same with reads that end soon after the budget, by an error that `or` and `upTo` know. */
  within(context: Context): Context {
    if (this.endsAt === Number.POSITIVE_INFINITY) return context;
    const { searching } = context;
    return {
      ...context,
      searching: {
        settling: (tasks) => searching.settling(tasks),
        read: (statement, values) => this.#inTime(() => searching.read(statement, values)),
        snapshot: (work, plan = planning) =>
          this.#inTime(() => {
            const leftMs = leftUntil(Math.max(this.endsAt, this.#beganAt + leastMs));
            return searching.snapshot(work, plan.within(leftMs));
          }),
      },
    };
  }

  /** What is asked, or what is answered in place of it where the budget ended before. */
  async or<Value, Other>(asked: Promise<Value>, instead: Other): Promise<Value | Other> {
    try {
      return await asked;
    } catch (error) {
      if (!(error instanceof BudgetOver)) throw error;
      this.#hasEnded = true;
      return instead;
    }
  }

  /** Those that come before it ends. */
  async *upTo<Chunk>(chunks: AsyncGenerator<Chunk>): AsyncGenerator<Chunk> {
    try {
      for (;;) {
        const next = await this.or(chunks.next(), undefined);
        if (!next || next.done) return;
        yield next.value;
      }
    } finally {
      await chunks.return(undefined);
    }
  }

  async #inTime<Value>(ask: () => Promise<Value>): Promise<Value> {
    try {
      return await ask();
    } catch (error) {
      if (tookTooLong(error) && this.isOver) throw new BudgetOver();
      throw error;
    }
  }
}

/** What the server is told. */
function leftUntil(endsAt: number): number {
  return Math.max(0, Math.ceil(endsAt - performance.now())) + graceMs;
}
