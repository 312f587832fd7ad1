/**
 * A thread with a connection of its own: it renews the leases of this process's workers and listens for news, whatever
 * the main thread and its pool are busy with. A handler that blocks the event loop keeps its lease for as long as is
 * allowed; the pulse tells whether the main thread still turns.
 */
import { parentPort, workerData } from "node:worker_threads";
import { sayBlocked } from "../../shared/blocked.ts";
import { threadTimeMs } from "../../shared/thread-time.ts";
import type { Told } from "../announcing/announcements.ts";
import { readTold } from "../announcing/notifier.ts";
import { Database } from "../connections/database.ts";
import { parseLocation } from "../connections/location.ts";
import { renewLease, toBeat } from "../workers.ts";
import type { LeaseReply, LeaseRequest, LeaseThreadOptions } from "./lease-protocol.ts";
import { LinkConnection } from "./link-connection.ts";

interface Held {
  maxBlockMs: number;
  timer: NodeJS.Timeout;
  /** The pulse when it last moved, and when that was seen. */
  seen: number;
  seenAt: number;
  /** Whether it was said that the pulse stands still for too long. */
  said: boolean;
  beating: Promise<void> | undefined;
}

class LeaseThread {
  readonly #pulse: Int32Array;
  readonly #held = new Map<string, Held>();
  readonly #database: Database;
  readonly #connection: LinkConnection;
  #watching = false;

  constructor({ url, sender, pulse }: LeaseThreadOptions) {
    this.#pulse = new Int32Array(pulse);
    this.#database = new Database(parseLocation(url));
    this.#connection = new LinkConnection({
      database: this.#database,
      sender,
      isNeeded: () => this.#watching || this.#held.size > 0,
      heard: (payload) => this.#heard(payload === undefined ? undefined : readTold(payload)),
      prove: () => reply({ kind: "prove" }),
      listening: (works) => reply(works === undefined ? { kind: "listening" } : { kind: "listening", works }),
    });
  }

  open(): Promise<void> {
    return this.#database.open();
  }

  receive(request: LeaseRequest): void {
    if (request.kind === "hold") this.#hold(request);
    else if (request.kind === "release") void this.#release(request.workerId, request.number);
    else if (request.kind === "watch") this.#watch(request.on);
    else void this.#close();
  }

  #hold({ workerId, beatMs, maxBlockMs }: { workerId: string; beatMs: number; maxBlockMs: number }): void {
    this.#stopBeating(workerId);
    const timer = setInterval(() => this.#beatIfWell(workerId), beatMs);
    const seen = Atomics.load(this.#pulse, 0);
    const seenAt = performance.now();
    this.#held.set(workerId, { maxBlockMs, timer, seen, seenAt, said: false, beating: undefined });
    // The connection is made before the first beat needs it.
    this.#connection.need();
  }

  /** Answers when no beat is under way any more. */
  async #release(workerId: string, number: number): Promise<void> {
    await this.#stopBeating(workerId)?.beating;
    reply({ kind: "released", number });
  }

  #stopBeating(workerId: string): Held | undefined {
    const held = this.#held.get(workerId);
    clearInterval(held?.timer);
    this.#held.delete(workerId);
    return held;
  }

  #beatIfWell(workerId: string): void {
    const held = this.#held.get(workerId);
    if (!held || held.beating) return;
    const now = Atomics.load(this.#pulse, 0);
    if (now !== held.seen) {
      held.seen = now;
      held.seenAt = performance.now();
      held.said = false;
    }
    const silentMs = performance.now() - held.seenAt;
    if (silentMs > held.maxBlockMs) {
      if (!held.said) sayBlocked(silentMs);
      held.said = true;
      return;
    }
    const loopDelayMs = Math.max(Atomics.load(this.#pulse, 1), Math.round(silentMs));
    held.beating = this.#beat(workerId, loopDelayMs).finally(() => {
      held.beating = undefined;
    });
  }

  /** Never rejects: a beat that fails is simply missing, and the next one comes. */
  async #beat(workerId: string, loopDelayMs: number): Promise<void> {
    const askedAt = threadTimeMs();
    try {
      const rows = await this.#connection.query(renewLease, [workerId, null, loopDelayMs]);
      if (this.#held.has(workerId)) reply({ kind: "beat", workerId, beat: toBeat(rows), askedAt });
    } catch {
      // The connection is being replaced.
    }
  }

  #watch(on: boolean): void {
    this.#watching = on && this.#database.location.listen;
    if (this.#watching) this.#connection.need();
  }

  #heard(told: Told | undefined): void {
    if (this.#watching) reply(told ? { kind: "changed", told } : { kind: "changed" });
  }

  async #close(): Promise<void> {
    for (const workerId of [...this.#held.keys()]) this.#stopBeating(workerId);
    await this.#connection.close();
    await this.#database.close();
    // A connection that is still being made would keep the thread.
    process.exit();
  }
}

function reply(message: LeaseReply): void {
  parentPort!.postMessage(message);
}

const thread = new LeaseThread(workerData as LeaseThreadOptions);
await thread.open();
parentPort!.on("message", (request: LeaseRequest) => thread.receive(request));
