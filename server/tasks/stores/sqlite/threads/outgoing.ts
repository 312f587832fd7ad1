/** What the main thread sends to the writing thread: values as plain arrays, which cross fastest. */
import type { NewTask, Settlement, TaskStore } from "../../../core/store.ts";
import { attributesJson } from "../attributes/attributes.ts";
import type { TaskRef } from "../claimed-task.ts";
import type { NewRun, SharedValues } from "../enqueue.ts";
import type { ProgressRow, SettlementRow } from "../settle.ts";

/** The store's handle of a claimed task. */

/** Neighbours that share all but id, instant, payload and idempotency key become one run. */
export function toNewRuns(tasks: readonly NewTask[]): NewRun[] {
  const runs: NewRun[] = [];
  let first: NewTask | undefined;
  for (const task of tasks) {
    if (!first || !isAlike(first, task)) {
      first = task;
      runs.push({ shared: sharedOf(task), ids: [], createdAts: [], payloads: [], idempotencies: [] });
      if (task.queueDepthMax !== undefined) runs.at(-1)!.queueDepthMax = task.queueDepthMax;
    }
    const run = runs.at(-1)!;
    run.ids.push(task.id);
    run.createdAts.push(task.createdAt);
    run.payloads.push(task.payload.json);
    run.idempotencies.push(task.idempotencyKey === undefined ? null : `${task.type} ${task.idempotencyKey}`);
    if (task.attributes || run.attributes) addAttributes(run, attributesJson(task.attributes));
  }
  return runs;
}

/** A run has the list as soon as one of its tasks has any. */
function addAttributes(run: NewRun, json: string | null): void {
  if (!run.attributes) {
    if (json === null) return;
    run.attributes = new Array(run.ids.length - 1).fill(null);
  }
  run.attributes.push(json);
}

/** Two tasks of different tags may share a list of them only if it is the same one. */
function isAlike(one: NewTask, other: NewTask): boolean {
  return (
    one.type === other.type &&
    one.queue === other.queue &&
    one.ownId === other.ownId &&
    one.priority === other.priority &&
    dueAtOf(one) === dueAtOf(other) &&
    one.maxAttempts === other.maxAttempts &&
    one.rerunAfterCrash === other.rerunAfterCrash &&
    one.payload.types === other.payload.types &&
    one.description === other.description &&
    one.tags === other.tags &&
    one.settings === other.settings &&
    one.queueDepthMax === other.queueDepthMax
  );
}

function sharedOf(task: NewTask): SharedValues {
  return [
    task.type,
    task.queue,
    task.ownId ? 1 : 0,
    task.priority,
    dueAtOf(task),
    task.maxAttempts,
    task.rerunAfterCrash ? 1 : 0,
    task.payload.types ?? null,
    task.description ?? null,
    task.tags ? JSON.stringify(task.tags) : null,
    task.settings ? JSON.stringify(task.settings) : null,
  ];
}

/** Null for the instant of creation, so that tasks due at once are alike. */
function dueAtOf(task: NewTask): number | null {
  return task.dueAt === task.createdAt ? null : task.dueAt;
}

export function toSettlementRow(settlement: Settlement): SettlementRow {
  const { seq, lane, minute, type, startedAt, waitMs } = settlement.ref as TaskRef;
  const { result, error, logs } = settlement;
  return [
    seq,
    lane,
    settlement.taskId,
    settlement.fence,
    settlement.workerId,
    settlement.outcome,
    result?.json ?? null,
    result?.types ?? null,
    error ? JSON.stringify(error) : null,
    error?.message ?? null,
    settlement.retryAt ?? null,
    logs && logs.length > 0 ? JSON.stringify(logs) : null,
    attributesJson(settlement.attributes),
    minute,
    type,
    startedAt,
    waitMs,
  ];
}

export function toProgressRow(report: Parameters<TaskStore["reportProgress"]>[0][number]): ProgressRow {
  const { seq } = report.ref as TaskRef;
  return [
    seq,
    report.taskId,
    report.fence,
    report.workerId,
    report.progress ? JSON.stringify(report.progress) : null,
    report.logs && report.logs.length > 0 ? JSON.stringify(report.logs) : null,
  ];
}
