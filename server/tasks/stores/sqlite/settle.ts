/**
 * Settlement (T3, T4, T5, T8, T11, T12) on the writing thread. Every write is guarded by fence, owner and status;
 * when the guard says no, the attempt's own record tells a commit of ours that was not answered from a lost lease.
 */
import type { AttemptOutcome } from "../../core/attempt.ts";
import type { Settled, Written } from "../../core/store.ts";
import { sql } from "./statements.ts";
import { statusNames } from "./statuses.ts";
import type { WriteContext } from "./write-context.ts";

/** A settlement as it crosses to the writing thread. */
export type SettlementRow = [
  seq: number,
  lane: number,
  taskId: string,
  fence: number,
  workerId: string,
  outcome: Exclude<AttemptOutcome, "lost">,
  result: string | null,
  resultTypes: string | null,
  error: string | null,
  errorMessage: string | null,
  retryAt: number | null,
  logs: string | null,
];

/** `0` stands for the most frequent answer, that the task is COMPLETED. */
export type SettledRow = Settled | 0;

interface Owned {
  attempts: number;
  maxAttempts: number;
  cancelRequested: boolean;
}

export function settleTasks(
  context: WriteContext,
  rows: readonly SettlementRow[],
  now: number,
): Written<SettledRow[]> {
  const workers = new Map<string, number | undefined>();
  const value = rows.map((row) => {
    if (!workers.has(row[4])) workers.set(row[4], aliveWorker(context, row[4]));
    const worker = workers.get(row[4]);
    return worker === undefined ? answerStale(context, row) : settle(context, row, worker, now);
  });
  return { kind: "ok", value };
}

function aliveWorker(context: WriteContext, workerId: string): number | undefined {
  return (context.connection.prepare(sql.aliveWorker).get(workerId) as [number] | undefined)?.[0];
}

function settle(context: WriteContext, row: SettlementRow, worker: number, now: number): SettledRow {
  return row[5] === "completed"
    ? complete(context, row, worker, now)
    : endOtherwise(context, row, worker, now);
}

function complete(context: WriteContext, row: SettlementRow, worker: number, now: number): SettledRow {
  const [seq, lane, id, fence, , , result, resultTypes] = row;
  const { connection } = context;
  const done = connection.prepare(sql.completeTask).run(now, result, resultTypes, seq, id, fence, worker);
  if (done.changes === 0) return answerStale(context, row);
  if (row[11] !== null) connection.prepare(sql.writeAttempt).run(seq, now, "completed", null, row[11]);
  context.tally.move(lane, 2, 3);
  return 0;
}

function endOtherwise(context: WriteContext, row: SettlementRow, worker: number, now: number): SettledRow {
  const [seq, lane, id, fence, , outcome, , , error, errorMessage, retryAt, logs] = row;
  const { connection } = context;
  const owned = findOwned(context, seq, id, fence, worker);
  if (!owned) return answerStale(context, row);
  const status = nextStatus(outcome, owned, retryAt);
  const recorded = owned.cancelRequested ? "cancelled" : outcome;
  connection.prepare(sql.writeAttempt).run(seq, now, recorded, error, logs);
  context.tally.move(lane, 2, status);
  if (status !== 1) {
    connection.prepare(sql.endTask).run(status, now, errorMessage, seq);
    return { kind: "settled", status: statusNames[status]! };
  }
  context.changed = true;
  const uncharged = outcome === "released" || outcome === "snoozed" ? 1 : 0;
  const dueAt = retryAt ?? now;
  const snoozed = outcome === "snoozed" ? 1 : 0;
  connection.prepare(sql.putBackTask).run(dueAt, now, errorMessage, uncharged, snoozed, 0, seq);
  return { kind: "settled", status: "PENDING", dueAt };
}

function nextStatus(outcome: SettlementRow[5], owned: Owned, retryAt: number | null): 1 | 4 | 5 {
  if (owned.cancelRequested || outcome === "cancelled") return 5;
  if (outcome === "released" || outcome === "snoozed") return 1;
  return retryAt !== null && owned.attempts < owned.maxAttempts ? 1 : 4;
}

function findOwned(
  context: WriteContext,
  seq: number,
  id: string,
  fence: number,
  worker: number,
): Owned | undefined {
  const row = context.connection.prepare(sql.ownedTask).get(seq, id, fence, worker) as
    | [number, number, number | null]
    | undefined;
  return row && { attempts: row[0], maxAttempts: row[1], cancelRequested: row[2] !== null };
}

/** The guard said no: either this very settlement was committed before, or the attempt was taken from its worker. */
function answerStale(context: WriteContext, row: SettlementRow): SettledRow {
  const [seq, , id, fence, workerId, outcome] = row;
  const { connection } = context;
  const task = connection.prepare(sql.latestAttempt).get(seq, id) as
    | [number, number, number, number]
    | undefined;
  if (!task) return { kind: "lease-lost", lostTo: "unknown" };
  const [status, latestFence, latestOwner, dueAt] = task;
  const isLatest = latestFence === fence;
  const attempt = connection.prepare(sql.attemptOutcome).get(seq, fence) as RecordedAttempt | undefined;
  const known = attempt?.[0] ?? (isLatest && status === 3 ? "completed" : undefined);
  const worker = connection.prepare(sql.workerNumber).get(workerId) as [number] | undefined;
  const isOwn = worker !== undefined && worker[0] === (attempt?.[1] ?? (isLatest ? latestOwner : undefined));
  if (isOwn && isRecordOf(outcome, known)) {
    const name = isLatest ? statusNames[status]! : "PENDING";
    return name === "PENDING" ? { kind: "settled", status: name, dueAt } : { kind: "settled", status: name };
  }
  if (isOwn && known === "lost") connection.prepare(sql.lateOutcome).run(seq, fence, outcome);
  return { kind: "lease-lost", lostTo: known ?? "unknown" };
}

type RecordedAttempt = [outcome: AttemptOutcome | null, worker: number | null];

/** After a cancel request every end but success is recorded as cancelled. */
function isRecordOf(outcome: SettlementRow[5], known: AttemptOutcome | undefined): boolean {
  return known === outcome || (known === "cancelled" && outcome !== "completed");
}

export type ProgressRow = [
  seq: number,
  taskId: string,
  fence: number,
  workerId: string,
  progress: string | null,
  logs: string | null,
];

export function reportProgress(context: WriteContext, rows: readonly ProgressRow[]): Written<void> {
  const { connection } = context;
  for (const [seq, id, fence, workerId, progress, logs] of rows) {
    const worker = aliveWorker(context, workerId);
    if (worker === undefined) continue;
    const kept = connection.prepare(sql.reportProgress).run(progress, seq, id, fence, worker);
    if (kept.changes === 1 && logs !== null)
      connection.prepare(sql.writeAttempt).run(seq, null, null, null, logs);
  }
  return { kind: "ok", value: undefined };
}
