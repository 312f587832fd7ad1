/**
 * Enqueue (T0). New tasks are one INSERT that also counts them. A key that is taken undoes the statement; then the
 * slow path finds out, task by task in one transaction, whether it is the same task (answered with the stored one) or
 * another (the whole call is refused).
 */
import { DureError, type ErrorCode } from "../../core/errors.ts";
import type { EnqueueRefusal, NewTask, Written } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { hourSql } from "../shared/hours.ts";
import { arrayText, unlessEmpty } from "./arrays.ts";
import { arrayLiteral, isFound, keysOf } from "./attributes/attribute-values.ts";
import type { Session } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { byMinute, notingNew } from "./counts/minute-changes.ts";
import { portions, sizeOfTexts } from "./portions.ts";
import { plainText, type TaskRow, taskColumns, toTask } from "./rows.ts";
import { type Behind, hasty, nowOf, onDisk, statement } from "./statement.ts";

export type Enqueued = Written<(Task | null)[], EnqueueRefusal>;

/** In characters, of what can be large. */
export function sizeOfTask({ payload }: NewTask): number {
  return sizeOfTexts(payload.json, payload.types);
}

/**
 * Inserts tasks that are all new; in several statements when they are large, so give one portion or a transaction.
 * @param behind sent behind the only portion, outside of transactions
 * @throws an error of the server when one of them is not new: 23505
 */
export async function insertTasks(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  behind?: Behind,
): Promise<void> {
  for (const portion of portions(tasks, sizeOfTask)) await insertPortion(context, session, portion, behind);
}

async function insertPortion(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  behind: Behind | undefined,
): Promise<void> {
  // One row takes a third less time without arrays.
  const isOne = tasks.length === 1;
  const values = async (asked: Session, number?: string) => {
    const columns = await toColumns(context, tasks, asked);
    const given = columns.map(isOne ? onlyValue : asText);
    return number === undefined || !isOne ? given : [...given, number];
  };
  const { database } = context;
  const inserting = tasks.some(hasAttributes) ? withAttributes : plain;
  const statement = isOne ? (behind?.ahead ? inserting.announced : inserting.one) : inserting.all;
  if (session === database) await database.queryWith(statement, values, behind).finally(behind?.done);
  else await session.query(statement, await values(database));
}

function asText(column: unknown): unknown {
  return Array.isArray(column) ? arrayText(column) : column;
}

function onlyValue(column: unknown): unknown {
  return Array.isArray(column) ? column[0] : column;
}

/**
 * The tasks of one call, all or none, whatever is stored already; inside a transaction of `session`'s, in which there may
 * be savepoints when it is a caller's.
 */
export async function insertCarefully(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  { offset = 0, isCallers = false } = {},
): Promise<(Task | null)[]> {
  await refuseDefinitionIds(session, tasks, offset);
  const answers: (Task | null)[] = [];
  for (const portion of portions(tasks, sizeOfTask)) {
    const place = { offset: offset + answers.length, isCallers };
    const found = await insertPortionCarefully(context, session, portion, place);
    for (const answer of found) answers.push(answer);
  }
  return answers;
}

async function insertPortionCarefully(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
  { offset, isCallers }: { offset: number; isCallers: boolean },
): Promise<(Task | null)[]> {
  const columns = await toColumns(context, tasks, context.database);
  const inserting = tasks.some(hasAttributes)
    ? isCallers
      ? withAttributesForCaller
      : withAttributes
    : isCallers
      ? plainForCaller
      : plain;
  const rows =
    tasks.length === 1
      ? await session.query(inserting.newOne, columns.map(onlyValue))
      : await session.query(inserting.new, columns);
  const added = new Set(rows.map(([id]) => id as string));
  const answers: (Task | null)[] = [];
  for (const [index, task] of tasks.entries()) {
    // An id that stands twice in one call was added by its first.
    if (added.delete(task.id)) answers.push(null);
    else answers.push(await meetExisting(context, session, task, offset + index));
  }
  return answers;
}

const refusalCodes: Record<EnqueueRefusal, ErrorCode> = {
  "id-taken": "TASK_ID_TAKEN",
  "idempotency-conflict": "IDEMPOTENCY_CONFLICT",
  "queue-full": "QUEUE_FULL",
};

/** A refusal on its way out of a transaction, which it undoes. */
export class Refused extends DureError {
  readonly reason: EnqueueRefusal;

  constructor(reason: EnqueueRefusal, details: Record<string, unknown>) {
    super(refusalCodes[reason], `Refused: ${reason}.`, { details });
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
  // Stored a moment ago by this very call, whose answer was lost; maybe not on the disk yet.
  if (isSame && sameId && !task.ownId) await session.query(onDisk);
  if (isSame) return toTask(found, await context.lanes.named([found[1]]));
  if (sameId) throw new Refused("id-taken", { index, id, owner: "task" });
  throw new Refused("idempotency-conflict", { index, id, key, existingId: found?.[0] });
}

export function keyOf({ type, idempotencyKey }: NewTask): string | null {
  return idempotencyKey === undefined ? null : `${type} ${idempotencyKey}`;
}

/** One array for each column. @param session where lanes that are not known are asked for; no transaction */
async function toColumns(context: Context, tasks: readonly NewTask[], session: Session): Promise<unknown[]> {
  const lanes = new Array<number>(tasks.length);
  for (const [index, { type, queue, ownId }] of tasks.entries()) {
    const known = context.lanes.known(type, queue, ownId);
    lanes[index] = known ?? (await context.lanes.of(type, queue, ownId, session));
  }
  const columns = [
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
  if (!tasks.some(hasAttributes)) return columns;
  const numberOf = await context.attributes.ofAll(tasks, session);
  const keys = tasks.map(
    ({ type, attributes }) => attributes && keysOf(attributes, (name) => numberOf(type, name)),
  );
  return [...columns, keys.map(arrayLiteral)];
}

function hasAttributes({ attributes }: NewTask): boolean {
  return attributes !== undefined;
}

/** A column that is the same in every row, and never null, is sent once: its first value stands for what is missing. */
function unlessUniform<Value>(column: Value[]): Value[] {
  return column.every((value) => value === column[0]) ? [column[0]!] : column;
}

/** A task that is stored longer than this after it was created is late; followers of changes look for it by itself. */
export const lateMs = 2_000;

export const columnNames = `id, lane, own_id, priority, due_at, created_at, updated_at, max_attempts, rerun_after_crash, payload,
      payload_types, description, tags, idempotency, settings`;
const clock = `clock AS MATERIALIZED (SELECT ${nowOf("$15")} AS at)`;
/** With the first and last creation, for those who index texts. */
const tallying = `INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})`;
/** The attributes of the tasks that were added. */
const attributing = `attributed AS (INSERT INTO :schema.attributes (created_at, state, key, task_id)
    SELECT created_at, 0, own.key, id FROM added CROSS JOIN LATERAL unnest(attributes) AS own (key)
    WHERE ${isFound("own.key")})`;

/**
 * The statements that insert, one row or all of some arrays, new for certain or not; those for tasks with attributes have
 * these as $16, each task's as an array's literal.
 */
function insertingStatements({ attributes, callers = false }: { attributes: boolean; callers?: boolean }) {
  const suffix = `${attributes ? "WithAttributes" : ""}${callers ? "ForCaller" : ""}`;
  const only = (text: string) => (attributes ? text : "");
  const names = `${columnNames}, stored_in${only(", attributes")}`;
  const storedIn = (createdAt: string, at: string) =>
    callers
      ? "pg_current_xact_id()"
      : `CASE WHEN ${createdAt} < ${at} - ${lateMs} THEN pg_current_xact_id() END`;
  const returned = `id, lane, created_at${only(", attributes")}`;
  const and = `${only(`, ${attributing}`)}, minuted AS (${notingNew("added")})`;
  // A task that is due when it is created is due at once, whatever the clock of the process that made it says.
  const many = `INSERT INTO :schema.tasks (${names})
    SELECT id, coalesce(lane, ($2::integer[])[1]), coalesce(own_id, ($3::boolean[])[1]),
      coalesce(priority, ($4::smallint[])[1]),
      CASE WHEN due_at <= created_at THEN least(due_at, (SELECT at FROM clock)) ELSE due_at END,
      created_at, created_at, coalesce(max_attempts, ($7::integer[])[1]),
      coalesce(rerun_after_crash, ($8::boolean[])[1]), payload, payload_types, description, tags, idempotency,
      settings, ${storedIn("created_at", "(SELECT at FROM clock)")}${only(", attributes::text[]")}
    FROM unnest($1::text[], $2::integer[], $3::boolean[], $4::smallint[], $5::bigint[], $6::bigint[], $7::integer[],
      $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]${only(", $16::text[]")})
      AS given (id, lane, own_id, priority, due_at, created_at, max_attempts, rerun_after_crash, payload, payload_types,
        description, tags, idempotency, settings${only(", attributes")})`;
  // With the types of its values, which a client of a caller's may not know.
  const row = `$1::text, $2::integer, $3::boolean, $4::smallint,
      CASE WHEN $5::bigint <= $6::bigint THEN least($5::bigint, ${nowOf("$15")}) ELSE $5::bigint END, $6::bigint,
      $6::bigint, $7::integer, $8::boolean, $9::text, $10::text, $11::text, $12::text, $13::text,
      $14::text, ${storedIn("$6::bigint", nowOf("$15"))}${only(", $16::text[]")}`;
  const one = `INSERT INTO :schema.tasks (${names}) VALUES (${row})`;
  // Never waits for the lock, which is for those who heard of it. Without a key it is seen before it is on the disk: `onDisk` follows.
  const announced = `INSERT INTO :schema.tasks (${names}) SELECT ${row}
      WHERE pg_try_advisory_xact_lock($${attributes ? 17 : 16}::bigint) IS NOT NULL
        AND CASE WHEN $13::text IS NULL THEN ${hasty} ELSE true END`;
  const tallyingOne = `${tallying} SELECT lane, 1, 1, ${hourSql("created_at")}, created_at, created_at, true FROM added`;
  const tallyingMany = `${tallying} SELECT lane, 1, count(*), ${hourSql("created_at")}, min(created_at), max(created_at), true
    FROM added GROUP BY 1, 4`;
  return {
    one: statement(
      `insertTask${suffix}`,
      `WITH added AS (${one} RETURNING ${returned})${and} ${tallyingOne}`,
    ),
    announced: statement(
      `insertAnnouncedTask${suffix}`,
      `WITH added AS (${announced} RETURNING ${returned})${and} ${tallyingOne}`,
    ),
    all: statement(
      `insertTasks${suffix}`,
      `WITH ${clock}, added AS (${many} RETURNING ${returned})${and} ${tallyingMany}`,
    ),
    newOne: statement(
      `insertNewTask${suffix}`,
      `WITH added AS (${one} ON CONFLICT DO NOTHING RETURNING ${returned})${and}, tallied AS (${tallyingOne})
      SELECT id FROM added`,
    ),
    new: statement(
      `insertNewTasks${suffix}`,
      `WITH ${clock}, added AS (${many} ON CONFLICT DO NOTHING RETURNING ${returned})${and}, tallied AS (${tallyingMany})
      SELECT id FROM added`,
    ),
  };
}

const plain = insertingStatements({ attributes: false });
const withAttributes = insertingStatements({ attributes: true });
const plainForCaller = insertingStatements({ attributes: false, callers: true });
const withAttributesForCaller = insertingStatements({ attributes: true, callers: true });

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
