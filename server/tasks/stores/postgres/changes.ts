/**
 * The change feed. A transaction that began earlier may commit later, so neither instants nor numbers of tasks tell what is
 * new to a reader; what does is the snapshot of the last reading: a row is new when the transaction that wrote it (`xmin`)
 * was not over then. No index is by that, so rows are taken from the indexes by their latest instant, back to one before
 * which nothing can have been written since. It moves on as transactions end: a cursor keeps some moments with the number
 * that the next transaction was to have then, and once the oldest that is under way has a higher one, all that were
 * running at that moment are over. What is stored late, or after a savepoint: see migration 0004.
 */
import type { Changes, ChangesRequest } from "../../core/port/store-changes.ts";
import { decodeChangeCursor, encodeChangeCursor } from "../../core/port/store-changes.ts";
import { changes, lateChanges, oldestWriter, present } from "./change-statements.ts";
import type { ResultRow, Session } from "./connections/database.ts";
import { planning } from "./connections/planning.ts";
import type { Context } from "./context.ts";
import { type TaskRow, toTask } from "./rows.ts";

/** A cursor's state. Numbers of transactions are of 64 bits, as decimal text or, being below 2^53, as numbers. */
interface ChangePlace {
  /** No transaction of before is under way: what was changed before this instant was read. */
  since: number;
  /** What was read: all that is in this snapshot. */
  read: string;
  /** When the server was started: by another, numbers may mean other transactions. */
  server: number;
  /** Moments that have not passed yet: the store's clock, and the next number at the time. */
  moments: [at: number, next: number][];
  /** Within one reading that takes several pages: the snapshot it began with, and how far it has come. */
  page?: { snapshot: string; at: number; id: string; isLate: boolean };
}

interface Present {
  now: number;
  snapshot: string;
  /** The lowest number under way, and the next one. */
  oldest: number;
  next: number;
  server: number;
}

const kind = "postgres";
/** Between an instant that is written and the number of the transaction that writes it; lateMs of enqueue.ts is within. */
const slackMs = 5_000;
/** What a transaction may have been open for already when nothing tells. */
const unknownMs = 3_600_000;
const momentsMax = 12;
/** After a failover some numbers may have been given a second time. */
const lostNumbers = 1_000_000;

export async function readChanges(context: Context, { since, limit }: ChangesRequest): Promise<Changes> {
  const place = since === undefined ? undefined : decodeChangeCursor<ChangePlace>(kind, since);
  const { rows, next, more, placeAfter } = await context.database.snapshot(async (session) => {
    const now = await readPresent(context, session);
    if (!place) return { ...nothing, next: await placeOfNow(session, now) };
    return readPage(session, place, now, limit);
  }, planning);
  const lanes = await context.lanes.named(new Set(rows.map((row) => row[2] as number)));
  return {
    changes: rows.map((row) => toTask(row.slice(1) as TaskRow, lanes)),
    cursor: encodeChangeCursor(kind, next),
    cursorAfter: (index) => encodeChangeCursor(kind, placeAfter(index) ?? next),
    more,
  };
}

async function readPresent(context: Context, session: Session): Promise<Present> {
  const [row] = await session.query(present, [context.now()]);
  const [now, snapshot, server] = row as [number, string, number];
  return { now, snapshot, ...boundsOf(snapshot), server };
}

function boundsOf(snapshot: string): { oldest: number; next: number } {
  const [oldest, next] = snapshot.split(":").map(Number) as [number, number];
  return { oldest, next };
}

async function placeOfNow(session: Session, { now, snapshot, server, next }: Present): Promise<ChangePlace> {
  const [row] = await session.query(oldestWriter);
  const [isUnknown, began] = row as [boolean | null, number | null];
  const since = Math.min(now - (isUnknown ? unknownMs : 0), began ?? now) - slackMs;
  return { since, read: snapshot, server, moments: [[now, next]] };
}

interface PageRead {
  rows: ResultRow[];
  next: ChangePlace;
  more: boolean;
  /** The place within this reading, as if the page had ended with this row. */
  placeAfter(index: number): ChangePlace | undefined;
}

const nothing: Omit<PageRead, "next"> = { rows: [], more: false, placeAfter: () => undefined };

/** A page of late ones, and what room is left in it of all others. */
async function readPage(
  session: Session,
  place: ChangePlace,
  now: Present,
  limit: number,
): Promise<PageRead> {
  const page = place.page ?? { snapshot: now.snapshot, at: place.since, id: "", isLate: true };
  const rows: ResultRow[] = [];
  let { at, id, isLate } = page;
  let late = 0;
  const placeAfter = (index: number): ChangePlace => {
    const row = rows[index]!;
    const isOfLate = index < late;
    const [rowAt, rowId] = isOfLate ? [page.at, row[0]] : [row[0], row[1]];
    return { ...place, page: { snapshot: page.snapshot, at: rowAt, id: rowId, isLate: isOfLate } };
  };
  while (rows.length < limit) {
    const statement = isLate ? lateChanges : changes;
    const wanted = limit - rows.length;
    const asked = values(place, now, { ...page, at, id }, wanted + 1);
    const found = await session.query(statement, isLate ? [...asked, lateFrom(place, now)] : asked);
    const isCut = found.length > wanted;
    for (const row of found.slice(0, wanted)) rows.push(row);
    if (isLate) late = rows.length;
    if (isCut) return { rows, next: placeAfter(rows.length - 1), more: true, placeAfter };
    // What came since the first page is left for the next reading.
    if (!isLate)
      return {
        ...{ rows, placeAfter },
        next: after(place, page.snapshot, now),
        more: page.snapshot !== now.snapshot,
      };
    [at, id, isLate] = [place.since, "", false];
  }
  return {
    rows,
    next: { ...place, page: { snapshot: page.snapshot, at, id, isLate } },
    more: true,
    placeAfter,
  };
}

function values(
  { read, server }: ChangePlace,
  now: Present,
  { at, id, snapshot }: { at: number; id: string; snapshot: string },
  limit: number,
): unknown[] {
  const { oldest, next } = boundsOf(read);
  const isSame = server === now.server && next <= now.next;
  const within = snapshot === now.snapshot || !isSame ? null : snapshot;
  return [at, id, limit, now.next, oldest, isSame ? read : null, within];
}

function lateFrom({ read, server }: ChangePlace, now: Present): string {
  const { oldest, next } = boundsOf(read);
  if (next > now.next) return "3";
  return String(server === now.server ? oldest : Math.max(3, oldest - lostNumbers));
}

/** The cursor when all of a reading's snapshot was read. */
function after({ since, moments }: ChangePlace, snapshot: string, now: Present): ChangePlace {
  const { oldest } = boundsOf(snapshot);
  const passed = moments.filter(([, next]) => next <= oldest).map(([at]) => at - slackMs);
  const ahead = moments.filter(([, next]) => next > oldest && next <= now.next);
  return {
    since: Math.max(since, ...passed),
    read: snapshot,
    server: now.server,
    moments: thinned([...ahead, [now.now, now.next]]),
  };
}

/** The oldest of them will pass first, the newest is the furthest; those in between may be few. */
function thinned(moments: [number, number][]): [number, number][] {
  return moments.length <= momentsMax
    ? moments
    : moments.filter((_, index) => index % 2 === 0 || index === moments.length - 1);
}
