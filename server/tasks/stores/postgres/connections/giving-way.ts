/**
 * Searches give way to tasks. In a drain, where this process settles thousands of tasks a second, the reads of searches take
 * turns, and after each there is a rest as long as it took: eight searches that run without pause would else take more
 * than half of two processors. A search of several chunks takes a turn for each, so a quick one is not kept behind one that
 * takes its whole budget. At other times nothing waits.
 */

import type { Statement } from "../statement.ts";
import type { Database, ResultRow, Snapshot } from "./database.ts";
import type { Planning } from "./planning.ts";

/** So long at most a read waits for its turn. */
const patienceMs = 500;
const restMsMax = 100;

/** The reads of searches. */
export interface Searching {
  /** So many tasks of this process end. */
  settling(tasks: number): void;
  /** As `Database.snapshot`. */
  snapshot<Value>(work: (session: Snapshot) => Promise<Value>, plan?: Planning): Promise<Value>;
  /** As `Database.read`. */
  read(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]>;
}

export class GivingWay implements Searching {
  readonly #database: Database;
  #isTaken = false;
  /** In the order they came. */
  readonly #waiting = new Set<(isTurn: boolean) => void>();

  constructor(database: Database) {
    this.#database = database;
  }

  settling(tasks: number): void {
    this.#database.drain.settling(tasks);
  }

  snapshot<Value>(work: (session: Snapshot) => Promise<Value>, plan?: Planning): Promise<Value> {
    return this.#inTurn(() => this.#database.snapshot(work, plan));
  }

  read(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]> {
    return this.#inTurn(() => this.#database.read(statement, values));
  }

  async #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    if (!this.#database.drain.isOn) return work();
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

  /** To the one who waits longest; where the drain is over, nobody needs one. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next && this.#database.drain.isOn) next(true);
    else {
      this.#isTaken = false;
      for (const go of [...this.#waiting]) go(false);
    }
  }
}
