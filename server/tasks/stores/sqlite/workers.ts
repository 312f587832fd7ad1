/** Workers on the writing thread: their start and end, heartbeats, and taking back what the dead ones held (T2, T9, T17). */
import type { ErrorCode } from "../../core/errors.ts";
import type { Beat, ReapedTask, TaskStore, WorkerRecord, Written } from "../../core/store.ts";
import { minuteOf } from "../shared/kept-counts.ts";
import type { TaskRef } from "./claimed-task.ts";
import { briefOf } from "./counts/brief-hours.ts";
import { onlyRow } from "./only-row.ts";
import { attributeSql, sql } from "./statements.ts";
import { statusNames } from "./statuses.ts";
import type { WriteContext } from "./threads/write-context.ts";

type NewWorker = Parameters<TaskStore["registerWorker"]>[0];
type ReapRequest = Parameters<TaskStore["reapWorkers"]>[0];
type Reaped = Awaited<ReturnType<TaskStore["reapWorkers"]>>;

/** The store's own thread holds the worker's lock file from here on, until it stops or its process dies. */
export function registerWorker(context: WriteContext, worker: NewWorker, now: number): Written<void> {
  context.locks.hold(worker.id);
  context.connection
    .prepare(sql.insertWorker)
    .run(
      worker.id,
      worker.host,
      worker.pid,
      worker.name ?? null,
      worker.concurrency,
      JSON.stringify(worker.types),
      worker.queues ? JSON.stringify(worker.queues) : null,
      worker.leaseMs,
      now,
    );
  return { kind: "ok", value: undefined };
}

export function stopWorker(
  context: WriteContext,
  workerId: string,
  now: number,
): Written<void, "owns-tasks"> {
  const alive = context.connection.prepare(sql.aliveWorker).get(workerId);
  if (alive && context.connection.prepare(sql.stopWorker).run(workerId, now).changes === 0) {
    return { kind: "rejected", reason: "owns-tasks", details: { id: workerId } };
  }
  context.locks.release(workerId);
  return { kind: "ok", value: undefined };
}

/** One heartbeat: renews the lease and tells what the worker owns in the store's eyes. */
export function beat(
  context: WriteContext,
  { workerId, loopDelayMs }: { workerId: string; loopDelayMs: number },
  now: number,
): Beat {
  const renewed = context.connection.prepare(sql.renewLease).get(now, workerId, loopDelayMs) as
    | [number]
    | undefined;
  if (!renewed) return { alive: false, owned: [] };
  const owned = context.connection.prepare(sql.ownedTasks).all(renewed[0]) as unknown as [
    number,
    string,
    number,
    number,
    number | null,
    number,
    number,
    number,
    string,
  ][];
  return {
    alive: true,
    owned: owned.map(([seq, taskId, fence, lane, cancelRequestedAt, createdAt, startedAt, waitMs, type]) => {
      const ref: TaskRef = { seq, lane, minute: minuteOf(createdAt), type, startedAt, waitMs };
      return { taskId, fence, ref, cancelRequested: cancelRequestedAt !== null };
    }),
  };
}

export function reapWorkers(context: WriteContext, request: ReapRequest, now: number): Reaped {
  const buried: string[] = [];
  const tasks: ReapedTask[] = [];
  const bury = context.connection.prepare(sql.buryWorker);
  discardBuried(context);
  for (const { workerId, renewals } of request.suspects) {
    const row = bury.get(workerId, renewals) as [number] | undefined;
    if (row) {
      buried.push(workerId);
      tasks.push(...takeBack(context, row[0], "no heartbeat", request.crashBudget, now));
    }
  }
  for (const workerId of deadByLock(context, request.observerId)) {
    const row = bury.get(workerId, null) as [number] | undefined;
    if (row) {
      buried.push(workerId);
      tasks.push(...takeBack(context, row[0], "process gone", request.crashBudget, now));
    }
  }
  for (const [worker] of context.connection.prepare(sql.orphanOwners).all() as unknown as [number][]) {
    tasks.push(...takeBack(context, worker, "worker gone", request.crashBudget, now));
  }
  tasks.push(...cancelOverdue(context, now - request.cancelGraceMs, now));
  context.locks.discardLater(buried);
  if (tasks.length > 0) context.changed = true;
  return { kind: "ok", value: { buried, tasks } };
}

/**
 * Only once the burial is known to be committed: an observer that is killed before it, with the lock file already gone,
 * would leave a worker that nobody can tell to be dead.
 */
function discardBuried(context: WriteContext): void {
  const alive = context.connection.prepare(sql.aliveWorker);
  for (const workerId of context.locks.takeDiscardable()) {
    if (!alive.get(workerId)) context.locks.discard(workerId);
  }
}

/** Alive in the table, but the kernel has freed the lock that only its process could hold. */
function deadByLock(context: WriteContext, observerId: string | undefined): string[] {
  const alive = context.connection.prepare(sql.aliveWorkers).all() as unknown as [string][];
  return alive.map(([id]) => id).filter((id) => id !== observerId && context.locks.isFree(id));
}

function takeBack(
  context: WriteContext,
  worker: number,
  why: string,
  crashBudget: number,
  now: number,
): ReapedTask[] {
  const { connection, tally, attributes, history } = context;
  const lost = connection.prepare(sql.lostTasks).all(worker) as unknown as [
    number,
    string,
    number,
    number,
    number,
    number | null,
    number,
    number,
  ][];
  return lost.map(([seq, id, lane, crashes, rerun, cancelRequestedAt, createdAt, startedAt]) => {
    const spent = rerun === 1 && crashes + 1 >= crashBudget;
    const error = lostError(
      `The worker died while it ran this task: ${why}.`,
      spent ? "CRASH_BUDGET_SPENT" : "LEASE_LOST",
    );
    connection.prepare(sql.writeAttempt).run(seq, now, "lost", error, null);
    const status = cancelRequestedAt !== null ? 5 : rerun === 1 && !spent ? 1 : 4;
    tally.move(lane, 2, status, 1, now);
    tally.times.move(lane, 2, status, createdAt, now, briefOf(startedAt, now));
    const type = typeOf(context, lane);
    history.lost(type, status, now);
    attributes.moved(lane, () => [seq], 2, status);
    if (status === 1) connection.prepare(sql.putBackTask).run(now, now, null, 1, 0, 1, seq);
    else
      connection
        .prepare(sql.endLostTask)
        .run(status, now, status === 4 ? lostMessage(rerun, crashes + 1, why) : null, seq);
    return { id, type, status: statusNames[status]! };
  });
}

function typeOf({ connection }: WriteContext, lane: number): string {
  return onlyRow<[string]>(connection, attributeSql.typeOfLane, lane)[0];
}

/** The error of a lost attempt, as it is stored. */
function lostError(message: string, code: ErrorCode): string {
  return JSON.stringify({ name: "WorkerLost", message, code });
}

function lostMessage(rerun: number, crashes: number, why: string): string {
  if (rerun === 0) return `The worker died while it ran this task (${why}), and rerunAfterCrash is false.`;
  return `The crash budget is spent: ${crashes} workers died while they ran this task (the last one: ${why}).`;
}

/** T8b: the owner had its time to obey a cancel request. */
function cancelOverdue(context: WriteContext, before: number, now: number): ReapedTask[] {
  const { connection, tally, attributes, history } = context;
  const overdue = connection.prepare(sql.overdueCancels).all(before) as unknown as [
    number,
    string,
    number,
    number,
    number,
  ][];
  return overdue.map(([seq, id, lane, createdAt, startedAt]) => {
    const error = lostError("The worker did not obey the cancel request in time.", "LEASE_LOST");
    connection.prepare(sql.writeAttempt).run(seq, now, "lost", error, null);
    connection.prepare(sql.endTask).run(5, now, null, seq);
    tally.move(lane, 2, 5, 1, now);
    tally.times.move(lane, 2, 5, createdAt, now, briefOf(startedAt, now));
    const type = typeOf(context, lane);
    history.lost(type, 5, now);
    attributes.moved(lane, () => [seq], 2, 5);
    return { id, type, status: "CANCELLED" };
  });
}

export function toWorkerRecord(row: readonly unknown[]): WorkerRecord {
  const [
    id,
    state,
    host,
    pid,
    name,
    concurrency,
    types,
    queues,
    leaseMs,
    startedAt,
    beatAt,
    renewals,
    running,
    loopDelayMs,
  ] = row;
  return {
    id: id as string,
    state: state as WorkerRecord["state"],
    host: host as string,
    pid: pid as number,
    ...(name === null ? {} : { name: name as string }),
    concurrency: concurrency as number,
    types: JSON.parse(types as string),
    ...(queues === null ? {} : { queues: JSON.parse(queues as string) }),
    startedAt: new Date(startedAt as number),
    beatAt: new Date(beatAt as number),
    renewals: renewals as number,
    leaseMs: leaseMs as number,
    running: running as number,
    ...(loopDelayMs === null ? {} : { loopDelayMs: loopDelayMs as number }),
  };
}
