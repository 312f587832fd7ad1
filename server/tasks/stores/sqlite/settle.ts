/**
 * Settlement (T3, T4, T5, T8, T11, T12) on the writing thread. Every write is guarded by fence, owner and status;
 * when the guard says no, the attempt's own record tells a commit of ours that was not answered from a lost lease.
 */
import type { AttemptOutcome } from "../../core/attempt.ts";
import type { Attributes, Settled, Written } from "../../core/store.ts";
import { minuteOf } from "../shared/kept-counts.ts";
import { briefMs, briefOf } from "./counts/brief-hours.ts";
import { historySql } from "./counts/history.ts";
import { sql } from "./statements.ts";
import { statusNames } from "./statuses.ts";
import type { WriteContext } from "./threads/write-context.ts";

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
  attributes: string | null,
  /** In which it was created. */
  minute: number,
  type: string,
  startedAt: number,
  waitMs: number,
];

/**
 * Completions of one worker, lane and fence, without result and logs. `ended` is a JSON object of keys by id; `minutes` has
 * two numbers for tasks that were created together: the minute of it, and how many they are; `times` has three numbers for tasks that were stored and claimed together: when they started, how long they had
 * waited, how many they are.
 */
export type CompletedGroup = [
  workerId: string,
  lane: number,
  fence: number,
  minutes: readonly number[],
  tasks: number,
  ended: string,
  type: string,
  times: readonly number[],
];

export interface SettlementBatch {
  groups: readonly CompletedGroup[];
  rows: readonly SettlementRow[];
}

/** `0` stands for the most frequent answer, that the task is COMPLETED. */
export type SettledRow = Settled | 0;

/** Answers in the order of the batch; `0` for a group of which every task is COMPLETED. */
export interface SettledBatch {
  groups: (0 | [taskId: string, settled: SettledRow][])[];
  rows: SettledRow[];
}

interface Owned {
  attempts: number;
  maxAttempts: number;
  cancelRequested: boolean;
}

export function settleTasks(
  context: WriteContext,
  { groups, rows }: SettlementBatch,
  now: number,
): Written<SettledBatch> {
  const workers = new Map<string, number | undefined>();
  const workerOf = (id: string): number | undefined => {
    if (!workers.has(id)) workers.set(id, aliveWorker(context, id));
    return workers.get(id);
  };
  const value: SettledBatch = {
    groups: groups.map((group) => completeGroup(context, group, workerOf(group[0]), now)),
    rows: rows.map((row) => settle(context, row, workerOf(row[4]), now)),
  };
  return { kind: "ok", value };
}

function aliveWorker(context: WriteContext, workerId: string): number | undefined {
  return (context.connection.prepare(sql.aliveWorker).get(workerId) as [number] | undefined)?.[0];
}

/** One statement for all. When it would not change every one of them, it is undone, and each is settled by itself. */
function completeGroup(
  context: WriteContext,
  group: CompletedGroup,
  worker: number | undefined,
  now: number,
): SettledBatch["groups"][number] {
  const [workerId, lane, fence, minutes, tasks, ended, type, times] = group;
  if (worker !== undefined && completeAll(context, group, worker, now)) {
    context.tally.move(lane, 2, 3, tasks, now);
    const changed = minuteOf(now);
    const briefs = briefsOf(times, now);
    for (let at = 0; at < minutes.length; at += 2)
      context.tally.times.moveMinute(lane, 2, 3, minutes[at]!, changed, minutes[at + 1]!, briefs);
    context.history.completed(type, now, times);
    context.attributes.moved(lane, () => Object.values(JSON.parse(ended)), 2, 3);
    return 0;
  }
  const members = Object.entries(JSON.parse(ended) as Record<string, number>);
  const plain = [null, null, null, null, null, null, null] as const;
  return members.map(([id, seq]) => {
    const own = [seq, lane, id, fence, workerId, "completed"] as const;
    const [minute, ...start] = startOf(context, seq);
    return [id, settle(context, [...own, ...plain, minute, type, ...start], worker, now)];
  });
}

/** How long those of the group ran that were brief; which of them were created in which minute is not told. */
function briefsOf(times: readonly number[], now: number): number[] {
  const briefs = new Set<number>();
  for (let at = 0; at < times.length; at += 3) {
    const duration = now - times[at]!;
    if (duration >= 0 && duration < briefMs) briefs.add(duration);
  }
  return [...briefs];
}

function completeAll(
  { connection }: WriteContext,
  [, , fence, , tasks, ended]: CompletedGroup,
  worker: number,
  now: number,
): boolean {
  const complete = () =>
    connection.prepare(sql.completeTasks).run(now, ended, fence, worker).changes === tasks;
  // One that is refused leaves nothing to undo.
  if (tasks === 1) return complete();
  connection.prepare("SAVEPOINT completions").run();
  const isDone = complete();
  if (!isDone) connection.prepare("ROLLBACK TO completions").run();
  connection.prepare("RELEASE completions").run();
  return isDone;
}

/** When the task was created, and its latest attempt started. */
function startOf(
  { connection }: WriteContext,
  seq: number,
): [minute: number, startedAt: number, waitMs: number] {
  const [createdAt, startedAt, waitMs] = (connection.prepare(historySql.startOfTask).get(seq) as
    | [number, number, number]
    | undefined) ?? [0, 0, 0];
  return [minuteOf(createdAt), startedAt, waitMs];
}

/** `worker` is undefined for one that is not alive. */
function settle(
  context: WriteContext,
  row: SettlementRow,
  worker: number | undefined,
  now: number,
): SettledRow {
  if (worker === undefined) return answerStale(context, row);
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
  context.tally.move(lane, 2, 3, 1, now);
  context.tally.times.moveMinute(lane, 2, 3, row[13], minuteOf(now), 1, briefOf(row[15], now));
  context.history.ended(row[14], 3, now, row[15], row[16]);
  context.attributes.moved(lane, () => [seq], 2, 3);
  if (row[12] !== null) context.attributes.extend(lane, seq, id, JSON.parse(row[12]) as Attributes);
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
  context.tally.move(lane, 2, status, 1, now);
  context.tally.times.moveMinute(lane, 2, status, row[13], minuteOf(now), 1, briefOf(row[15], now));
  if (status !== 1 || isFailure(outcome)) context.history.ended(row[14], status, now, row[15], row[16]);
  context.attributes.moved(lane, () => [seq], 2, status);
  const gained = () => {
    if (row[12] !== null) context.attributes.extend(lane, seq, id, JSON.parse(row[12]) as Attributes);
  };
  if (status !== 1) {
    connection.prepare(sql.endTask).run(status, now, errorMessage, seq);
    gained();
    return { kind: "settled", status: statusNames[status]! };
  }
  context.changed = true;
  const uncharged = outcome === "released" || outcome === "snoozed" ? 1 : 0;
  const dueAt = retryAt ?? now;
  const snoozed = outcome === "snoozed" ? 1 : 0;
  connection.prepare(sql.putBackTask).run(dueAt, now, errorMessage, uncharged, snoozed, 0, seq);
  gained();
  return { kind: "settled", status: "PENDING", dueAt };
}

function nextStatus(outcome: SettlementRow[5], owned: Owned, retryAt: number | null): 1 | 4 | 5 {
  if (owned.cancelRequested || outcome === "cancelled") return 5;
  if (outcome === "released" || outcome === "snoozed") return 1;
  return retryAt !== null && owned.attempts < owned.maxAttempts ? 1 : 4;
}

/** One after which the task is tried again if it may; others that put it back say nothing of how it goes. */
function isFailure(outcome: SettlementRow[5]): boolean {
  return outcome === "failed" || outcome === "timed-out";
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
  if (isOwn && known === "lost") connection.prepare(sql.lateOutcome).run(seq, fence, outcome, worker[0]);
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
