/**
 * Full text, written behind the tasks by the workers' indexer: it reads what has changed since it was indexed, and writes
 * trigrams. What changed is known without a list of it. New tasks are those of higher numbers than a mark; and with the
 * counts, every transaction notes from when on tasks came to a lane's status (`unindexed_at`), where the index by change
 * finds them. Such a place moves on only in a transaction, so that no task slips between.
 */

import type { Written } from "../../../core/store.ts";
import { searchableSizeMax } from "../../../core/values/searchable-text.ts";
import { stateOf } from "../attributes/attributes.ts";
import type { Connection } from "../connection.ts";
import type { AttemptRow, Row } from "../rows.ts";
import { sql, textClearing, textSql } from "../statements.ts";
import type { Rows } from "../threads/protocol.ts";
import { type WriteContext, withNames, workerNames } from "../threads/write-context.ts";
import { laneTerm } from "./text-match.ts";

/** Neighbouring seqs whose creation is known together. */
export const blockSize = 1_024;
/** Fresh tasks looked at in one go, while searches wait; many may have ended meanwhile and need nothing. */
const freshScanMax = 1_000;
/** Of each lane and status, more are not looked at. */
const lagCountMax = 10_000;
/** So many of the tasks that are not indexed tell how many are of a type. */
const sampleSize = 200;
const goldenRatio = (1 + Math.sqrt(5)) / 2;

/**
 * Where reading began and what it met. The writer moves the places as far as nothing else lies there by now: a task that
 * came in between, in the same millisecond or by a clock that went back, is read the next time.
 */
export interface TextMarks {
  fresh?: { from: number; to: number; met: string[] };
  changed: { place: Place; reached: [at: number, id: string]; met: string[] }[];
}

export interface UnindexedRequest {
  limit: number;
  /** Goes on behind what was read with these, which is being written. */
  after?: TextMarks;
}

export interface Unindexed {
  seqs: number[];
  marks: TextMarks;
}

/** What texts are made of. */
export interface UnindexedRows {
  tasks: Rows;
  attempts: [seq: number, ...attempt: AttemptRow][];
  /** Those of the attempts. */
  workers: Rows["workers"];
}

/** Texts of tasks that were read with the marks `of`, which are moved by the last of one answer's. */
export interface TextRows {
  of: TextMarks;
  texts: [seq: number, id: string, version: number, text: string][];
  isLast: boolean;
}

/** Which tasks; their rows are read by and by. */
export function findUnindexed(connection: Connection, { limit, after }: UnindexedRequest): Unindexed {
  const marks: TextMarks = { changed: [] };
  const half = Math.ceil(limit / 2);
  let changed = changedSeqs(connection, half, marks, after);
  const fresh = freshSeqs(connection, limit - changed.length, marks, after);
  const isMore = changed.length === half && changed.length + fresh.length < limit;
  if (isMore) {
    marks.changed = [];
    changed = changedSeqs(connection, limit - fresh.length, marks, after);
  }
  return { seqs: [...changed, ...fresh], marks };
}

/** One that has changed since it was found is met again: the marks know its version. */
export function readUnindexed(connection: Connection, seqs: readonly number[]): UnindexedRows {
  const wanted = JSON.stringify(seqs);
  const rows = connection.prepare(sql.readTasks).all(wanted) as unknown as Row[];
  const attempts = connection.prepare(textSql.attemptsOf).all(wanted) as unknown as UnindexedRows["attempts"];
  const workers = new Set(attempts.map(([, , , worker]) => worker).filter((worker) => worker !== null));
  return { tasks: withNames(connection, rows), attempts, workers: workerNames(connection, workers) };
}

function changedSeqs(
  connection: Connection,
  limit: number,
  marks: TextMarks,
  after: TextMarks | undefined,
): number[] {
  const seqs: number[] = [];
  for (const stored of places(connection)) {
    if (seqs.length >= limit) break;
    const before = after?.changed.find(({ place }) => isSame(place, stored));
    const place: Place = before ? [stored[0], stored[1], ...before.reached] : stored;
    const rows = changedAfter(connection, ...place, limit - seqs.length);
    const last = rows.at(-1);
    if (!last) continue;
    marks.changed.push({ place, reached: [last[1], last[2]], met: rows.map(nameOf) });
    seqs.push(...rows.map(([seq]) => seq));
  }
  return seqs;
}

function isSame(a: Place, b: Place): boolean {
  return a.every((value, index) => value === b[index]);
}

type Place = [lane: number, status: number, at: number, id: string];

function places(connection: Connection): Place[] {
  return connection.prepare(textSql.unindexed).all() as unknown as Place[];
}

function changedAfter(
  connection: Connection,
  lane: number,
  status: number,
  at: number,
  id: string,
  limit: number,
): ChangedRow[] {
  const rows = connection.prepare(textSql.changedAfter).all(lane, status, at, id, limit);
  return rows as unknown as ChangedRow[];
}

/** A task that has changed is among the changed ones. One of them is read all the same when there are only such. */
function freshSeqs(
  connection: Connection,
  limit: number,
  marks: TextMarks,
  after: TextMarks | undefined,
): number[] {
  const stored = freshTo(connection);
  const from = after?.fresh?.from === stored ? after.fresh.to : stored;
  const rows = afterFresh(connection, from);
  const fresh: FreshRow[] = [];
  let to = from;
  for (const row of rows) {
    if (fresh.length === limit) break;
    to = row[0];
    if (isFresh(row)) fresh.push(row);
  }
  if (to === from) return [];
  marks.fresh = { from, to, met: fresh.map(freshNameOf) };
  return fresh.length > 0 ? fresh.map(([seq]) => seq) : [to];
}

type FreshRow = [seq: number, id: string, status: number, version: number];
type ChangedRow = [seq: number, updatedAt: number, id: string, version: number];

/** One after another: of those that may be looked at, few are read as a rule. */
function afterFresh(connection: Connection, from: number): IterableIterator<FreshRow> {
  const rows = connection.prepare(textSql.afterFresh).iterate(from, freshScanMax);
  return rows as unknown as IterableIterator<FreshRow>;
}

/** A number may have been given again. */
function freshNameOf([seq, id]: FreshRow): string {
  return `${seq} ${id}`;
}

function nameOf([seq, , id, version]: ChangedRow): string {
  return `${seq} ${version} ${id}`;
}

function isFresh([, , status, version]: FreshRow): boolean {
  return status === 2 || (status === 1 && version === 1);
}

export function freshTo(connection: Connection): number {
  const row = connection.prepare(textSql.freshTo).get() as unknown as [number] | undefined;
  return row?.[0] ?? 0;
}

export function writeTexts(context: WriteContext, { texts, of, isLast }: TextRows): Written<void> {
  const { connection } = context;
  if (isDone(connection, of)) return { kind: "ok", value: undefined };
  const blocks = new Map<number, [first: number, last: number]>();
  for (const [seq, id, version, text] of texts) {
    const task = connection.prepare(textSql.sameTask).get(seq, id, version) as SameTask | undefined;
    if (!task) continue;
    const [createdAt, status, lane] = task;
    if (text === "") {
      connection.prepare(textSql.deleteText).all(seq);
      continue;
    }
    connection.prepare(textSql.writeText).all(seq, stateOf(status), text, laneTerm(lane));
    if (text.length >= searchableSizeMax) connection.prepare(textSql.noteTruncated).run();
    const block = Math.floor(seq / blockSize);
    const [first, last] = blocks.get(block) ?? [createdAt, createdAt];
    blocks.set(block, [Math.min(first, createdAt), Math.max(last, createdAt)]);
  }
  forgetRowid(connection);
  for (const [block, [first, last]] of blocks) connection.prepare(textSql.widenBlock).run(block, first, last);
  if (isLast) moveMarks(connection, of);
  return { kind: "ok", value: undefined };
}

type SameTask = [createdAt: number, status: number, lane: number];

/** Somebody else has read the same, and written it. */
function isDone(connection: Connection, { fresh, changed }: TextMarks): boolean {
  if (fresh && freshTo(connection) === fresh.from) return false;
  const now = places(connection);
  return !changed.some(({ place }) => now.some((stored) => isSame(place, stored)));
}

function moveMarks(connection: Connection, { fresh, changed }: TextMarks): void {
  if (fresh) moveFresh(connection, fresh);
  for (const { place, met } of changed) moveChanged(connection, place, new Set(met));
}

function moveFresh(connection: Connection, { from, to, met }: NonNullable<TextMarks["fresh"]>): void {
  const known = new Set(met);
  let reached = from;
  for (const row of afterFresh(connection, from)) {
    if (row[0] > to || (isFresh(row) && !known.has(freshNameOf(row)))) break;
    reached = row[0];
  }
  connection.prepare(textSql.moveFresh).run(from, reached);
}

function moveChanged(connection: Connection, place: Place, known: ReadonlySet<string>): void {
  const [lane, status, at, id] = place;
  const rows = changedAfter(connection, lane, status, at, id, known.size + 1);
  const unknown = rows.findIndex((row) => !known.has(nameOf(row)));
  const reached = unknown === -1 ? undefined : rows[unknown - 1];
  if (unknown === -1) connection.prepare(textSql.moveUnindexed).run(...place, null, null);
  else if (reached) connection.prepare(textSql.moveUnindexed).run(...place, reached[1], reached[2]);
}

/** Everything is to be indexed again: whoever read something before meets other places, and writes nothing. */
export function clearTexts({ connection }: WriteContext): Written<void> {
  for (const statement of textClearing) connection.prepare(statement).run();
  forgetRowid(connection);
  return { kind: "ok", value: undefined };
}

/** After tasks were deleted, whose numbers may be given to others. */
export function removeTexts({ connection }: WriteContext, seqs: readonly number[]): void {
  for (const seq of seqs) connection.prepare(textSql.deleteText).all(seq);
  forgetRowid(connection);
  connection.prepare(textSql.pullFresh).run();
  connection.prepare(textSql.dropBlocks).run(blockSize);
}

/**
 * The index of texts writes rows of its own, with numbers that JavaScript has no number for; as the latest one inserted,
 * such a number would make every `run` throw, until another row is inserted.
 */
function forgetRowid(connection: Connection): void {
  connection.prepare(textSql.insertSmall).run();
}

/**
 * Tasks whose text is not indexed as it is now, if they are at most `limit`; else undefined.
 */
export function unindexedSeqs(connection: Connection, limit: number): number[] | undefined {
  const fresh = connection.prepare(textSql.afterFresh).all(freshTo(connection), limit + 1) as unknown as [
    number,
  ][];
  const changed = connection.prepare(textSql.changed).all(limit + 1) as unknown as [number][];
  return fresh.length + changed.length > limit ? undefined : [...fresh, ...changed].map(([seq]) => seq);
}

/** About how many tasks are not indexed as they are now. */
export function textLag(connection: Connection): number {
  const few = unindexedSeqs(connection, 1_000);
  return few ? new Set(few).size : countUnindexed(connection);
}

/** The same, of many. @param pairs those of which alone it is counted; all where it is left out */
export function countUnindexed(
  connection: Connection,
  pairs?: readonly { lane: number; status: number }[],
): number {
  const [newest] = connection.prepare(textSql.newestSeq).get() as unknown as [number];
  const fresh = freshTo(connection);
  const isAsked = ([lane, status]: Place) =>
    !pairs || pairs.some((pair) => pair.lane === lane && pair.status === status);
  // Those that are fresh as well are counted there.
  const counts = places(connection)
    .filter(isAsked)
    .map((place) =>
      connection.prepare(textSql.countChanged).get(...place, fresh, lagCountMax),
    ) as unknown as [number][];
  const unseen = Math.max(0, newest - fresh);
  const own = pairs && unseen > 0 ? unseen * shareOf(connection, pairs, fresh, newest) : unseen;
  return Math.ceil(own) + counts.reduce((sum, [count]) => sum + count, 0);
}

/** About which share of the tasks of these numbers is of the pairs; never nothing, for not all of them are looked at. */
function shareOf(
  connection: Connection,
  pairs: readonly { lane: number; status: number }[],
  fresh: number,
  newest: number,
): number {
  if (pairs.length === 0) return 0;
  const unseen = newest - fresh;
  // Spread evenly, and in step with nothing: a program may enqueue its types in turn.
  const seqs = Array.from(
    { length: sampleSize },
    (_, place) => fresh + 1 + Math.floor(unseen * ((place * goldenRatio) % 1)),
  );
  const given = JSON.stringify(pairs.map(({ lane, status }) => [lane, status]));
  const [found] = connection.prepare(textSql.countOfPairs).get(JSON.stringify(seqs), given) as unknown as [
    number,
  ];
  return Math.max(found / sampleSize, 1 / unseen);
}
