/**
 * Full text, filled behind the writes. Work is taken piece by piece, the newest first: a piece is a lane, a status and a
 * span of time, in which those tasks are looked for that are not indexed as they are now. What was taken and not
 * finished within a minute is taken again by whoever comes next.
 */
import type { IndexedText, TaskStore, UnindexedTask, Written } from "../../core/store.ts";
import type { Context } from "./context.ts";
import { attemptsOf } from "./read.ts";
import { type AttemptRow, plainText, type TaskRow, taskColumns, toAttempts, toTask } from "./rows.ts";
import { nowOf, statement } from "./statement.ts";
import { foldTallies } from "./tallies.ts";
import { isNotIndexed, notingWork } from "./text-work.ts";

/** After this, in milliseconds, whoever took work has died. */
const takenMsMax = 60_000;
/** Pieces in one answer. */
const piecesMax = 50;

/** A piece of work, and how far an answer went. */
interface Piece {
  work: number;
  /** Where it is to be continued; undefined when nothing is left. */
  nextAt: number | undefined;
  read: number;
}

interface TextRef {
  id: string;
  createdAt: number;
  version: number;
  piece: Piece;
}

/** What was read before is taken, so what is read meanwhile is of other pieces. */
export async function readUnindexed(
  context: Context,
  { limit }: Parameters<TaskStore["readUnindexed"]>[0],
): Promise<UnindexedTask[]> {
  const { database } = context;
  await foldTallies(context);
  const found: { row: TaskRow; piece: Piece }[] = [];
  const seen = new Set<string>();
  for (let pieces = 0; pieces < piecesMax && found.length < limit; pieces += 1) {
    const [taken] = await database.query(takeWork, [context.now(), takenMsMax]);
    if (!taken) break;
    const [work, lane, status, firstAt, lastAt] = taken;
    const wanted = limit - found.length;
    // A statement of its own: it sees all tasks of the notes that the piece was made of.
    const rows = await database.query(unindexedTasks, [lane, status, firstAt, lastAt, wanted]);
    const piece: Piece = {
      work,
      nextAt: rows.length < wanted ? undefined : rows.at(-1)![0],
      read: rows.length,
    };
    if (rows.length === 0) await database.query(endWork, [[work]]);
    for (const [, ...row] of rows) {
      // It may lie in two pieces, or twice in one.
      if (seen.has(row[0])) continue;
      seen.add(row[0]);
      found.push({ row: row as TaskRow, piece });
    }
  }
  return withAttempts(context, found);
}

async function withAttempts(
  context: Context,
  found: readonly { row: TaskRow; piece: Piece }[],
): Promise<UnindexedTask[]> {
  if (found.length === 0) return [];
  const attempts = await context.database.query(attemptsOf, [found.map(({ row }) => row[0])]);
  const byTask = Map.groupBy(attempts, ([taskId]) => taskId as string);
  const lanes = await context.lanes.named(new Set(found.map(({ row }) => row[1])));
  return found.map(({ row, piece }) => {
    const ref: TextRef = { id: row[0], createdAt: row[5], version: row[14], piece };
    const own = (byTask.get(row[0]) ?? []).map((attempt) => attempt.slice(1) as AttemptRow);
    return { ref, task: toTask(row, lanes), attempts: toAttempts(row, own) };
  });
}

export function writeTexts(context: Context, texts: readonly IndexedText[]): Promise<Written<void>> {
  return context.database.written(async () => {
    const refs = texts.map(({ ref }) => ref as TextRef);
    const pieces = [...new Set(refs.map(({ piece }) => piece))];
    const ended = pieces.filter(({ nextAt }) => nextAt === undefined);
    const begun = pieces.filter(({ nextAt }) => nextAt !== undefined);
    await context.database.query(keepTexts, [
      refs.map(({ id }) => id),
      refs.map(({ createdAt }) => createdAt),
      refs.map(({ version }) => version),
      texts.map(({ text }) => plainText(text)),
      ended.map(({ work }) => work),
      begun.map(({ work }) => work),
      begun.map(({ nextAt }) => nextAt),
      begun.map(({ read }) => read),
    ]);
    return { kind: "ok", value: undefined };
  });
}

/** TRUNCATE gives the space back at once; it waits for the searches of this moment. */
export function clearTexts({ database }: Context): Promise<Written<void>> {
  return database.written(() =>
    database.transaction(async (session): Promise<Written<void>> => {
      await session.query(forgetTexts);
      await session.query(noteEverything);
      return { kind: "ok", value: undefined };
    }),
  );
}

const forgetTexts = statement("forgetTexts", "TRUNCATE :schema.texts, :schema.text_work");

/** As in the migration that makes them: each lane and status is one piece, of all times. */
const noteEverything = statement(
  "noteAllTexts",
  `INSERT INTO :schema.text_work (lane, status, hour, first_at, last_at, tasks)
    SELECT lane, status, 0, -1000000000000000, 1000000000000000, sum(tasks) FROM (
      SELECT lane, status, tasks FROM :schema.tallies UNION ALL SELECT lane, status, tasks FROM :schema.tally_changes
    ) AS counted WHERE status <> 2 GROUP BY lane, status HAVING sum(tasks) > 0`,
);

const takeWork = statement(
  "takeTextWork",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  fresh AS MATERIALIZED (SELECT work FROM :schema.text_work WHERE taken_at IS NULL
    ORDER BY hour DESC, lane DESC, status DESC LIMIT 1 FOR UPDATE SKIP LOCKED),
  left_over AS MATERIALIZED (SELECT work FROM :schema.text_work
    WHERE taken_at < (SELECT at FROM clock) - $2::bigint AND NOT EXISTS (SELECT 1 FROM fresh)
    ORDER BY taken_at LIMIT 1 FOR UPDATE SKIP LOCKED)
  UPDATE :schema.text_work SET taken_at = clock.at FROM clock
  WHERE work = (SELECT work FROM fresh UNION ALL SELECT work FROM left_over LIMIT 1)
  RETURNING work, lane, status, first_at, last_at`,
);

/** By creation, for PENDING tasks that were never changed, or not since they were stored; else by the latest change. */
const unindexedTasks = statement(
  "unindexedTasks",
  `SELECT page.at, ${taskColumns} FROM (
    (SELECT found.at, found.id FROM (VALUES (0), (1)) AS pending (status) CROSS JOIN LATERAL (
      SELECT created_at AS at, id FROM :schema.tasks WHERE $2::smallint = 1 AND tasks.lane = $1
        AND tasks.status = pending.status AND tasks.status <> 2 AND created_at BETWEEN $3::bigint AND $4::bigint
        AND ${isNotIndexed} ORDER BY created_at, id LIMIT $5::integer) AS found)
    UNION
    (SELECT updated_at, id FROM :schema.tasks WHERE tasks.lane = $1 AND tasks.status = $2::smallint AND tasks.status <> 2
      AND tasks.status <> 0 AND updated_at BETWEEN $3::bigint AND $4::bigint AND ${isNotIndexed}
      ORDER BY updated_at, id LIMIT $5::integer)
    ORDER BY at, id LIMIT $5::integer) AS page
  CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = page.id OFFSET 0) AS tasks
  ORDER BY page.at, page.id`,
);

const endWork = statement("endTextWork", "DELETE FROM :schema.text_work WHERE work = ANY($1::bigint[])");

/** A task that has changed since it was read is left: there is a note of that. */
const keepTexts = statement(
  "writeTexts",
  `WITH kept AS (
    INSERT INTO :schema.texts AS kept (task_id, created_at, version, status, lanes, body)
    SELECT DISTINCT ON (given.id) given.id, given.created_at, given.version,
      CASE WHEN task.status < 3 THEN 0 ELSE task.status END, ARRAY[task.lane], given.body
    FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[]) AS given (id, created_at, version, body)
    CROSS JOIN LATERAL (SELECT status, lane, version FROM :schema.tasks WHERE tasks.id = given.id OFFSET 0) AS task
    WHERE task.version = given.version
    ORDER BY given.id
    ON CONFLICT (task_id) DO UPDATE SET version = excluded.version, status = excluded.status, lanes = excluded.lanes,
      body = excluded.body),
  ended AS (DELETE FROM :schema.text_work WHERE work = ANY($5::bigint[])),
  begun AS (
    DELETE FROM :schema.text_work USING unnest($6::bigint[], $7::bigint[], $8::bigint[]) AS piece (work, next_at, read)
    WHERE text_work.work = piece.work RETURNING lane, status, greatest(tasks - piece.read, 1) AS tasks, next_at, last_at)
  ${notingWork("SELECT lane, status, tasks, next_at AS first_at, last_at FROM begun")}`,
);
