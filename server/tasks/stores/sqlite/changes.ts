/**
 * The change feed on a reading thread. New tasks are those of higher numbers than a mark. Other changes are found by their
 * instants, which never go back from one transaction to the next (instants.ts): all that is committed after a reading
 * is at its latest instant or later. Those of the very same instant are told apart by a digest of what was read of it;
 * when that has changed, the instant is read again. After a clock was set back, tasks that were changed by the old time lie
 * ahead of the latest instant: they are told once, behind all others, from the place `ahead` on.
 */

import type { ChangesRequest } from "../../core/port/store-changes.ts";
import { compareText } from "../../core/values/compare.ts";
import { changeSql } from "./change-statements.ts";
import type { Connection } from "./connection.ts";
import { beforeAll } from "./instants.ts";
import type { Row } from "./rows.ts";
import { sql } from "./statements.ts";
import type { Rows } from "./threads/protocol.ts";
import { withNames } from "./threads/write-context.ts";

/** A cursor's state. */
export interface ChangePlace {
  /** All changes before this instant were read. */
  at: number;
  /** The id up to which those of the instant were read; absent when all were. */
  id?: string;
  /** Of those that were read of the instant, while more may come to it. */
  digest?: Digest;
  /** New tasks up to the first mark were read. A mark whose task is gone says nothing: its number may be given again. */
  marks: SeqMark[];
  /** Steps of the clock that were taken into account. */
  step: number;
  /** After a step: up to where those that lie ahead of the latest instant were read; absent when all were. */
  ahead?: readonly [at: number, id: string];
}

type Digest = readonly [count: number, sum: number];
type SeqMark = [seq: number, id: string, createdAt: number];
type Pair = [lane: number, status: number];
type Key = [at: number, id: string, seq: number, version: number];

export interface ChangedRows {
  tasks: Rows;
  place: ChangePlace;
  more: boolean;
  /** Absent where nothing was read. */
  read?: ReadKeys;
}

/** What was read in which order, of which `placeAfter` makes the place after any of it. */
export interface ReadKeys {
  /** The place before all of it. */
  start: ChangePlace;
  latest: number;
  /** Marks that hold from before, and those after all new tasks. */
  known: readonly SeqMark[];
  marks: SeqMark[];
  stored: readonly SeqMark[];
  /** The place before the changes, and these. */
  changedFrom: ChangePlace;
  changed: readonly Key[];
}

const noDigest: Digest = [0, 0];
const digestEnd = 2 ** 50;
/** How far apart marks are at least, the newest first. */
const markGaps = [1, 16, 256, 4_096, 65_536];

export function readChanges(
  connection: Connection,
  { since, limit }: Omit<ChangesRequest, "since"> & { since?: ChangePlace },
): ChangedRows {
  const [latest] = connection.prepare(changeSql.latestChange).get() as unknown as [number];
  if (!since) return { tasks: withNames(connection, []), place: placeOfNow(connection, latest), more: false };
  const start = afterSteps(connection, since);
  const stored = readStored(connection, start, Math.ceil(limit / 2));
  const changed = readChanged(connection, start, latest, limit - stored.found.length);
  const { marks, known } = stored;
  const seqs = [...stored.found, ...changed.keys.map(([, , seq]) => [seq])].map(([seq]) => seq);
  return {
    tasks: withNames(connection, readRows(connection, seqs)),
    place: { ...changed.place, marks },
    more: stored.more || changed.more,
    read: {
      ...{ start, latest, known, marks, stored: stored.found },
      ...{ changedFrom: changed.start, changed: changed.keys },
    },
  };
}

/** As if the page had ended with the row of this index. Rows are as `readRows` has them: each once, where it came first. */
export function placeAfter(
  { start, latest, known, marks, stored, changedFrom, changed }: ReadKeys,
  index: number,
): ChangePlace {
  if (index < stored.length) return { ...start, marks: thinned([stored[index]!, ...known]) };
  const seen = new Set(stored.map(([seq]) => seq));
  const end = changed.findIndex(([, , seq]) => seen.add(seq).size > index);
  return { ...endOf(changedFrom, latest, changed.slice(0, end + 1), true), marks };
}

function placeOfNow(connection: Connection, latest: number): ChangePlace {
  const [step] = connection.prepare(changeSql.clockSteps).get(0) as unknown as [number];
  return { at: latest, digest: digestOfInstant(connection, latest), marks: newMarks(connection), step };
}

/** The clock was set back since: instants from there on may not have been read, nor those that now lie ahead. */
function afterSteps(connection: Connection, since: ChangePlace): ChangePlace {
  const [step, at] = connection.prepare(changeSql.clockSteps).get(since.step) as unknown as [
    number,
    number | null,
  ];
  if (at === null) return { ...since, step };
  const ahead = [beforeAll, ""] as const;
  if (at > since.at) return { ...since, step, ahead };
  return { at: at - 1, id: afterAllIds, marks: since.marks, step, ahead };
}

// New tasks

function readStored(
  connection: Connection,
  { at, marks }: ChangePlace,
  limit: number,
): { found: SeqMark[]; known: SeqMark[]; marks: SeqMark[]; more: boolean } {
  const isThere = connection.prepare(changeSql.isSeqMark);
  const known = marks.filter((mark) => isThere.get(...mark) !== undefined);
  const from = known[0]?.[0] ?? 0;
  const found = connection.prepare(changeSql.storedAfter).all(from, at, limit) as unknown as SeqMark[];
  if (found.length === limit) return { found, known, marks: thinned([found.at(-1)!, ...known]), more: true };
  const newest = connection.prepare(changeSql.seqMark).get(Number.MAX_SAFE_INTEGER) as SeqMark | undefined;
  return { found, known, marks: newest ? thinned([newest, ...known]) : [], more: false };
}

function newMarks(connection: Connection): SeqMark[] {
  const marks: SeqMark[] = [];
  let below = Number.MAX_SAFE_INTEGER;
  for (const gap of markGaps) {
    const mark = connection.prepare(changeSql.seqMark).get(below) as SeqMark | undefined;
    if (!mark) break;
    marks.push(mark);
    below = mark[0] - gap;
  }
  return marks;
}

function thinned(marks: readonly SeqMark[]): SeqMark[] {
  const kept: SeqMark[] = [];
  for (const mark of marks) {
    const last = kept.at(-1);
    if (!last || last[0] - mark[0] >= (markGaps[kept.length - 1] ?? Number.POSITIVE_INFINITY))
      kept.push(mark);
  }
  return kept;
}

// Changes

interface ChangedPage {
  start: ChangePlace;
  keys: Key[];
  place: ChangePlace;
  more: boolean;
}

function readChanged(connection: Connection, since: ChangePlace, latest: number, limit: number): ChangedPage {
  const start = startOf(connection, since, latest);
  const page = readPage(connection, start, latest, limit);
  const isLeft = page.place.id === undefined || page.place.at > start.at;
  if (!start.digest || start.id === afterAllIds || !isLeft) return page;
  // Earlier pages of the instant were read before more came to it.
  const ofStart = digestOf(page.keys.filter(([at]) => at === start.at));
  if (isEqual(added(start.digest, ofStart), digestOfInstant(connection, start.at))) return page;
  return readPage(connection, again(start, latest), latest, limit);
}

function readPage(connection: Connection, start: ChangePlace, latest: number, limit: number): ChangedPage {
  const found = keysFrom(connection, start, latest, limit + 1);
  if (start.ahead) found.push(...keysAhead(connection, start.ahead, latest, limit + 1 - found.length));
  const more = found.length > limit;
  const keys = found.slice(0, limit);
  return { start, keys, place: endOf(start, latest, keys, more), more };
}

/** The place after these, with more to come or not. */
function endOf(start: ChangePlace, latest: number, keys: readonly Key[], more: boolean): ChangePlace {
  const { ahead, ...place } = start;
  const last = keys.at(-1);
  if (!last || last[0] <= latest) return endOfPast(more ? start : place, latest, keys, more);
  const past = endOfPast(
    place,
    latest,
    keys.filter(([at]) => at <= latest),
    false,
  );
  return more ? { ...past, ahead: [last[0], last[1]] } : past;
}

function endOfPast(start: ChangePlace, latest: number, keys: readonly Key[], more: boolean): ChangePlace {
  const last = keys.at(-1);
  const [at, id] = last ?? [start.at, start.id];
  const ofInstant = digestOf(keys.filter((key) => key[0] === at));
  const isSame = at === start.at;
  const mayGrow = at === latest || (isSame && more && start.digest !== undefined);
  const { id: _id, digest: _digest, ...place } = start;
  return {
    ...place,
    at,
    ...(more && id !== afterAllIds && { id: id! }),
    ...(mayGrow && { digest: isSame ? added(start.digest ?? noDigest, ofInstant) : ofInstant }),
  };
}

/** Where to read on from: after the instant when all of it was read, or before it when something has come to it since. */
function startOf(connection: Connection, since: ChangePlace, latest: number): ChangePlace {
  if (since.id !== undefined) return since;
  if (since.digest && !isEqual(digestOfInstant(connection, since.at), since.digest))
    return again(since, latest);
  return { ...since, id: afterAllIds };
}

/** The place before all of the instant. */
function again({ digest: _digest, ...place }: ChangePlace, latest: number): ChangePlace {
  return { ...place, id: "", ...(place.at === latest && { digest: noDigest }) };
}

function digestOfInstant(connection: Connection, at: number): Digest {
  return digestOf(keysFrom(connection, { at, id: "" }, at, Number.MAX_SAFE_INTEGER));
}

/** Sorts after every id: ids are of letters, digits and `._:/-`. */
const afterAllIds = "\u{10ffff}";

/** Those after a place and up to an instant, in order. */
function keysFrom(
  connection: Connection,
  place: Pick<ChangePlace, "at" | "id">,
  until: number,
  limit: number,
): Key[] {
  const pairs = connection.prepare(changeSql.changedPairs).all(place.at) as unknown as Pair[];
  return keysOf(connection, pairs, place, until, limit);
}

/** Of all pairs: which of them were changed by a time that a clock showed before nothing says. */
function keysAhead(
  connection: Connection,
  [at, id]: NonNullable<ChangePlace["ahead"]>,
  latest: number,
  limit: number,
): Key[] {
  const pairs = connection.prepare(changeSql.changedPairs).all(beforeAll) as unknown as Pair[];
  const place = at > latest ? { at, id } : { at: latest, id: afterAllIds };
  return keysOf(connection, pairs, place, Number.MAX_SAFE_INTEGER, limit);
}

function keysOf(
  connection: Connection,
  pairs: readonly Pair[],
  { at, id = "" }: Pick<ChangePlace, "at" | "id">,
  until: number,
  limit: number,
): Key[] {
  const keys = connection.prepare(changeSql.runningChanges).all(at) as unknown as Key[];
  const after = connection.prepare(changeSql.changesAfter);
  for (const pair of pairs) keys.push(...(after.all(...pair, at, id, limit, until) as unknown as Key[]));
  return keys
    .filter((key) => compareKeys([at, id], key) < 0 && key[0] <= until)
    .sort(compareKeys)
    .slice(0, limit);
}

function compareKeys(
  a: readonly [number, string, ...unknown[]],
  b: readonly [number, string, ...unknown[]],
): number {
  return a[0] - b[0] || compareText(a[1], b[1]);
}

function digestOf(keys: readonly Key[]): Digest {
  return keys.reduce<Digest>((sum, [, , seq, version]) => added(sum, [1, mixed(seq, version)]), noDigest);
}

function added(a: Digest, b: Digest): Digest {
  return [a[0] + b[0], (a[1] + b[1]) % digestEnd];
}

/** So well mixed that sums of few do not meet by chance. */
function mixed(seq: number, version: number): number {
  const inner = scattered(Math.imul(version, 0x9e3779b1) ^ Math.floor(seq / 4_294_967_296));
  const high = scattered(inner ^ scattered(seq | 0));
  return (high & 0x3ffff) * 4_294_967_296 + scattered(high ^ inner ^ 0x5bd1e995);
}

function scattered(value: number): number {
  const once = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

function isEqual(a: Digest, b: Digest): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function readRows(connection: Connection, seqs: readonly number[]): Row[] {
  if (seqs.length === 0) return [];
  const wanted = [...new Set(seqs)];
  const rows = connection.prepare(sql.readTasks).all(JSON.stringify(wanted)) as unknown as Row[];
  const bySeq = new Map(rows.map((row) => [row[0], row]));
  return wanted.map((seq) => bySeq.get(seq)!);
}
