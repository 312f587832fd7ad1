/**
 * Settlement (T3, T4, T5, T8, T11, T12). Plain completions, by far the most, are one UPDATE that goes to the rows by
 * the place where the claim left them. Everything else, and rows that have moved since, is a second statement, by id.
 * Both guard by id, fence, owner and status, and lock rows in one order, so that no two batches wait for each other.
 * What the guard refused is looked up: the attempt's own record tells a commit of ours that was not answered from a
 * lost lease. Each settlement is atomic by itself.
 */
import type { AttemptOutcome } from "../../core/attempt.ts";
import type { Settled, Settlement, TaskStore, Written } from "../../core/store.ts";
import { hourSql } from "../shared/hours.ts";
import { hourOfMinuteSql, minuteSql } from "../shared/kept-counts.ts";
import { arrayText, arrayTextUnlessEmpty } from "./arrays.ts";
import { arrayLiteral, keysOf } from "./attributes/attribute-values.ts";
import { addingAttributes, movingAttributes, stateOf } from "./attributes/attributes.ts";
import type { TaskRef } from "./claimed-task.ts";
import type { Context } from "./context.ts";
import { addingToHistory } from "./counts/history.ts";
import { byMinute, notingEnded, notingSums } from "./counts/minute-changes.ts";
import { portions, sizeOfTexts } from "./portions.ts";
import { plainText, statusNames } from "./rows.ts";
import { inParts } from "./search/fewer.ts";
import { few, nowOf, statement } from "./statement.ts";

interface Placed {
  /** In the call. */
  index: number;
  settlement: Settlement;
}

const completed: Settled = Object.freeze({ kind: "settled", status: "COMPLETED" });

export async function settleTasks(
  context: Context,
  settlements: readonly Settlement[],
): Promise<Written<Settled[]>> {
  context.searching.settling(settlements.length);
  return context.database.written(async () => {
    const answers: Settled[] = new Array(settlements.length);
    const placed = settlements.map((settlement, index) => ({ index, settlement }));
    for (const [workerId, group] of Map.groupBy(placed, ({ settlement }) => settlement.workerId)) {
      for (const portion of portions(group, sizeOf))
        await inParts(portion, (part) => settleOfWorker(context, workerId, part, answers));
    }
    if (settlements.length > 0) {
      context.tasksChanged();
      context.attemptsEnded(settlements.length);
    }
    return { kind: "ok", value: answers };
  });
}

async function settleOfWorker(
  context: Context,
  workerId: string,
  group: Placed[],
  answers: Settled[],
): Promise<void> {
  await completePlain(context, workerId, group.filter(isPlain), answers);
  const byId = group.filter(({ index }) => answers[index] === undefined);
  await settleById(context, workerId, byId, answers);
  const stale = byId.filter(({ index }) => answers[index] === undefined);
  await answerStale(context, workerId, stale, answers);
}

function sizeOf({ settlement: { result } }: Placed): number {
  return sizeOfTexts(result?.json, result?.types);
}

function isPlain({ settlement: { outcome, logs, attributes } }: Placed): boolean {
  return outcome === "completed" && !logs?.length && attributes === undefined;
}

async function completePlain(
  context: Context,
  workerId: string,
  group: Placed[],
  answers: Settled[],
): Promise<void> {
  if (group.length === 0) return;
  if (group.length > 1) group.sort((a, b) => seqOf(a) - seqOf(b));
  const settlements = group.map(({ settlement }) => settlement);
  const rows = await context.database.query(completeTasks, [
    context.now(),
    workerId,
    arrayText(settlements.map(({ ref }) => (ref as TaskRef).place)),
    arrayText(settlements.map(({ ref }) => (ref as TaskRef).seq)),
    arrayText(settlements.map(({ taskId }) => taskId)),
    arrayText(settlements.map(({ fence }) => fence)),
    arrayTextUnlessEmpty(settlements.map(({ result }) => result?.json ?? null)),
    arrayTextUnlessEmpty(settlements.map(({ result }) => result?.types ?? null)),
  ]);
  const [done, seqs] = rows[0]!;
  const kept = done < group.length ? new Set<number>(seqs) : undefined;
  for (const one of group) if (!kept || kept.has(seqOf(one))) answers[one.index] = completed;
}

function seqOf({ settlement }: Placed): number {
  return (settlement.ref as TaskRef).seq;
}

async function settleById(
  context: Context,
  workerId: string,
  group: Placed[],
  answers: Settled[],
): Promise<void> {
  if (group.length === 0) return;
  group.sort((a, b) => seqOf(a) - seqOf(b));
  const settlements = group.map(({ settlement }) => settlement);
  const rows = await context.database.query(settleTasksById, [
    context.now(),
    workerId,
    arrayText(group.map(({ index }) => index)),
    arrayText(group.map(seqOf)),
    arrayText(settlements.map(({ taskId }) => taskId)),
    arrayText(settlements.map(({ fence }) => fence)),
    arrayText(settlements.map(({ outcome }) => outcome)),
    arrayText(settlements.map(({ result }) => result?.json ?? null)),
    arrayText(settlements.map(({ result }) => result?.types ?? null)),
    arrayText(settlements.map(({ error }) => (error ? JSON.stringify(error) : null))),
    arrayText(settlements.map(({ error }) => plainText(error?.message))),
    arrayText(settlements.map(({ retryAt }) => retryAt ?? null)),
    arrayText(settlements.map(({ logs }) => (logs?.length ? JSON.stringify(logs) : null))),
    await attributeKeysOf(context, settlements),
    arrayText(settlements.map(({ ref }) => (ref as TaskRef).waitMs)),
  ]);
  for (const [index, status, dueAt] of rows) answers[index] = settledAs(status, dueAt);
  if (rows.some(([, status]) => statusNames[status] === "PENDING")) context.tasksAdded();
}

/** The keys of what payloads and results gave, each settlement's as an array's literal; null where none gave any. */
async function attributeKeysOf(
  { database, attributes: names }: Context,
  settlements: readonly Settlement[],
): Promise<(string | null)[] | null> {
  if (settlements.every(({ attributes }) => attributes === undefined)) return null;
  const tasks = settlements.filter(({ attributes }) => attributes !== undefined).map(({ taskId }) => taskId);
  const types = new Map((await database.query(typesOf, [tasks])) as [string, string][]);
  // A task that is gone has no type; nothing is settled of it.
  const typed = settlements.map(({ taskId, attributes = {} }) => {
    const type = types.get(taskId);
    return type === undefined ? { type: "", attributes: {} } : { type, attributes };
  });
  const numberOf = await names.ofAll(typed);
  return typed.map(({ type, attributes }) =>
    arrayLiteral(keysOf(attributes, (name) => numberOf(type, name))),
  );
}

function settledAs(status: number, dueAt: number): Settled {
  const name = statusNames[status]!;
  return name === "PENDING" ? { kind: "settled", status: name, dueAt } : { kind: "settled", status: name };
}

/** The guard said no: either this very settlement was committed before, or the attempt was taken from its worker. */
async function answerStale(
  context: Context,
  workerId: string,
  group: readonly Placed[],
  answers: Settled[],
): Promise<void> {
  if (group.length === 0) return;
  const rows = await context.database.query(latestAttempts, [
    workerId,
    group.map((_, place) => place),
    group.map(seqOf),
    group.map(({ settlement }) => settlement.taskId),
    group.map(({ settlement }) => settlement.fence),
  ]);
  const found = new Map(rows.map(([place, ...facts]) => [place as number, facts]));
  const late: Settlement[] = [];
  for (const [place, { index, settlement }] of group.entries()) {
    const { answer, isLate } = judge(settlement, found.get(place));
    answers[index] = answer;
    if (isLate) late.push(settlement);
  }
  if (late.length === 0) return;
  await context.database.query(keepLateOutcomes, [
    late.map(({ taskId }) => taskId),
    late.map(({ fence }) => fence),
    late.map(({ outcome }) => outcome),
    workerId,
  ]);
}

function judge(
  { fence, outcome }: Settlement,
  facts: readonly any[] | undefined,
): { answer: Settled; isLate?: boolean } {
  if (!facts) return { answer: { kind: "lease-lost", lostTo: "unknown" } };
  const [status, latestFence, latestOwner, dueAt, recorded, recordedOwner, own] = facts;
  const isLatest = latestFence === fence;
  const known: AttemptOutcome | undefined =
    recorded ?? (isLatest && statusNames[status] === "COMPLETED" ? "completed" : undefined);
  const isOwn = own !== null && own === (recordedOwner ?? (isLatest ? latestOwner : undefined));
  if (isOwn && isRecordOf(outcome, known)) return { answer: settledAs(isLatest ? status : 1, dueAt) };
  return { answer: { kind: "lease-lost", lostTo: known ?? "unknown" }, isLate: isOwn && known === "lost" };
}

/** After a cancel request every end but success is recorded as cancelled. */
function isRecordOf(outcome: Settlement["outcome"], known: AttemptOutcome | undefined): boolean {
  return known === outcome || (known === "cancelled" && outcome !== "completed");
}

/** Keeps progress and logs of attempts that still run; of several reports of one attempt, the last of each. */
export async function reportProgress(
  context: Context,
  reports: Parameters<TaskStore["reportProgress"]>[0],
): Promise<Written<void>> {
  const latest = new Map<string, (typeof reports)[number]>();
  for (const report of reports) {
    const key = `${report.taskId} ${report.fence} ${report.workerId}`;
    latest.set(key, { ...latest.get(key), ...report });
  }
  const given = [...latest.values()].sort((a, b) => (a.ref as TaskRef).seq - (b.ref as TaskRef).seq);
  if (given.length === 0) return { kind: "ok", value: undefined };
  return context.database.written(async () => {
    await context.database.query(keepReports, [
      given.map(({ ref }) => (ref as TaskRef).seq),
      given.map(({ taskId }) => taskId),
      given.map(({ fence }) => fence),
      given.map(({ workerId }) => workerId),
      given.map(({ progress }) => (progress ? JSON.stringify(progress) : null)),
      given.map(({ logs }) => (logs?.length ? JSON.stringify(logs) : null)),
    ]);
    return { kind: "ok", value: undefined };
  });
}

/**
 * Not to be found through tasks_running: the planner takes a worker to have one task or two, and would look at all that it
 * has for each that is given.
 */
const isHeldBy = (worker: string) => `tasks.status + 0 = 2 AND tasks.worker + 0 = ${worker}`;
const ownWorker = "SELECT worker FROM :schema.workers WHERE id = $2 AND state = 'alive'";

export const completeTasks = statement(
  "settleCompleted",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at), me AS MATERIALIZED (${ownWorker}),
  done AS (
    UPDATE :schema.tasks SET status = 3, completed_at = clock.at, updated_at = greatest(clock.at, tasks.created_at),
      result = given.result, result_types = given.result_types, error = NULL, cancel_requested_at = NULL,
      version = tasks.version + 1
    FROM clock, me, unnest($3::tid[], $4::bigint[], $5::text[], $6::integer[], $7::text[], $8::text[])
      AS given (place, seq, id, fence, result, result_types)
    WHERE tasks.ctid = given.place AND tasks.seq = given.seq AND tasks.id = given.id AND tasks.fence = given.fence
      AND ${isHeldBy("me.worker")} AND ${few("given.seq")}
    RETURNING tasks.seq, lane, tasks.id, created_at, updated_at, attributes, status,
      started_at - due_at AS wait_ms, completed_at - started_at AS run_ms),
  ${movingAttributes("done", "0", "3")},
  counts AS MATERIALIZED (
    SELECT lane, ${minuteSql("created_at")} AS created, ${minuteSql("updated_at")} AS ended, count(*) AS tasks,
      min(updated_at) AS first_at, max(updated_at) AS last_at
    FROM done GROUP BY 1, 2, 3),
  hours AS MATERIALIZED (
    SELECT lane, ${hourOfMinuteSql("created")} AS hour, sum(tasks) AS tasks, min(first_at) AS first_at, max(last_at) AS last_at
    FROM counts GROUP BY 1, 2),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
    SELECT lane, 2, -tasks, hour, NULL, NULL, true FROM hours
    UNION ALL SELECT lane, 3, tasks, hour, first_at, last_at, true FROM hours),
  minuted AS (${notingSums("SELECT lane, 0, 3, tasks, created, ended FROM counts")}),
  noted AS (${addingToHistory("done")})
  SELECT count(*)::integer, CASE WHEN count(*) < cardinality($4) THEN array_agg(seq::float8) END FROM done`,
);

const uncharged = "given.outcome IN ('released', 'snoozed')";
/** The status that follows, by the row as it is under its lock. */
const next = `CASE WHEN given.outcome = 'completed' THEN 3
        WHEN tasks.cancel_requested_at IS NOT NULL OR given.outcome = 'cancelled' THEN 5
        WHEN ${uncharged} OR (given.retry_at IS NOT NULL AND tasks.attempts < tasks.max_attempts) THEN 1 ELSE 4 END`;

/** The keys that the tasks had not before, as this statement still sees them: an earlier attempt may have brought the same. */
const gaining = `(SELECT ended.id, ended.created_at, ended.status, ARRAY(
      SELECT key FROM unnest(ended.added) AS own (key) WHERE key <> ALL(coalesce(before.attributes, '{}'))) AS added
    FROM ended JOIN :schema.tasks AS before ON before.id = ended.id
    WHERE ended.added IS NOT NULL AND ${few("before.seq")})`;

export const settleTasksById = statement(
  "settleTasks",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at), me AS MATERIALIZED (${ownWorker}),
  ended AS (
    UPDATE :schema.tasks SET status = ${next},
      due_at = CASE ${next} WHEN 1 THEN coalesce(given.retry_at, clock.at) ELSE tasks.due_at END,
      updated_at = greatest(clock.at, tasks.created_at),
      completed_at = CASE ${next} WHEN 1 THEN NULL ELSE clock.at END,
      result = CASE ${next} WHEN 3 THEN given.result ELSE tasks.result END,
      result_types = CASE ${next} WHEN 3 THEN given.result_types ELSE tasks.result_types END,
      error = CASE ${next} WHEN 3 THEN NULL WHEN 1 THEN coalesce(given.message, tasks.error) ELSE given.message END,
      attempts = tasks.attempts - (${next} = 1 AND ${uncharged})::integer,
      snoozes = tasks.snoozes + (${next} = 1 AND given.outcome = 'snoozed')::integer,
      attributes = CASE WHEN given.attributes IS NULL THEN tasks.attributes ELSE tasks.attributes || ARRAY(
        SELECT key FROM unnest(given.attributes::text[]) AS own (key) WHERE key <> ALL(coalesce(tasks.attributes, '{}'))) END,
      cancel_requested_at = NULL, version = tasks.version + 1
    FROM clock, me, unnest($3::integer[], $4::bigint[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::bigint[])
      AS given (place, seq, id, fence, outcome, result, result_types, error, message, retry_at, logs, attributes, wait_ms)
    WHERE tasks.id = given.id AND tasks.seq = given.seq AND tasks.fence = given.fence
      AND ${isHeldBy("me.worker")} AND ${few("given.seq")}
    RETURNING given.place, tasks.id, tasks.lane, tasks.fence, tasks.status, tasks.due_at, tasks.worker,
      tasks.started_at, clock.at AS ended_at, tasks.attempts + (tasks.status = 1 AND ${uncharged})::integer AS number,
      CASE tasks.status WHEN 5 THEN 'cancelled' ELSE given.outcome END AS outcome, given.error AS attempt_error, given.logs,
      tasks.created_at, tasks.updated_at, tasks.attributes, given.attributes::text[] AS added,
      given.wait_ms, clock.at - tasks.started_at AS run_ms),
  recorded AS (
    INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, ended_at, outcome, error, logs)
    SELECT id, fence, number, worker, started_at, ended_at, outcome, attempt_error, logs FROM ended
    WHERE status <> 3 OR logs IS NOT NULL
    ON CONFLICT (task_id, fence) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
      error = excluded.error, logs = coalesce(excluded.logs, attempts.logs)),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
    SELECT lane, 2, -count(*), ${hourSql("created_at")}, NULL, NULL, true FROM ended GROUP BY 1, 4
    UNION ALL SELECT lane, status, count(*), ${hourSql("created_at")}, min(updated_at), max(updated_at), true FROM ended GROUP BY 1, 2, 4),
  minuted AS (${notingEnded("ended")}),
  noted AS (${addingToHistory("(SELECT * FROM ended WHERE status <> 1 OR outcome IN ('failed', 'timed-out'))")}),
  ${movingAttributes("(SELECT * FROM ended WHERE status >= 3)", "0", "task.status")},
  attributed AS (${addingAttributes(gaining, "task.added", stateOf("task.status"))})
  SELECT place, status, due_at FROM ended`,
);

const typesOf = statement(
  "typesOfTasks",
  "SELECT id, type FROM :schema.tasks JOIN :schema.lanes USING (lane) WHERE id = ANY($1::text[])",
);

const latestAttempts = statement(
  "latestAttempts",
  `SELECT given.place, tasks.status, tasks.fence, tasks.worker, tasks.due_at, attempts.outcome, attempts.worker,
      (SELECT worker FROM :schema.workers WHERE id = $1)
    FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::integer[]) AS given (place, seq, id, fence)
    JOIN :schema.tasks ON tasks.id = given.id AND tasks.seq = given.seq
    LEFT JOIN :schema.attempts ON attempts.task_id = given.id AND attempts.fence = given.fence
    WHERE ${few("given.seq")}`,
);

const keepLateOutcomes = statement(
  "keepLateOutcomes",
  `UPDATE :schema.attempts SET late_outcome = given.outcome
    FROM unnest($1::text[], $2::integer[], $3::text[]) AS given (id, fence, outcome)
    WHERE attempts.task_id = given.id AND attempts.fence = given.fence AND attempts.outcome = 'lost'
      AND attempts.worker = (SELECT worker FROM :schema.workers WHERE id = $4) AND ${few("given.fence")}`,
);

export const keepReports = statement(
  "reportProgress",
  `WITH kept AS (
    UPDATE :schema.tasks SET progress = coalesce(given.progress, tasks.progress)
    FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[])
      AS given (seq, id, fence, worker_id, progress, logs)
    JOIN :schema.workers ON workers.id = given.worker_id AND workers.state = 'alive'
    WHERE tasks.id = given.id AND tasks.seq = given.seq AND tasks.fence = given.fence
      AND ${isHeldBy("workers.worker")} AND ${few("given.seq")}
    RETURNING tasks.id, tasks.fence, tasks.attempts, tasks.worker, tasks.started_at, given.logs)
  INSERT INTO :schema.attempts (task_id, fence, number, worker, started_at, logs)
  SELECT id, fence, attempts, worker, started_at, logs FROM kept WHERE logs IS NOT NULL
  ON CONFLICT (task_id, fence) DO UPDATE SET logs = excluded.logs`,
);
