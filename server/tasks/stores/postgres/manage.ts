/** The operator's verbs and retention (T6, T7, T13, T14, T15), and saving definitions. */

import { type AuditedChange, editState } from "../../core/port/store-audit.ts";
import type { ChangeBy, PruneRequest, StoredDefinition, TaskEdit, Written } from "../../core/store.ts";
import type { Task, TaskStatusName } from "../../core/task.ts";
import { hourSql } from "../shared/hours.ts";
import { minuteSql } from "../shared/kept-counts.ts";
import { declareAttributes } from "./attributes/attribute-fills.ts";
import { deletingAttributes, movingAttributes, stateOf } from "./attributes/attributes.ts";
import { record } from "./audit.ts";
import type { ResultRow, Session } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { byMinute, notingDeleted, notingSums } from "./counts/minute-changes.ts";
import { sums } from "./counts/tallies.ts";
import { lockIds, Refused } from "./enqueue.ts";
import { plainText, statusNames, statusNumbers, type TaskRow, taskColumns, toTask } from "./rows.ts";
import { orFewer } from "./search/fewer.ts";
import { nowOf, type Statement, statement } from "./statement.ts";

export async function saveDefinitions(
  context: Context,
  definitions: readonly Omit<StoredDefinition, "createdAt" | "updatedAt">[],
): Promise<Written<void, "id-taken">> {
  const { database } = context;
  const ids = definitions.map(({ id }) => id);
  try {
    return await database.written(async () => {
      const save = () =>
        database.transaction(async (session) => {
          await session.query(lockIds, [ids]);
          const [taken] = await session.query(tasksOf, [ids]);
          if (taken) throw new Refused("id-taken", { id: taken[0], owner: "task" });
          await session.query(upsertDefinitions, [JSON.stringify(definitions.map(toColumns)), context.now()]);
          await declareAttributes(session, definitions);
        });
      await database.surely(save);
      context.lanes.forgetDescriptions();
      return { kind: "ok", value: undefined };
    });
  } catch (error) {
    if (error instanceof Refused) return { kind: "rejected", reason: "id-taken", details: error.details };
    throw error;
  }
}

function toColumns(definition: Omit<StoredDefinition, "createdAt" | "updatedAt">): Record<string, unknown> {
  return {
    id: definition.id,
    description: plainText(definition.description),
    max_attempts: definition.maxAttempts,
    queue: definition.queue,
    priority: definition.priority,
    timeout_ms: definition.timeoutMs,
    tags: JSON.stringify(definition.tags),
    rerun_after_crash: definition.rerunAfterCrash,
    attributes: definition.attributes?.length ? JSON.stringify(definition.attributes) : null,
    payload_schema: definition.payloadSchema ? plainText(JSON.stringify(definition.payloadSchema)) : null,
  };
}

type Changed<Reason extends string> = Written<ResultRow, Reason | "not-found" | "version">;

export async function cancelTask(
  context: Context,
  id: string,
  expectedVersion?: number,
  by?: ChangeBy,
): Promise<Written<{ task: Task; requested: boolean }, "not-found" | "finished" | "version">> {
  const answer = await change(
    context,
    { id, expectedVersion, by },
    {
      refuse: (status) => (isEnded(status) ? "finished" : undefined),
      apply: (session, status) =>
        session.query(
          ...marking(status === "RUNNING" ? requestCancel : cancelPending, [id, context.now()], by),
        ),
      // Asked again, nothing is changed.
      recorded: ({ status, version }, row) =>
        row[14] === version
          ? undefined
          : {
              action: "cancel",
              after: status === "RUNNING" ? { status, cancelRequested: true } : { status: "CANCELLED" },
            },
    },
  );
  if (answer.kind !== "ok") return answer;
  context.tasksChanged();
  const task = await toOneTask(context, answer.value);
  return { kind: "ok", value: { task, requested: task.status === "RUNNING" } };
}

export async function retryTask(
  context: Context,
  id: string,
  expectedVersion?: number,
  by?: ChangeBy,
): Promise<Written<{ task: Task }, "not-found" | "not-finished" | "completed" | "version">> {
  const answer = await change(
    context,
    { id, expectedVersion, by },
    {
      refuse: (status) =>
        isEnded(status) ? (status === "COMPLETED" ? "completed" : undefined) : "not-finished",
      apply: (session) => session.query(...marking(retryEnded, [id, context.now()], by)),
      recorded: () => ({ action: "retry", after: { status: "PENDING" } }),
    },
  );
  return answerChanged(context, answer);
}

export async function editTask(
  context: Context,
  id: string,
  edit: TaskEdit,
  expectedVersion?: number,
  by?: ChangeBy,
): Promise<Written<{ task: Task }, "not-found" | "not-pending" | "version">> {
  const { priority, dueAt } = edit;
  const answer = await change(
    context,
    { id, expectedVersion, by },
    {
      refuse: (status) => (status === "PENDING" ? undefined : "not-pending"),
      apply: (session) =>
        session.query(...marking(editPending, [id, priority ?? null, dueAt ?? null, context.now()], by)),
      recorded: (before, row) => ({
        action: "edit",
        before: editState(edit, before),
        after: editState(edit, { priority: row[3], dueAt: row[4] }),
      }),
    },
  );
  return answerChanged(context, answer);
}

export async function deleteTask(
  context: Context,
  id: string,
  expectedVersion?: number,
  by?: ChangeBy,
): Promise<Written<void, "not-found" | "not-finished" | "version">> {
  const answer = await change(
    context,
    { id, expectedVersion, by },
    {
      refuse: (status) => (isEnded(status) ? undefined : "not-finished"),
      apply: (session) => session.query(deleteEnded, [id]),
      recorded: () => ({ action: "delete" }),
    },
  );
  if (answer.kind !== "ok") return answer;
  context.tasksDeleted();
  return { kind: "ok", value: undefined };
}

export function pruneTasks(context: Context, request: PruneRequest): Promise<Written<number>> {
  return context.database.written(async () => {
    let deleted = 0;
    for (let most = request.limit, last = most; last === most && deleted < request.limit; ) {
      const left = Math.min(most, request.limit - deleted);
      const { answer, limit } = await orFewer(left, (limit) =>
        context.database.query(prune, prunableParameters({ ...request, limit })),
      );
      [last, most] = [answer[0]![0] as number, limit];
      deleted += last;
      if (last > 0) context.tasksDeleted();
    }
    return { kind: "ok", value: deleted };
  });
}

/** Of `prunable`. */
export function prunableParameters({
  status,
  before = Number.MAX_SAFE_INTEGER,
  types,
  keep,
  limit,
}: PruneRequest): unknown[] {
  return [statusNumbers[status][0], before, limit, types ? [...types] : null, keep ?? null];
}

function isEnded(status: TaskStatusName): boolean {
  return status !== "PENDING" && status !== "RUNNING";
}

interface Change<Reason> {
  refuse(status: TaskStatusName): Reason | undefined;
  apply(session: Session, status: TaskStatusName): Promise<ResultRow[]>;
  /** What the audit log says of it; undefined when nothing was changed. @param row what `apply` gave */
  recorded(
    before: { status: TaskStatusName; version: number; priority: number; dueAt: number },
    row: ResultRow,
  ): Pick<AuditedChange, "action" | "before" | "after"> | undefined;
}

/** Locks the task, looks whether its status and version allow the change, and makes it. */
function change<Reason extends string>(
  context: Context,
  { id, expectedVersion, by }: { id: string; expectedVersion: number | undefined; by: ChangeBy | undefined },
  { refuse, apply, recorded }: Change<Reason>,
): Promise<Changed<Reason>> {
  const { database } = context;
  return database.written<ResultRow, Reason | "not-found" | "version">(() =>
    database.transaction(async (session): Promise<Changed<Reason>> => {
      const [locked] = await session.query(lockTask, [plainText(id)]);
      if (!locked) return { kind: "rejected", reason: "not-found", details: { id } };
      const [number, version, lane, priority, dueAt] = locked;
      const status = statusNames[number]!;
      const details = { id, status, version };
      const reason = refuse(status);
      if (reason !== undefined) return { kind: "rejected", reason, details };
      if (expectedVersion !== undefined && expectedVersion !== version) {
        return { kind: "rejected", reason: "version", details: { ...details, expectedVersion } };
      }
      const [row] = await apply(session, status);
      const told = by && !by.isPart && recorded({ status, version, priority, dueAt }, row!);
      if (told) {
        const before = { status, ...told.before };
        await record(context, session, by, { kind: "task", target: id, lane, ...told, before });
      }
      return { kind: "ok", value: row! };
    }),
  );
}

/** A change, and the same with the record of the action that it is part of, which is the last parameter. */
interface Marking {
  alone: Statement;
  inAction: Statement;
}

function marking(
  { alone, inAction }: Marking,
  values: unknown[],
  by: ChangeBy | undefined,
): [Statement, unknown[]] {
  return by?.isPart ? [inAction, [...values, by.id]] : [alone, values];
}

async function answerChanged<Reason extends string>(
  context: Context,
  answer: Written<ResultRow, Reason>,
): Promise<Written<{ task: Task }, Reason>> {
  if (answer.kind !== "ok") return answer;
  context.tasksAdded();
  return { kind: "ok", value: { task: await toOneTask(context, answer.value) } };
}

async function toOneTask(context: Context, row: ResultRow): Promise<Task> {
  return toTask(row as TaskRow, await context.lanes.named([row[1]]));
}

const tasksOf = statement("tasksOf", "SELECT id FROM :schema.tasks WHERE id = ANY($1::text[]) LIMIT 1");
const upsertDefinitions = statement(
  "saveDefinitions",
  `INSERT INTO :schema.definitions AS kept
      (id, description, max_attempts, queue, priority, timeout_ms, tags, rerun_after_crash, attributes,
      payload_schema, created_at, updated_at)
    SELECT DISTINCT ON (id) id, description, max_attempts, queue, priority, timeout_ms, tags, rerun_after_crash,
      attributes, payload_schema, now.at, now.at
    FROM json_to_recordset($1::json) AS given (id text, description text, max_attempts integer, queue text,
      priority integer, timeout_ms bigint, tags text, rerun_after_crash boolean, attributes text,
      payload_schema text),
      (SELECT ${nowOf("$2")} AS at) AS now
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET description = excluded.description, max_attempts = excluded.max_attempts,
      queue = excluded.queue, priority = excluded.priority, timeout_ms = excluded.timeout_ms, tags = excluded.tags,
      rerun_after_crash = excluded.rerun_after_crash, attributes = excluded.attributes,
      payload_schema = excluded.payload_schema, updated_at = excluded.updated_at
    WHERE (kept.description, kept.max_attempts, kept.queue, kept.priority, kept.timeout_ms, kept.tags,
      kept.rerun_after_crash, kept.attributes, kept.payload_schema) IS DISTINCT FROM (excluded.description, excluded.max_attempts, excluded.queue,
      excluded.priority, excluded.timeout_ms, excluded.tags, excluded.rerun_after_crash,
      excluded.attributes, excluded.payload_schema)`,
);

const lockTask = statement(
  "lockTask",
  "SELECT status, version, lane, priority, due_at FROM :schema.tasks WHERE id = $1 FOR UPDATE",
);

/**
 * A change of one task. What is part of an action is a statement of its own: roles that were granted their rights before there
 * was that column may go on with the other.
 * @param record the number of the parameter that the action's record is
 */
function marked(name: string, record: number, textOf: (mark: string) => string): Marking {
  return {
    alone: statement(name, textOf("")),
    inAction: statement(`${name}InAction`, textOf(`, action_record = $${record}::text`)),
  };
}

/** What ends or is to run again; `before` and `changed` have the task. */
function notingChanged(to: number): string {
  const isEnd = to >= 3;
  const [was, state, task] = isEnd ? ["0", String(to), "changed"] : ["before.status", "0", "before"];
  return notingSums(`SELECT before.lane, ${was}, ${state}, 1, ${minuteSql("changed.created_at")}, ${minuteSql(`${task}.updated_at`)}
      FROM before, changed`);
}

/** An update of one task, with its counts moved from PENDING or its old status to the new one. */
function changing(name: string, set: string, from: string, to: number): Marking {
  return marked(
    name,
    3,
    (
      mark,
    ) => `WITH before AS (SELECT lane, greatest(status, 1) AS status, created_at, updated_at FROM :schema.tasks WHERE id = $1),
    changed AS (UPDATE :schema.tasks SET ${set}, version = tasks.version + 1${mark} WHERE id = $1 AND status ${from}
      RETURNING ${taskColumns}, tasks.attributes),
    ${movingAttributes("(SELECT changed.*, before.status AS was FROM changed, before)", stateOf("task.was"), stateOf(String(to)))},
    tallied AS (INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
      SELECT before.lane, moves.status, moves.tasks, ${hourSql("changed.created_at")}, moves.at, moves.at, true FROM before, changed
        CROSS JOIN LATERAL (VALUES (before.status, -1, NULL), (${to}, 1, changed.updated_at)) AS moves (status, tasks, at)
      WHERE before.status <> ${to}),
    minuted AS (${notingChanged(to)})
    SELECT * FROM changed`,
  );
}

const cancelPending = changing(
  "cancelTask",
  `status = 5, completed_at = ${nowOf("$2")}, updated_at = greatest(${nowOf("$2")}, created_at)`,
  "< 2",
  5,
);
const requestCancel = marked(
  "requestCancel",
  3,
  (mark) => `UPDATE :schema.tasks SET cancel_requested_at = coalesce(cancel_requested_at, ${nowOf("$2")}),
      version = version + (cancel_requested_at IS NULL)::integer${
        mark &&
        `, action_record =
      CASE WHEN cancel_requested_at IS NULL THEN $3::text ELSE action_record END`
      }
    WHERE id = $1 AND status = 2 RETURNING ${taskColumns}`,
);
const retryEnded = changing(
  "retryTask",
  `status = 1, due_at = ${nowOf("$2")}, updated_at = greatest(${nowOf("$2")}, created_at), completed_at = NULL,
    attempts = 0, crashes = 0, snoozes = 0, cancel_requested_at = NULL, progress = NULL`,
  "IN (4, 5)",
  1,
);
const editPending = marked(
  "editTask",
  5,
  (mark) => `WITH changed AS (
    UPDATE :schema.tasks SET status = 1, priority = coalesce($2::smallint, priority), due_at = coalesce($3::bigint, due_at),
      updated_at = greatest(${nowOf("$4")}, created_at), version = version + 1${mark}
    WHERE id = $1 AND status < 2 RETURNING ${taskColumns}),
  noted AS (INSERT INTO :schema.tally_changes (lane, status, tasks, first_at, last_at)
    SELECT lane, 1, 0, updated_at, updated_at FROM changed)
  SELECT * FROM changed`,
);
const deleteEnded = statement(
  "deleteTask",
  `WITH deleted AS (DELETE FROM :schema.tasks WHERE id = $1 AND status >= 3
    RETURNING id, lane, status, created_at, updated_at, attributes),
  forgotten AS (DELETE FROM :schema.attempts WHERE task_id IN (SELECT id FROM deleted)),
  unread AS (DELETE FROM :schema.texts WHERE task_id IN (SELECT id FROM deleted)),
  ${deletingAttributes("deleted")},
  tallied AS (INSERT INTO :schema.tally_changes (lane, status, tasks, hour, ${byMinute})
    SELECT lane, status, -1, ${hourSql("created_at")}, true FROM deleted),
  minuted AS (${notingDeleted("deleted")})
  SELECT id FROM deleted`,
);

/** The oldest finished tasks past their time, over all lanes; `updated_at` of a finished task is when it ended. */
export const prunable = `WITH allowed AS MATERIALIZED (
    SELECT CASE WHEN $5::bigint IS NULL THEN $3::integer ELSE (
      SELECT greatest(0, least($3::integer, coalesce(sum(tasks), 0) - $5::bigint))::integer FROM (${sums}) AS held
        JOIN :schema.lanes USING (lane)
      WHERE status = $1::smallint AND ($4::text[] IS NULL OR lanes.type = ANY($4::text[]))) END AS most)
  SELECT found.id, found.updated_at FROM allowed CROSS JOIN :schema.lanes CROSS JOIN LATERAL (
    SELECT id, updated_at FROM :schema.tasks WHERE tasks.lane = lanes.lane AND status = $1::smallint AND status <> 2
      AND status <> 0 AND updated_at < $2::bigint
    ORDER BY updated_at, id LIMIT allowed.most) AS found
  WHERE $4::text[] IS NULL OR lanes.type = ANY($4::text[])
  ORDER BY found.updated_at, found.id LIMIT (SELECT most FROM allowed)`;

const prune = statement(
  "pruneTasks",
  `WITH chosen AS MATERIALIZED (
    SELECT tasks.ctid AS place FROM :schema.tasks WHERE id = ANY(ARRAY(SELECT id FROM (${prunable}) AS old))
      AND status = $1::smallint AND updated_at < $2::bigint FOR UPDATE SKIP LOCKED),
  deleted AS (
    DELETE FROM :schema.tasks WHERE ctid = ANY(ARRAY(SELECT place FROM chosen))
    RETURNING id, lane, status, created_at, updated_at, attributes),
  forgotten AS (DELETE FROM :schema.attempts WHERE task_id = ANY(ARRAY(SELECT id FROM deleted))),
  unread AS (DELETE FROM :schema.texts WHERE task_id = ANY(ARRAY(SELECT id FROM deleted))),
  ${deletingAttributes("deleted")},
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks, hour, ${byMinute})
    SELECT lane, status, -count(*), ${hourSql("created_at")}, true FROM deleted GROUP BY 1, 2, 4),
  minuted AS (${notingDeleted("deleted")})
  SELECT count(*)::integer FROM deleted`,
);
