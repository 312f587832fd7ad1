/** Enqueue (T0) on the writing thread. A batch that arrives in parts is inserted as it comes; see stream.ts. */
import type { SQLInputValue } from "node:sqlite";
import { enqueuedChange } from "../../core/port/store-audit.ts";
import type { By, EnqueueRefusal, Written } from "../../core/store.ts";
import { minuteOf } from "../shared/kept-counts.ts";
import { record } from "./audit.ts";
import { type Row, restOf } from "./rows.ts";
import { isConstraint } from "./sqlite-errors.ts";
import { insertBatch, sql } from "./statements.ts";
import type { Rows } from "./threads/protocol.ts";
import { findTask, type WriteContext, withNames } from "./threads/write-context.ts";

/**
 * A longer payload lies in a table of its own: claim and settlement write the task's row anew, and with a payload of
 * 20 KB in it that costs three times as much, with 100 KB six times (bench/big-payload.ts).
 */
const payloadInlineMax = 4_000;

/** What new tasks that were enqueued alike have in common. */
export type SharedValues = [
  type: string,
  queue: string,
  ownId: number,
  priority: number,
  /** Null for the instant of creation. */
  dueAt: number | null,
  maxAttempts: number,
  rerunAfterCrash: number,
  payloadTypes: string | null,
  description: string | null,
  tags: string | null,
  settings: string | null,
];

/** New tasks as they cross to the writing thread: neighbours that were enqueued alike, as columns. */
export interface NewRun {
  shared: SharedValues;
  ids: string[];
  createdAts: number[];
  payloads: string[];
  idempotencies: (string | null)[];
  /** How many tasks may be PENDING in the queue. */
  queueDepthMax?: number;
  /** JSON; absent when no task of the run has any. */
  attributes?: (string | null)[];
}

/** The tasks that were stored already, by their place in the call; empty when all were new. */
export interface Existing {
  indexes: number[];
  found: Rows;
}

export type Enqueued = Written<Existing | null, EnqueueRefusal>;

export function enqueueTasks(context: WriteContext, runs: readonly NewRun[]): Enqueued {
  const existing: [number, Row][] = [];
  const refusal = insertRuns(context, runs, 0, existing);
  if (!refusal) return enqueued(context, existing);
  if (countTasks(runs) > 1 || runs[0]?.queueDepthMax !== undefined) context.undo();
  if (countTasks(runs) === 1 && refusal.kind === "rejected") delete refusal.details?.index;
  return refusal;
}

/** `enqueueTasks` for somebody who asks for it. */
export function enqueueBy(
  context: WriteContext,
  { runs, by }: { runs: readonly NewRun[]; by: By },
  now: number,
): Enqueued {
  const answer = enqueueTasks(context, runs);
  if (answer.kind === "ok") recordEnqueued(context, by, runs, answer.value?.indexes ?? [], now);
  return answer;
}

/** @param known places of the tasks that were stored already */
export function recordEnqueued(
  context: WriteContext,
  by: By | undefined,
  runs: readonly NewRun[],
  known: readonly number[],
  now: number,
): void {
  if (!by) return;
  const there = new Set(known);
  const tasks = runs.flatMap(({ ids, shared: [type] }) => ids.map((id) => ({ id, type })));
  const added = tasks.filter((_, index) => !there.has(index));
  record(context, by, enqueuedChange(added), now);
}

export function countTasks(runs: readonly NewRun[]): number {
  return runs.reduce((sum, run) => sum + run.ids.length, 0);
}

export function enqueued(context: WriteContext, existing: readonly [number, Row][]): Enqueued {
  if (existing.length === 0) return { kind: "ok", value: null };
  const found = withNames(
    context.connection,
    existing.map(([, row]) => row),
  );
  return { kind: "ok", value: { indexes: existing.map(([index]) => index), found } };
}

/** Inserts from `offset` on; answers a refusal at the first task that cannot be, with earlier ones still inserted. */
export function insertRuns(
  context: WriteContext,
  runs: readonly NewRun[],
  offset: number,
  existing: [number, Row][],
): Enqueued | undefined {
  let index = offset;
  for (const run of runs) {
    const known = existing.length;
    const refusal = insertRun(context, run, index, existing);
    if (refusal) return refusal;
    const added = run.ids.length - (existing.length - known);
    if (run.queueDepthMax !== undefined && added > 0) {
      const full = refuseOverfull(context, run.shared[1], run.queueDepthMax);
      if (full) return full;
    }
    index += run.ids.length;
  }
  context.changed = true;
  return undefined;
}

/** By the counts, those of this transaction included. */
function refuseOverfull({ lanes, tally }: WriteContext, queue: string, max: number): Enqueued | undefined {
  let waiting = 0;
  for (const lane of lanes.ofQueue(queue)) waiting += tally.waiting(lane);
  return waiting > max ? refuse("queue-full", { queue, max }) : undefined;
}

function insertRun(
  context: WriteContext,
  run: NewRun,
  offset: number,
  existing: [number, Row][],
): Enqueued | undefined {
  const tasks = run.ids.length;
  let place = 0;
  while (place < tasks) {
    if (insertTogether(context, run, place)) {
      place += insertBatch;
      continue;
    }
    const end = Math.min(tasks, place + insertBatch);
    for (; place < end; place++) {
      const met = insertOne(context, run, place, offset + place);
      if (Array.isArray(met)) existing.push([offset + place, met]);
      else if (met) return met;
    }
  }
  return undefined;
}

/** Inserts the next `insertBatch` tasks in one statement; false when there are fewer, or one of them needs more care. */
function insertTogether(context: WriteContext, run: NewRun, start: number): boolean {
  const end = start + insertBatch;
  const [type, queue, ownId, ...rest] = run.shared;
  if (end > run.ids.length || ownId === 1) return false;
  const lane = context.lanes.of(type, queue, false);
  const values: SQLInputValue[] = [lane, ...rest];
  for (let place = start; place < end; place++) {
    const payload = run.payloads[place]!;
    if (payload.length > payloadInlineMax) return false;
    values.push(run.ids[place]!, run.createdAts[place]!, payload, run.idempotencies[place]!);
    if (run.attributes) values.push(run.attributes[place]!);
  }
  const text = run.attributes ? sql.insertTasksWithAttributes : sql.insertTasks;
  try {
    const { lastInsertRowid } = context.connection.prepare(text).run(...values);
    if (run.attributes) addAttributes(context, run, start, Number(lastInsertRowid) - insertBatch + 1);
  } catch (error) {
    if (isConstraint(error)) return false;
    throw error;
  }
  context.tally.move(lane, 0, 1, insertBatch);
  countMinutes(context, lane, run.createdAts, start, end);
  return true;
}

/** Neighbours are mostly of one minute. */
function countMinutes(
  { tally }: WriteContext,
  lane: number,
  createdAts: readonly number[],
  start: number,
  end: number,
): void {
  let minute = minuteOf(createdAts[start]!);
  let tasks = 1;
  for (let place = start + 1; place < end; place++) {
    const next = minuteOf(createdAts[place]!);
    if (next !== minute) {
      tally.times.moveMinute(lane, 0, 1, minute, minute, tasks);
      minute = next;
      tasks = 0;
    }
    tasks += 1;
  }
  tally.times.moveMinute(lane, 0, 1, minute, minute, tasks);
}

/** Rows that one statement inserts are numbered one after another. */
function addAttributes(context: WriteContext, run: NewRun, start: number, firstSeq: number): void {
  for (let place = 0; place < insertBatch; place++) {
    addAttributesOf(context, run, start + place, firstSeq + place);
  }
}

function addAttributesOf(context: WriteContext, run: NewRun, place: number, seq: number): void {
  const json = run.attributes?.[place];
  if (typeof json === "string") context.attributes.add(run.shared[0], seq, run.createdAts[place]!, 0, json);
}

/** Inserts one task; answers the stored one that it is the same as, or why it is refused. */
function insertOne(
  context: WriteContext,
  run: NewRun,
  place: number,
  index: number,
): Row | Enqueued | undefined {
  const [type, queue, ownId, ...rest] = run.shared;
  const id = run.ids[place]!;
  const payload = run.payloads[place]!;
  const { connection } = context;
  if (ownId === 1 && connection.prepare(sql.isDefinition).get(id)) {
    return refuse("id-taken", { index, id, owner: "definition" });
  }
  const lane = context.lanes.of(type, queue, ownId === 1);
  // The other way round needs no look: a new generated id has 80 bits of chance.
  if (ownId === 1 && connection.prepare(sql.hasGeneratedId).get(id))
    return meetExisting(context, run, place, index);
  const isBig = payload.length > payloadInlineMax;
  const inserted = connection
    .prepare(sql.insertTask)
    .run(
      lane,
      ...rest,
      ownId,
      id,
      run.createdAts[place]!,
      isBig ? null : payload,
      run.idempotencies[place]!,
      run.attributes?.[place] ?? null,
    );
  if (inserted.changes !== 1) return meetExisting(context, run, place, index);
  if (run.attributes) addAttributesOf(context, run, place, Number(inserted.lastInsertRowid));
  if (isBig) connection.prepare(sql.insertBigPayload).run(inserted.lastInsertRowid, payload);
  context.tally.move(lane, 0, 1);
  context.tally.times.move(lane, 0, 1, run.createdAts[place]!, run.createdAts[place]!);
  return undefined;
}

/** The stored task that the new one is the same as, or why it is refused. */
function meetExisting(context: WriteContext, run: NewRun, place: number, index: number): Row | Enqueued {
  const [type, queue, ownId, , , , , payloadTypes] = run.shared;
  const id = run.ids[place]!;
  const payload = run.payloads[place]!;
  const sameId = findTask(context.connection, id);
  if (sameId) {
    const lane = context.lanes.of(type, queue, ownId === 1);
    const same = sameId[2] === lane && hasPayload(sameId, payload, payloadTypes);
    return same ? sameId : refuse("id-taken", { index, id, owner: "task" });
  }
  const idempotency = run.idempotencies[place]!;
  const sameKey = context.connection.prepare(sql.findByIdempotency).get(idempotency) as unknown as Row;
  if (hasPayload(sameKey, payload, payloadTypes)) return sameKey;
  const key = idempotency.slice(type.length + 1);
  return refuse("idempotency-conflict", { index, id, key, existingId: sameKey[1] });
}

function hasPayload(row: Row, payload: string, types: string | null): boolean {
  const [, , , payloadTypes] = restOf(row);
  return row[14] === payload && payloadTypes === types;
}

function refuse(reason: EnqueueRefusal, details: Record<string, unknown>): Enqueued {
  return { kind: "rejected", reason, details };
}
