/** Whole records, for moving tasks to another store and from one; and the seal on a database that was moved. */

import { DureError } from "../../core/errors.ts";
import type { AttemptRecord, TaskRecord, TaskStore, Written } from "../../core/store.ts";
import { hourSql } from "../shared/hours.ts";
import { arrayLiteral, attributesOf, keysOf } from "./attributes/attribute-values.ts";
import { addingAttributes, stateOf } from "./attributes/attributes.ts";
import type { ResultRow, Session } from "./connections/database.ts";
import { movedState } from "./connections/postgres-errors.ts";
import type { Context } from "./context.ts";
import { foldCounts } from "./counts/folding.ts";
import { byMinute, notingStored } from "./counts/minute-changes.ts";
import { portions, sizeOfTexts } from "./portions.ts";
import { plainText, statusNames, statusNumbers } from "./rows.ts";
import { literal, onceOnly, quoted, statement } from "./statement.ts";

export async function readRecords(
  context: Context,
  which: Parameters<TaskStore["readRecords"]>[0],
): Promise<TaskRecord[]> {
  return context.database.snapshot(async (session) => {
    const names = new Map((await context.attributes.all(session)).map((one) => [one.attribute, one.name]));
    const rows =
      "ids" in which
        ? await session.query(recordsOf, [which.ids])
        : await session.query(recordsAfter, [which.after ?? "", which.limit]);
    const history = await session.query(historyOf, [rows.map(([id]) => id)]);
    const byTask = Map.groupBy(history, ([taskId]) => taskId as string);
    return rows.map((row) => toRecord(row, byTask.get(row[0]) ?? [], (number) => names.get(number)));
  });
}

function toRecord(
  row: ResultRow,
  history: readonly ResultRow[],
  nameOf: (attribute: number) => string | undefined,
): TaskRecord {
  const [id, type, queue, ownId, status, priority, dueAt, createdAt, updatedAt, startedAt, completedAt] = row;
  const [attempts, maxAttempts, fence, crashes, snoozes, version, rerunAfterCrash] = row.slice(11);
  const [payload, payloadTypes, result, resultTypes, error, description, tags] = row.slice(18);
  const [idempotency, settings, progress, keys, workerId, actionRecord] = row.slice(25);
  return {
    id,
    type,
    queue,
    ownId,
    status: statusNames[status] as TaskRecord["status"],
    priority,
    dueAt,
    createdAt,
    updatedAt,
    ...given("startedAt", startedAt),
    ...given("completedAt", completedAt),
    attempts,
    maxAttempts,
    fence,
    crashes,
    snoozes,
    version,
    rerunAfterCrash,
    payload: { json: payload, ...given("types", payloadTypes) },
    ...(result === null ? {} : { result: { json: result, ...given("types", resultTypes) } }),
    ...given("error", error),
    ...given("description", description),
    ...(idempotency === null ? {} : { idempotencyKey: idempotency.slice(type.length + 1) }),
    ...given("workerId", workerId),
    ...given("actionRecord", actionRecord),
    ...given("tags", tags),
    ...given("settings", settings),
    ...given("progress", progress),
    ...(keys === null ? {} : { attributes: attributesOf(keys, nameOf) }),
    history: history.map(toAttemptRecord),
  };
}

function toAttemptRecord(row: ResultRow): AttemptRecord {
  const [, fence, number, workerId, startedAt, endedAt, outcome, error, lateOutcome, logs] = row;
  return {
    fence,
    number,
    ...given("workerId", workerId),
    startedAt,
    ...given("endedAt", endedAt),
    ...given("outcome", outcome),
    ...given("lateOutcome", lateOutcome),
    ...given("error", error),
    ...given("logs", logs),
  };
}

function given(name: string, value: unknown): Record<string, never> {
  return value === null ? {} : ({ [name]: value } as Record<string, never>);
}

export async function writeRecords(
  context: Context,
  records: readonly TaskRecord[],
): Promise<Written<string[], "idempotency-conflict">> {
  if (records.length === 0) return { kind: "ok", value: [] };
  const lanes = new Map<string, number>();
  for (const { type, queue, ownId } of records) {
    const name = `${type} ${queue} ${ownId}`;
    if (!lanes.has(name)) lanes.set(name, await context.lanes.of(type, queue, ownId));
  }
  const numberOf = await context.attributes.ofAll(records);
  const columnsOf = (record: TaskRecord) => {
    const { type, queue, ownId, attributes } = record;
    const keys = attributes && keysOf(attributes, (name) => numberOf(type, name));
    return toColumns(record, lanes.get(`${type} ${queue} ${ownId}`)!, arrayLiteral(keys));
  };
  try {
    const answer = await context.database.written(() =>
      context.database.transaction((session) => insertAll(session, records, columnsOf)),
    );
    if (answer.kind === "ok") context.tasksAdded();
    // Each call has changes of as many hours as it has tasks, and is followed by others: nobody else would fold so many.
    await foldCounts(context).catch(() => undefined);
    return answer;
  } catch (error) {
    if (error instanceof KeyTaken)
      return { kind: "rejected", reason: "idempotency-conflict", details: error.details };
    throw error;
  }
}

/** Undoes the transaction on its way out. */
class KeyTaken extends DureError {
  constructor({ id, idempotencyKey: key }: TaskRecord) {
    super("IDEMPOTENCY_CONFLICT", `The idempotency key "${key}" belongs to another task.`, {
      details: { id, key },
    });
  }
}

async function insertAll(
  session: Session,
  records: readonly TaskRecord[],
  columnsOf: (record: TaskRecord) => Record<string, unknown>,
): Promise<Written<string[], "idempotency-conflict">> {
  const history = records.flatMap(({ history }) => history);
  const workerIds = [...records, ...history].map(({ workerId }) => workerId).filter((id) => id !== undefined);
  await session.query(insertOldWorkers, [[...new Set(workerIds)]]);
  const added = new Set<string>();
  for (const portion of portions(records, sizeOfRecord)) {
    const rows = await session.query(insertRecords, [JSON.stringify(portion.map(columnsOf))]);
    for (const [id] of rows) added.add(id);
  }
  if (added.size < records.length) {
    const passed = records.filter(({ id }) => !added.has(id));
    const present = new Set(
      (await session.query(presentIds, [passed.map(({ id }) => id)])).map(([id]) => id),
    );
    const conflict = passed.find(({ id }) => !present.has(id));
    if (conflict) throw new KeyTaken(conflict);
  }
  const attempts = records.filter(({ id }) => added.has(id)).flatMap(attemptColumns);
  for (const portion of portions(attempts, sizeOfAttempt)) {
    await session.query(insertAttempts, [JSON.stringify(portion)]);
  }
  return { kind: "ok", value: records.map(({ id }) => id).filter((id) => added.has(id)) };
}

function sizeOfRecord({ payload, result, progress }: TaskRecord): number {
  return sizeOfTexts(payload.json, payload.types, result?.json, result?.types, progress);
}

function sizeOfAttempt({ error, logs }: AttemptColumns): number {
  return sizeOfTexts(error, logs);
}

/** JSON holds what PostgreSQL's text cannot: an escaped U+0000; so texts are made plain before. */
function toColumns(record: TaskRecord, lane: number, attributes: string | null): Record<string, unknown> {
  const { status, updatedAt, createdAt, fence } = record;
  const [fresh, again] = statusNumbers.PENDING as [number, number];
  const isFresh = updatedAt === createdAt && fence === 0;
  return {
    id: record.id,
    lane,
    own_id: record.ownId,
    status: status === "PENDING" ? (isFresh ? fresh : again) : statusNumbers[status][0],
    priority: record.priority,
    due_at: record.dueAt,
    created_at: createdAt,
    updated_at: updatedAt,
    started_at: record.startedAt,
    completed_at: record.completedAt,
    attempts: record.attempts,
    max_attempts: record.maxAttempts,
    fence,
    crashes: record.crashes,
    snoozes: record.snoozes,
    version: record.version,
    worker_id: record.workerId,
    rerun_after_crash: record.rerunAfterCrash,
    payload: record.payload.json,
    payload_types: record.payload.types,
    result: record.result?.json,
    result_types: record.result?.types,
    error: plainText(record.error),
    description: plainText(record.description),
    tags: record.tags,
    idempotency: record.idempotencyKey === undefined ? null : `${record.type} ${record.idempotencyKey}`,
    settings: record.settings,
    progress: record.progress,
    attributes,
    action_record: plainText(record.actionRecord),
  };
}

type AttemptColumns = ReturnType<typeof attemptColumns>[number];

function attemptColumns({ id, history }: TaskRecord) {
  return history.map((attempt) => ({
    task_id: id,
    fence: attempt.fence,
    number: attempt.number,
    worker_id: attempt.workerId,
    started_at: attempt.startedAt,
    ended_at: attempt.endedAt,
    outcome: attempt.outcome,
    error: attempt.error,
    late_outcome: attempt.lateOutcome,
    logs: attempt.logs,
  }));
}

/**
 * Triggers, so that programs which have the database open meet the seal too, and one without it pays nothing. They
 * fire for statements that change no row as well, so an idle worker is told at its next claim.
 */
export async function seal(
  context: Context,
  movedTo: string | undefined,
): Promise<Written<void, "owns-tasks">> {
  const { database } = context;
  const { schema } = database.location;
  return database.written(() =>
    database.transaction(async (session): Promise<Written<void, "owns-tasks">> => {
      await session.query(dropSeal);
      if (movedTo === undefined) return { kind: "ok", value: undefined };
      await session.query(makeRefusal);
      // Waits for the writers of this moment; the RUNNING tasks are looked for after it.
      await session.query(
        onceOnly(
          "makeSeal",
          `CREATE TRIGGER tasks_sealed
        BEFORE INSERT OR UPDATE OR DELETE ON ${quoted(schema)}.tasks
        FOR EACH STATEMENT EXECUTE FUNCTION ${quoted(schema)}.refuse_moved(${literal(movedTo)})`,
        ),
      );
      const [running] = await session.query(anyRunning);
      if (!running) return { kind: "ok", value: undefined };
      await session.query(dropSeal);
      return { kind: "rejected", reason: "owns-tasks" };
    }),
  );
}

const recordColumns = `tasks.id, lanes.type, lanes.queue, tasks.own_id, tasks.status, tasks.priority, tasks.due_at,
    tasks.created_at, tasks.updated_at, tasks.started_at, tasks.completed_at, tasks.attempts, tasks.max_attempts,
    tasks.fence, tasks.crashes, tasks.snoozes, tasks.version, tasks.rerun_after_crash, tasks.payload,
    tasks.payload_types, tasks.result, tasks.result_types, tasks.error, tasks.description, tasks.tags,
    tasks.idempotency, tasks.settings, tasks.progress, tasks.attributes, workers.id, tasks.action_record
  FROM :schema.tasks JOIN :schema.lanes USING (lane) LEFT JOIN :schema.workers ON workers.worker = tasks.worker`;
const recordsAfter = statement(
  "recordsAfter",
  `SELECT ${recordColumns} WHERE tasks.id > $1 AND tasks.status <> 2 ORDER BY tasks.id LIMIT $2`,
);
const recordsOf = statement(
  "recordsOf",
  `SELECT ${recordColumns} WHERE tasks.id = ANY($1::text[]) AND tasks.status <> 2 ORDER BY tasks.id`,
);
const historyOf = statement(
  "historyOf",
  `SELECT task_id, fence, number, workers.id, attempts.started_at, ended_at, outcome, error, late_outcome, logs
    FROM :schema.attempts LEFT JOIN :schema.workers ON workers.worker = attempts.worker
    WHERE task_id = ANY($1::text[]) ORDER BY task_id, fence`,
);
const presentIds = statement("presentIds", "SELECT id FROM :schema.tasks WHERE id = ANY($1::text[])");
const insertOldWorkers = statement(
  "insertOldWorkers",
  `INSERT INTO :schema.workers (id, state, host, pid, concurrency, types, lease_ms, started_at, beat_at)
    SELECT id, 'stopped', '', 0, 0, '[]', 0, 0, 0 FROM unnest($1::text[]) AS old (id) ON CONFLICT (id) DO NOTHING`,
);
/** Where those who index texts look for a task. */
const changedAt = "CASE status WHEN 0 THEN created_at ELSE updated_at END";
const insertRecords = statement(
  "insertRecords",
  `WITH added AS (
    INSERT INTO :schema.tasks (id, lane, own_id, status, priority, due_at, created_at, updated_at, started_at,
      completed_at, attempts, max_attempts, fence, crashes, snoozes, version, worker, rerun_after_crash, payload,
      payload_types, result, result_types, error, description, tags, idempotency, settings, progress, attributes,
      action_record)
    SELECT given.id, lane, own_id, status, priority, due_at, created_at, updated_at, given.started_at, completed_at,
      attempts, max_attempts, fence, crashes, snoozes, version, workers.worker, rerun_after_crash, payload,
      payload_types, result, result_types, error, description, tags, idempotency, settings, progress, attributes::text[],
      action_record
    FROM json_to_recordset($1::json) AS given (id text, lane integer, own_id boolean, status smallint,
      priority smallint, due_at bigint, created_at bigint, updated_at bigint, started_at bigint, completed_at bigint,
      attempts integer, max_attempts integer, fence integer, crashes integer, snoozes integer, version integer,
      worker_id text, rerun_after_crash boolean, payload text, payload_types text, result text, result_types text,
      error text, description text, tags text, idempotency text, settings text, progress text, attributes text, action_record text)
    LEFT JOIN :schema.workers ON workers.id = given.worker_id
    ON CONFLICT DO NOTHING RETURNING id, lane, status, created_at, updated_at, attributes),
  attributed AS (${addingAttributes("added", "task.attributes", stateOf("task.status"))}),
  counted AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
    SELECT lane, greatest(status, 1), count(*), ${hourSql("created_at")}, min(${changedAt}), max(${changedAt}), true FROM added GROUP BY 1, 2, 4),
  minuted AS (${notingStored("added")})
  SELECT id FROM added`,
);
const insertAttempts = statement(
  "insertAttempts",
  `INSERT INTO :schema.attempts
      (task_id, fence, number, worker, started_at, ended_at, outcome, error, late_outcome, logs)
    SELECT task_id, fence, number, workers.worker, given.started_at, ended_at, outcome, error, late_outcome, logs
    FROM json_to_recordset($1::json) AS given (task_id text, fence integer, number integer, worker_id text,
      started_at bigint, ended_at bigint, outcome text, error text, late_outcome text, logs text)
    LEFT JOIN :schema.workers ON workers.id = given.worker_id`,
);
const anyRunning = statement("anyRunning", "SELECT 1 FROM :schema.tasks WHERE status = 2 LIMIT 1");
const dropSeal = statement("dropSeal", "DROP TRIGGER IF EXISTS tasks_sealed ON :schema.tasks");
const makeRefusal = statement(
  "makeRefusal",
  `CREATE OR REPLACE FUNCTION :schema.refuse_moved() RETURNS trigger LANGUAGE plpgsql AS $refusal$
    BEGIN
      RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = '${movedState}';
    END $refusal$`,
);
