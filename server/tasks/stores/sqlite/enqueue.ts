/** Enqueue (T0) on the writing thread. A batch that arrives in parts is inserted as it comes; see stream.ts. */
import type { SQLInputValue } from "node:sqlite";
import type { Written } from "../../core/store.ts";
import type { Rows } from "./protocol.ts";
import type { Row } from "./rows.ts";
import { isConstraint } from "./sqlite-errors.ts";
import { insertBatch, sql } from "./statements.ts";
import { findTask, type WriteContext, withNames } from "./write-context.ts";

/**
 * A longer payload lies in a table of its own: claim and settlement write the task's row anew, and with a payload of
 * 20 KB in it that costs three times as much, with 100 KB six times (bench/big-payload.ts).
 */
const payloadInlineMax = 4_000;

/** A new task as it crosses to the writing thread. */
export type NewRow = [
  id: string,
  type: string,
  queue: string,
  ownId: number,
  priority: number,
  dueAt: number,
  createdAt: number,
  maxAttempts: number,
  rerunAfterCrash: number,
  payload: string,
  payloadTypes: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  settings: string | null,
];

/** The tasks that were stored already, by their place in the call; empty when all were new. */
export interface Existing {
  indexes: number[];
  found: Rows;
}

export type Enqueued = Written<Existing | null, "id-taken" | "idempotency-conflict">;

export function enqueueTasks(context: WriteContext, rows: readonly NewRow[]): Enqueued {
  const existing: [number, Row][] = [];
  const refusal = insertRows(context, rows, 0, existing);
  if (!refusal) return enqueued(context, existing);
  if (rows.length > 1) context.undo();
  else if (refusal.kind === "rejected") delete refusal.details?.index;
  return refusal;
}

export function enqueued(context: WriteContext, existing: readonly [number, Row][]): Enqueued {
  if (existing.length === 0) return { kind: "ok", value: null };
  const found = withNames(
    context.connection,
    existing.map(([, row]) => row),
  );
  return { kind: "ok", value: { indexes: existing.map(([index]) => index), found } };
}

/** Inserts from `offset` on; answers a refusal at the first row that cannot be, with earlier ones still inserted. */
export function insertRows(
  context: WriteContext,
  rows: readonly NewRow[],
  offset: number,
  existing: [number, Row][],
): Enqueued | undefined {
  let index = 0;
  while (index < rows.length) {
    if (insertTogether(context, rows, index)) {
      index += insertBatch;
      continue;
    }
    const end = Math.min(rows.length, index + insertBatch);
    for (; index < end; index++) {
      const met = insertOne(context, rows[index]!, offset + index);
      if (Array.isArray(met)) existing.push([offset + index, met]);
      else if (met) return met;
    }
  }
  context.changed = true;
  return undefined;
}

/** Inserts the next `insertBatch` rows in one statement; false when there are fewer, or one of them needs more care. */
function insertTogether(context: WriteContext, rows: readonly NewRow[], start: number): boolean {
  const end = start + insertBatch;
  if (end > rows.length) return false;
  const values: SQLInputValue[] = [];
  const lanes: number[] = [];
  for (let index = start; index < end; index++) {
    const row = rows[index]!;
    if (row[3] === 1 || row[9].length > payloadInlineMax) return false;
    const lane = context.lanes.of(row[1], row[2], false);
    lanes.push(lane);
    values.push(
      row[0],
      lane,
      0,
      row[4],
      row[5],
      row[6],
      row[6],
      row[7],
      row[8],
      row[9],
      row[10],
      row[11],
      row[12],
      row[13],
      row[14],
    );
  }
  try {
    context.connection.prepare(sql.insertTasks).run(...values);
  } catch (error) {
    if (isConstraint(error)) return false;
    throw error;
  }
  for (const lane of lanes) context.tally.move(lane, 0, 1);
  return true;
}

/** Inserts one row; answers the stored task that it is the same as, or why it is refused. */
function insertOne(context: WriteContext, row: NewRow, index: number): Row | Enqueued | undefined {
  const [id, type, queue, ownId, , , , , , payload] = row;
  const { connection } = context;
  if (ownId === 1 && connection.prepare(sql.isDefinition).get(id)) {
    return refuse("id-taken", { index, id, owner: "definition" });
  }
  const lane = context.lanes.of(type, queue, ownId === 1);
  const isBig = payload.length > payloadInlineMax;
  const [
    ,
    ,
    ,
    ,
    priority,
    dueAt,
    createdAt,
    maxAttempts,
    rerun,
    ,
    types,
    description,
    tags,
    idempotency,
    settings,
  ] = row;
  const inserted = connection
    .prepare(sql.insertTask)
    .run(
      id,
      lane,
      ownId,
      priority,
      dueAt,
      createdAt,
      maxAttempts,
      rerun,
      isBig ? null : payload,
      types,
      description,
      tags,
      idempotency,
      settings,
    );
  if (inserted.changes !== 1) return meetExisting(context, row, lane, index);
  if (isBig) connection.prepare(sql.insertBigPayload).run(inserted.lastInsertRowid, payload);
  context.tally.move(lane, 0, 1);
  return undefined;
}

/** The stored task that the new one is the same as, or why it is refused. */
function meetExisting(context: WriteContext, row: NewRow, lane: number, index: number): Row | Enqueued {
  const [id, , , , , , , , , payload, payloadTypes, , , idempotency] = row;
  const sameId = findTask(context.connection, id);
  if (sameId) {
    const same = sameId[2] === lane && sameId[18] === payload && sameId[19] === payloadTypes;
    return same ? sameId : refuse("id-taken", { index, id, owner: "task" });
  }
  const sameKey = context.connection.prepare(sql.findByIdempotency).get(idempotency) as unknown as Row;
  if (sameKey[18] === payload && sameKey[19] === payloadTypes) return sameKey;
  const key = idempotency!.slice(row[1].length + 1);
  return refuse("idempotency-conflict", { index, id, key, existingId: sameKey[1] });
}

function refuse(reason: "id-taken" | "idempotency-conflict", details: Record<string, unknown>): Enqueued {
  return { kind: "rejected", reason, details };
}
