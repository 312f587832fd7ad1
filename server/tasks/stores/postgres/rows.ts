/** Row ↔ Task, Attempt and the rest: the only place that knows columns as data. */
import type { Attempt, AttemptOutcome } from "../../core/attempt.ts";
import type { StoredDefinition, WorkerRecord } from "../../core/store.ts";
import type { Task, TaskStatus, TaskStatusName } from "../../core/task.ts";
import { decodeValue } from "../../core/values/value.ts";
import type { Lane } from "./lanes.ts";

/** By stored number. */
export const statusNames: readonly TaskStatusName[] = [
  "PENDING",
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
];

/** The stored numbers of a status. */
export const statusNumbers: Readonly<Record<TaskStatusName, readonly number[]>> = {
  PENDING: [0, 1],
  RUNNING: [2],
  COMPLETED: [3],
  FAILED: [4],
  CANCELLED: [5],
};

/** The columns that `toTask` reads, in its order; for a FROM that has the table `tasks` under that name. */
export const taskColumns = `tasks.id, tasks.lane, tasks.status, tasks.priority, tasks.due_at, tasks.created_at,
  tasks.updated_at, tasks.started_at, tasks.completed_at, tasks.attempts, tasks.max_attempts, tasks.fence,
  tasks.crashes, tasks.snoozes, tasks.version,
  (SELECT workers.id FROM :schema.workers WHERE workers.worker = tasks.worker) AS worker_id,
  tasks.cancel_requested_at, tasks.payload, tasks.payload_types, tasks.result, tasks.result_types, tasks.error,
  tasks.description, tasks.tags, tasks.idempotency, tasks.settings, tasks.progress`;

/** Of the payload, the result and the error. The server knows it of what it keeps apart without reading that. */
export const valueBytes = `(octet_length(tasks.payload) + coalesce(octet_length(tasks.payload_types), 0)
    + coalesce(octet_length(tasks.result), 0) + coalesce(octet_length(tasks.result_types), 0)
    + coalesce(octet_length(tasks.error), 0))`;

/** What a FROM has of the table for `columnsWithin`, behind an OFFSET that keeps it from being worked out for each column. */
export const sizedTasks = `tasks.*, ${valueBytes} AS bytes`;

/** The same with how large the values are behind them, and without values that are larger than this. */
export function columnsWithin(bytes: string): string {
  const within = taskColumns.replaceAll(
    /tasks\.(payload|payload_types|result|result_types|error)\b/g,
    (column) => `CASE WHEN tasks.bytes <= ${bytes}::bigint THEN ${column} END`,
  );
  return `${within}, tasks.bytes`;
}

/** The same without what a task was given and has given. */
export const bareColumns = `tasks.id, tasks.lane, tasks.status, tasks.priority, tasks.due_at, tasks.created_at,
  tasks.updated_at, tasks.started_at, tasks.completed_at, tasks.attempts, tasks.max_attempts, tasks.fence,
  tasks.crashes, tasks.snoozes, tasks.version, NULL, tasks.cancel_requested_at, 'null', NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, ${valueBytes}`;

export type TaskRow = [
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
  fence: number,
  crashes: number,
  snoozes: number,
  version: number,
  workerId: string | null,
  cancelRequestedAt: number | null,
  payload: string,
  payloadTypes: string | null,
  result: string | null,
  resultTypes: string | null,
  error: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  settings: string | null,
  progress: string | null,
  /** Where it was asked for: how large the values are. */
  bytes?: number,
];

/** Never throws: a payload or result that cannot be read is left out and named in `unreadable`. */
export function toTask(row: TaskRow, lanes: ReadonlyMap<number, Lane>): Task {
  const lane = lanes.get(row[1]) ?? { type: "?", queue: "?", description: null };
  const task: Task = {
    id: row[0],
    type: lane.type,
    status: statusNames[row[2]] as TaskStatus,
    createdAt: new Date(row[5]),
    updatedAt: new Date(row[6]),
    payload: undefined,
    maxAttempts: row[10],
    attempts: row[9],
    queue: lane.queue,
    priority: row[3],
    dueAt: new Date(row[4]),
    tags: readJson(row[23]) ?? [],
    crashes: row[12],
    snoozes: row[13],
    version: row[14],
  };
  const description = row[22] ?? lane.description;
  if (description !== null) task.description = description;
  if (row[7] !== null) task.startedAt = new Date(row[7]);
  if (row[8] !== null) task.completedAt = new Date(row[8]);
  if (row[21] !== null) task.error = row[21];
  if (row[16] !== null) task.cancelRequestedAt = new Date(row[16]);
  if (row[24] !== null) task.idempotencyKey = row[24].slice(lane.type.length + 1);
  if (row[26] !== null) task.progress = readJson(row[26])!;
  if (row[15] !== null) task.workerId = row[15];
  readValues(row, task);
  return task;
}

function readValues(row: TaskRow, task: Task): void {
  try {
    task.payload = decodeValue(row[18] === null ? { json: row[17] } : { json: row[17], types: row[18] });
    if (row[19] !== null)
      task.result = decodeValue(row[20] === null ? { json: row[19] } : { json: row[19], types: row[20] });
  } catch (error) {
    task.unreadable = (error as Error).message;
  }
}

export function readJson<Value>(text: string | null): Value | undefined {
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Value;
  } catch {
    return undefined;
  }
}

/** PostgreSQL's text cannot hold U+0000; it becomes U+FFFD. JSON needs none of this: there it is escaped. */
export function plainText(text: string | null | undefined): string | null {
  if (text === undefined || text === null) return null;
  return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}

/** fence, number, worker id, started_at, ended_at, outcome, error, late_outcome, logs; oldest first. */
export type AttemptRow = [
  fence: number,
  number: number,
  workerId: string | null,
  startedAt: number,
  endedAt: number | null,
  outcome: AttemptOutcome | null,
  error: string | null,
  lateOutcome: AttemptOutcome | null,
  logs: string | null,
];

/**
 * The attempts of a task. One that runs, or completed without logs of its settlement, is told by the task's row:
 * its own row, if there is one, holds what was reported while it ran.
 */
export function toAttempts(task: TaskRow, attempts: readonly AttemptRow[]): Attempt[] {
  const reported = attempts.at(-1)?.[0] === task[11] ? attempts.at(-1) : undefined;
  const isTold = (task[2] === 2 || task[2] === 3) && (reported?.[5] ?? null) === null;
  if (!isTold) return attempts.map((row) => toAttempt(task[0], row));
  const outcome = task[2] === 3 ? "completed" : null;
  const logs = reported?.[8] ?? null;
  const implied: AttemptRow = [task[11], task[9], task[15], task[7]!, task[8], outcome, null, null, logs];
  const ended = reported ? attempts.slice(0, -1) : attempts;
  return [...ended, implied].map((row) => toAttempt(task[0], row));
}

export function toAttempt(taskId: string, row: AttemptRow): Attempt {
  const logs = readJson<{ at: number | string }[]>(row[8]) ?? [];
  const attempt: Attempt = {
    taskId,
    fence: row[0],
    number: row[1],
    startedAt: new Date(row[3]),
    logs: logs.map((entry) => ({ ...entry, at: new Date(entry.at) })) as Attempt["logs"],
  };
  if (row[2] !== null) attempt.workerId = row[2];
  if (row[4] !== null) attempt.endedAt = new Date(row[4]);
  if (row[5] !== null) attempt.outcome = row[5];
  if (row[6] !== null) attempt.error = readJson(row[6])!;
  if (row[7] !== null) attempt.lateOutcome = row[7];
  return attempt;
}

export const definitionColumns =
  "id, description, max_attempts, queue, priority, timeout_ms, tags, rerun_after_crash, created_at, updated_at, attributes, " +
  "payload_schema";

export type DefinitionRow = [
  id: string,
  description: string | null,
  maxAttempts: number,
  queue: string,
  priority: number,
  timeoutMs: number | null,
  tags: string,
  rerunAfterCrash: boolean,
  createdAt: number,
  updatedAt: number,
  attributes: string | null,
  payloadSchema: string | null,
];

export function toDefinition(row: DefinitionRow): StoredDefinition {
  return {
    id: row[0],
    ...(row[1] === null ? {} : { description: row[1] }),
    maxAttempts: row[2],
    queue: row[3],
    priority: row[4],
    timeoutMs: row[5],
    tags: readJson(row[6]) ?? [],
    rerunAfterCrash: row[7],
    createdAt: new Date(row[8]),
    updatedAt: new Date(row[9]),
    ...(row[10] === null ? {} : { attributes: readJson<string[]>(row[10]) ?? [] }),
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

export const workerColumns =
  "id, state, host, pid, name, concurrency, types, queues, lease_ms, started_at, beat_at, renewals, loop_delay_ms";

/** `workerColumns`, then how many tasks it runs. */
export function toWorkerRecord(row: readonly any[]): WorkerRecord {
  const [
    id,
    state,
    host,
    pid,
    name,
    concurrency,
    types,
    queues,
    leaseMs,
    startedAt,
    beatAt,
    renewals,
    loopDelayMs,
    running,
  ] = row;
  return {
    id,
    state,
    host,
    pid,
    ...(name === null ? {} : { name }),
    concurrency,
    types: readJson(types) ?? [],
    ...(queues === null ? {} : { queues: readJson<string[]>(queues) ?? [] }),
    startedAt: new Date(startedAt),
    beatAt: new Date(beatAt),
    renewals,
    leaseMs,
    running,
    ...(loopDelayMs === null ? {} : { loopDelayMs }),
  };
}
