/**
 * When changes are folded into the sums they belong to: the counts, and the history. Now and then, behind the writes that
 * make it needful, by whichever process wrote; so that changes stay few, and whoever reads both stays quick.
 */
import { AttributeIndexing } from "../attributes/attribute-indexing.ts";
import type { Context } from "../context.ts";
import { foldHistory } from "./history.ts";
import { MinuteFill } from "./minute-fill.ts";
import { foldMinutes, minutesFoldedMax } from "./minute-tallies.ts";
import { Packing } from "./packing.ts";
import { foldTallies, talliesFoldedMax } from "./tallies.ts";

/** After so much of this process it folds. */
const writesBetween = 250;
const attemptsBetween = 20_000;
/** One after the other, while there is more; then the next write goes on. */
const foldsMax = 10;

/** Folds the counts. Answers whether there may be more to fold. */
export async function foldCounts(context: Context): Promise<boolean> {
  const [tallies, minutes] = [await foldTallies(context), await foldMinutes(context)];
  return tallies === talliesFoldedMax || minutes === minutesFoldedMax;
}

export class Folding {
  readonly #tallies: Folder;
  readonly #history: Folder;
  readonly #fill: MinuteFill;
  readonly #packing: Packing;
  readonly indexing: AttributeIndexing;

  constructor(context: Context) {
    this.#fill = new MinuteFill(context);
    this.#packing = new Packing(context);
    this.indexing = new AttributeIndexing(context);
    this.#tallies = new Folder(writesBetween, () => {
      this.#fill.begin();
      return foldCounts(context);
    });
    this.#history = new Folder(attemptsBetween, () => foldHistory(context));
    // A process that soon ends again may have to fold what those before it left.
    this.#history.beginDue();
  }

  /** A write that counts tasks was done. */
  counted(): void {
    this.#tallies.wrote(1);
  }

  /** Attempts came to their ends, by one write. What is not folded costs by the write, and by the attempt. */
  ended(attempts: number): void {
    this.#history.wrote(Math.max(attempts, attemptsBetween / writesBetween));
  }

  /** Counts, packs and indexes what is not yet, if anything is: what workers are to do. */
  beginFill(): void {
    this.#fill.begin();
    this.#packing.begin();
    this.indexing.begin();
  }

  /** Resolves when no folding is under way. */
  async close(): Promise<void> {
    await Promise.all([
      this.#tallies.idle(),
      this.#history.idle(),
      this.#fill.close(),
      this.#packing.close(),
      this.indexing.close(),
    ]);
  }
}

class Folder {
  readonly #between: number;
  readonly #fold: () => Promise<boolean>;
  #unfolded = 0;
  #folding: Promise<void> | undefined;

  /** @param fold answers whether there may be more to fold */
  constructor(between: number, fold: () => Promise<boolean>) {
    this.#between = between;
    this.#fold = fold;
  }

  /** The next write folds. */
  beginDue(): void {
    this.#unfolded = this.#between;
  }

  wrote(much: number): void {
    this.#unfolded += much;
    if (this.#unfolded < this.#between || this.#folding) return;
    this.#unfolded = 0;
    // One that fails is made up for by the next.
    this.#folding = this.#foldAll()
      .catch(() => undefined)
      .finally(() => {
        this.#folding = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.#folding;
  }

  async #foldAll(): Promise<void> {
    for (let folds = 1; await this.#fold(); folds += 1) {
      if (folds === foldsMax) return this.beginDue();
    }
  }
}
