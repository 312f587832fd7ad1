/**
 * Work that holds a connection, and may need another before it ends, takes turns: one turn fewer than there are
 * connections, so that a single statement always finds one. Without, as many transactions as there are connections would
 * wait for each other.
 */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** @throws what `late` makes, when no turn came in time */
  async while<Value>(work: () => Promise<Value>, timeoutMs: number, late: () => Error): Promise<Value> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(timeoutMs, late);
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  #wait(timeoutMs: number, late: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(turn);
        reject(late());
      }, timeoutMs);
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(turn);
    });
  }

  /** To the one who waits longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
