/**
 * When changes are folded into the sums they belong to: the counts, and the history. Now and then, behind the writes that
 * make it needful, by whichever process wrote; so that changes stay few, and whoever reads both stays quick.
 */
import type { Context } from "./context.ts";
import { foldHistory } from "./history.ts";
import { foldTallies } from "./tallies.ts";

/** Writes of this process after which it folds. */
const writesBetween = 250;

export class Folding {
  readonly #tallies: Folder;
  readonly #history: Folder;

  constructor(context: Context) {
    this.#tallies = new Folder(() => foldTallies(context));
    this.#history = new Folder(() => foldHistory(context));
  }

  /** A write that counts tasks was done. */
  counted(): void {
    this.#tallies.wrote();
  }

  /** Attempts came to their ends. */
  ended(): void {
    this.#history.wrote();
  }

  /** Resolves when no folding is under way. */
  async idle(): Promise<void> {
    await Promise.all([this.#tallies.idle(), this.#history.idle()]);
  }
}

class Folder {
  readonly #fold: () => Promise<unknown>;
  #writes = 0;
  #folding: Promise<unknown> | undefined;

  constructor(fold: () => Promise<unknown>) {
    this.#fold = fold;
  }

  wrote(): void {
    this.#writes += 1;
    if (this.#writes < writesBetween || this.#folding) return;
    this.#writes = 0;
    // One that fails is made up for by the next.
    this.#folding = this.#fold()
      .catch(() => undefined)
      .finally(() => {
        this.#folding = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.#folding;
  }
}
