/**
 * The threads that a store's database lives in: one that writes and one that reads (for ':memory:' the writer does both), so
 * that neither a commit nor a search ever blocks the server's event loop. The reader is started by the first read, and a second
 * one when that has been at the same for long: what is short does not wait for a search that takes its whole budget.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../core/clock.ts";
import type { Beat, LeaseHandle, LeaseRequest } from "../../../core/store.ts";
import { leaseHandle } from "./lease-handle.ts";
import { ThreadLink } from "./thread-link.ts";
import type { VerbAnswer, VerbArgument, VerbName } from "./verbs.ts";

const readersMax = 2;
/** A reader that has answered nobody for so long is passed by: where there is another one, and where one has to be started. */
const passedByAfterMs = { open: 20, started: 100 };

export interface SqliteStoreOptions {
  /** A file, or ':memory:'. */
  path: string;
  /** 'full': an acknowledged write survives a power cut. 'normal': it survives the death of the process. Default 'full'. */
  durability?: "full" | "normal";
  clock: Clock;
}

interface Reader {
  link: ThreadLink;
  opened: Promise<void>;
  isOpen: boolean;
}

export class StoreThreads {
  readonly writer: ThreadLink;
  readonly #options: Required<SqliteStoreOptions>;
  readonly #pulse = new SharedArrayBuffer(8);
  readonly #listeners = new Set<() => void>();
  readonly #leases = new Map<string, LeaseRequest>();
  readonly #readers: Reader[] = [];
  /** What a worker's next beat tells: which threads died, and that others took their place. */
  readonly #deaths = new Set<string>();
  #closing: Promise<void> | undefined;

  constructor(options: Required<SqliteStoreOptions>) {
    this.#options = options;
    this.writer = this.#link("writer");
  }

  /** The store's clock; milliseconds since 1970. */
  now(): number {
    return this.#options.clock.now();
  }

  async read<Name extends VerbName>(verb: Name, argument: VerbArgument<Name>): Promise<VerbAnswer<Name>> {
    if (this.#options.path === ":memory:") return this.writer.call(verb, argument);
    const reader = this.#freeReader() ?? (await this.#anyReader());
    if (!reader) return this.writer.call(verb, argument);
    await reader.opened;
    return reader.link.call(verb, argument);
  }

  /** What may come beside searches: by a reader that nobody waits for, where there is one. */
  readAside<Name extends VerbName>(verb: Name, argument: VerbArgument<Name>): Promise<VerbAnswer<Name>> {
    const idle = this.#readers.find(({ link, isOpen }) => isOpen && link.isIdle);
    return idle ? idle.link.call(verb, argument) : this.read(verb, argument);
  }

  /** The first that answers. */
  #freeReader(): Reader | undefined {
    const answering = (ms: number) => this.#readers.find(({ link }) => link.silentMs < ms);
    return answering(passedByAfterMs.open) ?? answering(passedByAfterMs.started);
  }

  /** While none answers, one more, or whoever was heard of last; undefined where there is none and the store is being closed. */
  async #anyReader(): Promise<Reader | undefined> {
    if (this.#readers.length > 0) {
      // What was answered while this thread was at something long is heard by then.
      for (let turns = 0; turns < 2; turns += 1) await turn();
      const free = this.#freeReader();
      if (free) return free;
    }
    if (this.#readers.length < readersMax && !this.#closing) return this.#openReader();
    const [first, ...others] = this.#readers;
    return others.reduce((one, other) => (other.link.silentMs < one!.link.silentMs ? other : one), first);
  }

  /** Calls `listener` when something was changed, here or by another process; answers how to end that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.writer.tell("watch", true);
    return () => {
      const removed = this.#listeners.delete(listener);
      if (removed && this.#listeners.size === 0 && !this.#closing) this.writer.tell("watch", false);
    };
  }

  holdLease(request: LeaseRequest): LeaseHandle {
    const { workerId } = request;
    this.#leases.set(workerId, request);
    this.#tellLease(request);
    return leaseHandle(this.writer, new Int32Array(this.#pulse), workerId, () =>
      this.#leases.delete(workerId),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(
      this.#readers.map(async ({ link, opened }) => {
        await opened.catch(() => undefined);
        await link.close();
      }),
    );
    await this.writer.close();
  }

  #openReader(): Reader {
    const link = this.#link("reader");
    const reader: Reader = { link, opened: link.open(), isOpen: false };
    this.#readers.push(reader);
    // The next read tries again.
    reader.opened.then(
      () => {
        reader.isOpen = true;
      },
      () => this.#readers.splice(this.#readers.indexOf(reader), 1),
    );
    return reader;
  }

  #link(role: "writer" | "reader"): ThreadLink {
    const { path, durability, clock } = this.#options;
    return new ThreadLink({ path, durability, role, pulse: this.#pulse }, () => clock.now(), {
      changed: () => {
        for (const listener of this.#listeners) listener();
      },
      beat: (workerId, beat) => this.#leases.get(workerId)?.onBeat(this.#withDeaths(beat)),
      startedAgain: ({ message }) => {
        this.#deaths.add(message);
        if (role === "writer") this.#tellAgain();
      },
    });
  }

  /** Said once, by one who is alive and listened to. */
  #withDeaths(beat: Beat): Beat {
    if (this.#deaths.size === 0 || !beat.alive || beat.trouble !== undefined) return beat;
    const trouble = [...this.#deaths].join(" ");
    this.#deaths.clear();
    return { ...beat, trouble };
  }

  #tellLease({ workerId, beatMs, maxBlockMs }: LeaseRequest): void {
    this.writer.tell("holdLease", { workerId, beatMs, maxBlockMs });
  }

  /** Everything that the writing thread has beside the database; and whatever was changed meanwhile, nobody was told of. */
  #tellAgain(): void {
    for (const lease of this.#leases.values()) this.#tellLease(lease);
    if (this.#listeners.size > 0) this.writer.tell("watch", true);
    for (const listener of this.#listeners) listener();
  }
}
