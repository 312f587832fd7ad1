/**
 * Derived work gives way. What folds counts, indexes texts and tells other processes sends its statements when none is under
 * way here that a task waits for, so that it neither takes a processor from it nor fills the log that it waits to have on the
 * disk. That is a matter of milliseconds: after some it goes ahead, and where that was in vain it does not wait for a
 * while, since in a drain there is no lull.
 */

import type { Statement } from "../statement.ts";
import type { Database, ResultRow, Session } from "./database.ts";

/** How long derived work waits for a lull. */
const patienceMs = 10;
/** So long after it waited in vain it does not wait. */
const vainMs = 200;

export class Lull implements Session {
  readonly #database: Pick<Database, "query" | "read">;
  #underWay = 0;
  #inVainAt = Number.NEGATIVE_INFINITY;
  /** In the order they came; each is called once. */
  readonly #waiting = new Set<() => void>();
  #isLooking = false;

  constructor(database: Pick<Database, "query" | "read">) {
    this.#database = database;
  }

  /** Whether there was none lately. */
  get isInVain(): boolean {
    return performance.now() - this.#inVainAt < vainMs;
  }

  /** Does what a task waits for. */
  async during<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      this.#look();
    }
  }

  /** A statement of derived work. */
  async query(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]> {
    await this.come();
    return this.#database.query(statement, values);
  }

  /** One that changes nothing, so it is sent again when its connection is lost. */
  async read(statement: Statement, values?: readonly unknown[]): Promise<ResultRow[]> {
    await this.come();
    return this.#database.read(statement, values);
  }

  /** Resolves when there is a lull, or no use in waiting for one. */
  async come(): Promise<void> {
    if (this.#underWay === 0 || this.isInVain) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#inVainAt = performance.now();
        go();
      }, patienceMs);
      this.#waiting.add(go);
    });
  }

  /** One at a time; and after what follows on an answer within two turns of the event loop, as a settlement does on a claim. */
  #look(): void {
    if (this.#isLooking || this.#waiting.size === 0) return;
    this.#isLooking = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#isLooking = false;
        if (this.#underWay > 0) return;
        const [next] = this.#waiting;
        next?.();
        this.#look();
      }),
    );
  }
}
