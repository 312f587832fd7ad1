/**
 * The threads that a store's database lives in: one that writes and one that reads (for ':memory:' the writer does both), so
 * that neither a commit nor a search ever blocks the server's event loop. The reader is started by the first read.
 */
import type { Clock } from "../../../core/clock.ts";
import type { Beat, LeaseHandle, LeaseRequest } from "../../../core/store.ts";
import { leaseHandle } from "./lease-handle.ts";
import { ThreadLink } from "./thread-link.ts";
import type { VerbAnswer, VerbArgument, VerbName } from "./verbs.ts";

export interface SqliteStoreOptions {
  /** A file, or ':memory:'. */
  path: string;
  /** 'full': an acknowledged write survives a power cut. 'normal': it survives the death of the process. Default 'full'. */
  durability?: "full" | "normal";
  clock: Clock;
}

export class StoreThreads {
  readonly writer: ThreadLink;
  readonly #options: Required<SqliteStoreOptions>;
  readonly #pulse = new SharedArrayBuffer(8);
  readonly #listeners = new Set<() => void>();
  readonly #leases = new Map<string, LeaseRequest>();
  #reader: Promise<ThreadLink> | undefined;
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
    if (this.#closing && !this.#reader) return this.writer.call(verb, argument);
    this.#reader ??= this.#openReader();
    return (await this.#reader).call(verb, argument);
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
    const reader = await this.#reader?.catch(() => undefined);
    await reader?.close();
    await this.writer.close();
  }

  async #openReader(): Promise<ThreadLink> {
    const reader = this.#link("reader");
    try {
      await reader.open();
    } catch (error) {
      // The next read tries again.
      this.#reader = undefined;
      throw error;
    }
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
