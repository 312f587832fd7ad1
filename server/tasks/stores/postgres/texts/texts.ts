/**
 * Full text, filled behind the writes. Work is taken piece by piece, the newest first: a piece is a lane, a status and a
 * span of time, in which those tasks are looked for that are not indexed as they are now. What was taken and not
 * finished within a minute is taken again by whoever comes next.
 */
import type { IndexedText, TaskStore, UnindexedTask, Written } from "../../../core/store.ts";
import { arrayText } from "../arrays.ts";
import type { ResultRow } from "../connections/database.ts";
import { ConnectionLost, toDureError } from "../connections/postgres-errors.ts";
import type { Context } from "../context.ts";
import { foldTallies } from "../counts/tallies.ts";
import type { Lane } from "../lanes.ts";
import { plainText, readJson, valueBytes } from "../rows.ts";
import { portionBytesMax } from "../search/value-sizes.ts";
import { hasty, nowOf, statement } from "../statement.ts";
import { isNotIndexed, notingWork } from "./text-work.ts";

/** After this, in milliseconds, whoever took work has died. */
const takenMsMax = 60_000;
/** Pieces taken at once. */
const piecesMax = 50;
/** Looks for pieces in one answer, once there is something to be answered. */
const looksMax = 3;
/** Texts that are written alone are written on two connections, with more memory to sort their trigrams in. */
const memoryAlone = "32MB";
/**
 * A GIN index gathers new entries in a list that every search reads through, up to 4 MB of it: 100 ms. So few texts at a
 * time leave a short one; many are sorted in together, by as much as the server is set to gather.
 */
const gatheredOfFew = "128kB";
const fewTexts = 200;
/** Beside tasks that come and run, so many texts are one statement: about a millisecond of the server's time. */
const portionSize = 20;
/** Now and then one takes several times as long, when it sorts in what was gathered; the other connection goes on meanwhile. */
const portionSizeAlone = 250;
/** The last portions are smaller, down to this, so that neither connection waits long for the other. */
const portionSizeMin = 40;

/** In milliseconds, the first and the last instant included. */
type TakenPiece = [
  work: number,
  lane: number,
  status: number,
  firstAt: number,
  lastAt: number,
  tasks: number,
];

/** A piece of work, or what is left of it, and how far an answer went. */
interface Piece {
  taken: TakenPiece;
  /** The last one read; undefined when nothing is left. */
  last: { at: number; id: string } | undefined;
  /** With what was read before. */
  read: number;
  /** What was read of the piece before; where its texts are not stored, the piece is not done with. */
  before?: Piece;
  isStored: boolean;
  /** Another answer goes on there. */
  isContinued: boolean;
}

interface TextRef {
  id: string;
  version: number;
  piece: Piece;
}

type Request = Parameters<TaskStore["readUnindexed"]>[0];

/** What was read before is taken, so what is read meanwhile is of other pieces, or lies behind it in the same one. */
export async function readUnindexed(context: Context, request: Request): Promise<UnindexedTask[]> {
  try {
    return await takeAndRead(context, request);
  } catch (error) {
    throw error instanceof ConnectionLost ? toDureError(error, context.database.location.shown) : error;
  }
}

async function takeAndRead(context: Context, { limit, after }: Request): Promise<UnindexedTask[]> {
  const { lull } = context;
  const begun = after && (after.ref as TextRef).piece;
  if (begun?.last && !begun.isContinued) {
    const found = await readOn(context, begun, limit);
    if (found.length > 0) return withAttempts(context, found);
  }
  // Most often there is nothing: a small question, where folding is a large statement.
  const [mayBe] = await lull.read(mayBeUnindexed);
  if (!mayBe![0]) return [];
  await foldTallies(context);
  const found: Found[] = [];
  const seen = new Set<string>();
  for (let looks = 1; found.length === 0 || (looks <= looksMax && found.length < limit); looks += 1) {
    const wanted = limit - found.length;
    const taken = (await lull.query(takeWork, [
      context.now(),
      takenMsMax,
      piecesMax,
      wanted,
    ])) as TakenPiece[];
    if (taken.length === 0) break;
    // The largest last: it alone may have more than are left to be read, so each has some.
    taken.sort(([, , , , , a], [, , , , , b]) => a - b);
    const read = await readPieces(context, taken, wanted);
    for (const one of read.found) {
      // It may lie in two pieces, or twice in one.
      if (seen.has(one.row[0])) continue;
      seen.add(one.row[0]);
      found.push(one);
    }
    if (read.isCut) break;
  }
  return withAttempts(context, found);
}

/** What a text is made of. */
type SourceRow = [
  id: string,
  lane: number,
  fence: number,
  version: number,
  payload: string,
  result: string | null,
  error: string | null,
  description: string | null,
  tags: string | null,
];

interface Found {
  row: SourceRow;
  piece: Piece;
}

/** The tasks behind those that were read of a piece. Where there are none, whoever stores those before is done with it. */
async function readOn({ lull }: Context, before: Piece, limit: number): Promise<Found[]> {
  const { at, id } = before.last!;
  const [work, lane, status, , lastAt] = before.taken;
  // From now on, since it may be stored before the answer comes.
  before.isContinued = true;
  const values = [[lane], [status], [at], [lastAt], [limit], [id], portionBytesMax];
  const rows = await lull.read(unindexedTasks, values);
  if (rows.length === 0) {
    Object.assign(before, { last: undefined, isContinued: false });
    if (before.isStored) await lull.query(endWork, [[work]]);
    return [];
  }
  return foundIn(rows.filter(isWithin), { ...begunOn(before.taken, rows, limit, before.read), before });
}

/** @param most where so many were found, or more than was room for, there may be others */
function begunOn(taken: TakenPiece, found: readonly ResultRow[], most: number, read = 0): Piece {
  const within = found.filter(isWithin);
  const [, at, id] = within.at(-1)!;
  const isEnd = found.length < most && within.length === found.length;
  return {
    ...{ taken, read: read + within.length, isStored: false, isContinued: false },
    last: isEnd ? undefined : { at, id },
  };
}

/** Whether it came with its values: there was room for it. */
function isWithin([, , , , , , payload]: ResultRow): boolean {
  return payload !== null;
}

function foundIn(rows: readonly ResultRow[], piece: Piece): Found[] {
  return rows.map(([, , ...row]): Found => ({ row: row as SourceRow, piece }));
}

/** Tasks of these pieces, as many as there is room for. Pieces in which there are none are done with; those for which there was no room are given back. */
async function readPieces(
  { lull }: Context,
  taken: readonly TakenPiece[],
  limit: number,
): Promise<{ found: Found[]; isCut: boolean }> {
  // One more than a piece is thought to have tells that it has no more.
  let left = limit;
  const most = taken.map(([, , , , , tasks]) => {
    const own = Math.min(left, tasks + 1);
    left -= own;
    return own;
  });
  const columns = [1, 2, 3, 4].map((column) => taken.map((piece) => piece[column]!));
  // A statement of its own: it sees all tasks of the notes that the pieces were made of.
  const values = [...columns, most, taken.map(() => ""), portionBytesMax];
  const rows = await lull.read(unindexedTasks, values);
  const byPlace = Map.groupBy(rows, ([place]) => place as number);
  const workAt = (index: number) => taken[index]![0];
  const empty = [...taken.keys()].filter((index) => !byPlace.has(index + 1)).map(workAt);
  if (empty.length > 0) await lull.query(endWork, [empty]);
  const lacking = [...byPlace].filter(([, own]) => !isWithin(own[0]!)).map(([place]) => place);
  if (lacking.length > 0) await lull.query(giveBackWork, [lacking.map((place) => workAt(place - 1))]);
  for (const place of lacking) byPlace.delete(place);
  const found = [...byPlace].flatMap(([place, own]) =>
    foundIn(own.filter(isWithin), begunOn(taken[place - 1]!, own, most[place - 1]!)),
  );
  return { found, isCut: found.length < rows.length };
}

async function withAttempts(context: Context, found: readonly Found[]): Promise<UnindexedTask[]> {
  // A task without a fence was never claimed.
  const claimed = found.filter(({ row: [, , fence] }) => fence > 0).map(({ row: [id] }) => id);
  const attempts = claimed.length > 0 ? await context.lull.read(attemptsInText, [arrayText(claimed)]) : [];
  const byTask = Map.groupBy(attempts as AttemptRow[], ([taskId]) => taskId);
  const lanes = await context.lanes.named(new Set(found.map(({ row: [, lane] }) => lane)));
  return found.map((one) => toUnindexed(one, byTask.get(one.row[0]) ?? [], lanes));
}

type AttemptRow = [taskId: string, error: string | null, logs: string | null];

function toUnindexed(
  { row, piece }: Found,
  attempts: readonly AttemptRow[],
  lanes: ReadonlyMap<number, Lane>,
): UnindexedTask {
  const [id, lane, , version, payload, result, error, ownDescription, tags] = row;
  const description = ownDescription ?? lanes.get(lane)?.description;
  const ref: TextRef = { id, version, piece };
  return {
    ref,
    task: {
      id,
      ...(error !== null && { error }),
      ...(description && { description }),
      tags: readJson(tags) ?? [],
    },
    json: { payload, ...(result !== null && { result }) },
    attempts: attempts.map(([, error, logs]) => ({
      ...(error !== null && { error: readJson(error)! }),
      logs: readJson(logs) ?? [],
    })),
  };
}

/** @param isAlone whether nobody waits meanwhile: two connections index at once, each the next portion when it has done one */
export function writeTexts(
  context: Context,
  texts: readonly IndexedText[],
  isAlone: boolean,
): Promise<Written<void>> {
  return context.database.written(async () => {
    const size = context.lull.isInVain ? texts.length : portionSize;
    const portions = (isAlone ? inShrinkingPortions(texts) : inPortions(texts, size)).values();
    const areFew = isAlone ? texts.length < 2 * fewTexts : Math.min(texts.length, size) < fewTexts;
    const keepRest = async () => {
      for (const portion of portions) await keep(context, portion, { isAlone, areFew });
    };
    await Promise.all(isAlone ? [keepRest(), keepRest()] : [keepRest()]);
    // Not before all of its texts are stored is a piece done with.
    await endPieces(context, texts);
    return { kind: "ok", value: undefined };
  });
}

function inPortions(texts: readonly IndexedText[], size: number): (readonly IndexedText[])[] {
  const count = Math.ceil(texts.length / Math.max(1, size));
  return Array.from({ length: count }, (_, place) => texts.slice(place * size, (place + 1) * size));
}

/** Each a third of what is left, so that two connections end at about the same time. */
function inShrinkingPortions(texts: readonly IndexedText[]): (readonly IndexedText[])[] {
  const portions: (readonly IndexedText[])[] = [];
  for (let from = 0; from < texts.length; ) {
    const third = Math.ceil((texts.length - from) / 3);
    const size = Math.min(portionSizeAlone, Math.max(portionSizeMin, third));
    portions.push(texts.slice(from, from + size));
    from += size;
  }
  return portions;
}

async function keep(
  { lull }: Context,
  texts: readonly IndexedText[],
  { isAlone, areFew }: { isAlone: boolean; areFew: boolean },
): Promise<void> {
  const refs = texts.map(({ ref }) => ref as TextRef);
  await lull.query(keepTexts, [
    arrayText(refs.map(({ id }) => id)),
    arrayText(refs.map(({ version }) => version)),
    arrayText(texts.map(({ text }) => plainText(text))),
    isAlone ? memoryAlone : null,
    areFew ? gatheredOfFew : null,
  ]);
}

async function endPieces({ lull }: Context, texts: readonly IndexedText[]): Promise<void> {
  const pieces = [...new Set(texts.map(({ ref }) => (ref as TextRef).piece))];
  for (const piece of pieces) piece.isStored = piece.before?.isStored ?? true;
  const stored = pieces.filter(({ isStored, isContinued }) => isStored && !isContinued);
  const workOf = ({ taken }: Piece) => taken[0];
  const ended = stored.filter(({ last }) => !last);
  const begun = stored.filter(({ last }) => last);
  if (ended.length > 0) await lull.query(endWork, [ended.map(workOf)]);
  if (begun.length === 0) return;
  await lull.query(continueWork, [
    begun.map(workOf),
    begun.map(({ last }) => last!.at),
    begun.map(({ read }) => read),
  ]);
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

const mayBeUnindexed = statement(
  "mayBeUnindexed",
  "SELECT EXISTS (SELECT 1 FROM :schema.tally_changes) OR EXISTS (SELECT 1 FROM :schema.text_work)",
);

/** Pieces that are thought to have `$4` tasks together, with one more each, at most `$3`; of those left by somebody who has died, when there are no others. */
const takeWork = statement(
  "takeTextWork",
  `WITH clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  fresh AS MATERIALIZED (SELECT work, hour, lane, status, tasks FROM :schema.text_work WHERE taken_at IS NULL
    ORDER BY hour DESC, lane DESC, status DESC LIMIT $3::integer FOR UPDATE SKIP LOCKED),
  left_over AS MATERIALIZED (SELECT work, taken_at FROM :schema.text_work
    WHERE taken_at < (SELECT at FROM clock) - $2::bigint AND NOT EXISTS (SELECT 1 FROM fresh)
    ORDER BY taken_at LIMIT 1 FOR UPDATE SKIP LOCKED),
  chosen AS MATERIALIZED (
    SELECT work FROM (
      SELECT work, sum(tasks + 1) OVER (ORDER BY hour DESC, lane DESC, status DESC) - tasks - 1 AS before FROM fresh) AS summed
    WHERE before < $4::integer
    UNION ALL SELECT work FROM left_over)
  UPDATE :schema.text_work SET taken_at = clock.at FROM clock
  WHERE work = ANY(ARRAY(SELECT work FROM chosen)) AND ${hasty}
  RETURNING work, lane, status, first_at, last_at, tasks`,
);

/** Oldest first. Of attempts, those that have an error or logs have a row. */
const attemptsInText = statement(
  "attemptsInText",
  `SELECT task_id, error, logs FROM :schema.attempts WHERE task_id = ANY($1::text[]) ORDER BY task_id, fence`,
);

/**
 * Of each piece those behind `after_id` at its first instant, and later ones; without values where those before have `$7` bytes. By creation, for PENDING tasks that were never changed, or not since they were stored; else by the latest change.
 */
const unindexedTasks = statement(
  "unindexedTasks",
  `SELECT place, at, id, lane, fence, version, CASE WHEN has_room THEN payload END, CASE WHEN has_room THEN result END,
    CASE WHEN has_room THEN error END, description, tags FROM (
    SELECT page.place, page.at, tasks.*, coalesce(sum(${valueBytes})
      OVER (ORDER BY page.place, page.at, page.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < $7::bigint AS has_room
    FROM (
    SELECT piece.place::integer AS place, within.at, within.id, within.spot
    FROM unnest($1::integer[], $2::smallint[], $3::bigint[], $4::bigint[], $5::integer[], $6::text[])
      WITH ORDINALITY AS piece (lane, status, first_at, last_at, most, after_id, place)
    CROSS JOIN LATERAL (
      (SELECT found.at, found.id, found.spot FROM (VALUES (0), (1)) AS pending (status) CROSS JOIN LATERAL (
        SELECT created_at AS at, id, ctid AS spot FROM :schema.tasks WHERE piece.status = 1 AND tasks.lane = piece.lane
          AND tasks.status = pending.status AND tasks.status <> 2
          AND (created_at, id) > (piece.first_at, piece.after_id) AND created_at <= piece.last_at
          AND ${isNotIndexed} ORDER BY created_at, id LIMIT piece.most) AS found)
      UNION
      (SELECT updated_at, id, ctid FROM :schema.tasks WHERE tasks.lane = piece.lane AND tasks.status = piece.status
        AND tasks.status <> 2 AND tasks.status <> 0
        AND (updated_at, id) > (piece.first_at, piece.after_id) AND updated_at <= piece.last_at AND ${isNotIndexed}
        ORDER BY updated_at, id LIMIT piece.most)
      ORDER BY at, id LIMIT piece.most) AS within) AS page
  CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.ctid = page.spot OFFSET 0) AS tasks) AS sized
  ORDER BY place, at, id`,
);

const giveBackWork = statement(
  "giveBackTextWork",
  `UPDATE :schema.text_work SET taken_at = NULL WHERE work = ANY($1::bigint[]) AND ${hasty}`,
);

const endWork = statement(
  "endTextWork",
  `DELETE FROM :schema.text_work WHERE work = ANY($1::bigint[]) AND ${hasty}`,
);

const continueWork = statement(
  "continueTextWork",
  `WITH begun AS (
    DELETE FROM :schema.text_work USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS piece (work, next_at, read)
    WHERE text_work.work = piece.work AND ${hasty} RETURNING lane, status, greatest(tasks - piece.read, 1) AS tasks, next_at, last_at)
  ${notingWork("SELECT lane, status, tasks, next_at AS first_at, last_at FROM begun")}`,
);

/**
 * A task that has changed since it was read is left: there is a note of that. So is a text that somebody else has put in of a
 * later version, which this statement does not see yet; a task that was made anew under the same id begins at its first version again. The
 * settings come before anything is stored.
 */
const keepTexts = statement(
  "writeTexts",
  `WITH settings AS MATERIALIZED (
    SELECT CASE WHEN $4::text IS NOT NULL THEN set_config('work_mem', $4, true) END,
      CASE WHEN $5::text IS NOT NULL THEN set_config('gin_pending_list_limit', $5, true) END)
  INSERT INTO :schema.texts AS kept (task_id, created_at, version, status, lanes, body)
  SELECT DISTINCT ON (given.id) given.id, task.created_at, given.version,
    CASE WHEN task.status < 3 THEN 0 ELSE task.status END, ARRAY[task.lane], given.body
  FROM settings CROSS JOIN unnest($1::text[], $2::integer[], $3::text[]) AS given (id, version, body)
  CROSS JOIN LATERAL (SELECT status, lane, version, created_at FROM :schema.tasks WHERE tasks.id = given.id OFFSET 0) AS task
  WHERE task.version = given.version AND ${hasty}
  ORDER BY given.id
  ON CONFLICT (task_id) DO UPDATE SET created_at = excluded.created_at, version = excluded.version,
    status = excluded.status, lanes = excluded.lanes, body = excluded.body
  WHERE kept.version < excluded.version OR kept.created_at <> excluded.created_at`,
);
