/**
 * The words all others use: Task, TaskStatus, TaskHandler, TaskOptions, TaskDefinition, and defineTask.
 * Names and signatures come from the specification; what a definition does is in definition.ts.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskContext } from "./attempt.ts";
import type { AttributeSources, AttributesOf, ExtractedByName } from "./attributes.ts";
import type { Backoff } from "./backoff.ts";
import { define } from "./definition.ts";
import type { Duration } from "./duration.ts";
import type { EnqueueItem, EnqueueOptions, RunOptions } from "./enqueue.ts";
import { defaultInstance } from "./instance.ts";
import type { TaskPage, TaskSearchOptions } from "./search.ts";

/** Where a task is in its life. Every input also takes the plain strings. */
export enum TaskStatus {
  /** Waiting: for a slot, for its time (`dueAt`), or for its next attempt. */
  PENDING = "PENDING",
  /** A worker has it. */
  RUNNING = "RUNNING",
  /** Its handler succeeded. Final. */
  COMPLETED = "COMPLETED",
  /** Its handler failed and no attempt is left, or its crash budget is spent. Left only by `retryTask`. */
  FAILED = "FAILED",
  /** Cancelled before it succeeded. Left only by `retryTask`. */
  CANCELLED = "CANCELLED",
}

/** A TaskStatus, or its plain string. */
export type TaskStatusName = `${TaskStatus}`;

/** What a handler last said of how far it is. */
export interface TaskProgress {
  done: number;
  total?: number;
  message?: string;
}

/**
 * One piece of work. The fields up to `description` are the specification's; those after it are always set on
 * a task that comes from the store, and optional so that a test can write a Task by hand.
 */
export interface Task<Payload = any, Result = any> {
  /** Unique in the store, at most 128 characters; sorts by time of enqueueing unless the caller chose it. */
  id: string;
  /** The id of the task's definition. */
  type: string;
  status: TaskStatus;
  /** When it was enqueued. */
  createdAt: Date;
  /** When its status or settings last changed; progress and logs do not count. Never before `createdAt`. */
  updatedAt: Date;
  /** When its latest attempt started. */
  startedAt?: Date;
  /** When it became COMPLETED, FAILED or CANCELLED. */
  completedAt?: Date;
  payload: Payload;
  /** What the handler returned; only when COMPLETED. */
  result?: Result;
  /** The message of the latest error; kept while the task is retried. */
  error?: string;
  /** How many attempts may be charged before the task is FAILED. */
  maxAttempts: number;
  /** Attempts charged so far; those lost with a worker, given back or snoozed are not. */
  attempts: number;
  description?: string;
  queue?: string;
  /** -1000 to 1000; higher is claimed first. */
  priority?: number;
  /** Not claimed before this instant: the time of its next attempt, or of its only one. */
  dueAt?: Date;
  tags?: readonly string[];
  idempotencyKey?: string;
  progress?: TaskProgress;
  /** The worker that has it, or had it last. */
  workerId?: string;
  /** Set once somebody asked to cancel it while it was RUNNING. */
  cancelRequestedAt?: Date;
  /** How many workers died while running it, since its last operator retry. */
  crashes?: number;
  /** How often a handler threw `Snooze`, since its last operator retry. */
  snoozes?: number;
  /** Grows with every change of status or settings; see `expectedVersion`. */
  version?: number;
  /** True for the entry that stands for a definition; see `searchTasks`. */
  isDefinition?: true;
  /** Set when the stored payload or result could not be read back: what is wrong with it. */
  unreadable?: string;
}

/**
 * What a handler may return instead of its bare result: an object with no other keys. `success` stores `data`
 * as the result; `failure` ends the attempt as a throw does, with `message` as the error.
 */
export interface TaskEnvelope<Result = any> {
  status: "success" | "failure";
  message?: string;
  data?: Result;
}

/**
 * Runs one attempt of a task. Called at least once per task; may be called again after a failure, a timeout, or
 * the death of the worker, so effects outside should be keyed by `task.id`. The payload is a fresh copy each time.
 */
export type TaskHandler<Payload = any, Result = any> = (
  task: Task<Payload>,
  context: TaskContext,
) => Promise<Result | TaskEnvelope<Result>>;

/** Settings of a definition; tasks take them as defaults. */
export interface TaskOptions<Payload = any, Result = any, Given = ExtractedByName> {
  /** Shown with the task wherever it is listed; at most 1,000 characters. */
  description?: string;
  /** Attempts charged before a task is FAILED: 1 to 1,000. Default 1. */
  maxAttempts?: number;
  /** The wait between attempts. Default: 1 s, doubled each time up to 1 h, full jitter. */
  backoff?: Backoff;
  /** How long one attempt may take before its signal aborts and it counts as failed. Default '5m'; 'none' for no limit. */
  timeout?: Duration | "none";
  /** How long a handler may go on after its signal aborted. Default '5s'. */
  abortGrace?: Duration;
  /** Default 'default'. A worker may be limited to some queues. */
  queue?: string;
  /** -1000 to 1000; higher is claimed first. Default 0. */
  priority?: number;
  /** Put on every task, beside those given at enqueue: at most 20, of 1 to 128 characters. */
  tags?: readonly string[];
  /** False for a handler that must never start twice: a task whose worker died is FAILED at once. Default true. */
  rerunAfterCrash?: boolean;
  /**
   * Values to search tasks by, taken from each payload when it is enqueued (or from the result: `{ result: … }`), and
   * indexed. Texts, numbers, booleans, Dates, or lists of them. One that is added later is filled in for older tasks.
   */
  attributes?: AttributeSources<Payload, Result, Given>;
  /** Any Standard Schema (zod, valibot, arktype, …); types follow from it. Payloads are checked at enqueue. */
  payload?: StandardSchemaV1;
  /** Take the place of an earlier definition with the same id instead of throwing. Default false. */
  replace?: boolean;
}

/** What defineTask returns: the way to enqueue, run and find tasks of one type. */
export interface TaskDefinition<Payload = any, Result = any, Input = Payload, Attributes = any> {
  readonly id: string;
  readonly description?: string;
  readonly maxAttempts: number;
  readonly queue: string;
  readonly priority: number;
  /**
   * Stores a new task; resolves once it is durable.
   * @throws DureError INVALID_PAYLOAD, INVALID_OPTION, INVALID_ID, VALUE_NOT_STORABLE, VALUE_TOO_LARGE,
   *   TASK_ID_TAKEN, IDEMPOTENCY_CONFLICT, TRANSACTION_UNUSABLE, DATABASE_…; ENQUEUE_LIMIT in a handler
   */
  enqueue(payload: Input, options?: EnqueueOptions): Promise<Task<Payload, Result>>;
  /**
   * Stores many tasks in one transaction: all or none. A bad item is named by its index in `details.index`.
   * Resolves with the tasks in the order of the items. The first 1,000 are taken up at once, the others while it waits:
   * the list may be used again at once, its items and their payloads once it has resolved.
   */
  enqueueMany(
    items: Iterable<EnqueueItem<Input>>,
    options?: Pick<EnqueueOptions, "tx" | "by">,
  ): Promise<Task<Payload, Result>[]>;
  /**
   * Enqueues, waits for the end, and gives the result. A worker must be running somewhere.
   * @throws DureError TASK_FAILED, TASK_CANCELLED, WAIT_TIMEOUT (`waitTimeout` option), and all of `enqueue`'s.
   */
  run(payload: Input, options?: RunOptions): Promise<Result>;
  /** `searchTasks` among the tasks of this type. */
  search(
    options?: Omit<TaskSearchOptions<Payload, Result, Attributes>, "type">,
  ): Promise<Task<Payload, Result>[]>;
  /** `searchTaskPage` among the tasks of this type. */
  searchPage(
    options?: Omit<TaskSearchOptions<Payload, Result, Attributes>, "type">,
  ): Promise<TaskPage<Payload, Result>>;
  /** `countTasks` among the tasks of this type. */
  count(options?: Omit<TaskSearchOptions<Payload, Result, Attributes>, "type">): Promise<number>;
}

/**
 * Registers a definition in this process, at once. Its data (not its code) reaches the store when the store is
 * opened, so that other processes list it too.
 *
 * @param id 1 to 128 characters: letters and digits of any script, `.` `_` `:` `/` `-`; compared byte for byte.
 * @throws DureError TASK_ALREADY_DEFINED (naming both places) unless `replace: true`; INVALID_ID; INVALID_OPTION
 *   with every problem of the options at once.
 */
export function defineTask<
  Schema extends StandardSchemaV1,
  Result = any,
  Given extends ExtractedByName = ExtractedByName,
>(
  id: string,
  handler: TaskHandler<StandardSchemaV1.InferOutput<Schema>, Result>,
  options: TaskOptions<StandardSchemaV1.InferOutput<Schema>, Result, Given> & { payload: Schema },
): TaskDefinition<
  StandardSchemaV1.InferOutput<Schema>,
  Result,
  StandardSchemaV1.InferInput<Schema>,
  AttributesOf<Given>
>;
export function defineTask<Payload = any, Result = any, Given extends ExtractedByName = ExtractedByName>(
  id: string,
  handler: TaskHandler<Payload, Result>,
  options?: TaskOptions<Payload, Result, Given>,
): TaskDefinition<Payload, Result, Payload, AttributesOf<Given>>;
export function defineTask(id: string, handler: TaskHandler, options?: TaskOptions): TaskDefinition {
  return define(defaultInstance(), id, handler, options, defineTask);
}
