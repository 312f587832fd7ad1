/**
 * The steps by which rows of the index of attributes are written behind their tasks; attribute-indexing.ts takes them in turn. What makes
 * them safe beside all that changes tasks meanwhile is in docs/design/attributes-postgres.md.
 */
import { lackingName } from "../../../core/attributes.ts";
import type { Context } from "../context.ts";
import { few, hasty, nowOf, statement } from "../statement.ts";
import { isFound, keyOf } from "./attribute-values.ts";
import { isNoted, tasksWithin } from "./attribute-work.ts";
import { stateOf, unknownState } from "./attributes.ts";

/** After this, in milliseconds, whoever was to write has died. */
export const takenMsMax = 30_000;
/** Pieces of work that are looked at at once. */
const worksMax = 100;
/** Tasks in one statement: some milliseconds of the server's time, which nobody waits for. */
const writtenMax = 1_000;
/** Those that have changed, in one statement. */
const sweptMax = 2_000;

export interface Work {
  work: number;
  /** About how many tasks are to be written. */
  tasks: number;
  isWritten: boolean;
}

/** What this process is to do, what is to be written first; with what others have left. */
export async function takeWork({ lull, now }: Context, by: string): Promise<Work[]> {
  const rows = await lull.query(take, [by, now(), takenMsMax, worksMax]);
  return rows.map(([work, tasks, isWritten]) => ({ work, tasks, isWritten }));
}

/** Writes the next tasks. Answers whether that were all; also where another process has taken over. */
export async function writeNext({ lull, now }: Context, { work }: Work, by: string): Promise<boolean> {
  const [row] = await lull.query(write, [work, by, writtenMax, now()]);
  return row === undefined || row[0];
}

/**
 * The transactions that may have begun a statement before what was written is seen, and so miss it: whoever changes or deletes a task
 * locks the table before the statement's snapshot is taken, and holds it to the end.
 */
export async function readWriters({ database }: Context): Promise<Set<string>> {
  const rows = await database.read(writers, [database.location.schema]);
  return new Set(rows.map(([transaction]) => transaction));
}

/** Sets right what such transactions missed, when all of them are over. */
export async function sweep(context: Context, works: readonly number[]): Promise<void> {
  for (const work of works) {
    let place: unknown[] = [Number.MIN_SAFE_INTEGER, ""];
    for (;;) {
      const [row] = await context.lull.query(findWrong, [work, ...place, sweptMax]);
      const [read, at, id, wrong] = row!;
      if (wrong.length > 0) await setRight(context, wrong);
      if (read < sweptMax) break;
      place = [at, id];
    }
  }
  await context.database.transaction(async (session) => {
    await session.query(endWork, [works]);
    await session.query(clearLeavings);
  });
}

/** Deletes what is left of tasks that were deleted while somebody may have written them. */
export async function clearUp({ lull }: Context): Promise<void> {
  await lull.query(clearLeavings);
}

/** Under a lock: who changes such a task meanwhile comes before, and is seen, or after, and sees this. */
function setRight({ database }: Context, ids: readonly string[]): Promise<void> {
  return database.transaction(async (session) => {
    await session.query(lockWrong, [ids]);
    await session.query(setStates, [ids]);
  });
}

const states = (also = "") => `(VALUES (0::smallint), (3), (4), (5)${also}) AS states (state)`;
const isEntry = `attributes.key = entry.key AND attributes.state = entry.state AND attributes.created_at = entry.created_at
      AND attributes.task_id = entry.id AND ${few("entry.created_at")}`;

const take = statement(
  "takeAttributeWork",
  `WITH taken AS (
    UPDATE :schema.attribute_work SET taken_by = $1, taken_at = ${nowOf("$2")} WHERE work = ANY(ARRAY(
      SELECT work FROM :schema.attribute_work WHERE taken_by <> $1 AND taken_at < ${nowOf("$2")} - $3::bigint
      ORDER BY work LIMIT $4::integer FOR UPDATE SKIP LOCKED))
    RETURNING work, tasks, written)
  SELECT work, tasks, written FROM (
    SELECT work, tasks, written FROM taken UNION ALL
    SELECT work, tasks, written FROM :schema.attribute_work WHERE taken_by = $1) AS own
  ORDER BY written, work LIMIT $4::integer`,
);

/**
 * The lock on the row of the work: who was taken for dead writes nothing any more. A task is written as the statement sees it; what
 * becomes of it meanwhile is found by `findWrong`. Those that lack attributes are in the index since they were stored.
 */
const write = statement(
  "writeAttributes",
  `WITH noted AS MATERIALIZED (
    SELECT * FROM :schema.attribute_work WHERE work = $1::bigint AND taken_by = $2 AND NOT written AND ${hasty} FOR UPDATE),
  next AS MATERIALIZED (
    SELECT found.* FROM noted CROSS JOIN LATERAL (SELECT * FROM ${tasksWithin(
      "tasks.id, tasks.created_at, tasks.status, tasks.attributes",
      "noted.lane",
      "(tasks.created_at, tasks.id) > (noted.next_at, noted.next_id) AND tasks.created_at <= noted.last_at",
      "ORDER BY tasks.created_at, tasks.id LIMIT $3::integer",
    )} AS near ORDER BY created_at, id LIMIT $3::integer) AS found),
  lacking AS MATERIALIZED (
    SELECT array_agg(attribute || '${keyOf(0, true).slice(1)}') AS keys FROM :schema.attribute_names WHERE name = '${lackingName}'),
  added AS (
    INSERT INTO :schema.attributes (created_at, state, key, task_id)
    SELECT next.created_at, ${stateOf("next.status")}, own.key, next.id FROM next CROSS JOIN LATERAL unnest(next.attributes) AS own (key)
    WHERE next.attributes IS NOT NULL AND ${isFound("own.key")} AND own.key <> ALL (coalesce((SELECT keys FROM lacking), '{}'))
    ON CONFLICT DO NOTHING),
  read AS (SELECT count(*)::integer AS tasks, max(created_at) AS at FROM next),
  last AS (SELECT created_at, id FROM next ORDER BY created_at DESC, id DESC LIMIT 1)
  UPDATE :schema.attribute_work AS kept SET tasks = greatest(0, kept.tasks - read.tasks), written = read.tasks < $3::integer,
    next_at = coalesce((SELECT created_at FROM last), kept.next_at), next_id = coalesce((SELECT id FROM last), kept.next_id),
    taken_at = ${nowOf("$4")}
  FROM noted, read WHERE kept.work = noted.work RETURNING kept.written`,
);

const writers = statement(
  "writersOfAttributes",
  `SELECT DISTINCT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND relation = (quote_ident($1) || '.attributes')::regclass AND mode LIKE '%Exclusive%' AND mode <> 'ShareUpdateExclusiveLock'
      AND pid IS DISTINCT FROM pg_backend_pid()`,
);

/** Whether the index has a row like this. */
const has = (key: string, state: string) => `coalesce((SELECT true FROM :schema.attributes AS own_row
        WHERE own_row.key = ${key} AND own_row.state = ${state} AND own_row.created_at = near.created_at AND own_row.task_id = near.id
        ORDER BY own_row.key LIMIT 1), false)`;

/** Only of tasks that have changed since they were stored. */
const findWrong = statement(
  "findWrongAttributes",
  `WITH noted AS MATERIALIZED (SELECT * FROM :schema.attribute_work WHERE work = $1::bigint AND written),
  near AS MATERIALIZED (
    SELECT found.* FROM noted CROSS JOIN LATERAL (SELECT * FROM ${tasksWithin(
      "tasks.id, tasks.created_at, tasks.status, tasks.fence, tasks.attributes",
      "noted.lane",
      `(tasks.created_at, tasks.id) > (greatest(noted.first_at - 1, $2::bigint), $3::text) AND tasks.created_at <= noted.last_at`,
      "ORDER BY tasks.created_at, tasks.id LIMIT $4::integer",
      "(1), (3), (4), (5)",
    )} AS near ORDER BY created_at, id LIMIT $4::integer) AS found),
  wrong AS (
    SELECT id FROM near WHERE attributes IS NOT NULL AND (status <> 2 OR fence > 1) AND EXISTS (
      SELECT 1 FROM unnest(attributes) AS own (key) CROSS JOIN ${states()}
      WHERE ${isFound("own.key")} AND ${has("own.key", "states.state")} = (states.state <> ${stateOf("near.status")})
        AND NOT (states.state = ${stateOf("near.status")} AND ${has("own.key", String(unknownState))})))
  SELECT count(*)::integer, max(created_at), (SELECT id FROM near ORDER BY created_at DESC, id DESC LIMIT 1),
    ARRAY(SELECT id FROM wrong) FROM near`,
);

/** In the order in which settlements lock them. */
const lockWrong = statement(
  "lockWrongAttributes",
  "SELECT id FROM :schema.tasks WHERE id = ANY($1::text[]) ORDER BY seq FOR NO KEY UPDATE",
);

const setStates = statement(
  "setAttributeStates",
  `WITH right_rows AS MATERIALIZED (
    SELECT tasks.id, tasks.created_at, own.key, ${stateOf("tasks.status")} AS state
    FROM :schema.tasks CROSS JOIN LATERAL unnest(tasks.attributes) AS own (key)
    WHERE tasks.id = ANY($1::text[]) AND tasks.attributes IS NOT NULL AND ${isFound("own.key")} AND ${few("tasks.seq")}),
  left_state AS (DELETE FROM :schema.attributes USING (
      SELECT right_rows.id, right_rows.created_at, right_rows.key, states.state FROM right_rows CROSS JOIN ${states()}
      WHERE states.state <> right_rows.state OFFSET 0) AS entry WHERE ${isEntry})
  INSERT INTO :schema.attributes (created_at, state, key, task_id)
  SELECT created_at, state, key, id FROM right_rows ON CONFLICT DO NOTHING`,
);

const endWork = statement(
  "endAttributeWork",
  "DELETE FROM :schema.attribute_work WHERE work = ANY($1::bigint[]) AND written",
);

/** So many at once: the rest is left to the next that looks. */
const leavingsMax = 1_000;

/** Planned for few, whatever is known of tables that are most often empty: else all tasks would be read to find these. */
const clearLeavings = statement(
  "clearAttributeLeavings",
  `WITH gone AS (
    DELETE FROM :schema.attribute_leavings WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM :schema.attribute_leavings AS gone WHERE NOT ${isNoted("gone")} LIMIT ${leavingsMax}))
    RETURNING created_at, task_id, keys)
  DELETE FROM :schema.attributes USING (
    SELECT gone.task_id AS id, gone.created_at, own.key, states.state
    FROM gone CROSS JOIN LATERAL unnest(gone.keys) AS own (key) CROSS JOIN ${states(`, (${unknownState})`)}
    WHERE ${few("gone.created_at")} AND (SELECT true FROM :schema.tasks
      WHERE tasks.id = gone.task_id AND tasks.created_at = gone.created_at LIMIT 1) IS NULL
    OFFSET 0) AS entry WHERE ${isEntry}`,
);
