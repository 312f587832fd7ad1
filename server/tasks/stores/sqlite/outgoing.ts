/** What the main thread sends to the writing thread: values as plain arrays, which cross fastest. */
import type { NewTask, Settlement, TaskStore } from "../../core/store.ts";
import type { NewRow } from "./enqueue.ts";
import type { ProgressRow, SettlementRow } from "./settle.ts";

/** The store's handle of a claimed task. */
type Ref = [seq: number, lane: number];

export function toNewRow(task: NewTask): NewRow {
  return [
    task.id,
    task.type,
    task.queue,
    task.ownId ? 1 : 0,
    task.priority,
    task.dueAt,
    task.createdAt,
    task.maxAttempts,
    task.rerunAfterCrash ? 1 : 0,
    task.payload.json,
    task.payload.types ?? null,
    task.description ?? null,
    task.tags ? JSON.stringify(task.tags) : null,
    task.idempotencyKey === undefined ? null : `${task.type} ${task.idempotencyKey}`,
    task.settings ? JSON.stringify(task.settings) : null,
  ];
}

export function toSettlementRow(settlement: Settlement): SettlementRow {
  const [seq, lane] = settlement.ref as Ref;
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
  ];
}

export function toProgressRow(report: Parameters<TaskStore["reportProgress"]>[0][number]): ProgressRow {
  const [seq] = report.ref as Ref;
  return [
    seq,
    report.taskId,
    report.fence,
    report.workerId,
    report.progress ? JSON.stringify(report.progress) : null,
    report.logs && report.logs.length > 0 ? JSON.stringify(report.logs) : null,
  ];
}
