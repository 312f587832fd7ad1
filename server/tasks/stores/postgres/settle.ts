/**
 * Settlement (T3, T4, T5, T8, T11, T12). Plain completions, by far the most, are one UPDATE that goes to the rows by
 * the place where the claim left them; everything else, and rows that have moved since, is a second statement by id.
 * Both guard by id, fence, owner and status; rows that the guard refused are looked up one by one: the attempt's own
 * record tells a commit of ours that was not answered from a lost lease. Each settlement is atomic by itself.
 */
import type { AttemptOutcome } from "../../core/attempt.ts";
import type { Settled, Settlement, TaskStore, Written } from "../../core/store.ts";
import type { Context } from "./context.ts";
import { plainText, statusNames } from "./rows.ts";
import { nowOf, onceOnly, statement } from "./statement.ts";

type Indexed = [index: number, settlement: Settlement];

const completed: Settled = Object.freeze({ kind: "settled", status: "COMPLETED" });

export async function settleTasks(
  context: Context,
  settlements: readonly Settlement[],
): Promise<Written<Settled[]>> {
  return context.database.written(async () => {
    const value: Settled[] = new Array(settlements.length);
    for (const group of Map.groupBy(settlements.entries(), ([, { workerId }]) => workerId).values()) {
      await settleOfWorker(context, group, value);
    }
    if (settlements.length > 0) context.tasksChanged();
    return { kind: "ok", value };
  });
}

async function settleOfWorker(context: Context, group: readonly Indexed[], value: Settled[]): Promise<void> {
  const plain = group.filter(([, { outcome, logs }]) => outcome === "completed" && !logs?.length);
  const rest = group.filter(([, { outcome, logs }]) => outcome !== "completed" || logs?.length);
  for (const index of await completePlain(context, plain)) value[index] = completed;
  const unmatched = plain.filter(([index]) => value[index] === undefined);
  const others = [...rest, ...unmatched];
  if (others.length > 0) await settleById(context, others, value);
  for (const [index, settlement] of others) {
    value[index] ??= await answerStale(context, settlement);
  }
}

/** Answers the places of those that were done. */
async function completePlain(context: Context, plain: readonly Indexed[]): Promise<number[]> {
  if (plain.length === 0) return [];
  const settlements = plain.map(([, settlement]) => settlement);
  const rows = await context.database.query(completeTasks, [
    settlements.map(({ ref }) => ref),
    plain.map(([index]) => index),
    settlements.map(({ taskId }) => taskId),
    settlements.map(({ fence }) => fence),
    settlements.map(({ result }) => result?.json ?? null),
    settlements.map(({ result }) => result?.types ?? null),
    settlements[0]!.workerId,
    context.now(),
  ]);
  return rows.map(([index]) => index);
}

async function settleById(context: Context, others: readonly Indexed[], value: Settled[]): Promise<void> {
  const rows = await context.database.query(settleOthers, [
    JSON.stringify(others.map(([index, settlement]) => toColumns(index, settlement))),
    others[0]![1].workerId,
    context.now(),
  ]);
  for (const [index, status, dueAt] of rows) {
    const name = statusNames[status]!;
    value[index] = { kind: "settled", status: name, ...(name === "PENDING" && { dueAt }) };
    if (name === "PENDING") context.tasksAdded();
  }
}

function toColumns(index: number, settlement: Settlement): Record<string, unknown> {
  const { taskId, fence, outcome, result, error, retryAt, logs } = settlement;
  return {
    place: index,
    id: taskId,
    fence,
    outcome,
    result: result?.json,
    result_types: result?.types,
    error: error && JSON.stringify(error),
    message: plainText(error?.message),
    retry_at: retryAt,
    logs: logs && logs.length > 0 ? JSON.stringify(logs) : undefined,
  };
}

/** The guard said no: either this very settlement was committed before, or the attempt was taken from its worker. */
async function answerStale(context: Context, settlement: Settlement): Promise<Settled> {
  const { taskId, fence, workerId, outcome } = settlement;
  const [found] = await context.database.query(latestAttempt, [taskId, fence]);
  if (!found) return { kind: "lease-lost", lostTo: "unknown" };
  const [status, latestFence, latestOwner, dueAt, recorded, recordedOwner] = found;
  const isLatest = latestFence === fence;
  const known: AttemptOutcome | undefined =
    recorded ?? (isLatest && statusNames[status] === "COMPLETED" ? "completed" : undefined);
  const owner = recordedOwner ?? (isLatest ? latestOwner : undefined);
  const isOwn = owner === workerId;
  if (isOwn && isRecordOf(outcome, known)) {
    const name = isLatest ? statusNames[status]! : "PENDING";
    return { kind: "settled", status: name, ...(name === "PENDING" && { dueAt }) };
  }
  if (isOwn && known === "lost") await context.database.query(lateOutcome, [taskId, fence, outcome]);
  return { kind: "lease-lost", lostTo: known ?? "unknown" };
}

/** After a cancel request every end but success is recorded as cancelled. */
function isRecordOf(outcome: Settlement["outcome"], known: AttemptOutcome | undefined): boolean {
  return known === outcome || (known === "cancelled" && outcome !== "completed");
}

export async function reportProgress(
  context: Context,
  reports: Parameters<TaskStore["reportProgress"]>[0],
): Promise<Written<void>> {
  const given = reports.map(({ taskId, fence, workerId, progress, logs }) => ({
    id: taskId,
    fence,
    worker_id: workerId,
    progress: progress && JSON.stringify(progress),
    logs: logs && logs.length > 0 ? JSON.stringify(logs) : undefined,
  }));
  return context.database.written(async () => {
    await context.database.query(keepProgress, [JSON.stringify(given)]);
    return { kind: "ok", value: undefined };
  });
}

const completeTasks = statement(
  "completeTasks",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$8")} AS at),
  done AS (
    UPDATE :schema.tasks SET status = 3, completed_at = (SELECT at FROM clock),
      updated_at = greatest((SELECT at FROM clock), created_at), result = given.result,
      result_types = given.result_types, error = NULL, cancel_requested_at = NULL, version = version + 1
    FROM unnest($2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[])
      AS given (place, id, fence, result, result_types)
    WHERE tasks.ctid = ANY($1::tid[]) AND tasks.id = given.id AND tasks.fence = given.fence AND status = 2
      AND worker = (SELECT worker FROM :schema.workers WHERE id = $7 AND state = 'alive')
    RETURNING given.place, lane),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, moved.status, moved.sign * count(*) FROM done CROSS JOIN (VALUES (2, -1), (3, 1)) AS moved (status, sign)
    GROUP BY lane, moved.status, moved.sign)
  SELECT place FROM done`,
);

// Planned anew each time: a plan by id that was made while the table was small would read all of it later.
const settleOthers = onceOnly(
  "settleTasks",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$3")} AS at),
  given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS given (place integer, id text, fence integer, outcome text, result text,
      result_types text, error text, message text, retry_at bigint, logs text)),
  owned AS MATERIALIZED (
    SELECT given.*, tasks.lane, tasks.attempts, tasks.worker, tasks.started_at,
      CASE WHEN given.outcome <> 'completed' AND cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE given.outcome END
        AS recorded,
      CASE WHEN given.outcome = 'completed' THEN 3
        WHEN cancel_requested_at IS NOT NULL OR given.outcome = 'cancelled' THEN 5
        WHEN given.outcome IN ('released', 'snoozed') THEN 1
        WHEN given.retry_at IS NOT NULL AND tasks.attempts < max_attempts THEN 1
        ELSE 4 END AS next
    FROM given JOIN :schema.tasks ON tasks.id = given.id AND tasks.fence = given.fence
    WHERE status = 2 AND tasks.worker = (SELECT worker FROM :schema.workers WHERE id = $2 AND state = 'alive')
    ORDER BY tasks.id FOR UPDATE OF tasks),
  ended AS (
    UPDATE :schema.tasks SET status = owned.next,
      completed_at = CASE WHEN owned.next >= 3 THEN (SELECT at FROM clock) END,
      updated_at = greatest((SELECT at FROM clock), created_at),
      due_at = CASE WHEN owned.next = 1 THEN coalesce(owned.retry_at, (SELECT at FROM clock)) ELSE due_at END,
      result = CASE WHEN owned.next = 3 THEN owned.result ELSE tasks.result END,
      result_types = CASE WHEN owned.next = 3 THEN owned.result_types ELSE tasks.result_types END,
      error = CASE owned.next WHEN 3 THEN NULL WHEN 1 THEN coalesce(owned.message, error) ELSE owned.message END,
      cancel_requested_at = CASE WHEN owned.next >= 3 THEN NULL ELSE cancel_requested_at END,
      attempts = tasks.attempts - (owned.next = 1 AND owned.outcome IN ('released', 'snoozed'))::integer,
      snoozes = snoozes + (owned.next = 1 AND owned.outcome = 'snoozed')::integer,
      version = version + 1
    FROM owned WHERE tasks.id = owned.id
    RETURNING owned.place, owned.next, tasks.due_at),
  recorded AS (
    INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, ended_at, outcome, error, logs)
    SELECT id, fence, attempts, worker, started_at, (SELECT at FROM clock), recorded,
      CASE WHEN next <> 3 THEN error END, logs FROM owned WHERE next <> 3 OR logs IS NOT NULL
    ON CONFLICT (task_id, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error, logs = coalesce(excluded.logs, attempts.logs)),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, 2, -count(*) FROM owned GROUP BY lane
    UNION ALL SELECT lane, next, count(*) FROM owned GROUP BY lane, next)
  SELECT place, next, due_at FROM ended`,
);

const latestAttempt = statement(
  "latestAttempt",
  `SELECT tasks.status, tasks.fence, (SELECT id FROM :schema.workers WHERE workers.worker = tasks.worker), tasks.due_at,
      attempts.outcome, (SELECT id FROM :schema.workers WHERE workers.worker = attempts.worker)
    FROM :schema.tasks LEFT JOIN :schema.attempts ON task_id = tasks.id AND attempts.fence = $2 WHERE tasks.id = $1`,
);

const lateOutcome = statement(
  "lateOutcome",
  "UPDATE :schema.attempts SET late_outcome = $3 WHERE task_id = $1 AND fence = $2 AND outcome = 'lost'",
);

const keepProgress = onceOnly(
  "reportProgress",
  `WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS given (id text, fence integer, worker_id text, progress text, logs text)),
  kept AS (
    UPDATE :schema.tasks SET progress = coalesce(given.progress, tasks.progress)
    FROM given JOIN :schema.workers ON workers.id = given.worker_id AND workers.state = 'alive'
    WHERE tasks.id = given.id AND tasks.fence = given.fence AND tasks.worker = workers.worker AND status = 2
    RETURNING tasks.id, tasks.fence, tasks.attempts, tasks.worker, tasks.started_at, given.logs)
  INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, logs)
  SELECT id, fence, attempts, worker, started_at, logs FROM kept WHERE logs IS NOT NULL
  ON CONFLICT (task_id, fence) DO UPDATE SET logs = excluded.logs`,
);
