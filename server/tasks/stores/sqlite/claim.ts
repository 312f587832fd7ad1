/**
 * Claim (T1) on the writing thread. Tasks wait in lanes; within a lane an index has them by priority, then due
 * time, then the order they were stored. A claim walks priorities downwards over the worker's lanes and takes what
 * is due, so that its cost is that of the tasks it takes, plus one look at each lane; over many lanes claims-ahead.ts
 * spares it most of those looks.
 */
import type { ClaimRequest, Written } from "../../core/store.ts";
import type { ClaimedRow } from "./claimed-task.ts";
import type { LaneName, WorkerLanes } from "./lanes.ts";
import { sql } from "./statements.ts";
import { type DueTask, type Found, fewLanes, inOrder } from "./threads/claims-ahead.ts";
import { laneNames, type WriteContext } from "./threads/write-context.ts";

export interface Claimed {
  /** As they were before this claim. */
  rows: ClaimedRow[];
  lanes: LaneName[];
  /** The instant of the claim. */
  claimedAt: number;
  nextDueAt: number | undefined;
}

type Head = { lane: number; priority: number };
type Due = [dueAt: number, seq: number];

const none: Found = { due: [], nextDueAt: undefined };
const aboveAllPriorities = 1_001;
/** Of many lanes so many tasks each are read at first. */
const firstPortion = 2;
const portionGrowth = 8;

export function claimTasks(
  context: WriteContext,
  request: ClaimRequest,
  now: number,
): Written<Claimed, "worker-dead"> {
  const { connection } = context;
  const worker = connection.prepare(sql.aliveWorker).get(request.workerId) as [number] | undefined;
  if (!worker) return { kind: "rejected", reason: "worker-dead", details: { id: request.workerId } };
  const lanes = context.lanes.matching(request.types, request.queues);
  const suspect = request.suspect && request.limit > 0 ? findSuspect(context, lanes, now) : none;
  const { due, nextDueAt } = findDue(context, lanes, request.limit - suspect.due.length, now);
  const rows = takeTasks(
    context,
    [...suspect.due, ...due].map(({ seq }) => seq),
    worker[0],
    now,
  );
  const lanesTaken = laneNames(connection, new Set(rows.map((row) => row[2])));
  const next = earliest(nextDueAt, suspect.nextDueAt);
  return { kind: "ok", value: { rows, lanes: lanesTaken, claimedAt: now, nextDueAt: next } };
}

/** From when on a claim would bring something: `now` for at once, undefined when nothing waits; reads only. */
export function claimableAt(context: WriteContext, request: ClaimRequest, now: number): number | undefined {
  const lanes = context.lanes.matching(request.types, request.queues);
  const { due, nextDueAt } = findDue(context, lanes, 1, now);
  const suspect = request.suspect ? findSuspect(context, lanes, now) : none;
  return due.length + suspect.due.length > 0 ? now : earliest(nextDueAt, suspect.nextDueAt);
}

/**
 * All rows in one statement and all changes in another: twice as fast as UPDATE … RETURNING row by row. Nothing
 * comes between the two, so the main thread can tell from a row what the claim made of it.
 */
function takeTasks(context: WriteContext, due: readonly number[], worker: number, now: number): ClaimedRow[] {
  if (due.length === 0) return [];
  const wanted = JSON.stringify(due);
  const rows = context.connection.prepare(sql.readDueTasks).all(wanted) as unknown as ClaimedRow[];
  context.connection.prepare(sql.claimTasks).run(worker, now, wanted);
  for (const row of rows) context.tally.move(row[2], 1, 2);
  return rows;
}

/** The first `limit` due tasks of the lanes in the order they are to run, and when the next one will be due. */
function findDue(context: WriteContext, lanes: WorkerLanes, limit: number, now: number): Found {
  const headsOf = (asked: readonly number[]) =>
    topPriorities(context, asked, aboveAllPriorities, sql.topPriority);
  if (lanes.all.length <= fewLanes) return firstDue(context, headsOf(lanes.all), limit, now);
  return context.ahead.find(context, lanes, limit, now, (asked, wanted) =>
    firstDue(context, asked ? headsOf(asked) : nonEmpty(context, lanes, sql.nextLane), wanted, now),
  );
}

function firstDue(context: WriteContext, lanes: Head[], limit: number, now: number): Found {
  const due: DueTask[] = [];
  let nextDueAt: number | undefined;
  let heads = lanes;
  while (heads.length > 0 && due.length < limit) {
    const priority = highest(heads);
    const atThis = heads.filter((head) => head.priority === priority).map((head) => head.lane);
    for (const task of dueAtPriority(context, atThis, priority, limit - due.length, now)) due.push(task);
    if (due.length < limit) nextDueAt = earliest(nextDueAt, nextDue(context, atThis, priority, now));
    heads = heads.filter((head) => head.priority < priority);
    for (const head of topPriorities(context, atThis, priority, sql.topPriority)) heads.push(head);
  }
  return { due, nextDueAt };
}

function highest(heads: readonly Head[]): number {
  return heads.reduce((top, { priority }) => Math.max(top, priority), Number.NEGATIVE_INFINITY);
}

function topPriorities(
  context: WriteContext,
  lanes: readonly number[],
  below: number,
  statement: string,
): Head[] {
  const top = context.connection.prepare(statement);
  const heads: Head[] = [];
  for (const lane of lanes) {
    const head = top.get(lane, below) as [number] | undefined;
    if (head) heads.push({ lane, priority: head[0] });
  }
  return heads;
}

/** Those of the lanes in which anything waits, by stepping from one such lane to the next. */
function nonEmpty(context: WriteContext, lanes: WorkerLanes, statement: string): Head[] {
  const next = context.connection.prepare(statement);
  const heads: Head[] = [];
  let row = next.get(-1) as [lane: number, priority: number] | undefined;
  while (row) {
    const [lane, priority] = row;
    if (lanes.has(lane)) heads.push({ lane, priority });
    row = next.get(lane) as [number, number] | undefined;
  }
  return heads;
}

function dueAtPriority(
  context: WriteContext,
  lanes: readonly number[],
  priority: number,
  limit: number,
  now: number,
): DueTask[] {
  const statement = context.connection.prepare(sql.dueInLane);
  const read = (lane: number, most: number) =>
    (statement.all(lane, priority, now, most) as unknown as Due[]).map(([dueAt, seq]) => ({
      lane,
      priority,
      dueAt,
      seq,
    }));
  if (lanes.length > fewLanes) return mergePortions(lanes, limit, read);
  const found = lanes.flatMap((lane) => read(lane, limit));
  if (lanes.length > 1) found.sort(inOrder);
  return found.slice(0, limit);
}

/**
 * The first `limit` tasks over many lanes: a few of each, and more of those whose last one read is still among the first.
 * The whole of what each could give would be `limit` times the lanes.
 */
function mergePortions(
  lanes: readonly number[],
  limit: number,
  read: (lane: number, most: number) => DueTask[],
): DueTask[] {
  const portions = new Map<number, number>();
  let first = lanes.flatMap((lane) => {
    portions.set(lane, firstPortion);
    return read(lane, firstPortion);
  });
  for (;;) {
    first = first.sort(inOrder).slice(0, limit);
    const short = new Set(lanesToReadOn(first, portions, limit));
    if (short.size === 0) return first;
    first = first.filter(({ lane }) => !short.has(lane));
    for (const lane of short) {
      const portion = Math.min(limit, portions.get(lane)! * portionGrowth);
      portions.set(lane, portion);
      for (const task of read(lane, portion)) first.push(task);
    }
  }
}

/** Lanes of which a whole portion is among the first: there may be more. */
function lanesToReadOn(first: readonly DueTask[], portions: ReadonlyMap<number, number>, limit: number) {
  const counts = new Map<number, number>();
  for (const { lane } of first) counts.set(lane, (counts.get(lane) ?? 0) + 1);
  return [...counts]
    .filter(([lane, count]) => count < limit && count === portions.get(lane))
    .map(([lane]) => lane);
}

function nextDue(
  context: WriteContext,
  lanes: readonly number[],
  priority: number,
  now: number,
  text: string = sql.nextDueInLane,
): number | undefined {
  const statement = context.connection.prepare(text);
  let next: number | undefined;
  for (const lane of lanes) {
    const row = statement.get(lane, priority, now) as [number] | undefined;
    if (row) next = earliest(next, row[0]);
  }
  return next;
}

/** The first due task of those whose worker died before. */
function findSuspect(context: WriteContext, lanes: WorkerLanes, now: number): Found {
  const statement = context.connection.prepare(sql.suspectInLane);
  let nextDueAt: number | undefined;
  let heads =
    lanes.all.length <= fewLanes
      ? topPriorities(context, lanes.all, aboveAllPriorities, sql.topSuspectPriority)
      : nonEmpty(context, lanes, sql.nextSuspectLane);
  while (heads.length > 0) {
    const priority = highest(heads);
    const atThis = heads.filter((head) => head.priority === priority).map((head) => head.lane);
    const found = atThis.flatMap((lane) =>
      (statement.all(lane, priority, now) as unknown as Due[]).map(([dueAt, seq]) => ({
        lane,
        priority,
        dueAt,
        seq,
      })),
    );
    found.sort(inOrder);
    if (found[0]) return { due: [found[0]], nextDueAt };
    nextDueAt = earliest(nextDueAt, nextDue(context, atThis, priority, now, sql.nextSuspectInLane));
    heads = heads.filter((head) => head.priority < priority);
    heads.push(...topPriorities(context, atThis, priority, sql.topSuspectPriority));
  }
  return { due: [], nextDueAt };
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}
