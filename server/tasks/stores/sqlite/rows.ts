/** Row ↔ Task and Attempt: the only place that knows columns as data. Runs on the main thread. */
import type { Attempt, AttemptOutcome } from "../../core/attempt.ts";
import type { StoredDefinition } from "../../core/store.ts";
import type { Task, TaskStatus } from "../../core/task.ts";
import type { StoredJson } from "../../core/values/searchable-text.ts";
import { decodeValue } from "../../core/values/value.ts";
import { statusNames } from "./statuses.ts";
import type { Rows } from "./threads/protocol.ts";

/** A task row, in the order of `columns` in statements.ts. */
export type Row = [
  seq: number,
  id: string,
  lane: number,
  status: number,
  priority: number,
  dueAt: number,
  createdAt: number,
  updatedAt: number,
  startedAt: number | null,
  completedAt: number | null,
  attempts: number,
  maxAttempts: number,
  version: number,
  worker: number | null,
  payload: string,
  result: string | null,
  error: string | null,
  /** `TaskRest` as JSON, where there is any. */
  rest: string | null,
  /** Not of a page. */
  fence?: number,
  /** JSON; for conditions, which are tested where the row is read. Not of a page. */
  attributes?: string | null,
];

/** What most tasks have none of. */
export type TaskRest = [
  crashes: number,
  snoozes: number,
  cancelRequestedAt: number | null,
  payloadTypes: string | null,
  resultTypes: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  progress: string | null,
];

const noRest: TaskRest = [0, 0, null, null, null, null, null, null, null];

export function restOf(row: Row): TaskRest {
  return row[17] === null ? noRest : (JSON.parse(row[17]) as TaskRest);
}

export type AttemptRow = [
  fence: number,
  number: number,
  worker: number | null,
  startedAt: number,
  endedAt: number | null,
  outcome: AttemptOutcome | null,
  error: string | null,
  lateOutcome: AttemptOutcome | null,
  logs: string | null,
];

export type DefinitionRow = [
  id: string,
  description: string | null,
  maxAttempts: number,
  queue: string,
  priority: number,
  timeoutMs: number | null,
  tags: string,
  rerunAfterCrash: number,
  createdAt: number,
  updatedAt: number,
  attributes: string | null,
  payloadSchema: string | null,
];

export interface LaneInfo {
  type: string;
  queue: string;
  description: string | null;
}

/** Looks up what the small numbers in a row stand for. */
export interface Names {
  lane(lane: number): LaneInfo;
  worker(worker: number): string | undefined;
}

export function namesOf(rows: Pick<Rows, "lanes" | "workers">): Names {
  const lanes = new Map(
    rows.lanes.map(([lane, type, queue, description]) => [lane, { type, queue, description }]),
  );
  const workers = new Map(rows.workers);
  const unknown = { type: "?", queue: "?", description: null };
  return { lane: (lane) => lanes.get(lane) ?? unknown, worker: (worker) => workers.get(worker) };
}

/** Never throws: a payload or result that cannot be read is left out and named in `unreadable`. */
export function toTask(row: Row, names: Names): Task {
  const rest = restOf(row);
  const task = toTaskOf(row, rest, names);
  readValues(row, rest, task);
  return task;
}

/** Without its payload and result. */
export function toBareTask(row: Row, names: Names): Task {
  return toTaskOf(row, restOf(row), names);
}

function toTaskOf(row: Row, rest: TaskRest, names: Names): Task {
  const [crashes, snoozes, cancelRequestedAt, , , ownDescription, tags, idempotency, progress] = rest;
  const lane = names.lane(row[2]);
  const task: Task = {
    id: row[1],
    type: lane.type,
    status: statusNames[row[3]] as TaskStatus,
    createdAt: new Date(row[6]),
    updatedAt: new Date(row[7]),
    payload: undefined,
    maxAttempts: row[11],
    attempts: row[10],
    queue: lane.queue,
    priority: row[4],
    dueAt: new Date(row[5]),
    tags: readJson(tags) ?? [],
    crashes,
    snoozes,
    version: row[12],
  };
  const description = ownDescription ?? lane.description;
  if (description !== null) task.description = description;
  if (row[8] !== null) task.startedAt = new Date(row[8]);
  if (row[9] !== null) task.completedAt = new Date(row[9]);
  if (row[16] !== null) task.error = row[16];
  if (cancelRequestedAt !== null) task.cancelRequestedAt = new Date(cancelRequestedAt);
  if (idempotency !== null) task.idempotencyKey = idempotency.slice(lane.type.length + 1);
  if (progress !== null) task.progress = readJson(progress)!;
  const workerId = row[13] === null ? undefined : names.worker(row[13]);
  if (workerId !== undefined) task.workerId = workerId;
  return task;
}

/** The JSON that is stored of the payload and the result. */
export function jsonOf(row: Row): StoredJson {
  return { payload: row[14], ...(row[15] !== null && { result: row[15] }) };
}

/**
 * The attempts of a task. One that runs, or completed without logs of its settlement, is told by the task's row:
 * its own row, if there is one, holds what was reported while it ran.
 */
export function toAttempts(task: Row, attempts: readonly AttemptRow[], names: Names): Attempt[] {
  const fence = task[18]!;
  const reported = attempts.at(-1)?.[0] === fence ? attempts.at(-1) : undefined;
  const isTold = (task[3] === 2 || task[3] === 3) && (reported?.[5] ?? null) === null;
  if (!isTold) return attempts.map((row) => toAttempt(task[1], row, names));
  const outcome = task[3] === 3 ? "completed" : null;
  const implied: AttemptRow = [
    fence,
    task[10],
    task[13],
    task[8]!,
    task[9],
    outcome,
    null,
    null,
    reported?.[8] ?? null,
  ];
  const ended = reported ? attempts.slice(0, -1) : attempts;
  return [...ended, implied].map((row) => toAttempt(task[1], row, names));
}

function toAttempt(taskId: string, row: AttemptRow, names: Names): Attempt {
  const attempt: Attempt = {
    taskId,
    fence: row[0],
    number: row[1],
    startedAt: new Date(row[3]),
    logs: (readJson<{ at: number | string }[]>(row[8]) ?? []).map((entry) => ({
      ...entry,
      at: new Date(entry.at),
    })) as Attempt["logs"],
  };
  const workerId = row[2] === null ? undefined : names.worker(row[2]);
  if (workerId !== undefined) attempt.workerId = workerId;
  if (row[4] !== null) attempt.endedAt = new Date(row[4]);
  if (row[5] !== null) attempt.outcome = row[5];
  if (row[6] !== null) attempt.error = readJson(row[6])!;
  if (row[7] !== null) attempt.lateOutcome = row[7];
  return attempt;
}

export function toDefinition(row: DefinitionRow): StoredDefinition {
  return {
    id: row[0],
    ...(row[1] === null ? {} : { description: row[1] }),
    maxAttempts: row[2],
    queue: row[3],
    priority: row[4],
    timeoutMs: row[5],
    tags: readJson(row[6]) ?? [],
    rerunAfterCrash: row[7] === 1,
    createdAt: new Date(row[8]),
    updatedAt: new Date(row[9]),
    ...(row[10] === null ? {} : { attributes: readJson(row[10]) ?? [] }),
    ...(row[11] === null ? {} : { payloadSchema: readJson<object>(row[11]) ?? {} }),
  };
}

/** The entry that stands for a definition, with what its latest task says, if it has one. */
export function toEntry(definition: StoredDefinition, latest: Task | undefined): Task {
  const entry: Task = {
    id: definition.id,
    type: definition.id,
    status: latest?.status ?? ("PENDING" as TaskStatus),
    createdAt: latest?.createdAt ?? definition.createdAt,
    updatedAt: latest?.updatedAt ?? definition.updatedAt,
    payload: undefined,
    maxAttempts: definition.maxAttempts,
    attempts: latest?.attempts ?? 0,
    queue: definition.queue,
    priority: definition.priority,
    tags: definition.tags,
    isDefinition: true,
  };
  if (definition.description !== undefined) entry.description = definition.description;
  for (const key of ["startedAt", "completedAt", "result", "error", "progress", "workerId"] as const) {
    if (latest?.[key] !== undefined) Object.assign(entry, { [key]: latest[key] });
  }
  return entry;
}

function readValues(row: Row, [, , , payloadTypes, resultTypes]: TaskRest, task: Task): void {
  try {
    task.payload = decode(row[14], payloadTypes);
    if (row[15] !== null) task.result = decode(row[15], resultTypes);
  } catch (error) {
    task.unreadable = (error as Error).message;
  }
}

/** @throws what it met in a value that cannot be read */
export function decode(json: string, types: string | null): unknown {
  return decodeValue(types === null ? { json } : { json, types });
}

/** Undefined for what is not JSON. */
export function readJson<Value>(text: string | null): Value | undefined {
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Value;
  } catch {
    return undefined;
  }
}
