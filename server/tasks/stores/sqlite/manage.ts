/** The operator's verbs and retention on the writing thread (T6, T7, T13, T14, T15), and saving definitions. */

import { type AuditedChange, editState } from "../../core/port/store-audit.ts";
import type { ChangeBy, PruneRequest, StoredDefinition, TaskEdit, Written } from "../../core/store.ts";
import { compareText } from "../../core/values/compare.ts";
import { declareAttributes } from "./attributes/attribute-fills.ts";
import { record } from "./audit.ts";
import { briefOf } from "./counts/brief-hours.ts";
import type { LaneName } from "./lanes.ts";
import type { Row } from "./rows.ts";
import { sql } from "./statements.ts";
import { statusNames, statusNumbers } from "./statuses.ts";
import { removeTexts } from "./texts/texts.ts";
import type { Rows } from "./threads/protocol.ts";
import { findTask, laneNames, type WriteContext, withNames } from "./threads/write-context.ts";

interface Change {
  id: string;
  expectedVersion?: number | undefined;
  by?: ChangeBy | undefined;
}

export function saveDefinitions(
  context: WriteContext,
  definitions: readonly Omit<StoredDefinition, "createdAt" | "updatedAt">[],
  now: number,
): Written<void, "id-taken"> {
  for (const definition of definitions) {
    if (findTask(context.connection, definition.id)) {
      context.undo();
      return { kind: "rejected", reason: "id-taken", details: { id: definition.id, owner: "task" } };
    }
    context.connection
      .prepare(sql.saveDefinition)
      .run(
        definition.id,
        definition.description ?? null,
        definition.maxAttempts,
        definition.queue,
        definition.priority,
        definition.timeoutMs,
        JSON.stringify(definition.tags),
        definition.rerunAfterCrash ? 1 : 0,
        now,
        definition.attributes ? JSON.stringify(definition.attributes) : null,
        definition.payloadSchema ? JSON.stringify(definition.payloadSchema) : null,
      );
    declareAttributes(context, definition);
  }
  return { kind: "ok", value: undefined };
}

export function cancelTask(
  context: WriteContext,
  change: Change,
  now: number,
): Written<{ task: Rows; requested: boolean }, "not-found" | "finished" | "version"> {
  const task = findTask(context.connection, change.id);
  if (!task) return notFound(change);
  if (task[3] >= 3) return { kind: "rejected", reason: "finished", details: describe(task) };
  const stale = checkVersion(task, change);
  if (stale) return stale;
  const requested = task[3] === 2;
  const changed = context.connection
    .prepare(requested ? sql.requestCancel : sql.cancelPending)
    .get(now, task[0], actionRecord(change)) as unknown as Row;
  if (requested) context.tally.touch(task[2], 2);
  else {
    context.tally.move(task[2], 1, 5, 1, now);
    context.tally.times.move(task[2], 1, 5, task[6], now, briefOf(task[8], now));
    context.attributes.moved(task[2], () => [task[0]], 1, 5);
  }
  const after = requested ? { status: "RUNNING", cancelRequested: true } : { status: "CANCELLED" };
  // Asked again, nothing is changed.
  if (changed[12] !== task[12]) recordOf(context, change, task, { action: "cancel", after }, now);
  context.changed = true;
  return { kind: "ok", value: { task: withNames(context.connection, [changed]), requested } };
}

export function retryTask(
  context: WriteContext,
  change: Change,
  now: number,
): Written<{ task: Rows }, "not-found" | "not-finished" | "completed" | "version"> {
  const task = findTask(context.connection, change.id);
  if (!task) return notFound(change);
  if (task[3] < 3) return { kind: "rejected", reason: "not-finished", details: describe(task) };
  if (task[3] === 3) return { kind: "rejected", reason: "completed", details: describe(task) };
  const stale = checkVersion(task, change);
  if (stale) return stale;
  const changed = context.connection
    .prepare(sql.retryTask)
    .get(now, task[0], actionRecord(change)) as unknown as Row;
  context.tally.move(task[2], task[3], 1, 1, now);
  context.tally.times.move(task[2], task[3], 1, task[6], task[7]);
  context.attributes.moved(task[2], () => [task[0]], task[3], 1);
  recordOf(context, change, task, { action: "retry", after: { status: "PENDING" } }, now);
  context.changed = true;
  return { kind: "ok", value: { task: withNames(context.connection, [changed]) } };
}

export function editTask(
  context: WriteContext,
  change: Change & { edit: TaskEdit },
  now: number,
): Written<{ task: Rows }, "not-found" | "not-pending" | "version"> {
  const task = findTask(context.connection, change.id);
  if (!task) return notFound(change);
  if (task[3] !== 1) return { kind: "rejected", reason: "not-pending", details: describe(task) };
  const stale = checkVersion(task, change);
  if (stale) return stale;
  const { priority, dueAt } = change.edit;
  const changed = context.connection
    .prepare(sql.editTask)
    .get(priority ?? null, dueAt ?? null, now, task[0], actionRecord(change)) as unknown as Row;
  context.tally.changed(task[2], 1, now);
  const before = editState(change.edit, { priority: task[4], dueAt: task[5] });
  const after = editState(change.edit, { priority: changed[4], dueAt: changed[5] });
  recordOf(context, change, task, { action: "edit", before, after }, now);
  context.changed = true;
  return { kind: "ok", value: { task: withNames(context.connection, [changed]) } };
}

export function deleteTask(
  context: WriteContext,
  change: Change,
  now: number,
): Written<void, "not-found" | "not-finished" | "version"> {
  const task = findTask(context.connection, change.id);
  if (!task) return notFound(change);
  if (task[3] < 3) return { kind: "rejected", reason: "not-finished", details: describe(task) };
  const stale = checkVersion(task, change);
  if (stale) return stale;
  remove(context, task[0], task[2], task[3], task[6], task[7]);
  removeTexts(context, [task[0]]);
  recordOf(context, change, task, { action: "delete" }, now);
  return { kind: "ok", value: undefined };
}

export function pruneTasks(context: WriteContext, request: PruneRequest): Written<number> {
  const status = statusNumbers[request.status];
  const prunable = findPrunable(context.connection, request, context.tally.save().changes);
  for (const [endedAt, seq, lane, , createdAt] of prunable)
    remove(context, seq, lane, status, createdAt, endedAt);
  removeTexts(
    context,
    prunable.map(([, seq]) => seq),
  );
  return { kind: "ok", value: prunable.length };
}

type Prunable = [endedAt: number, seq: number, lane: number, id: string, createdAt: number];

/** The oldest finished tasks past their time, over all lanes; of one instant by id. */
export function findPrunable(
  connection: WriteContext["connection"],
  { status, before = Number.MAX_SAFE_INTEGER, types, keep, limit }: PruneRequest,
  pending?: ReadonlyMap<number, number>,
): Prunable[] {
  const number = statusNumbers[status];
  const lanes = lanesOf(connection, number, types);
  const most = keep === undefined ? limit : Math.min(limit, countIn(lanes, number, pending) - keep);
  if (most <= 0) return [];
  const statement = connection.prepare(sql.prunable);
  const found = lanes.flatMap(([lane]) => statement.all(lane, number, before, most) as unknown as Prunable[]);
  return found.sort((a, b) => a[0] - b[0] || compareText(a[3], b[3])).slice(0, most);
}

/** With what the transaction has changed so far: its counts are written at its end. */
function countIn(
  lanes: readonly [lane: number, tasks: number][],
  status: number,
  pending: ReadonlyMap<number, number> | undefined,
): number {
  return lanes.reduce((sum, [lane, tasks]) => sum + tasks + (pending?.get(lane * 8 + status) ?? 0), 0);
}

function lanesOf(
  connection: WriteContext["connection"],
  status: number,
  types: readonly string[] | undefined,
): [lane: number, tasks: number][] {
  const rows = types
    ? connection.prepare(sql.typesWithStatus).all(status, JSON.stringify([...new Set(types)]))
    : connection.prepare(sql.lanesWithStatus).all(status);
  return rows as unknown as [number, number][];
}

function remove(
  context: WriteContext,
  seq: number,
  lane: number,
  status: number,
  createdAt: number,
  endedAt: number,
): void {
  context.attributes.removing(lane, seq, status);
  if (context.connection.prepare(sql.deleteTask).run(seq).changes === 0) return;
  context.connection.prepare(sql.deleteAttempts).run(seq);
  context.connection.prepare(sql.deleteBigPayload).run(seq);
  context.tally.move(lane, status, 0);
  context.tally.times.move(lane, status, 0, createdAt, endedAt);
}

/** What the task remembers of an action that changes it. */
function actionRecord({ by }: Change): string | null {
  return by?.isPart ? by.id : null;
}

/** In the transaction of the change; the status that the task had is said with it. */
function recordOf(
  context: WriteContext,
  { by }: Change,
  task: Row,
  change: Pick<AuditedChange, "action" | "before" | "after">,
  now: number,
): void {
  if (!by || by.isPart) return;
  const [[, type]] = laneNames(context.connection, [task[2]]) as [LaneName];
  const before = { status: statusNames[task[3]], ...change.before };
  record(context, by, { kind: "task", target: task[1], type, ...change, before }, now);
}

function notFound({ id }: Change): {
  kind: "rejected";
  reason: "not-found";
  details: Record<string, unknown>;
} {
  return { kind: "rejected", reason: "not-found", details: { id } };
}

function checkVersion(
  task: Row,
  { expectedVersion }: Change,
): { kind: "rejected"; reason: "version"; details: Record<string, unknown> } | undefined {
  if (expectedVersion === undefined || expectedVersion === task[12]) return undefined;
  return { kind: "rejected", reason: "version", details: { ...describe(task), expectedVersion } };
}

function describe(task: Row): Record<string, unknown> {
  return { id: task[1], status: statusNames[task[3]], version: task[12] };
}
