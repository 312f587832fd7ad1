/** Workers: their start and end, heartbeats, and taking back what the dead ones held (T2, T8b, T9, T17). */
import type { Beat, ReapedTask, TaskStore, WorkerRecord, Written } from "../../core/store.ts";
import { hourSql } from "../shared/hours.ts";
import { movingAttributes } from "./attributes/attributes.ts";
import type { TaskRef } from "./claimed-task.ts";
import type { ResultRow } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { addingToHistory } from "./counts/history.ts";
import { byMinute, notingEnded } from "./counts/minute-changes.ts";
import { plainText, statusNames, toWorkerRecord, workerColumns } from "./rows.ts";
import { orFewer } from "./search/fewer.ts";
import { few, nowOf, statement } from "./statement.ts";

type NewWorker = Parameters<TaskStore["registerWorker"]>[0];
type ReapRequest = Parameters<TaskStore["reapWorkers"]>[0];
type Reaped = { buried: string[]; tasks: ReapedTask[] };

export function registerWorker(context: Context, worker: NewWorker): Promise<Written<void>> {
  return context.database.written(async () => {
    await context.database.query(insertWorker, [
      context.now(),
      worker.id,
      plainText(worker.host),
      worker.pid,
      plainText(worker.name),
      worker.concurrency,
      JSON.stringify(worker.types),
      worker.queues ? JSON.stringify(worker.queues) : null,
      worker.leaseMs,
    ]);
    return { kind: "ok", value: undefined };
  });
}

export function stopWorker(context: Context, workerId: string): Promise<Written<void, "owns-tasks">> {
  context.lookout.forget(workerId);
  return context.database.written(async () => {
    const [answer] = await context.database.query(endWorker, [context.now(), workerId]);
    if (answer![0]) return { kind: "rejected", reason: "owns-tasks", details: { id: workerId } };
    return { kind: "ok", value: undefined };
  });
}

/** One heartbeat: renews the lease, and tells what the worker owns in the store's eyes and how the others do. */
export async function beat(context: Context, workerId: string, loopDelayMs: number): Promise<Beat> {
  return toBeat(await context.database.query(renewLease, [workerId, context.now(), loopDelayMs]));
}

/** The answer of `renewLease`; the lease thread gets it on a connection of its own. */
export function toBeat(rows: readonly ResultRow[]): Beat {
  const [renewals, owned, peers, reapable] = rows[0]!;
  const found: Beat = {
    alive: renewals !== null,
    owned: (JSON.parse(owned ?? "[]") as [string, number, string, number, number, boolean][]).map(
      ([taskId, fence, place, seq, waitMs, cancelRequested]) => {
        const ref: TaskRef = { place, seq, waitMs };
        return { taskId, fence, ref, cancelRequested };
      },
    ),
  };
  if (renewals === null) return found;
  found.renewals = renewals;
  if (reapable) found.reapable = true;
  if (peers !== null) {
    found.peers = (JSON.parse(peers) as [string, number, number, number][]).map(
      ([workerId, renewals, leaseMs, ageMs]) => ({ workerId, renewals, leaseMs, ageMs }),
    );
  }
  return found;
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

/** What one statement takes back. Those that a dead worker still owns afterwards are as good as anybody's: see `orphaned`. */
const reapedMax = 1_000;

export async function reapWorkers(context: Context, request: ReapRequest): Promise<Written<Reaped>> {
  return context.database.written(async () => {
    const value: Reaped = { buried: [], tasks: [] };
    for (let most = reapedMax, taken = most; taken === most; ) {
      const { answer, limit } = await orFewer(most, (limit) => reapSome(context, request, limit));
      value.buried.push(...answer.buried);
      for (const task of answer.tasks) value.tasks.push(task);
      [taken, most] = [answer.tasks.length, limit];
    }
    return { kind: "ok", value };
  });
}

async function reapSome(context: Context, request: ReapRequest, limit: number): Promise<Reaped> {
  const { suspects, crashBudget, cancelGraceMs } = request;
  const rows = await context.database.query(reap, [
    context.now(),
    suspects.map(({ workerId }) => workerId),
    suspects.map(({ renewals }) => renewals),
    crashBudget,
    cancelGraceMs,
    limit,
  ]);
  const some: Reaped = { buried: [], tasks: [] };
  for (const [workerId, taskId, status, type] of rows) {
    if (workerId !== null) some.buried.push(workerId);
    else some.tasks.push({ id: taskId, type, status: statusNames[status]! });
  }
  if (some.tasks.some(({ status }) => status === "PENDING")) context.tasksAdded();
  if (some.tasks.some(({ status }) => status !== "PENDING")) context.tasksChanged();
  if (some.tasks.length > 0) context.attemptsEnded(some.tasks.length);
  return some;
}

const insertWorker = statement(
  "registerWorker",
  `INSERT INTO :schema.workers
    (id, state, host, pid, name, concurrency, types, queues, lease_ms, started_at, beat_at)
    SELECT $2, 'alive', $3, $4, $5, $6, $7, $8, $9, clock.at, clock.at FROM (SELECT ${nowOf("$1")} AS at) AS clock
    ON CONFLICT (id) DO NOTHING`,
);

const endWorker = statement(
  "stopWorker",
  `WITH me AS MATERIALIZED (SELECT worker FROM :schema.workers WHERE id = $2 AND state = 'alive'),
  owned AS MATERIALIZED (
    SELECT 1 FROM me CROSS JOIN LATERAL (SELECT 1 FROM :schema.tasks WHERE tasks.status = 2 AND tasks.worker = me.worker
      ORDER BY tasks.worker LIMIT (SELECT count(*) FROM me)) AS task),
  stopped AS (
    UPDATE :schema.workers SET state = 'stopped', beat_at = ${nowOf("$1")}
    WHERE id = $2 AND state = 'alive' AND NOT EXISTS (SELECT 1 FROM owned))
  SELECT EXISTS (SELECT 1 FROM owned)`,
);

/** The workers that running tasks name as theirs; steps from one to the next. */
const owners = `owners (worker) AS (
    SELECT (SELECT worker FROM :schema.tasks WHERE status = 2 ORDER BY worker LIMIT (SELECT 1 FROM clock))
    UNION ALL
    SELECT (SELECT tasks.worker FROM :schema.tasks WHERE status = 2 AND tasks.worker > owners.worker
      ORDER BY tasks.worker LIMIT (SELECT 1 FROM clock)) FROM owners WHERE owners.worker IS NOT NULL),
  orphaned AS (
    SELECT worker FROM owners WHERE worker IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM :schema.workers WHERE workers.worker = owners.worker AND state = 'alive'))`;

/**
 * Whether the worker is alive, its tasks, the other alive workers with how long ago they beat, and whether there is
 * something for `reapWorkers` besides them. One row. A cancel request is left to its owner for a while.
 */
export const renewLease = statement(
  "renewLease",
  `WITH RECURSIVE clock AS MATERIALIZED (SELECT ${nowOf("$2")} AS at),
  renewed AS (
    UPDATE :schema.workers SET renewals = renewals + 1, beat_at = clock.at, loop_delay_ms = $3::integer FROM clock
    WHERE id = $1 AND state = 'alive' RETURNING worker, renewals),
  ${owners}
  SELECT (SELECT renewals::integer FROM renewed),
    (SELECT json_agg(json_build_array(owned.id, owned.fence, owned.place, owned.seq, owned.wait_ms, owned.cancel_requested))::text
      FROM renewed CROSS JOIN LATERAL (
        SELECT tasks.id, tasks.fence, tasks.ctid::text AS place, tasks.seq, tasks.started_at - tasks.due_at AS wait_ms,
          tasks.cancel_requested_at IS NOT NULL AS cancel_requested FROM :schema.tasks
        WHERE tasks.status = 2 AND tasks.worker = renewed.worker
        ORDER BY tasks.worker LIMIT (SELECT 1000000 FROM clock)) AS owned),
    (SELECT json_agg(json_build_array(id, renewals, lease_ms, clock.at - beat_at))::text
      FROM clock, :schema.workers WHERE state = 'alive' AND id <> $1),
    EXISTS (SELECT 1 FROM orphaned) OR (SELECT cancel_requested_at < (SELECT at FROM clock) - 5000 FROM :schema.tasks
      WHERE status = 2 AND cancel_requested_at IS NOT NULL
      ORDER BY cancel_requested_at LIMIT (SELECT 1 FROM clock))`,
);

const allWorkers = statement(
  "listWorkers",
  `SELECT ${workerColumns}, CASE state WHEN 'alive' THEN
      (SELECT count(*) FROM :schema.tasks WHERE status = 2 AND tasks.worker = workers.worker) ELSE 0 END
    FROM :schema.workers ORDER BY (state = 'alive') DESC, worker DESC LIMIT 1000`,
);

export const cancelRequests = statement(
  "cancelRequests",
  `WITH me AS MATERIALIZED (SELECT worker FROM :schema.workers WHERE id = $1)
  SELECT id, fence FROM :schema.tasks WHERE status = 2 AND cancel_requested_at IS NOT NULL
    AND worker = (SELECT worker FROM me) ORDER BY cancel_requested_at LIMIT (SELECT 1000000 FROM me)`,
);

/**
 * Buries the suspects whose renewals stand where they were seen, and takes back their tasks and those that name a
 * worker who is not alive: to PENDING with one crash more, to FAILED when the crash budget is spent or the task must
 * not run again, to CANCELLED when that was asked for. Tasks whose owner had its time to obey a cancel request become
 * CANCELLED. The attempts are recorded as lost. So many tasks at most; a row of the answer is a buried worker or a task.
 */
export const reap = statement(
  "reapWorkers",
  `WITH RECURSIVE clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  buried AS (
    UPDATE :schema.workers SET state = 'dead' FROM unnest($2::text[], $3::bigint[]) AS seen (id, renewals)
    WHERE workers.id = seen.id AND state = 'alive' AND workers.renewals = seen.renewals
    RETURNING workers.id, workers.worker),
  ${owners},
  gone AS (
    SELECT worker, 'no heartbeat' AS why FROM buried UNION ALL
    SELECT worker, CASE WHEN EXISTS (SELECT 1 FROM :schema.workers AS dead WHERE dead.worker = orphaned.worker
      AND dead.id = ANY ($2::text[])) THEN 'no heartbeat' ELSE 'worker gone' END FROM orphaned),
  candidates AS MATERIALIZED (
    SELECT owned.id, owned.seq, gone.why FROM gone CROSS JOIN LATERAL (
      SELECT tasks.id, tasks.seq FROM :schema.tasks WHERE tasks.status = 2 AND tasks.worker = gone.worker
      ORDER BY tasks.worker LIMIT (SELECT $6::integer FROM clock)) AS owned
    UNION ALL
    SELECT overdue.id, overdue.seq, NULL FROM (
      SELECT id, seq, worker FROM :schema.tasks WHERE status = 2 AND cancel_requested_at IS NOT NULL
        AND cancel_requested_at < (SELECT at FROM clock) - $5::bigint
      ORDER BY cancel_requested_at LIMIT (SELECT $6::integer FROM clock)) AS overdue
    WHERE worker NOT IN (SELECT worker FROM gone)
    LIMIT (SELECT $6::integer FROM clock)),
  lost AS MATERIALIZED (
    SELECT tasks.id, tasks.seq, tasks.lane, tasks.fence, tasks.attempts, tasks.worker, tasks.started_at, tasks.created_at,
      tasks.attributes, why,
      (why IS NOT NULL)::integer AS crash, rerun_after_crash AS reruns,
      rerun_after_crash AND crashes + 1 >= $4::integer AS spent, crashes + 1 AS deaths,
      CASE WHEN cancel_requested_at IS NOT NULL THEN 5
        WHEN rerun_after_crash AND crashes + 1 < $4::integer THEN 1 ELSE 4 END AS next
    FROM candidates JOIN :schema.tasks USING (id) WHERE tasks.status = 2 AND ${few("candidates.seq")}
    ORDER BY tasks.seq FOR UPDATE OF tasks),
  taken AS (
    UPDATE :schema.tasks SET status = lost.next, attempts = tasks.attempts - lost.crash,
      crashes = tasks.crashes + lost.crash, updated_at = greatest(clock.at, tasks.created_at),
      due_at = CASE lost.next WHEN 1 THEN clock.at ELSE tasks.due_at END,
      completed_at = CASE lost.next WHEN 1 THEN NULL ELSE clock.at END, cancel_requested_at = NULL,
      error = CASE lost.next WHEN 1 THEN tasks.error WHEN 4 THEN CASE WHEN lost.reruns
        THEN 'The crash budget is spent: ' || lost.deaths
          || ' workers died while they ran this task (the last one: ' || lost.why || ').'
        ELSE 'The worker died while it ran this task (' || lost.why || '), and rerunAfterCrash is false.' END END,
      version = tasks.version + 1
    FROM lost, clock WHERE tasks.id = lost.id AND tasks.status = 2 AND tasks.fence = lost.fence AND ${few("lost.seq")}
    RETURNING lost.*, tasks.updated_at),
  ${movingAttributes("(SELECT * FROM taken WHERE next >= 3)", "0", "task.next")},
  recorded AS (
    INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, ended_at, outcome, error)
    SELECT id, fence, attempts, worker, started_at, clock.at, 'lost', json_build_object('name', 'WorkerLost',
      'message', coalesce('The worker died while it ran this task: ' || why || '.',
        'The worker did not obey the cancel request in time.'),
      'code', CASE WHEN spent AND why IS NOT NULL THEN 'CRASH_BUDGET_SPENT' ELSE 'LEASE_LOST' END)::text
    FROM taken, clock
    ON CONFLICT (task_id, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
    SELECT lane, 2, -count(*), ${hourSql("created_at")}, NULL, NULL, true FROM taken GROUP BY 1, 4
    UNION ALL SELECT lane, next, count(*), ${hourSql("created_at")}, min(updated_at), max(updated_at), true FROM taken GROUP BY 1, 2, 4),
  minuted AS (${notingEnded("taken", "next")}),
  noted AS (${addingToHistory("(SELECT lane, next AS status, NULL::bigint AS wait_ms, NULL::bigint AS run_ms FROM taken)")})
  SELECT id, NULL, NULL, NULL FROM buried UNION ALL
  SELECT NULL, id, next, (SELECT type FROM :schema.lanes WHERE lanes.lane = taken.lane) FROM taken`,
);
