/** Claims and how attempts end, as stores are asked for them. */
import type { AttemptOutcome, LogEntry, StoredError } from "../attempt.ts";
import type { Task, TaskStatusName } from "../task.ts";
import type { TransactionClient } from "../transaction.ts";
import type { EncodedValue } from "../values/value.ts";
import type { Attributes, TaskSettings } from "./store-new-task.ts";
import type { Written } from "./store-written.ts";

/** A claim: what one attempt needs. `ref` is the store's own handle; it comes back in the settlement unread. */
export interface ClaimedTask {
  ref: unknown;
  fence: number;
  task: Task;
  settings?: TaskSettings;
  /** Why the payload cannot be read, when it cannot; the worker settles such a claim as failed. */
  unreadable?: string;
}

export interface ClaimRequest {
  workerId: string;
  /** Only these types. */
  types: readonly string[];
  /** Only these queues; undefined for all. */
  queues?: readonly string[];
  /** At most this many. */
  limit: number;
  /** Whether a task whose worker died before may be among them (at most one is given); see worker.ts, quarantine. */
  suspect: boolean;
  /** How long the answer may be held back while nothing is due. A store that cannot wait answers at once. */
  waitMs?: number;
}

export interface ClaimReply {
  claimed: ClaimedTask[];
  /** When the next task these types and queues wait for is due, if one is known; milliseconds since 1970. */
  nextDueAt?: number;
  /** True when the store may have held the answer back; the caller need not wait again. */
  waited?: boolean;
  /** Whether no other worker was alive; told, if at all, by a claim that brought what it asked for. */
  isAlone?: boolean;
}

/**
 * How a worker ends an attempt. The store reads the task as it is at that moment: after a cancel request every
 * end but `completed` makes it CANCELLED; `failed` and `timed-out` with `retryAt` go back to PENDING while
 * `attempts < maxAttempts`, and to FAILED otherwise; `snoozed` and `released` go back to PENDING uncharged.
 */
export interface Settlement {
  ref: unknown;
  taskId: string;
  fence: number;
  workerId: string;
  outcome: Exclude<AttemptOutcome, "lost">;
  result?: EncodedValue;
  error?: StoredError;
  /** Milliseconds since 1970. For `failed` and `timed-out`: absent means no further attempt. For `snoozed`: required. */
  retryAt?: number;
  logs?: LogEntry[];
  /**
   * Of the definition's attributes, those the result has, with `completed`; and those of the payload where they were not taken
   * when the task was enqueued. Kept beside those that the task has.
   */
  attributes?: Attributes;
}

export interface TransactionRequest {
  taskId: string;
  fence: number;
  workerId: string;
  /** How long the server waits for the next statement before it ends the transaction; null for no limit of ours. */
  idleMs: number | null;
}

/** A transaction that holds what a handler writes until its task is completed by the same commit. */
export interface AttemptTransaction {
  /** What the handler works with. It refuses every statement once the transaction is over. */
  readonly client: TransactionClient;
  /**
   * T3, and commits; both or neither. Answers `lease-lost` after rolling back. After `unknown` ask `findOutcome`. What it
   * throws (the handler ended or broke the transaction, a constraint that is checked at the end) rolled back.
   */
  commit(settlement: Settlement): Promise<Written<Settled>>;
  /** After a commit whose answer was lost: what became of it; undefined when it was rolled back. */
  findOutcome(settlement: Settlement): Promise<Settled | undefined>;
  /** Undoes what was written and lets go of the connection. Never rejects; a repeated call does nothing. */
  rollback(): Promise<void>;
}

/** What became of a settlement: the task's status after it, or that the attempt was no longer this worker's. */
export type Settled =
  | { kind: "settled"; status: TaskStatusName; dueAt?: number }
  | { kind: "lease-lost"; lostTo: AttemptOutcome | "unknown" };

/** A task that was taken back, and what became of it. */
export interface ReapedTask {
  id: string;
  type: string;
  status: TaskStatusName;
}
