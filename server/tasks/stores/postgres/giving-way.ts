/**
 * Searches give way to tasks. While the statements that tasks wait for follow one another without a lull, as they do in a drain, the
 * reads of searches take turns, and after each there is a rest as long as it took: eight searches that run without pause would
 * else take more than half of two processors. A search of several chunks takes a turn for each, so a quick one is not kept
 * behind one that takes its whole budget. At other times nothing waits.
 */
import type { Database, ResultRow, Snapshot } from "./database.ts";
import type { Lull } from "./lull.ts";
import type { Statement } from "./statement.ts";

/** So long at most a read waits for its turn. */
const patienceMs = 500;
const restMsMax = 100;

export class GivingWay {
  readonly #database: Database;
  readonly #lull: Lull;
  #isTaken = false;
  /** In the order they came. */
  readonly #waiting = new Set<(isTurn: boolean) => void>();

  constructor(database: Database, lull: Lull) {
    this.#database = database;
    this.#lull = lull;
  }

  /** As `Database.snapshot`. */
  snapshot<Value>(work: (session: Snapshot) => Promise<Value>, settings?: string): Promise<Value> {
    return this.#inTurn(() => this.#database.snapshot(work, settings));
  }

  /** As `Database.read`. */
  read(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]> {
    return this.#inTurn(() => this.#database.read(statement, values));
  }

  async #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    if (!this.#lull.isLacking) return work();
    const hasTurn = !this.#isTaken || (await this.#turn());
    if (!hasTurn) return work();
    this.#isTaken = true;
    const beganAt = performance.now();
    try {
      return await work();
    } finally {
      setTimeout(() => this.#pass(), Math.min(restMsMax, performance.now() - beganAt));
    }
  }

  /** Whether it came, before long. */
  #turn(): Promise<boolean> {
    return new Promise((resolve) => {
      const go = (isTurn: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve(isTurn);
      };
      const timer = setTimeout(go, patienceMs, false);
      this.#waiting.add(go);
    });
  }

  /** To the one who waits longest; where there are lulls again, nobody needs one. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next && this.#lull.isLacking) next(true);
    else {
      this.#isTaken = false;
      for (const go of [...this.#waiting]) go(false);
    }
  }
}
