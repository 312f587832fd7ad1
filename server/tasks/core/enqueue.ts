/** EnqueueOptions; a definition and a payload become a new task, checked, with its defaults filled in. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { extractAttributes, lackingAttributes } from "./attributes.ts";
import { byOf, byRule } from "./audit.ts";
import type { Backoff } from "./backoff.ts";
import { resolveBackoff } from "./backoff.ts";
import { dueAtOf, yearMs } from "./due-at.ts";
import type { Duration } from "./duration.ts";
import { parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import { asGiven } from "./given.ts";
import { ulidTime } from "./ids.ts";
import type { Instance } from "./instance.ts";
import { checkIdempotencyKey, checkIsText, checkQueue, checkTag, checkTaskId, didYouMean } from "./names.ts";
import {
  booleanRule,
  checkOptions,
  checkPlain,
  dateRule,
  durationRule,
  integerBetween,
  listOf,
  problemOf,
  signalRule,
  stringUpTo,
} from "./options.ts";
import { chained, countChild, type Origin } from "./origin.ts";
import type { AskedBy } from "./port/store-audit.ts";
import type { RegisteredDefinition } from "./registry.ts";
import type { NewTask, TaskSettings, TaskStore } from "./store.ts";
import type { Task, TaskStatus } from "./task.ts";
import type { Transaction } from "./transaction.ts";
import { isSqlite } from "./transaction.ts";
import { decodeValue, encodeValue } from "./values/value.ts";
import { committed } from "./written.ts";

/** Settings of one task; what is left out comes from its definition. */
export interface EnqueueOptions {
  /** Not before this long from now. Not together with `runAt`. */
  delay?: Duration;
  /** Not before this instant: from 10 years ago to 100 years ahead. */
  runAt?: Date;
  /** -1000 to 1000; higher is claimed first. */
  priority?: number;
  /** 1 to 128 letters and digits of any script, and . _ : / -; workers may be limited to some. */
  queue?: string;
  /** Beside the definition's: at most 20 in all, of 1 to 128 characters. */
  tags?: readonly string[];
  /**
   * Same definition, same key: one task. A second enqueue with the same payload answers the first task, with
   * another payload it is refused. The key is free again once the task is deleted. 1 to 255 bytes.
   */
  idempotencyKey?: string;
  /** An id of your own, of the form a definition's id has, not used by any task or definition. */
  id?: string;
  /** 1 to 1,000. */
  maxAttempts?: number;
  /** As in the definition, except that it cannot be a function: it is stored with the task. */
  backoff?: Exclude<Backoff, (...args: any[]) => unknown>;
  /** Of one attempt: 1 ms to 365 days, or 'none'. */
  timeout?: Duration | "none";
  /** At most 1,000 characters. */
  description?: string;
  /** Whether it starts again when its worker died. */
  rerunAfterCrash?: boolean;
  /**
   * A transaction of the caller's, on the same database: the task is there if and only if it commits. After an error,
   * roll it back. PostgreSQL: a `pg` client, or what an adapter of `dure/postgres` gives. SQLite: a `DatabaseSync`.
   */
  tx?: Transaction;
  /** Who asks for it, where a person does: then the audit log has a record of the call. Default: nobody, and no record. */
  by?: string | AskedBy;
}

/** One item of `enqueueMany`. */
export interface EnqueueItem<Payload = any> extends Omit<EnqueueOptions, "tx" | "by"> {
  payload: Payload;
}

/** Of `definition.run`: how to enqueue, and how long to wait. */
export interface RunOptions extends Omit<EnqueueOptions, "tx"> {
  /** How long to wait for the end; the task goes on after that. Default: for ever. */
  waitTimeout?: Duration;
  /** Ends the wait, not the task. */
  signal?: AbortSignal;
}

export const enqueueRules = {
  delay: durationRule({ minMs: 0, maxMs: 100 * yearMs }),
  runAt: dateRule,
  priority: integerBetween(-1_000, 1_000),
  queue: (value: unknown) => problemOf(() => checkQueue(value as string)),
  tags: listOf((value) => problemOf(() => checkTag(value as string)), 20),
  idempotencyKey: (value: unknown) => problemOf(() => checkIdempotencyKey(value as string)),
  id: (value: unknown) => problemOf(() => checkTaskId(value as string)),
  maxAttempts: integerBetween(1, 1_000),
  backoff: (value: unknown) =>
    typeof value === "function"
      ? "backoff is a function, which cannot be stored with one task; put it in the definition"
      : problemOf(() => resolveBackoff(value as object)),
  timeout: durationRule({ minMs: 1, maxMs: yearMs, also: ["none"] }),
  description: stringUpTo(1_000),
  rerunAfterCrash: booleanRule,
};
/** What it is, the store finds out. */
export const callRules = { tx: () => undefined, by: byRule };
const ownRules = { ...enqueueRules, ...callRules };

/** `definition.enqueue`. */
export async function enqueueOf(
  instance: Instance,
  definition: RegisteredDefinition,
  payload: unknown,
  given: EnqueueOptions | undefined,
): Promise<Task> {
  const origin = instance.origin();
  // A schema may be waited for, and so may the store.
  const options = definition.schema ? optionsAsGiven(given) : given;
  const tx = given?.tx;
  if (options !== undefined) checkEnqueueOptions(`enqueue of "${definition.id}"`, options, ownRules);
  const by = options?.by === undefined ? undefined : byOf(instance, options.by);
  const checked = definition.schema ? checkedPayload(definition, payload) : { payload };
  const accepted = checked instanceof Promise ? await checked : checked;
  // What is given is taken as it is now; what time it is by the store, a process knows once the store is open.
  const undated = newTask(instance, definition, accepted.payload, options, origin);
  const store = await storeFor(instance, tx);
  const task = dated(instance, undated);
  const [existing] = committed(await store.enqueueTasks([task], tx, by), store);
  return existing ?? taskOf(task, accepted.payload, definition);
}

/** `definition.run`: enqueues, waits for the end, gives the result. */
export async function runOf(
  instance: Instance,
  definition: RegisteredDefinition,
  payload: unknown,
  options: RunOptions = {},
): Promise<unknown> {
  const what = `run of "${definition.id}"`;
  checkPlain(what, options);
  const { waitTimeout, signal, ...enqueueOptions } = options;
  // Nobody would run a task that is only there once its caller has committed, and the caller waits here.
  checkOptions(what, enqueueOptions, { ...enqueueRules, by: byRule });
  checkOptions(what, { signal }, { signal: signalRule });
  const timeoutMs = waitTimeout === undefined ? undefined : parseDuration(waitTimeout, "waitTimeout");
  const { id } = await enqueueOf(instance, definition, payload, enqueueOptions);
  const task = await instance.waitForEnd(id, {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal ? { signal } : {}),
  });
  return resultOf(task);
}

/**
 * A transaction of SQLite's may hold the file's one write lock, for which a store that opens waits: the tasks are stored
 * by the caller's connection, and the store opens once that has committed.
 */
export function storeFor(instance: Instance, tx: Transaction | undefined): Promise<TaskStore> {
  return isSqlite(tx) ? instance.storeUnopened() : instance.store();
}

/** Enqueues by the definition's id, for callers that have only that, such as the command line. */
export async function enqueueTaskIn(
  instance: Instance,
  type: string,
  payload: unknown,
  options?: EnqueueOptions,
): Promise<Task> {
  checkIsText("enqueueTask(type)", type);
  if (instance.registry.isBuiltIn(type)) {
    throw new DureError(
      "INVALID_OPTION",
      `Tasks of "${type}" are Dure's own; startAction makes them, nobody enqueues one.`,
      { details: { id: type } },
    );
  }
  const registered = instance.registry.get(type);
  if (registered) return enqueueOf(instance, registered, payload, options);
  const given = decodeValue(encodeValue(payload, "payload", instance.valueSizeMax));
  const givenOptions = optionsAsGiven(options);
  return enqueueOf(instance, await storedDefinition(instance, type), given, givenOptions);
}

/** But for the transaction, which is the caller's own. */
function optionsAsGiven(options: EnqueueOptions | undefined): EnqueueOptions | undefined {
  if (options?.tx === undefined) return asGiven(options);
  const { tx, ...own } = options;
  return { ...asGiven(own), tx };
}

/** The result of a finished task, or the error that its status means. */
export function resultOf(task: Task): unknown {
  if (task.status === "COMPLETED") return task.result;
  const details = { id: task.id, type: task.type, attempts: task.attempts, error: task.error };
  if (task.status === "CANCELLED") {
    throw new DureError("TASK_CANCELLED", `Task ${task.id} (${task.type}) was cancelled.`, { details });
  }
  throw new DureError(
    "TASK_FAILED",
    `Task ${task.id} (${task.type}) failed after ${attemptsOf(task.attempts)}: ${task.error ?? "no error was kept"}`,
    { details },
  );
}

function attemptsOf(count: number): string {
  return count === 1 ? "1 attempt" : `${count} attempts`;
}

/** From the store: a process that enqueues need not have the handler. */
async function storedDefinition(instance: Instance, type: string): Promise<RegisteredDefinition> {
  const stored = await (await instance.store()).listDefinitions();
  const found = stored.find((definition) => definition.id === type);
  if (!found) {
    const known = new Set([...instance.registry.ids(), ...stored.map((definition) => definition.id)]);
    throw new DureError(
      "TASK_NOT_DEFINED",
      `No task "${type}" is defined.${didYouMean(type, known)} Import the module that defines it, or start a worker that does.`,
      { details: { id: type } },
    );
  }
  return {
    ...found,
    description: found.description,
    handler: () => Promise.reject(new Error("The handler is in another process.")),
    backoff: undefined,
    abortGraceMs: 0,
    tags: found.tags,
    schema: undefined,
    attributes: [],
    lacksAttributes: (found.attributes ?? []).length > 0,
    definedAt: "another process",
  };
}

export function checkEnqueueOptions(
  what: string,
  options: EnqueueOptions,
  rules: Parameters<typeof checkOptions>[2],
): void {
  checkOptions(what, options, rules);
  if (options.delay !== undefined && options.runAt !== undefined) {
    throw new DureError("INVALID_OPTION", `${what}: delay and runAt were both given; give one of them.`);
  }
}

/** Of a definition with a schema; at once, but for a schema that takes its time. */
export function checkedPayload(
  definition: RegisteredDefinition,
  payload: unknown,
): { payload: unknown } | Promise<{ payload: unknown }> {
  const outcome = definition.schema!["~standard"].validate(payload);
  if (outcome instanceof Promise) return outcome.then((checked) => accepted(definition, checked));
  return accepted(definition, outcome);
}

function accepted(
  definition: RegisteredDefinition,
  checked: StandardSchemaV1.Result<unknown>,
): { payload: unknown } {
  if (!checked.issues) return { payload: checked.value };
  const issues = checked.issues.map(describeIssue);
  throw new DureError(
    "INVALID_PAYLOAD",
    `The payload of "${definition.id}" does not fit its schema: ${issues.slice(0, 10).join("; ")}.`,
    { details: { type: definition.id, issues } },
  );
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path === "" ? issue.message : `payload.${path}: ${issue.message}`;
}

/** A task without an id, unless one was given, and with the instants of the call. */
export interface Undated {
  task: NewTask;
  /** As it was accepted. */
  payload: unknown;
  /** Whether it is due at an instant that was given, and not so long after it was enqueued. */
  isDueThen: boolean;
}

export function newTask(
  instance: Instance,
  definition: RegisteredDefinition,
  payload: unknown,
  options: EnqueueOptions | undefined,
  origin: Origin | undefined,
): Undated {
  const encoded = encodeValue(payload, "payload", instance.valueSizeMax);
  const now = instance.clock.now();
  const id = options?.id ?? "";
  const dueAt = dueAtOf(options ?? {}, now) ?? now;
  const own = settingsOf(definition, options);
  const task: NewTask = {
    id,
    type: definition.id,
    queue: options?.queue ?? definition.queue,
    priority: options?.priority ?? definition.priority,
    createdAt: now,
    dueAt,
    maxAttempts: options?.maxAttempts ?? definition.maxAttempts,
    payload: encoded,
    description: options?.description,
    tags: options?.tags
      ? mergeTags(definition, options.tags)
      : definition.tags.length > 0
        ? definition.tags
        : undefined,
    idempotencyKey: options?.idempotencyKey,
    rerunAfterCrash: options?.rerunAfterCrash ?? definition.rerunAfterCrash,
    settings: origin ? chained(origin, own, dueAt - now) : own,
    ownId: options?.id !== undefined,
  };
  const queueDepthMax = instance.queueDepthMax(task.queue);
  if (queueDepthMax !== undefined) task.queueDepthMax = queueDepthMax;
  if (definition.lacksAttributes) {
    task.attributes = lackingAttributes;
  } else if (definition.attributes.length > 0) {
    const attributes = extractAttributes(definition.id, definition.attributes, "payload", payload);
    if (attributes) task.attributes = attributes;
  }
  if (task.ownId && instance.registry.get(id)) {
    throw new DureError("TASK_ID_TAKEN", `"${id}" is the id of a definition; give the task another id.`, {
      details: { id },
    });
  }
  if (origin) countChild(origin);
  return { task, payload, isDueThen: options?.runAt !== undefined };
}

/** Enqueued now. */
export function dated(instance: Instance, { task, isDueThen }: Undated): NewTask {
  const now = instance.clock.now();
  if (!isDueThen) task.dueAt += now - task.createdAt;
  if (task.ownId) {
    task.createdAt = now;
  } else {
    task.id = instance.ids.taskId();
    task.createdAt = ulidTime(task.id)!;
  }
  return task;
}

function mergeTags(definition: RegisteredDefinition, tags: readonly string[]): readonly string[] {
  const merged = [...new Set([...definition.tags, ...tags])];
  if (merged.length <= 20) return merged;
  throw new DureError(
    "INVALID_OPTION",
    `A task of "${definition.id}" would have ${merged.length} tags, its definition's included; at most 20 are kept.`,
  );
}

function settingsOf(
  { lacksAttributes = false }: RegisteredDefinition,
  options: EnqueueOptions = {},
): TaskSettings | undefined {
  if (options.timeout === undefined && options.backoff === undefined && !lacksAttributes) return undefined;
  return {
    ...(lacksAttributes && { lacksAttributes }),
    ...(options.timeout === undefined
      ? {}
      : { timeoutMs: options.timeout === "none" ? null : parseDuration(options.timeout, "timeout") }),
    ...(options.backoff === undefined ? {} : { backoff: resolveBackoff(options.backoff) }),
  };
}

/** The task as the store has it right after it was enqueued. */
export function taskOf(task: NewTask, payload: unknown, definition: RegisteredDefinition): Task {
  const description = task.description ?? definition.description;
  return {
    id: task.id,
    type: task.type,
    status: "PENDING" as TaskStatus,
    createdAt: new Date(task.createdAt),
    updatedAt: new Date(task.createdAt),
    payload,
    maxAttempts: task.maxAttempts,
    attempts: 0,
    ...(description === undefined ? {} : { description }),
    queue: task.queue,
    priority: task.priority,
    dueAt: new Date(task.dueAt),
    tags: task.tags ?? [],
    ...(task.idempotencyKey === undefined ? {} : { idempotencyKey: task.idempotencyKey }),
    crashes: 0,
    snoozes: 0,
    version: 1,
  };
}
