/** Whole records, for moving tasks to another store and from one; and the seal on a database that was moved. */
import type { SQLInputValue } from "node:sqlite";
import type { AttemptRecord, TaskRecord, TaskStore, Written } from "../../core/store.ts";
import { compareText } from "../../core/values/compare.ts";
import { attributesJson, stateOf } from "./attributes/attributes.ts";
import type { Connection } from "./connection.ts";
import { briefOf } from "./counts/brief-hours.ts";
import { recordSql as sql } from "./record-statements.ts";
import { sealMark } from "./sqlite-errors.ts";
import { statusNames, statusNumbers } from "./statuses.ts";
import type { WriteContext } from "./threads/write-context.ts";

type Which = Parameters<TaskStore["readRecords"]>[0];

export function readRecords(connection: Connection, which: Which): TaskRecord[] {
  const rows =
    "ids" in which
      ? connection.rows(sql.recordsOf, JSON.stringify(which.ids))
      : recordsAfter(connection, which.after ?? "", which.limit);
  return rows.map((row) => toRecord(row, connection.rows(sql.historyOf, row.seq!)));
}

/** Generated and chosen ids lie apart. */
function recordsAfter(connection: Connection, after: string, limit: number): Columns[] {
  const found = [0, 1].flatMap((ownId) => connection.rows(sql.recordsAfter, ownId, after, limit));
  return found.sort((a, b) => compareText(a.id as string, b.id as string)).slice(0, limit);
}

type Columns = Record<string, SQLInputValue>;

/** @param row with the names of its type, queue and worker; attempts with that of theirs, oldest first */
export function toRecord(row: Columns, history: Columns[]): TaskRecord {
  const text = (name: string) => row[name] as string;
  const number = (name: string) => row[name] as number;
  return {
    id: text("id"),
    type: text("type"),
    queue: text("queue"),
    ownId: row.own_id === 1,
    status: statusNames[number("status")] as TaskRecord["status"],
    priority: number("priority"),
    dueAt: number("due_at"),
    createdAt: number("created_at"),
    updatedAt: number("updated_at"),
    ...given("startedAt", row.started_at),
    ...given("completedAt", row.completed_at),
    attempts: number("attempts"),
    maxAttempts: number("max_attempts"),
    fence: number("fence"),
    crashes: number("crashes"),
    snoozes: number("snoozes"),
    version: number("version"),
    rerunAfterCrash: row.rerun_after_crash === 1,
    payload: { json: text("payload"), ...given("types", row.payload_types) },
    ...(row.result === null ? {} : { result: { json: text("result"), ...given("types", row.result_types) } }),
    ...given("error", row.error),
    ...given("description", row.description),
    ...(row.idempotency === null
      ? {}
      : { idempotencyKey: text("idempotency").slice(text("type").length + 1) }),
    ...given("workerId", row.worker_id),
    ...given("actionRecord", row.action_record),
    ...given("attributes", row.attributes === null ? null : JSON.parse(text("attributes"))),
    ...given("tags", row.tags),
    ...given("settings", row.settings),
    ...given("progress", row.progress),
    history: history.map(toAttemptRecord),
  };
}

function toAttemptRecord(row: Columns): AttemptRecord {
  return {
    fence: row.fence as number,
    number: row.number as number,
    ...given("workerId", row.worker_id),
    startedAt: row.started_at as number,
    ...given("endedAt", row.ended_at),
    ...given("outcome", row.outcome),
    ...given("lateOutcome", row.late_outcome),
    ...given("error", row.error),
    ...given("logs", row.logs),
  };
}

function given(name: string, value: unknown): Record<string, never> {
  return value === null || value === undefined ? {} : ({ [name]: value } as Record<string, never>);
}

export function writeRecords(
  context: WriteContext,
  records: readonly TaskRecord[],
): Written<string[], "idempotency-conflict"> {
  const added: string[] = [];
  for (const record of records) {
    const seq = insertRecord(context, record);
    if (seq === undefined) {
      if (context.connection.prepare(sql.hasTask).get(record.id)) continue;
      context.undo();
      const { id, idempotencyKey: key } = record;
      return { kind: "rejected", reason: "idempotency-conflict", details: { id, key } };
    }
    for (const attempt of record.history) insertAttempt(context, seq, attempt);
    added.push(record.id);
  }
  context.changed = true;
  return { kind: "ok", value: added };
}

function insertRecord(context: WriteContext, record: TaskRecord): number | bigint | undefined {
  if (context.connection.prepare(sql.hasOther).get(record.ownId ? 0 : 1, record.id)) return undefined;
  const lane = context.lanes.of(record.type, record.queue, record.ownId);
  const status = statusNumbers[record.status];
  const attributes = attributesJson(record.attributes);
  const inserted = context.connection
    .prepare(sql.insertRecord)
    .run(
      record.id,
      lane,
      record.ownId ? 1 : 0,
      status,
      record.priority,
      record.dueAt,
      record.createdAt,
      record.updatedAt,
      record.startedAt ?? null,
      record.completedAt ?? null,
      record.attempts,
      record.maxAttempts,
      record.fence,
      record.crashes,
      record.snoozes,
      record.version,
      workerOf(context, record.workerId),
      record.rerunAfterCrash ? 1 : 0,
      record.payload.json,
      record.payload.types ?? null,
      record.result?.json ?? null,
      record.result?.types ?? null,
      record.error ?? null,
      record.description ?? null,
      record.tags ?? null,
      record.idempotencyKey === undefined ? null : `${record.type} ${record.idempotencyKey}`,
      record.settings ?? null,
      record.progress ?? null,
      attributes,
      record.actionRecord ?? null,
    );
  if (inserted.changes === 0) return undefined;
  context.tally.move(lane, 0, status, 1, record.updatedAt);
  const briefs = briefOf(record.startedAt, record.completedAt ?? record.updatedAt);
  context.tally.times.move(lane, 0, status, record.createdAt, record.updatedAt, briefs);
  if (attributes !== null) {
    context.attributes.add(
      record.type,
      Number(inserted.lastInsertRowid),
      record.createdAt,
      stateOf(status),
      attributes,
    );
  }
  return inserted.lastInsertRowid;
}

function insertAttempt(context: WriteContext, seq: number | bigint, attempt: AttemptRecord): void {
  context.connection
    .prepare(sql.insertAttempt)
    .run(
      seq,
      attempt.fence,
      attempt.number,
      workerOf(context, attempt.workerId),
      attempt.startedAt,
      attempt.endedAt ?? null,
      attempt.outcome ?? null,
      attempt.error ?? null,
      attempt.lateOutcome ?? null,
      attempt.logs ?? null,
    );
}

/** The number of a worker of the other store; such a worker is only a name here. */
function workerOf({ connection }: WriteContext, workerId: string | undefined): number | null {
  if (workerId === undefined) return null;
  const found = connection.prepare(sql.workerNumber).get(workerId) as [number] | undefined;
  return (found ?? (connection.prepare(sql.insertOldWorker).get(workerId) as unknown as [number]))[0];
}

/** Triggers, so that programs which have the file open meet the seal too, and a file without one pays nothing. */
export function seal(context: WriteContext, movedTo: string | null): Written<void, "owns-tasks"> {
  const { connection } = context;
  if (movedTo !== null && connection.prepare(sql.anyRunning).get()) {
    return { kind: "rejected", reason: "owns-tasks" };
  }
  for (const event of ["INSERT", "UPDATE", "DELETE"]) {
    const trigger = `tasks_sealed_${event.toLowerCase()}`;
    connection.exec(`DROP TRIGGER IF EXISTS ${trigger}`);
    if (movedTo === null) continue;
    const reason = `${sealMark}${movedTo}`.replaceAll("'", "''");
    connection.exec(
      `CREATE TRIGGER ${trigger} BEFORE ${event} ON tasks BEGIN SELECT RAISE(ABORT, '${reason}'); END`,
    );
  }
  return { kind: "ok", value: undefined };
}
