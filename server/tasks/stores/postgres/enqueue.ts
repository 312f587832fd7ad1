/**
 * Enqueue (T0). New tasks are one INSERT that also counts them. A key that is taken undoes the statement; then the
 * slow path finds out, task by task in one transaction, whether it is the same task (answered with the stored one) or
 * another (the whole call is refused).
 */
import { DureError } from "../../core/errors.ts";
import type { NewTask, Written } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { Context } from "./context.ts";
import { copyLine } from "./copy-in.ts";
import type { OpenTransaction, Session } from "./database.ts";
import { portions, sizeOfTexts } from "./portions.ts";
import { plainText, type TaskRow, taskColumns, toTask } from "./rows.ts";
import { nowOf, statement } from "./statement.ts";

export type Enqueued = Written<(Task | null)[], "id-taken" | "idempotency-conflict">;

/** In characters, of what can be large. */
export function sizeOfTask({ payload }: NewTask): number {
  return sizeOfTexts(payload.json, payload.types);
}

/**
 * Inserts tasks that are all new; in several statements when they are large, so give one portion or a transaction.
 * @throws an error of the server when one of them is not new: 23505
 */
export async function insertTasks(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
): Promise<void> {
  for (const portion of portions(tasks, sizeOfTask)) await insertPortion(context, session, portion);
}

async function insertPortion(context: Context, session: Session, tasks: readonly NewTask[]): Promise<void> {
  // One row takes a third less time without arrays.
  const isOne = tasks.length === 1;
  const values = async (asked: Session) => {
    const columns = await toColumns(context, tasks, asked);
    return isOne ? columns.map(onlyValue) : columns;
  };
  const { database } = context;
  const statement = isOne ? insertOne : insertAll;
  if (session === database) await database.queryWith(statement, values);
  else await session.query(statement, await values(database));
}

/**
 * Tasks as `copyTasks` sends them; made ahead, while the server is busy with those before.
 * @param now the store's clock
 */
export async function copyLinesOf(
  context: Context,
  tasks: readonly NewTask[],
  now: number,
): Promise<string[]> {
  const lanes = await lanesOf(context, tasks, context.database);
  const portioned = portions([...tasks.entries()], ([, task]) => sizeOfTask(task));
  return portioned.map((portion) =>
    portion.map(([index, task]) => lineOf(task, lanes[index]!, now)).join(""),
  );
}

/**
 * `insertTasks` for large batches, a fifth faster; `tallyTasks` counts them when all are in.
 * @throws an error of the server when one of them is not new: 23505
 */
export async function copyTasks(session: OpenTransaction, lines: readonly string[]): Promise<void> {
  for (const portion of lines) await session.copy(copyAll, portion);
}

/** Counts tasks that `copyTasks` stored. */
export async function tallyTasks(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
): Promise<void> {
  const lanes = await lanesOf(context, tasks, context.database);
  await session.query(tallyLanes, [lanes]);
}

/** The store's clock. */
export async function storeNow(context: Context, session: Session): Promise<number> {
  const [row] = await session.query(now, [context.now()]);
  return row![0];
}

/** In the order of `columnNames`. */
function lineOf(task: NewTask, lane: number, now: number): string {
  const { createdAt, payload, tags, settings } = task;
  return copyLine([
    task.id,
    lane,
    task.ownId,
    task.priority,
    task.dueAt <= createdAt ? Math.min(task.dueAt, now) : task.dueAt,
    createdAt,
    createdAt,
    task.maxAttempts,
    task.rerunAfterCrash,
    payload.json,
    payload.types,
    plainText(task.description),
    tags && JSON.stringify(tags),
    keyOf(task),
    settings && JSON.stringify(settings),
  ]);
}

function onlyValue(column: unknown): unknown {
  return Array.isArray(column) ? column[0] : column;
}

/** The tasks of one call, all or none, whatever is stored already; inside a transaction of `session`'s. */
export async function insertCarefully(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  offset = 0,
): Promise<(Task | null)[]> {
  await refuseDefinitionIds(session, tasks, offset);
  const answers: (Task | null)[] = [];
  for (const portion of portions(tasks, sizeOfTask)) {
    const found = await insertPortionCarefully(context, session, portion, offset + answers.length);
    for (const answer of found) answers.push(answer);
  }
  return answers;
}

async function insertPortionCarefully(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  offset: number,
): Promise<(Task | null)[]> {
  const columns = await toColumns(context, tasks, context.database);
  const rows =
    tasks.length === 1
      ? await session.query(insertNewOne, columns.map(onlyValue))
      : await session.query(insertNew, columns);
  const added = new Set(rows.map(([id]) => id as string));
  const answers: (Task | null)[] = [];
  for (const [index, task] of tasks.entries()) {
    // An id that stands twice in one call was added by its first.
    if (added.delete(task.id)) answers.push(null);
    else answers.push(await meetExisting(context, session, task, offset + index));
  }
  return answers;
}

/** A refusal on its way out of a transaction, which it undoes. */
export class Refused extends DureError {
  readonly reason: "id-taken" | "idempotency-conflict";

  constructor(reason: Refused["reason"], details: Record<string, unknown>) {
    super(reason === "id-taken" ? "TASK_ID_TAKEN" : "IDEMPOTENCY_CONFLICT", `Refused: ${reason}.`, {
      details,
    });
    this.reason = reason;
  }
}

/** An id of a definition is no task's, also not when both are stored at the same moment: the id is locked first. */
async function refuseDefinitionIds(
  session: Session,
  tasks: readonly NewTask[],
  offset: number,
): Promise<void> {
  const own = tasks.filter(({ ownId }) => ownId).map(({ id }) => id);
  if (own.length === 0) return;
  await session.query(lockIds, [own]);
  const [taken] = await session.query(definitionsOf, [own]);
  if (!taken) return;
  const index = offset + tasks.findIndex(({ id }) => id === taken[0]);
  throw new Refused("id-taken", { index, id: taken[0], owner: "definition" });
}

/** The stored task that the new one is the same as. @throws Refused */
async function meetExisting(context: Context, session: Session, task: NewTask, index: number): Promise<Task> {
  const { id, idempotencyKey: key, payload } = task;
  const key1 = keyOf(task);
  const rows = (await session.query(findExisting, [id, key1])) as TaskRow[];
  const sameId = rows.find((row) => row[0] === id);
  const lane = await context.lanes.of(task.type, task.queue, task.ownId);
  const found = sameId ?? rows[0];
  const isSame =
    found !== undefined &&
    found[17] === payload.json &&
    found[18] === (payload.types ?? null) &&
    (!sameId || found[1] === lane);
  if (isSame) return toTask(found, await context.lanes.named([found[1]]));
  if (sameId) throw new Refused("id-taken", { index, id, owner: "task" });
  throw new Refused("idempotency-conflict", { index, id, key, existingId: found?.[0] });
}

function keyOf({ type, idempotencyKey }: NewTask): string | null {
  return idempotencyKey === undefined ? null : `${type} ${idempotencyKey}`;
}

/** One array for each column. @param session where lanes that are not known are asked for; no transaction */
async function toColumns(context: Context, tasks: readonly NewTask[], session: Session): Promise<unknown[]> {
  const lanes = await lanesOf(context, tasks, session);
  return [
    tasks.map(({ id }) => id),
    unlessUniform(lanes),
    unlessUniform(tasks.map(({ ownId }) => ownId)),
    unlessUniform(tasks.map(({ priority }) => priority)),
    tasks.map(({ dueAt }) => dueAt),
    tasks.map(({ createdAt }) => createdAt),
    unlessUniform(tasks.map(({ maxAttempts }) => maxAttempts)),
    unlessUniform(tasks.map(({ rerunAfterCrash }) => rerunAfterCrash)),
    tasks.map(({ payload }) => payload.json),
    unlessEmpty(tasks.map(({ payload }) => payload.types ?? null)),
    unlessEmpty(tasks.map(({ description }) => plainText(description))),
    unlessEmpty(tasks.map(({ tags }) => (tags ? JSON.stringify(tags) : null))),
    unlessEmpty(tasks.map(keyOf)),
    unlessEmpty(tasks.map(({ settings }) => (settings ? JSON.stringify(settings) : null))),
    context.now(),
  ];
}

/** @param session where lanes that are not known are asked for; no transaction */
async function lanesOf(context: Context, tasks: readonly NewTask[], session: Session): Promise<number[]> {
  const lanes = new Array<number>(tasks.length);
  for (const [index, { type, queue, ownId }] of tasks.entries()) {
    const known = context.lanes.known(type, queue, ownId);
    lanes[index] = known ?? (await context.lanes.of(type, queue, ownId, session));
  }
  return lanes;
}

/** A column that is the same in every row, and never null, is sent once: its first value stands for what is missing. */
function unlessUniform<Value>(column: Value[]): Value[] {
  return column.every((value) => value === column[0]) ? [column[0]!] : column;
}

/** A column that is null in every row needs no array: what is missing there is null. */
function unlessEmpty(column: unknown[]): unknown[] | null {
  return column.every((value) => value === null) ? null : column;
}

const columnNames = `id, lane, own_id, priority, due_at, created_at, updated_at, max_attempts, rerun_after_crash, payload,
      payload_types, description, tags, idempotency, settings`;
/** A task that is due when it is created is due at once, whatever the clock of the process that made it says. */
const inserting = `INSERT INTO :schema.tasks (${columnNames})
    SELECT id, coalesce(lane, ($2::integer[])[1]), coalesce(own_id, ($3::boolean[])[1]),
      coalesce(priority, ($4::smallint[])[1]),
      CASE WHEN due_at <= created_at THEN least(due_at, (SELECT at FROM clock)) ELSE due_at END,
      created_at, created_at, coalesce(max_attempts, ($7::integer[])[1]),
      coalesce(rerun_after_crash, ($8::boolean[])[1]), payload, payload_types, description, tags, idempotency,
      settings
    FROM unnest($1::text[], $2::integer[], $3::boolean[], $4::smallint[], $5::bigint[], $6::bigint[], $7::integer[],
      $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]) AS given (id, lane,
      own_id, priority, due_at, created_at, max_attempts, rerun_after_crash, payload, payload_types, description, tags,
      idempotency, settings)`;
const tallying = `INSERT INTO :schema.tally_changes (lane, status, tasks) SELECT lane, 1, count(*) FROM added GROUP BY lane`;

const insertAll = statement(
  "insertTasks",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$15")} AS at), added AS (${inserting} RETURNING lane) ${tallying}`,
);

const copyAll = statement("copyTasks", `COPY :schema.tasks (${columnNames}) FROM STDIN`);
const tallyLanes = statement(
  "tallyTasks",
  `INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, 1, count(*) FROM unnest($1::integer[]) AS added (lane) GROUP BY lane`,
);
const now = statement("storeNow", `SELECT ${nowOf("$1")}`);

const insertOne = statement(
  "insertTask",
  `WITH added AS (
    INSERT INTO :schema.tasks (${columnNames})
    VALUES ($1, $2, $3, $4, CASE WHEN $5::bigint <= $6::bigint THEN least($5::bigint, ${nowOf("$15")}) ELSE $5::bigint END,
      $6, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING lane)
  INSERT INTO :schema.tally_changes (lane, status, tasks) SELECT lane, 1, 1 FROM added`,
);

/** With the types of its values, which a client of a caller's may not know. */
const insertNewOne = statement(
  "insertNewTask",
  `WITH added AS (
    INSERT INTO :schema.tasks (${columnNames})
    VALUES ($1::text, $2::integer, $3::boolean, $4::smallint,
      CASE WHEN $5::bigint <= $6::bigint THEN least($5::bigint, ${nowOf("$15")}) ELSE $5::bigint END, $6::bigint,
      $6::bigint, $7::integer, $8::boolean, $9::text, $10::text, $11::text, $12::text, $13::text, $14::text)
    ON CONFLICT DO NOTHING RETURNING id, lane),
  tallied AS (INSERT INTO :schema.tally_changes (lane, status, tasks) SELECT lane, 1, 1 FROM added) SELECT id FROM added`,
);

const insertNew = statement(
  "insertNewTasks",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$15")} AS at),
  added AS (${inserting} ON CONFLICT DO NOTHING RETURNING id, lane), tallied AS (${tallying}) SELECT id FROM added`,
);

export const lockIds = statement(
  "lockIds",
  `SELECT pg_advisory_xact_lock(hashtextextended(id, 0))
    FROM (SELECT DISTINCT id FROM unnest($1::text[]) AS given (id) ORDER BY id) AS sorted`,
);
const definitionsOf = statement(
  "definitionsOf",
  "SELECT id FROM :schema.definitions WHERE id = ANY($1::text[]) LIMIT 1",
);
const findExisting = statement(
  "findExisting",
  `SELECT ${taskColumns} FROM :schema.tasks WHERE id = $1 UNION ALL
    SELECT ${taskColumns} FROM :schema.tasks WHERE idempotency = $2 AND id <> $1`,
);
