/**
 * A batch that arrives in parts (`enqueueMany`), stored all or none. Parts are inserted as they come, in a
 * transaction that stays open between them, so that the main thread prepares the next part meanwhile. That must
 * not hold the file's write lock while the main thread is blocked: when a part is late, the transaction is rolled
 * back, the parts are only gathered from then on, and all are inserted at once when the last has come.
 */
import { countTasks, type Enqueued, enqueued, insertRuns, type NewRun } from "../enqueue.ts";
import type { Row } from "../rows.ts";
import type { WriteContext } from "./write-context.ts";

/** How long the write lock is held for a part that does not come. */
const partWaitMs = 20;

export interface StreamHost {
  readonly context: WriteContext;
  begin(): void;
  commit(): void;
  rollback(): void;
  answer(request: number, error: unknown, value: unknown): void;
  /** The transaction that a late part left open is closed: what waited for it may run. */
  free(): void;
}

interface Stream {
  parts: (readonly NewRun[])[];
  inserted: number;
  existing: [number, Row][];
  refusal: Enqueued | undefined;
  /** A database error met while inserting; answered at the end. */
  failure: unknown;
}

export class Streams {
  readonly #host: StreamHost;
  readonly #streams = new Map<number, Stream>();
  #open: Stream | undefined;
  #late: NodeJS.Timeout | undefined;

  constructor(host: StreamHost) {
    this.#host = host;
  }

  /** Whether a transaction is open; nothing else may be written meanwhile. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  part(id: number, runs: readonly NewRun[]): void {
    let stream = this.#streams.get(id);
    if (!stream) {
      stream = { parts: [], inserted: 0, existing: [], refusal: undefined, failure: undefined };
      this.#streams.set(id, stream);
      if (!this.#open) this.#begin(stream);
    }
    stream.parts.push(runs);
    if (this.#open === stream) {
      this.#insert(stream, runs);
      this.#expectMore(stream);
    }
  }

  /** All parts have come: stores them and answers `request`. */
  end(id: number, request: number): void {
    const stream = this.#streams.get(id) ?? {
      parts: [],
      inserted: 0,
      existing: [],
      refusal: undefined,
      failure: undefined,
    };
    this.#streams.delete(id);
    if (this.#open !== stream) this.#startOver(stream);
    clearTimeout(this.#late);
    this.#open = undefined;
    this.#finish(stream, request);
  }

  /** The caller met a bad item: forgets the batch. */
  abort(id: number, request: number): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    if (stream && this.#open === stream) this.#close();
    this.#host.answer(request, null, null);
  }

  #begin(stream: Stream): void {
    try {
      this.#host.begin();
      this.#open = stream;
    } catch (error) {
      stream.failure = error;
    }
  }

  #insert(stream: Stream, runs: readonly NewRun[]): void {
    if (stream.refusal || stream.failure) return;
    try {
      stream.refusal = insertRuns(this.#host.context, runs, stream.inserted, stream.existing);
      stream.inserted += countTasks(runs);
    } catch (error) {
      stream.failure = error;
    }
    if (stream.refusal || stream.failure) this.#close();
  }

  /** Inserts every part in one go, whatever was tried before. */
  #startOver(stream: Stream): void {
    if (this.#open) this.#close();
    if (stream.refusal || stream.failure) return;
    stream.inserted = 0;
    stream.existing = [];
    this.#begin(stream);
    for (const runs of stream.parts) this.#insert(stream, runs);
  }

  #finish(stream: Stream, request: number): void {
    if (stream.failure || stream.refusal) {
      this.#host.rollback();
      this.#host.answer(request, stream.failure ?? null, stream.refusal);
      return;
    }
    try {
      const value = enqueued(this.#host.context, stream.existing);
      this.#host.commit();
      this.#host.answer(request, null, value);
    } catch (error) {
      this.#host.rollback();
      this.#host.answer(request, error, null);
    }
  }

  #expectMore(stream: Stream): void {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      if (this.#open !== stream) return;
      this.#close();
      this.#host.free();
    }, partWaitMs);
  }

  #close(): void {
    clearTimeout(this.#late);
    this.#open = undefined;
    this.#host.rollback();
  }
}
