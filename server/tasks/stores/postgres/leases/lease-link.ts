/**
 * The main thread's end of the lease thread. The thread is started when a lease is held or somebody wants to know of
 * changes, and never keeps the process alive by itself. One that dies is started anew, with all that it held; until it beats,
 * the pool stands in for it.
 */
import { Worker } from "node:worker_threads";
import type { Beat, LeaseRequest as Lease, LeaseHandle } from "../../../core/store.ts";
import { threadTimeMs } from "../../shared/thread-time.ts";
import type { Told } from "../announcing/announcements.ts";
import type { LeaseReply, LeaseRequest, LeaseThreadOptions } from "./lease-protocol.ts";
import { StandIn } from "./stand-in.ts";

const threadFile = new URL(
  import.meta.url.endsWith(".ts") ? "./lease-thread.ts" : "./lease-thread.js",
  import.meta.url,
);
const maxYoungGenerationSizeMb = 4;
const restartMs = 1_000;

export interface LeaseLinkEvents {
  /** By another process. Without `told`, anything may have. */
  changed(told?: Told): void;
  /** Others, and this process's own thread, are to hear that notifications arrive. */
  prove(): void;
}

interface Held {
  lease: Lease;
  standIn: StandIn;
}

export class LeaseLink {
  readonly #url: string;
  readonly #sender: string;
  readonly #events: LeaseLinkEvents;
  readonly #pulse = new SharedArrayBuffer(8);
  readonly #held = new Map<string, Held>();
  readonly #releases = new Map<number, () => void>();
  #thread: Worker | undefined;
  #listens: boolean | undefined;
  #watching = false;
  #lastNumber = 0;
  #closed = false;

  constructor(url: string, sender: string, events: LeaseLinkEvents) {
    this.#url = url;
    this.#sender = sender;
    this.#events = events;
  }

  /** Whether notifications arrive here; undefined while that is not known. */
  get listens(): boolean | undefined {
    return this.#listens;
  }

  /** Whether `changed` is to be called. */
  watch(on: boolean): void {
    if (this.#watching === on || this.#closed) return;
    this.#watching = on;
    if (on || this.#thread) this.#send({ kind: "watch", on });
  }

  /** @param beat renews the lease on the pool, for one who needs to know now */
  hold(lease: Lease, beat: (loopDelayMs: number) => Promise<Beat>): LeaseHandle {
    const { workerId, beatMs } = lease;
    const pulse = new Int32Array(this.#pulse);
    const beatNow = () => beat(Atomics.load(pulse, 1));
    const standIn = new StandIn(beatMs, beatNow);
    this.#held.set(workerId, { lease, standIn });
    standIn.begin();
    this.#send(holdRequest(lease));
    return {
      alive: (loopDelayMs = 0) => {
        Atomics.store(pulse, 1, Math.round(loopDelayMs));
        Atomics.add(pulse, 0, 1);
      },
      beat: beatNow,
      release: () => this.#release(workerId),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { standIn } of this.#held.values()) void standIn.end();
    this.#held.clear();
    const thread = this.#thread;
    if (!thread) return;
    const exited = new Promise((resolve) => thread.once("exit", resolve));
    this.#send({ kind: "close" });
    thread.ref();
    await exited;
  }

  async #release(workerId: string): Promise<void> {
    const held = this.#held.get(workerId);
    this.#held.delete(workerId);
    await held?.standIn.end();
    if (!held || !this.#thread) return;
    const number = ++this.#lastNumber;
    await new Promise<void>((resolve) => {
      this.#releases.set(number, resolve);
      this.#send({ kind: "release", workerId, number });
    });
  }

  #send(request: LeaseRequest): void {
    this.#thread ??= this.#start();
    this.#thread.postMessage(request);
  }

  #start(): Worker {
    const options: LeaseThreadOptions = { url: this.#url, sender: this.#sender, pulse: this.#pulse };
    const thread = new Worker(threadFile, {
      workerData: options,
      name: "dure-lease",
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    thread.unref();
    thread.on("message", (message: LeaseReply) => this.#receive(message));
    thread.on("error", () => undefined);
    thread.on("exit", () => this.#ended(thread));
    return thread;
  }

  #receive(message: LeaseReply): void {
    if (message.kind === "changed") this.#events.changed(message.told);
    else if (message.kind === "prove") this.#events.prove();
    else if (message.kind === "listening") this.#hears(message.works);
    else if (message.kind === "beat") {
      const ageMs = threadTimeMs() - message.askedAt;
      const held = this.#held.get(message.workerId);
      void held?.standIn.end();
      held?.lease.onBeat({ ...message.beat, ageMs });
    } else {
      this.#releases.get(message.number)?.();
      this.#releases.delete(message.number);
    }
  }

  /** Who relied on being told has to look. */
  #hears(works: boolean | undefined): void {
    const didHear = this.#listens === true;
    this.#listens = works;
    if (didHear && !works && !this.#closed) this.#events.changed();
  }

  #ended(thread: Worker): void {
    if (this.#thread === thread) this.#thread = undefined;
    this.#hears(undefined);
    for (const resolve of this.#releases.values()) resolve();
    this.#releases.clear();
    if (this.#closed || (this.#held.size === 0 && !this.#watching)) return;
    for (const { standIn } of this.#held.values()) standIn.begin();
    setTimeout(() => this.#startAgain(), restartMs).unref();
  }

  #startAgain(): void {
    if (this.#closed || this.#thread) return;
    if (this.#watching) this.#send({ kind: "watch", on: true });
    for (const { lease } of this.#held.values()) this.#send(holdRequest(lease));
  }
}

function holdRequest({ workerId, beatMs, maxBlockMs }: Lease): LeaseRequest {
  return { kind: "hold", workerId, beatMs, maxBlockMs };
}
