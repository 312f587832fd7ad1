/**
 * The indexer: makes tasks findable behind the backs of those who store and run them. It fills in attributes that a
 * definition has gained for the tasks that were stored before, and indexes the texts of tasks that have changed. What is to
 * be done the store knows, so any worker goes on where another stopped; two at once only do the same twice.
 *
 * While tasks come or run it takes a fifth of the time at most: after each step it waits four times as long as the step
 * took; and a tenth while tasks wait for a free slot, since to run them is more urgent than to find them. What it has waited for
 * searches is not counted: beside long ones the index would fall back for ever. While there is nothing else to do, its steps are larger and follow each other.
 */
import { extractAttributes, type RegisteredAttribute } from "../core/attributes.ts";
import type { Clock } from "../core/clock.ts";
import type { Registry } from "../core/registry.ts";
import type {
  Attributes,
  FilledTask,
  IndexedText,
  TaskStore,
  UnfilledTask,
  UnindexedTask,
} from "../core/store.ts";
import { searchableText } from "../core/values/searchable-text.ts";
import { committed } from "../core/written.ts";
import type { Logger } from "./logger.ts";
import { describeError, Loop } from "./loop.ts";

/** Tasks whose texts are indexed in one step: while others have work to do, and while nobody has. */
const textBatch = { busy: 100, idle: 1_000 };
/** A step with fewer has caught up; the next one waits until there are some more, because a step costs several commits. */
const fewTexts = textBatch.busy / 2;
/** Steps in one go while nobody has anything to do, the texts of each read while those of the last are written. */
const stepsMax = 8;
/** Making texts lets others run in between: a search that waits for this thread, while others have work to do; else what sends the next texts to a store that has written some. */
const blockMsMax = { busy: 1, idle: 2 };
const fillBatch = 200;
/** Of the time that a step took: while tasks come or run, and while more are due than this worker has slots for. */
const pauseShare = { busy: 4, pressed: 9 };
const pauseMsMin = 10;
const idlePauseMs = 1;
const pauseMsMax = 2_000;
/** How long a task may wait for being found by its text; and so long after a change others have work to do. */
const idleMs = 1_000;
/** How often to look when nobody has told of a change: the truth behind every hint. */
const quietMs = 30_000;

export interface IndexerParts {
  store(): Promise<TaskStore>;
  registry: Registry;
  clock: Clock;
  logger: Logger;
  /** Whether texts are indexed; attributes always are. */
  fullText: boolean;
}

export class Indexer {
  readonly #parts: IndexerParts;
  #loop: Loop | undefined;
  /** Whether `tick` ran before: a worker that has just started has better things to do. */
  #begun = false;
  /** Types that another version of this program has declared more of; it must do them. */
  readonly #foreign = new Set<string>();
  /** Ends the wait for a look that a change has asked for. */
  #cancelLook: (() => void) | undefined;
  #stopListening: (() => void) | undefined;
  #worker = { isAtWork: false, isPressed: false };
  #isStopping = false;
  /** By the monotonic clock, when the store told of a change last. */
  #changedAt = Number.NEGATIVE_INFINITY;
  #reported = false;
  /** How long the step under way has waited for others. */
  #waitedMs = 0;

  constructor(parts: IndexerParts) {
    this.#parts = parts;
  }

  /** @param worker whether it runs tasks, or did a moment ago, and whether more are due than it has slots for */
  start(worker: { readonly isAtWork: boolean; readonly isPressed: boolean }): void {
    const { clock, logger } = this.#parts;
    this.#worker = worker;
    this.#isStopping = false;
    this.#loop = new Loop({ name: "indexing of tasks", clock, logger, tick: () => this.#paced() });
    this.#loop.start();
  }

  /** Resolves when the steps under way are done. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopListening?.();
    this.#cancelLook?.();
    await this.#loop?.stop();
  }

  /** Does one step of each kind; how long to wait before the next one. */
  async tick(): Promise<number> {
    const { clock, fullText } = this.#parts;
    const store = await this.#parts.store();
    const beganAt = clock.monotonic();
    this.#waitedMs = 0;
    const filled = await this.#fill(store);
    const indexed = fullText ? await this.#index(store) : 0;
    if (!filled && indexed === 0) return quietMs * (0.75 + clock.random() / 2);
    if (!this.#isBusy()) return idlePauseMs;
    const share = this.#worker.isPressed ? pauseShare.pressed : pauseShare.busy;
    const ownMs = clock.monotonic() - beganAt - this.#waitedMs;
    const pauseMs = Math.min(pauseMsMax, Math.max(pauseMsMin, share * ownMs));
    return filled || indexed >= fewTexts ? pauseMs : Math.max(pauseMs, idleMs);
  }

  /** Indexes some texts, without a pause after it; answers how many. @param isAlone whether nobody waits meanwhile */
  async indexBatch(isAlone: boolean): Promise<number> {
    return this.#index(await this.#parts.store(), isAlone);
  }

  async #paced(): Promise<number> {
    if (this.#begun) return this.tick();
    this.#begun = true;
    const store = await this.#parts.store();
    this.#stopListening ??= store.onChange((news) => {
      if (news === "soon") return;
      this.#changedAt = this.#parts.clock.monotonic();
      this.#lookSoon();
    });
    return idleMs * (0.5 + this.#parts.clock.random());
  }

  /** However often something changes, it is looked for once a second. */
  #lookSoon(): void {
    this.#cancelLook ??= this.#parts.clock.after(idleMs, () => {
      this.#cancelLook = undefined;
      this.#loop?.wake();
    });
  }

  /** Whether others have work to do, here or in another process. */
  #isBusy(): boolean {
    return this.#worker.isAtWork || this.#parts.clock.monotonic() - this.#changedAt < idleMs;
  }

  async #fill(store: TaskStore): Promise<boolean> {
    const types = this.#typesToFill();
    if (types.length === 0) return false;
    const beganAt = this.#parts.clock.monotonic();
    const unfilled = await store.readUnfilled({ types, limit: fillBatch });
    const readAt = this.#parts.clock.monotonic();
    const [first] = unfilled;
    if (!first) return false;
    const declared = this.#declared(first);
    if (!declared) {
      this.#foreign.add(first.task.type);
      return true;
    }
    committed(await store.writeAttributes(unfilled.map((one) => this.#filled(one, declared))), store);
    this.#noteWait(beganAt, readAt);
    return true;
  }

  /** To read takes no longer than to write what was read, which has just been done: the rest was waited for. */
  #noteWait(beganAt: number, readAt: number): void {
    const writtenMs = this.#parts.clock.monotonic() - readAt;
    this.#waitedMs += Math.max(0, readAt - beganAt - writtenMs);
  }

  #typesToFill(): string[] {
    const definitions = this.#parts.registry.all().filter(({ attributes }) => attributes.length > 0);
    return definitions.map(({ id }) => id).filter((id) => !this.#foreign.has(id));
  }

  /** How to take the wanted attributes; undefined when this program does not know one of them. */
  #declared({ task, attributes: wanted }: UnfilledTask): RegisteredAttribute[] | undefined {
    const known = this.#parts.registry.get(task.type)?.attributes ?? [];
    const declared = known.filter(({ name }) => wanted.includes(name));
    return declared.length === wanted.length ? declared : undefined;
  }

  /** A value that cannot be taken from an old task is left out. */
  #filled({ ref, task }: UnfilledTask, declared: readonly RegisteredAttribute[]): FilledTask {
    const attributes: Record<string, Attributes[string]> = {};
    for (const one of declared) {
      if (one.from === "result" && (task.status !== "COMPLETED" || task.result === undefined)) continue;
      try {
        const value = one.from === "payload" ? task.payload : task.result;
        Object.assign(attributes, extractAttributes(task.type, [one], one.from, value));
      } catch (error) {
        this.#reportOnce(`Task ${task.id} is left without an attribute: ${describeError(error)}`);
      }
    }
    return { ref, attributes };
  }

  async #index(store: TaskStore, isAlone = !this.#isBusy()): Promise<number> {
    const limit = isAlone ? textBatch.idle : textBatch.busy;
    const { clock } = this.#parts;
    let indexed = 0;
    const beganAt = clock.monotonic();
    let read = await this.#readTexts(store, { limit });
    const readAt = clock.monotonic();
    for (let step = 1; read.texts.length > 0; step += 1) {
      const { texts, last } = read;
      const mayGoOn = isAlone && step < stepsMax && !this.#isBusy() && !this.#isStopping;
      const goesOn = mayGoOn && texts.length === limit;
      const [written, next] = await Promise.all([
        store.writeTexts(texts, { isAlone }),
        goesOn ? this.#readTexts(store, { limit, after: last! }) : { texts: [], last: undefined },
      ]);
      committed(written, store);
      indexed += texts.length;
      read = next;
      if (step === 1) this.#noteWait(beganAt, readAt);
    }
    return indexed;
  }

  async #readTexts(store: TaskStore, request: Parameters<TaskStore["readUnindexed"]>[0]) {
    const unindexed = await store.readUnindexed(request);
    return { texts: await this.#textsOf(unindexed), last: unindexed.at(-1) };
  }

  async #textsOf(unindexed: readonly UnindexedTask[]): Promise<IndexedText[]> {
    const { clock } = this.#parts;
    const texts: IndexedText[] = [];
    let beganAt = clock.monotonic();
    for (const one of unindexed) {
      texts.push({ ref: one.ref, text: this.#textOf(one) });
      if (clock.monotonic() - beganAt < blockMsMax[this.#isBusy() ? "busy" : "idle"]) continue;
      await clock.sleep(1);
      beganAt = clock.monotonic();
    }
    return texts;
  }

  /** One task that cannot be read must not keep all others from being found. */
  #textOf({ task, attempts, json }: UnindexedTask): string {
    try {
      return searchableText(task, attempts, json);
    } catch (error) {
      this.#reportOnce(`Task ${task.id} is not found by its text: ${describeError(error)}`);
      return "";
    }
  }

  #reportOnce(message: string): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#parts.logger.warn(`${message} Others may be too.`);
  }
}
