/**
 * A thread with a connection of its own: it renews the leases of this process's workers and listens for news, whatever
 * the main thread and its pool are busy with. A handler that blocks the event loop keeps its lease for as long as is
 * allowed; the pulse tells whether the main thread still turns. A connection that is lost, or that has gone silent, is
 * replaced, with growing waits; meanwhile the leases age, and whoever waits for news polls.
 */
import { parentPort, workerData } from "node:worker_threads";
import type pg from "pg";
import { Database } from "./database.ts";
import type { LeaseReply, LeaseRequest, LeaseThreadOptions } from "./lease-protocol.ts";
import { parseLocation } from "./location.ts";
import { channelOf } from "./notifier.ts";
import { quoted } from "./statement.ts";
import { renewLease, toBeat } from "./workers.ts";

const reconnectMsMin = 100;
const reconnectMsMax = 5_000;
/** A connection that carried nothing for so long is asked whether it is still there, */
const checkMs = 10_000;
/** and is replaced when it does not answer within this. */
const answerMs = 5_000;

interface Held {
  maxBlockMs: number;
  timer: NodeJS.Timeout;
  seen: number;
  seenAt: number;
}

class LeaseThread {
  readonly #options: LeaseThreadOptions;
  readonly #database: Database;
  readonly #pulse: Int32Array;
  readonly #held = new Map<string, Held>();
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #failures = 0;
  #watching = false;
  #checkTimer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  #closed = false;

  constructor(options: LeaseThreadOptions) {
    this.#options = options;
    this.#database = new Database(parseLocation(options.url));
    this.#pulse = new Int32Array(options.pulse);
  }

  async open(): Promise<void> {
    await this.#database.open();
  }

  receive(request: LeaseRequest): void {
    if (request.kind === "hold") this.#hold(request);
    else if (request.kind === "release") this.#release(request.workerId, request.number);
    else if (request.kind === "watch") this.#watch(request.on);
    else void this.#close();
  }

  #hold({ workerId, beatMs, maxBlockMs }: { workerId: string; beatMs: number; maxBlockMs: number }): void {
    this.#stopBeating(workerId);
    const timer = setInterval(() => this.#beatIfWell(workerId), beatMs);
    const seen = Atomics.load(this.#pulse, 0);
    this.#held.set(workerId, { maxBlockMs, timer, seen, seenAt: performance.now() });
    // The connection is made before the first beat needs it.
    void this.#connect().catch(() => undefined);
  }

  #release(workerId: string, number: number): void {
    this.#stopBeating(workerId);
    reply({ kind: "released", number });
  }

  #stopBeating(workerId: string): void {
    clearInterval(this.#held.get(workerId)?.timer);
    this.#held.delete(workerId);
  }

  #beatIfWell(workerId: string): void {
    const held = this.#held.get(workerId);
    if (!held) return;
    const now = Atomics.load(this.#pulse, 0);
    if (now !== held.seen) {
      held.seen = now;
      held.seenAt = performance.now();
    }
    if (performance.now() - held.seenAt <= held.maxBlockMs) void this.#beat(workerId);
  }

  /** A beat that fails is simply missing; the next one comes. */
  async #beat(workerId: string): Promise<void> {
    try {
      const client = await this.#connect();
      const { text } = this.#database.prepared(renewLease);
      const { rows } = await client.query({ text, values: [workerId, null], rowMode: "array" });
      this.#heardAt = performance.now();
      if (this.#held.has(workerId)) reply({ kind: "beat", workerId, beat: toBeat(rows) });
    } catch {
      this.#lose();
    }
  }

  #watch(on: boolean): void {
    this.#watching = on && this.#database.location.listen;
    clearInterval(this.#checkTimer);
    if (!this.#watching) return;
    this.#checkTimer = setInterval(() => void this.#check(), checkMs);
    void this.#connect().catch(() => undefined);
  }

  /** A network that drops everything in silence is found out by asking. */
  async #check(): Promise<void> {
    if (performance.now() - this.#heardAt < checkMs) return;
    try {
      const client = await this.#connect();
      await client.query("SELECT 1");
      this.#heardAt = performance.now();
    } catch {
      this.#lose();
    }
  }

  #connect(): Promise<pg.Client> {
    if (this.#client) return Promise.resolve(this.#client);
    this.#connecting ??= this.#connectNow().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connectNow(): Promise<pg.Client> {
    const client = this.#database.dedicated({ query_timeout: answerMs });
    client.on("error", () => this.#lose(client));
    client.on("end", () => this.#lose(client));
    client.on("notification", ({ payload }) => this.#hear(payload ?? ""));
    try {
      await client.connect();
      await this.#listen(client);
    } catch (error) {
      this.#database.tryNextHost();
      void client.end().catch(() => undefined);
      this.#reconnectLater();
      throw error;
    }
    this.#client = client;
    this.#failures = 0;
    this.#heardAt = performance.now();
    // Whatever was told while nobody listened.
    if (this.#watching) reply({ kind: "changed" });
    return client;
  }

  /** Through a pooler in transaction mode LISTEN is refused or reaches nobody; then polling alone finds what is new. */
  async #listen(client: pg.Client): Promise<void> {
    if (!this.#database.location.listen) return;
    const channel = quoted(channelOf(this.#database.location.schema));
    await client.query(`LISTEN ${channel}`).catch((error) => {
      if ((error as { code?: string }).code === undefined) throw error;
    });
  }

  #hear(payload: string): void {
    this.#heardAt = performance.now();
    if (this.#watching && !payload.startsWith(`${this.#options.sender} `)) reply({ kind: "changed" });
  }

  #lose(client = this.#client): void {
    if (client === undefined || client !== this.#client) return;
    this.#client = undefined;
    client.removeAllListeners("end");
    void client.end().catch(() => undefined);
    this.#reconnectLater();
  }

  #reconnectLater(): void {
    if (this.#closed) return;
    const waitMs = Math.min(reconnectMsMax, reconnectMsMin * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures = Math.min(this.#failures + 1, 10);
    setTimeout(() => {
      if (!this.#closed && (this.#watching || this.#held.size > 0)) void this.#connect().catch(() => undefined);
    }, waitMs);
  }

  async #close(): Promise<void> {
    this.#closed = true;
    for (const workerId of [...this.#held.keys()]) this.#stopBeating(workerId);
    clearInterval(this.#checkTimer);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
    await this.#database.close();
    parentPort!.close();
  }
}

function reply(message: LeaseReply): void {
  parentPort!.postMessage(message);
}

const thread = new LeaseThread(workerData as LeaseThreadOptions);
await thread.open();
parentPort!.on("message", (request: LeaseRequest) => thread.receive(request));
