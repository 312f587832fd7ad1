/**
 * When rows of the index of attributes are written behind their tasks: by the process that stored these, right after, a thousand tasks
 * at a time, when nothing waits; and by any that looks, where that process has died. Only then are those looked for that changed
 * meanwhile, and the note that the index lacks them is deleted.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { clearUp, readWriters, sweep, takeWork, type Work, writeNext } from "./attribute-index.ts";
import { behindMax, type Noted, noteBehind } from "./attribute-work.ts";

/** So long, in milliseconds, it waits for batches that are stored meanwhile. */
const pausedMsMax = 1_000;
/** Between two looks at who still writes. */
const lookedMsMin = 10;
const lookedMsMax = 5_000;
/** What is left after this, in milliseconds, when the store closes, is left to others. */
const closingMsMax = 2_000;
/** Others that still write are waited for so long then. */
const closingLooks = 5;

/** Works that are written, and the transactions of that moment that are not over. */
interface Proof {
  works: number[];
  writers: Set<string>;
  looks: number;
}

export class AttributeIndexing {
  readonly #context: Context;
  readonly #by = randomUUID();
  #running: Promise<void> | undefined;
  /** Whether more may have come since the last look. */
  #isDue = false;
  #proof: Proof | undefined;
  #behind = 0;
  /** Whether any of the batches that are being stored was noted. */
  #isNoted = false;
  /** Batches that are being stored, and who waits for them. */
  #storing = 0;
  #stored = Promise.withResolvers<void>();
  #closesAt = Number.POSITIVE_INFINITY;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether rows of some more tasks may be left for later, after so many others. */
  hasRoom(others: number): boolean {
    return this.#behind + others < behindMax;
  }

  /** Notes stored tasks, in their transaction; what it is part of is to be done by `behind`. */
  async note(session: Session, noted: readonly Noted[]): Promise<void> {
    await noteBehind(session, noted, { by: this.#by, now: this.#context.now() });
    this.#behind += noted.length;
    this.#isNoted = true;
  }

  /** Stores a batch. Indexes what was noted, behind it. */
  async behind<Value>(store: () => Promise<Value>): Promise<Value> {
    this.#storing += 1;
    try {
      return await store();
    } finally {
      this.#storing -= 1;
      if (this.#isNoted) this.begin();
      if (this.#storing === 0) {
        this.#isNoted = false;
        this.#stored.resolve();
        this.#stored = Promise.withResolvers();
      }
    }
  }

  /** Indexes what is left to be, if anything is. */
  begin(): void {
    this.#isDue = true;
    this.#running ??= this.#run()
      // One that fails is made up for by the next.
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when nothing is under way any more; what takes long is left. */
  async close(): Promise<void> {
    this.#closesAt = performance.now() + closingMsMax;
    this.#stored.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (performance.now() < this.#closesAt) {
      this.#isDue = false;
      if (await this.#step()) continue;
      if (!this.#isDue) return;
    }
  }

  /** Answers whether there is more to do. */
  async #step(): Promise<boolean> {
    const works = await takeWork(this.#context, this.#by);
    const left = works.filter(({ isWritten }) => !isWritten);
    this.#behind = left.reduce((sum, { tasks }) => sum + tasks, 0);
    if (left.length > 0) await this.#write(left[0]!);
    else if (works.length > 0) return this.#end(works);
    else await clearUp(this.#context);
    return works.length > 0;
  }

  async #write(work: Work): Promise<void> {
    for (let isDone = false; !isDone && performance.now() < this.#closesAt; ) {
      await this.#giveWay();
      const began = performance.now();
      isDone = await writeNext(this.#context, work, this.#by);
      // Where there is no lull, half of the time is the others'.
      if (this.#context.lull.isInVain) await this.#sleep(performance.now() - began);
    }
  }

  async #giveWay(): Promise<void> {
    if (this.#storing === 0 || !this.hasRoom(0) || this.#isClosing) return;
    await Promise.race([this.#stored.promise, this.#sleep(pausedMsMax)]);
  }

  /** Waits until those are over that may have missed what was written. Answers whether there is more to do. */
  async #end(works: readonly Work[]): Promise<boolean> {
    const writers = await readWriters(this.#context);
    // All of `works` had been written before these were asked for.
    this.#proof ??= { works: works.map(({ work }) => work), writers, looks: 0 };
    const proof = this.#proof;
    proof.writers = new Set([...proof.writers].filter((one) => writers.has(one)));
    proof.looks += 1;
    if (proof.writers.size === 0) {
      this.#proof = undefined;
      await sweep(this.#context, proof.works);
      return true;
    }
    if (this.#isClosing && proof.looks > closingLooks) return false;
    await this.#sleep(Math.min(lookedMsMin * 2 ** Math.min(proof.looks, 10), lookedMsMax));
    return true;
  }

  get #isClosing(): boolean {
    return this.#closesAt < Number.POSITIVE_INFINITY;
  }

  /** Keeps no process alive. */
  async #sleep(ms: number): Promise<void> {
    await sleep(this.#isClosing ? Math.min(ms, lookedMsMin) : ms, undefined, { ref: this.#isClosing });
  }
}
