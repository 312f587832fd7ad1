/**
 * The main thread's end of one store thread: requests out, answers back. Requests of the same turn of the event
 * loop travel in one message. The thread keeps the process alive only while an answer is awaited.
 *
 * A thread that dies, of memory or of an error of ours, is started anew: at once, or a second later when the one before it
 * died lately too. What was asked of it fails, a write as `unknown`. Of ':memory:' nothing is left to go on with.
 */
import { Worker } from "node:worker_threads";
import { DureError } from "../../../core/errors.ts";
import type { Beat } from "../../../core/store.ts";
import { threadTimeMs } from "../../shared/thread-time.ts";
import type { Reply, Request, ThreadError, ThreadOptions } from "./protocol.ts";
import type { VerbAnswer, VerbArgument, VerbName } from "./verbs.ts";

interface Pending {
  resolve(value: any): void;
  reject(error: unknown): void;
  /** Whether what becomes of it is unknown when the thread dies. */
  isWrite: boolean;
}

export interface ThreadLinkEvents {
  changed(): void;
  beat(workerId: string, beat: Beat): void;
  /** In place of one that has died; what that one was told is to be told again. */
  startedAgain(cause: Error): void;
}

/**
 * Messages are short-lived; more room for them only makes the process larger. What is read leaves more behind: with more room a page
 * takes that thread 3 % less of the processor, for 3 MB. From 2 GB up each thread has V8's own code mapped once more, 2 MB of it (docs/design/storage.md).
 */
const youngGenerationMb = { writer: 4, reader: 16 };
const oldGenerationMb = 2_000;

const restartMs = 1_000;
const latelyMs = 10_000;

const threadFile = new URL(import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js", import.meta.url);

export class ThreadLink {
  readonly #options: ThreadOptions;
  readonly #events: ThreadLinkEvents;
  readonly #now: () => number;
  readonly #pending = new Pendings();
  #opening: PromiseWithResolvers<void> | undefined;
  #worker: Worker | undefined;
  #lives = 0;
  #diedAt = Number.NEGATIVE_INFINITY;
  #outbox: Request[] = [];
  /** By `performance.now()`: when it was last heard of, or asked while nothing was awaited. */
  #heardAt = 0;
  /** Why nothing can be asked now: what opening met, the thread's death, or that it was closed. */
  #failure: Error | undefined;
  #closed = false;

  constructor(options: ThreadOptions, now: () => number, events: ThreadLinkEvents) {
    this.#options = options;
    this.#now = now;
    this.#events = events;
  }

  /** How many threads there have been: what was told to an earlier one is lost. */
  get lives(): number {
    return this.#lives;
  }

  /** Whether nobody waits for an answer. */
  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  /** How long those who wait for an answer have heard none. */
  get silentMs(): number {
    return this.isIdle ? 0 : performance.now() - this.#heardAt;
  }

  /** Starts the thread and waits until it has opened the database. */
  open(): Promise<void> {
    this.#opening = Promise.withResolvers();
    this.#start();
    return this.#opening.promise;
  }

  #start(): void {
    const worker = new Worker(threadFile, {
      workerData: this.#options,
      name: `dure-${this.#options.role}`,
      resourceLimits: {
        maxYoungGenerationSizeMb: youngGenerationMb[this.#options.role],
        maxOldGenerationSizeMb: oldGenerationMb,
      },
    });
    this.#worker = worker;
    this.#failure = undefined;
    this.#lives += 1;
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => this.#ended(cause));
    worker.on("message", (message: "ready" | { failed: ThreadError } | Reply) => {
      if (message === "ready") {
        this.#hold();
        this.#opening?.resolve();
        this.#opening = undefined;
      } else if ("answers" in message) this.#receive(message);
      else if ("failed" in message) {
        this.#failure = toError(message.failed);
        void worker.terminate();
      }
      // What remains is Node's: under --watch every thread tells here which modules it loads.
    });
  }

  /** @throws what the verb threw; DureError DATABASE_UNAVAILABLE when the thread is gone */
  call<Name extends VerbName>(verb: Name, argument: VerbArgument<Name>): Promise<VerbAnswer<Name>> {
    return this.#request(verb, argument, false) as Promise<VerbAnswer<Name>>;
  }

  /** As `call`; but `unknown` when the thread dies before it has answered. */
  write<Name extends VerbName>(
    verb: Name,
    argument: VerbArgument<Name>,
  ): Promise<VerbAnswer<Name> | { kind: "unknown"; cause: unknown }> {
    return this.#request(verb, argument, true) as Promise<VerbAnswer<Name>>;
  }

  /** What is no verb of its own transaction. */
  request(verb: string, argument: unknown, { isWrite = false } = {}): Promise<unknown> {
    return this.#request(verb, argument, isWrite);
  }

  #request(verb: string, argument: unknown, isWrite: boolean): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#pending.add({ resolve, reject, isWrite });
      if (this.#pending.size === 1) {
        this.#heardAt = performance.now();
        this.#hold();
      }
      this.#post([id, verb, argument, this.#now()]);
    });
  }

  /** A request that nobody waits for. */
  tell(verb: string, argument: unknown): void {
    this.#post([0, verb, argument, this.#now()]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (!worker || this.#failure) return;
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    try {
      await this.request("close", undefined);
    } catch (error) {
      if (this.#worker === worker) throw error;
    }
    this.#failure = closed(this.#options.path);
    if (this.#worker) worker.ref();
    await exited;
  }

  #post(request: Request): void {
    this.#outbox.push(request);
    if (this.#outbox.length === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const requests = this.#outbox;
    this.#outbox = [];
    // None was asked before these, whenever they were put here.
    if (this.#pending.size <= requests.length) this.#heardAt = performance.now();
    try {
      this.#worker?.postMessage(requests);
    } catch {
      for (const request of requests) this.#postAlone(request);
    }
  }

  /** What cannot be sent fails by itself, and takes along nothing that was asked in the same turn. */
  #postAlone(request: Request): void {
    try {
      this.#worker?.postMessage([request]);
    } catch (error) {
      this.#pending.take(request[0])?.reject(error);
      if (this.#pending.size === 0) this.#hold();
    }
  }

  #receive({ answers, changed, beats }: Reply): void {
    this.#heardAt = performance.now();
    for (const [id, error, value] of answers) {
      const pending = this.#pending.take(id);
      if (!pending) continue;
      if (error) pending.reject(toError(error));
      else pending.resolve(value);
    }
    if (this.#pending.size === 0) this.#hold();
    for (const [workerId, beat, askedAt] of beats ?? []) {
      this.#events.beat(workerId, { ...beat, ageMs: threadTimeMs() - askedAt });
    }
    if (changed) this.#events.changed();
  }

  /** Keeps the process alive while, and only while, an answer is awaited. */
  #hold(): void {
    if (this.#pending.size > 0) this.#worker?.ref();
    else this.#worker?.unref();
  }

  #ended(cause: unknown): void {
    const isGone = this.#options.path === ":memory:";
    this.#worker = undefined;
    this.#outbox = [];
    this.#failure ??= this.#deathOf(cause, isGone);
    const failure = this.#failure;
    for (const { resolve, reject, isWrite } of this.#pending.takeAll()) {
      if (isWrite) resolve({ kind: "unknown", cause: failure });
      else reject(failure);
    }
    if (this.#opening) this.#opening.reject(failure);
    else if (!isGone && !this.#closed) this.#startAgain(failure);
  }

  #startAgain(cause: Error): void {
    const now = performance.now();
    const diedLately = now - this.#diedAt < latelyMs;
    this.#diedAt = now;
    const start = () => {
      if (this.#closed) return;
      this.#start();
      this.#events.startedAgain(cause);
    };
    if (diedLately) setTimeout(start, restartMs).unref();
    else start();
  }

  #deathOf(cause: unknown, isGone: boolean): DureError {
    const thread = `The thread that ${this.#options.role === "writer" ? "writes" : "reads"} ${this.#options.path}`;
    const why = cause instanceof Error ? ` of ${cause.name}: ${cause.message.replace(/\.$/, "")}` : "";
    const next = isGone
      ? ", and all that was in memory is gone with it. Restart this process."
      : ". Another one is started in its place.";
    return new DureError("DATABASE_UNAVAILABLE", `${thread} has died${why}${next}`, { cause });
  }
}

/**
 * The requests that wait for their answers, by number. Not a `Map`, which leaves a chain of old tables behind, and with each
 * the answers that it held: see runtime/id-map.ts.
 */
class Pendings {
  /** The number 0 is for requests that nobody waits for. */
  #slots: (Pending | undefined)[] = [undefined];
  #free: number[] = [];

  get size(): number {
    return this.#slots.length - 1 - this.#free.length;
  }

  add(pending: Pending): number {
    const id = this.#free.pop() ?? this.#slots.length;
    this.#slots[id] = pending;
    return id;
  }

  take(id: number): Pending | undefined {
    const pending = this.#slots[id];
    if (!pending) return undefined;
    this.#slots[id] = undefined;
    this.#free.push(id);
    return pending;
  }

  takeAll(): Pending[] {
    const all = this.#slots.filter((pending) => pending !== undefined);
    this.#slots = [undefined];
    this.#free = [];
    return all;
  }
}

function closed(path: string): DureError {
  return new DureError(
    "INSTANCE_CLOSED",
    `${path} was closed by this process; make a new instance to use it again.`,
  );
}

function toError(error: ThreadError): Error {
  if (error.code) return new DureError(error.code, error.message, { details: error.details ?? {} });
  return Object.assign(new Error(error.message), { name: error.name, stack: error.stack });
}
