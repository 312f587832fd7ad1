/** Workers: their start and end, heartbeats, and taking back what the dead ones held (T2, T9, T17). */
import type { Beat, TaskStore, WorkerRecord, Written } from "../../core/store.ts";
import type { TaskStatusName } from "../../core/task.ts";
import type { Context } from "./context.ts";
import { plainText, statusNames, toWorkerRecord, workerColumns } from "./rows.ts";
import { nowOf, onceOnly, statement } from "./statement.ts";

type NewWorker = Parameters<TaskStore["registerWorker"]>[0];
type ReapRequest = Parameters<TaskStore["reapWorkers"]>[0];
type Reaped = { buried: string[]; tasks: { id: string; status: TaskStatusName }[] };

export function registerWorker(context: Context, worker: NewWorker): Promise<Written<void>> {
  return context.database.written(async () => {
    await context.database.query(insertWorker, [
      worker.id,
      plainText(worker.host),
      worker.pid,
      plainText(worker.name),
      worker.concurrency,
      JSON.stringify(worker.types),
      worker.queues ? JSON.stringify(worker.queues) : null,
      worker.leaseMs,
      context.now(),
    ]);
    return { kind: "ok", value: undefined };
  });
}

export function stopWorker(context: Context, workerId: string): Promise<Written<void, "owns-tasks">> {
  return context.database.written(async () => {
    const [answer] = await context.database.query(endWorker, [workerId, context.now()]);
    if (answer![0]) return { kind: "rejected", reason: "owns-tasks", details: { id: workerId } };
    return { kind: "ok", value: undefined };
  });
}

/** One heartbeat: renews the lease and tells what the worker owns in the store's eyes. */
export async function beat(context: Context, workerId: string): Promise<Beat> {
  return toBeat(await context.database.query(renewLease, [workerId, context.now()]));
}

/** The answer of `renewLease`; the lease thread has it from a connection of its own. */
export function toBeat(rows: readonly any[][]): Beat {
  const owned = rows.filter(([, id]) => id !== null);
  return {
    alive: rows[0]![0],
    owned: owned.map(([, taskId, fence, ref, cancelRequested]) => ({ taskId, fence, ref, cancelRequested })),
  };
}

export async function listWorkers(context: Context): Promise<WorkerRecord[]> {
  return (await context.database.read(allWorkers)).map(toWorkerRecord);
}

export async function listCancelRequests(
  context: Context,
  workerId: string,
): Promise<{ taskId: string; fence: number }[]> {
  const rows = await context.database.read(cancelRequests, [workerId]);
  return rows.map(([taskId, fence]) => ({ taskId, fence }));
}

/** Looks first: a round that finds nothing is one statement that changes nothing. */
export async function reapWorkers(context: Context, request: ReapRequest): Promise<Written<Reaped>> {
  const { suspects, crashBudget, cancelGraceMs } = request;
  return context.database.written(async () => {
    const now = context.now();
    const [found] = await context.database.read(lookForDead, [now, cancelGraceMs]);
    const value: Reaped = { buried: [], tasks: [] };
    if (suspects.length > 0) {
      const ids = suspects.map(({ workerId }) => workerId);
      const renewals = suspects.map((suspect) => suspect.renewals);
      const rows = await context.database.query(buryWorkers, [ids, renewals, crashBudget, now]);
      collect(value, rows);
    }
    const [orphans, overdue] = found!;
    if (orphans) collect(value, await context.database.query(takeOrphans, [crashBudget, now]));
    if (overdue) collect(value, await context.database.query(cancelOverdue, [cancelGraceMs, now]));
    if (value.tasks.length > 0) {
      context.tasksAdded();
      context.tasksChanged();
    }
    return { kind: "ok", value };
  });
}

/** Rows of buried workers have no task, rows of tasks no worker. */
function collect(value: Reaped, rows: readonly any[][]): void {
  for (const [workerId, taskId, status] of rows) {
    if (workerId !== null) value.buried.push(workerId);
    else value.tasks.push({ id: taskId, status: statusNames[status]! });
  }
}

const insertWorker = statement(
  "registerWorker",
  `INSERT INTO :schema.workers
    (id, state, host, pid, name, concurrency, types, queues, lease_ms, started_at, beat_at)
    SELECT $1, 'alive', $2, $3, $4, $5, $6, $7, $8, now.at, now.at FROM (SELECT ${nowOf("$9")} AS at) AS now
    ON CONFLICT (id) DO NOTHING`,
);

const endWorker = statement(
  "stopWorker",
  `WITH running AS (
    SELECT 1 FROM :schema.tasks JOIN :schema.workers USING (worker)
    WHERE workers.id = $1 AND workers.state = 'alive' AND status = 2 LIMIT 1),
  stopped AS (
    UPDATE :schema.workers SET state = 'stopped', beat_at = ${nowOf("$2")}
    WHERE id = $1 AND state = 'alive' AND NOT EXISTS (SELECT 1 FROM running))
  SELECT EXISTS (SELECT 1 FROM running)`,
);

/** Whether the worker is alive; then its tasks: id, fence, place, whether somebody asked to cancel it. */
export const renewLease = statement(
  "renewLease",
  `WITH renewed AS (
    UPDATE :schema.workers SET renewals = renewals + 1, beat_at = ${nowOf("$2")}
    WHERE id = $1 AND state = 'alive' RETURNING worker)
  SELECT one.alive, tasks.id, tasks.fence, tasks.ctid::text, tasks.cancel_requested_at IS NOT NULL
  FROM (SELECT EXISTS (SELECT 1 FROM renewed) AS alive) AS one
  LEFT JOIN :schema.tasks ON tasks.status = 2 AND tasks.worker = (SELECT worker FROM renewed)`,
);

const allWorkers = statement(
  "listWorkers",
  `SELECT ${workerColumns}, CASE state WHEN 'alive' THEN
      (SELECT count(*) FROM :schema.tasks WHERE status = 2 AND tasks.worker = workers.worker) ELSE 0 END
    FROM :schema.workers ORDER BY (state = 'alive') DESC, worker DESC LIMIT 1000`,
);

const cancelRequests = statement(
  "cancelRequests",
  `SELECT id, fence FROM :schema.tasks WHERE status = 2 AND cancel_requested_at IS NOT NULL
    AND worker = (SELECT worker FROM :schema.workers WHERE id = $1)`,
);

const lookForDead = statement(
  "lookForDead",
  `SELECT EXISTS (SELECT 1 FROM :schema.tasks WHERE status = 2
      AND worker NOT IN (SELECT worker FROM :schema.workers WHERE state = 'alive')),
    EXISTS (SELECT 1 FROM :schema.tasks WHERE status = 2 AND cancel_requested_at < ${nowOf("$1")} - $2::bigint)`,
);

/**
 * Takes tasks back from `lost (id, why)`: each goes to PENDING with one crash more, to FAILED when its crash budget is
 * spent or it must not run again, or to CANCELLED when that was asked for. The attempt is recorded as lost.
 */
function takeBack(crashBudget: string): string {
  return `judged AS MATERIALIZED (
    SELECT tasks.id, lane, fence, attempts, worker, started_at, lost.why,
      rerun_after_crash AND crashes + 1 >= ${crashBudget} AS spent, rerun_after_crash, crashes + 1 AS deaths,
      CASE WHEN cancel_requested_at IS NOT NULL THEN 5
        WHEN rerun_after_crash AND crashes + 1 < ${crashBudget} THEN 1 ELSE 4 END AS next
    FROM lost JOIN :schema.tasks USING (id) WHERE status = 2),
  taken AS (
    UPDATE :schema.tasks SET status = judged.next, attempts = tasks.attempts - 1, crashes = tasks.crashes + 1,
      updated_at = greatest((SELECT at FROM clock), created_at),
      due_at = CASE WHEN judged.next = 1 THEN (SELECT at FROM clock) ELSE due_at END,
      completed_at = CASE WHEN judged.next >= 3 THEN (SELECT at FROM clock) END,
      cancel_requested_at = CASE WHEN judged.next >= 3 THEN NULL ELSE cancel_requested_at END,
      error = CASE judged.next WHEN 1 THEN error WHEN 5 THEN NULL ELSE CASE WHEN judged.rerun_after_crash
        THEN 'The crash budget is spent: ' || judged.deaths || ' workers died while they ran this task (the last one: ' || judged.why || ').'
        ELSE 'The worker died while it ran this task (' || judged.why || '), and rerunAfterCrash is false.' END END,
      version = version + 1
    FROM judged WHERE tasks.id = judged.id AND status = 2 AND tasks.fence = judged.fence
    RETURNING tasks.id, judged.next),
  recorded AS (
    INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, ended_at, outcome, error)
    SELECT id, fence, attempts, worker, started_at, (SELECT at FROM clock), 'lost', json_build_object(
      'name', 'WorkerLost', 'message', 'The worker died while it ran this task: ' || why || '.',
      'code', CASE WHEN spent THEN 'CRASH_BUDGET_SPENT' ELSE 'LEASE_LOST' END)::text
    FROM judged JOIN taken USING (id)
    ON CONFLICT (task_id, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, 2, -count(*) FROM judged JOIN taken USING (id) GROUP BY lane
    UNION ALL SELECT lane, taken.next, count(*) FROM judged JOIN taken USING (id) GROUP BY lane, taken.next)`;
}

const buryWorkers = onceOnly(
  "buryWorkers",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$4")} AS at),
  buried AS (
    UPDATE :schema.workers SET state = 'dead' FROM unnest($1::text[], $2::bigint[]) AS seen (id, renewals)
    WHERE workers.id = seen.id AND state = 'alive' AND workers.renewals = seen.renewals
    RETURNING workers.id, workers.worker),
  lost AS MATERIALIZED (
    SELECT tasks.id, 'no heartbeat' AS why FROM :schema.tasks
    WHERE status = 2 AND worker IN (SELECT worker FROM buried) ORDER BY tasks.id FOR UPDATE),
  ${takeBack("$3::integer")}
  SELECT id, NULL, NULL FROM buried UNION ALL SELECT NULL, id, next FROM taken`,
);

const takeOrphans = onceOnly(
  "takeOrphans",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$2")} AS at),
  lost AS MATERIALIZED (
    SELECT tasks.id, 'worker gone' AS why FROM :schema.tasks WHERE status = 2
      AND worker NOT IN (SELECT worker FROM :schema.workers WHERE state = 'alive')
    ORDER BY tasks.id FOR UPDATE SKIP LOCKED),
  ${takeBack("$1::integer")}
  SELECT NULL, id, next FROM taken`,
);

/** T8b: the owner had its time to obey a cancel request. */
const cancelOverdue = onceOnly(
  "cancelOverdue",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$2")} AS at),
  overdue AS MATERIALIZED (
    SELECT id, lane, fence, attempts, worker, started_at FROM :schema.tasks
    WHERE status = 2 AND cancel_requested_at < (SELECT at FROM clock) - $1::bigint ORDER BY id FOR UPDATE SKIP LOCKED),
  ended AS (
    UPDATE :schema.tasks SET status = 5, completed_at = (SELECT at FROM clock), cancel_requested_at = NULL,
      updated_at = greatest((SELECT at FROM clock), created_at), error = NULL, version = version + 1
    FROM overdue WHERE tasks.id = overdue.id RETURNING tasks.id),
  recorded AS (
    INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, ended_at, outcome, error)
    SELECT id, fence, attempts, worker, started_at, (SELECT at FROM clock), 'lost', json_build_object(
      'name', 'WorkerLost', 'message', 'The worker did not obey the cancel request in time.', 'code', 'LEASE_LOST')::text
    FROM overdue
    ON CONFLICT (task_id, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, 2, -count(*) FROM overdue GROUP BY lane UNION ALL SELECT lane, 5, count(*) FROM overdue GROUP BY lane)
  SELECT NULL, id, 5 FROM ended`,
);
