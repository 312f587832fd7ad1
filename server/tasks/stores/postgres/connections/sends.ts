/**
 * In a drain, statements leave in turns of the event loop of their own. Where the server runs on the same processors, the system often
 * gives the one that sends to the process that it has woken, for some milliseconds: of several statements in one turn each costs
 * that, and timers and answers wait for the sum (docs/design/storage-postgres.md has what it was). At other times nothing waits.
 */
export class Sends {
  readonly #drain: { readonly isOn: boolean };
  #isTaken = false;
  /** In the order they came. */
  readonly #waiting = new Set<() => void>();

  constructor(drain: { readonly isOn: boolean }) {
    this.#drain = drain;
  }

  /** Resolves when the caller may send: in a drain, where somebody has in this turn, in one of its own. */
  async turn(): Promise<void> {
    if (!this.#drain.isOn) return;
    if (this.#isTaken) return new Promise((resolve) => void this.#waiting.add(resolve));
    this.#isTaken = true;
    this.#passNext();
  }

  #passNext(): void {
    setImmediate(() => {
      const [next] = this.#waiting;
      this.#isTaken = next !== undefined;
      if (!next) return;
      this.#waiting.delete(next);
      this.#passNext();
      next();
    });
  }
}
