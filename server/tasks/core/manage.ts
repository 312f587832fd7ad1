/** The operator's side: cancel, retry, edit, delete, and the record of attempts. */
import type { Attempt } from "./attempt.ts";
import { byOf, byRule } from "./audit.ts";
import { dueAtOf } from "./due-at.ts";
import type { Duration } from "./duration.ts";
import { DureError } from "./errors.ts";
import { findNearIdsIn } from "./find.ts";
import type { Instance } from "./instance.ts";
import { defaultInstance } from "./instance.ts";
import { checkIsText } from "./names.ts";
import { checkOptions, dateRule, durationRule, integerBetween, type OptionRule } from "./options.ts";
import type { AskedBy } from "./port/store-audit.ts";
import type { ChangeBy, TaskEdit, TaskStore, Written } from "./store.ts";
import type { Task } from "./task.ts";
import { showValue } from "./values/show.ts";
import { committed } from "./written.ts";

/** Of every change of one task. */
export interface ChangeOptions {
  /** The `version` the caller has seen; the change is refused with VERSION_CONFLICT when the task has moved on. */
  expectedVersion?: number;
  /** Who asks for it, for the audit log: a name, or more than that. */
  by?: string | AskedBy;
}

/** What to change of a PENDING task; what is left out stays as it is. */
export interface EditOptions extends ChangeOptions {
  /** -1000 to 1000; higher is claimed first. */
  priority?: number;
  /** Not before this instant: from 10 years ago to 100 years ahead. Not together with `delay`. */
  runAt?: Date;
  /** Not before this long from now. */
  delay?: Duration;
}

export interface CancelReply {
  /** As it is after the call. */
  task: Task;
  /** True when the task was RUNNING: its handler was asked to stop; it may still succeed first. */
  requested: boolean;
}

const changeRules = { expectedVersion: integerBetween(1, Number.MAX_SAFE_INTEGER), by: byRule };

/** Of a change that is part of an action on a search: the action's own record in the audit log stands for it, if there still is one. */
export type PartOfAction = { action?: { record: string | undefined } };

/**
 * Cancels a task. PENDING: CANCELLED at once, and it never starts. RUNNING: its handler's signal aborts, on
 * whatever machine it runs; it becomes CANCELLED unless it succeeds first. A repeated call changes nothing.
 * @throws DureError TASK_NOT_FOUND (with near ids), STATUS_CONFLICT when it has already ended, VERSION_CONFLICT
 */
export function cancelTask(id: string, options?: ChangeOptions): Promise<CancelReply> {
  return cancelTaskIn(defaultInstance(), id, options);
}

export async function cancelTaskIn(
  instance: Instance,
  id: string,
  options: ChangeOptions = {},
  part: PartOfAction = {},
): Promise<CancelReply> {
  checkOptions("cancelTask", options, changeRules);
  const { expectedVersion } = options;
  const by = recordedBy(instance, options, part);
  return change(instance, id, (store) => store.cancelTask(id, expectedVersion, by));
}

/**
 * Puts a FAILED or CANCELLED task back to PENDING, due now, with all its attempts again. Its history stays.
 * @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT (any other status), VERSION_CONFLICT
 */
export function retryTask(id: string, options?: ChangeOptions): Promise<Task> {
  return retryTaskIn(defaultInstance(), id, options);
}

export async function retryTaskIn(
  instance: Instance,
  id: string,
  options: ChangeOptions = {},
  part: PartOfAction = {},
): Promise<Task> {
  checkOptions("retryTask", options, changeRules);
  const { expectedVersion } = options;
  const by = recordedBy(instance, options, part);
  return (await change(instance, id, (store) => store.retryTask(id, expectedVersion, by))).task;
}

/**
 * Changes the priority or the due time of a PENDING task.
 * @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT, VERSION_CONFLICT, INVALID_OPTION
 */
export function editTask(id: string, edit: EditOptions): Promise<Task> {
  return editTaskIn(defaultInstance(), id, edit);
}

export async function editTaskIn(
  instance: Instance,
  id: string,
  edit: EditOptions,
  part: PartOfAction = {},
): Promise<Task> {
  checkEdit("editTask", edit, instance.clock.now(), changeRules);
  const { priority, expectedVersion } = edit;
  const by = recordedBy(instance, edit, part);
  // What is given is taken as it is now; a delay counts from the store's time, which a process knows once the store is open.
  const due = { ...edit, ...(edit.runAt && { runAt: new Date(edit.runAt) }) };
  await instance.store();
  const dueAt = dueAtOf(due, instance.clock.now());
  const stored: TaskEdit = {
    ...(priority !== undefined && { priority }),
    ...(dueAt !== undefined && { dueAt }),
  };
  return (await change(instance, id, (store) => store.editTask(id, stored, expectedVersion, by))).task;
}

/**
 * Before anything of it is kept.
 * @param others rules of what may stand beside it
 * @throws DureError INVALID_OPTION for what no task can be given, and where nothing is to be changed
 */
export function checkEdit(
  what: string,
  edit: EditOptions,
  now: number,
  others: Record<string, OptionRule> = {},
): void {
  checkOptions(what, edit, {
    ...others,
    priority: integerBetween(-1_000, 1_000),
    runAt: dateRule,
    delay: durationRule({ minMs: 0 }),
  });
  const { priority, runAt, delay } = edit ?? {};
  if (delay !== undefined && runAt !== undefined) {
    throw new DureError("INVALID_OPTION", `${what}: delay and runAt were both given; give one of them.`);
  }
  if (priority === undefined && runAt === undefined && delay === undefined) {
    throw new DureError(
      "INVALID_OPTION",
      `${what}: nothing to change was given; add priority, runAt or delay.`,
    );
  }
  dueAtOf(edit, now);
}

/**
 * Deletes a finished task with its attempts and logs.
 * @throws DureError TASK_NOT_FOUND, STATUS_CONFLICT when it has not ended, VERSION_CONFLICT
 */
export function deleteTask(id: string, options?: ChangeOptions): Promise<void> {
  return deleteTaskIn(defaultInstance(), id, options);
}

export async function deleteTaskIn(
  instance: Instance,
  id: string,
  options: ChangeOptions = {},
  part: PartOfAction = {},
): Promise<void> {
  checkOptions("deleteTask", options, changeRules);
  const { expectedVersion } = options;
  const by = recordedBy(instance, options, part);
  await change(instance, id, (store) => store.deleteTask(id, expectedVersion, by));
}

/** Every attempt of a task, oldest first, the running one included; empty when there is no such task. @throws DureError INVALID_ID */
export function listAttempts(taskId: string): Promise<Attempt[]> {
  return listAttemptsIn(defaultInstance(), taskId);
}

export async function listAttemptsIn(instance: Instance, taskId: string): Promise<Attempt[]> {
  checkIsText("listAttempts(taskId)", taskId);
  return (await instance.store()).listAttempts(taskId);
}

function recordedBy(
  instance: Instance,
  { by }: ChangeOptions,
  { action }: PartOfAction,
): ChangeBy | undefined {
  if (!action) return byOf(instance, by);
  return action.record === undefined ? undefined : { id: action.record, via: "worker", isPart: true };
}

async function change<Value>(
  instance: Instance,
  id: string,
  verb: (store: TaskStore) => Promise<Written<Value, string>>,
): Promise<Value> {
  if (typeof id !== "string" || id === "") {
    throw new DureError(
      "INVALID_ID",
      `The id of a task is ${showValue(id)}; it must be a string of 1 to 128 characters.`,
    );
  }
  const store = await instance.store();
  const answer = await verb(store);
  if (answer.kind === "rejected" && answer.reason === "not-found") {
    const isDefinition = (await store.getTask(id))?.isDefinition === true;
    answer.details = {
      id,
      ...answer.details,
      near: await findNearIdsIn(store, id),
      ...(isDefinition && { isDefinition }),
    };
  }
  return committed(answer, store);
}
