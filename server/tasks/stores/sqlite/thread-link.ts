/**
 * The main thread's end of one store thread: requests out, answers back. Requests of the same turn of the event
 * loop travel in one message. The thread keeps the process alive only while an answer is awaited.
 */
import { Worker } from "node:worker_threads";
import { DureError } from "../../core/errors.ts";
import type { Beat } from "../../core/store.ts";
import { threadTimeMs } from "../thread-time.ts";
import type { Reply, Request, ThreadError, ThreadOptions } from "./protocol.ts";
import type { VerbAnswer, VerbArgument, VerbName } from "./verbs.ts";

interface Pending {
  resolve(value: any): void;
  reject(error: unknown): void;
}

export interface ThreadLinkEvents {
  changed(): void;
  beat(workerId: string, beat: Beat): void;
}

/**
 * Messages are short-lived; more room for them only makes the process larger. From 2 GB up each thread has V8's own code
 * mapped once more, 2 MB of it (docs/design/storage.md).
 */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 2_000 };

const threadFile = new URL(import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js", import.meta.url);

export class ThreadLink {
  readonly #options: ThreadOptions;
  readonly #events: ThreadLinkEvents;
  readonly #now: () => number;
  readonly #pending = new Pendings();
  #worker: Worker | undefined;
  #outbox: Request[] = [];
  /** Why nothing more can be asked: what opening met, the thread's death, or that it was closed. */
  #failure: Error | undefined;

  constructor(options: ThreadOptions, now: () => number, events: ThreadLinkEvents) {
    this.#options = options;
    this.#now = now;
    this.#events = events;
  }

  /** Starts the thread and waits until it has opened the database. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(threadFile, {
        workerData: this.#options,
        name: `dure-${this.#options.role}`,
        resourceLimits,
      });
      this.#worker = worker;
      worker.on("error", (error) => this.#died(error));
      worker.on("exit", () => this.#died(undefined));
      worker.on("message", (message: "ready" | { failed: ThreadError } | Reply) => {
        if (message === "ready") {
          this.#hold();
          resolve();
        } else if ("answers" in message) this.#receive(message);
        else if ("failed" in message) {
          this.#failure = toError(message.failed);
          void worker.terminate().then(() => reject(this.#failure));
        }
        // What remains is Node's: under --watch every thread tells here which modules it loads.
      });
      worker.once("error", reject);
    });
  }

  /** @throws what the verb threw; DureError DATABASE_UNAVAILABLE when the thread is gone */
  call<Name extends VerbName>(verb: Name, argument: VerbArgument<Name>): Promise<VerbAnswer<Name>> {
    return this.request(verb, argument) as Promise<VerbAnswer<Name>>;
  }

  request(verb: string, argument: unknown): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#pending.add({ resolve, reject });
      if (this.#pending.size === 1) this.#hold();
      this.#post([id, verb, argument, this.#now()]);
    });
  }

  /** A request that nobody waits for. */
  tell(verb: string, argument: unknown): void {
    this.#post([0, verb, argument, this.#now()]);
  }

  async close(): Promise<void> {
    if (!this.#worker) return;
    const worker = this.#worker;
    if (this.#failure) return;
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    await this.request("close", undefined);
    this.#failure = closed(this.#options.path);
    worker.ref();
    await exited;
  }

  #post(request: Request): void {
    this.#outbox.push(request);
    if (this.#outbox.length === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const requests = this.#outbox;
    this.#outbox = [];
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

  #died(cause: unknown): void {
    const thread = `The thread that ${this.#options.role === "writer" ? "writes" : "reads"} ${this.#options.path}`;
    const why = cause instanceof Error ? ` of ${cause.name}: ${cause.message}` : "";
    this.#failure ??= new DureError(
      "DATABASE_UNAVAILABLE",
      `${thread} has died${why}. Restart this process.`,
      { cause },
    );
    for (const { reject } of this.#pending.takeAll()) reject(this.#failure);
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
