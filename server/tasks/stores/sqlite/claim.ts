/**
 * Claim (T1) on the writing thread. Tasks wait in lanes; within a lane an index has them by priority, then due
 * time, then the order they were stored. A claim walks priorities downwards over the worker's lanes and takes what
 * is due, so that its cost is that of the tasks it takes, plus one look at each lane.
 */
import type { ClaimRequest, Written } from "../../core/store.ts";
import type { ClaimedRow } from "./claimed-task.ts";
import type { LaneName } from "./lanes.ts";
import { sql } from "./statements.ts";
import { laneNames, type WriteContext } from "./write-context.ts";

export interface Claimed {
  /** As they were before this claim. */
  rows: ClaimedRow[];
  lanes: LaneName[];
  /** The instant of the claim. */
  claimedAt: number;
  nextDueAt: number | undefined;
}

type Due = [dueAt: number, seq: number];

/** What may be claimed now, and when the next one will be due. */
interface Found {
  due: number[];
  nextDueAt: number | undefined;
}

const none: Found = { due: [], nextDueAt: undefined };
const aboveAllPriorities = 1_001;

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
  const rows = takeTasks(context, [...suspect.due, ...due], worker[0], now);
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
function findDue(context: WriteContext, lanes: readonly number[], limit: number, now: number): Found {
  const due: number[] = [];
  let nextDueAt: number | undefined;
  let heads = topPriorities(context, lanes, aboveAllPriorities, sql.topPriority);
  while (heads.length > 0 && due.length < limit) {
    const priority = Math.max(...heads.map((head) => head.priority));
    const atThis = heads.filter((head) => head.priority === priority).map((head) => head.lane);
    const found = dueAtPriority(context, atThis, priority, limit - due.length, now);
    for (const [, seq] of found) due.push(seq);
    if (due.length < limit) nextDueAt = earliest(nextDueAt, nextDue(context, atThis, priority, now));
    heads = heads.filter((head) => head.priority < priority);
    heads.push(...topPriorities(context, atThis, priority, sql.topPriority));
  }
  return { due, nextDueAt };
}

function topPriorities(
  context: WriteContext,
  lanes: readonly number[],
  below: number,
  statement: string,
): { lane: number; priority: number }[] {
  const top = context.connection.prepare(statement);
  const heads: { lane: number; priority: number }[] = [];
  for (const lane of lanes) {
    const head = top.get(lane, below) as [number] | undefined;
    if (head) heads.push({ lane, priority: head[0] });
  }
  return heads;
}

function dueAtPriority(
  context: WriteContext,
  lanes: readonly number[],
  priority: number,
  limit: number,
  now: number,
): Due[] {
  const statement = context.connection.prepare(sql.dueInLane);
  const found = lanes.flatMap((lane) => statement.all(lane, priority, now, limit) as unknown as Due[]);
  if (lanes.length > 1) found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return found.slice(0, limit);
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
function findSuspect(context: WriteContext, lanes: readonly number[], now: number): Found {
  const statement = context.connection.prepare(sql.suspectInLane);
  let nextDueAt: number | undefined;
  let heads = topPriorities(context, lanes, aboveAllPriorities, sql.topSuspectPriority);
  while (heads.length > 0) {
    const priority = Math.max(...heads.map((head) => head.priority));
    const atThis = heads.filter((head) => head.priority === priority).map((head) => head.lane);
    const found = atThis.flatMap((lane) => statement.all(lane, priority, now) as unknown as Due[]);
    found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (found[0]) return { due: [found[0][1]], nextDueAt };
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
