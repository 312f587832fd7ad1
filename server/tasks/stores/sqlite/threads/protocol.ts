/** The messages between the store (main thread) and its own threads. */
import type { ErrorCode } from "../../../core/errors.ts";
import type { Beat } from "../../../core/store.ts";
import type { Row } from "../rows.ts";

/** What a thread is started with. */
export interface ThreadOptions {
  path: string;
  durability: "full" | "normal";
  role: "writer" | "reader";
  /** A counter that the main thread moves on while it is well. */
  pulse: SharedArrayBuffer;
}

/** A verb to run at an instant of the store's clock. Number 0 asks for no answer. */
export type Request = [number: number, verb: string, argument: unknown, now: number];

export interface ThreadError {
  code?: ErrorCode;
  name: string;
  message: string;
  stack?: string;
  details?: Record<string, unknown>;
}

/** Answers of one transaction, and whether anything a waiting worker or watcher cares for has changed. */
export interface Reply {
  answers: [number: number, error: ThreadError | null, value: unknown][];
  changed: boolean;
  /** Beats of leases, by worker; and when each was asked for, see thread-time.ts. */
  beats?: [workerId: string, beat: Beat, askedAt: number][];
}

/** Rows, and the names of the numbers in them. */
export interface Rows {
  rows: Row[];
  lanes: [lane: number, type: string, queue: string, description: string | null][];
  workers: [worker: number, id: string][];
}
