/** Claimed row → ClaimedTask, a hundred thousand times a second: see stores/shared/claimed.ts. Runs on the main thread. */
import type { ClaimedTask, TaskSettings } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { blankTask, Claimed } from "../shared/claimed.ts";
import { minuteOf } from "../shared/kept-counts.ts";
import { decode, type LaneInfo, readJson } from "./rows.ts";

/** A row that a claim takes, in the order of `claimedColumns` in statements.ts; as it was before the claim. */
export type ClaimedRow = [
  seq: number,
  id: string,
  lane: number,
  priority: number,
  dueAt: number,
  createdAt: number,
  attempts: number,
  maxAttempts: number,
  fence: number,
  version: number,
  payload: string,
  rest: string | null,
];

/** What most tasks have none of. */
type ClaimedRest = [
  crashes: number,
  snoozes: number,
  payloadTypes: string | null,
  error: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  settings: string | null,
  progress: string | null,
];

/** Where a claimed task's row is; comes back in settlements and reports. */
export interface TaskRef {
  readonly seq: number;
  readonly lane: number;
  /** In which it was created; see stores/shared/kept-counts.ts. */
  readonly minute: number;
  readonly type: string;
  /** The instant of the claim. */
  readonly startedAt: number;
  /** From when it was due to the claim. */
  readonly waitMs: number;
}

/** The task as a claim has left it. Never throws, as `toTask`. */
export function toClaimedTask(
  row: ClaimedRow,
  lanes: (lane: number) => LaneInfo,
  workerId: string,
  claimedAt: number,
): ClaimedTask {
  const lane = lanes(row[2]);
  const task = blankTask();
  task.id = row[1];
  task.type = lane.type;
  task.createdAt = new Date(row[5]);
  task.updatedAt = new Date(Math.max(claimedAt, row[5]));
  task.maxAttempts = row[7];
  task.attempts = row[6] + 1;
  task.queue = lane.queue;
  task.priority = row[3];
  task.dueAt = new Date(row[4]);
  task.version = row[9] + 1;
  task.startedAt = new Date(claimedAt);
  task.workerId = workerId;
  if (lane.description !== null) task.description = lane.description;
  const claimed = new Claimed(new Ref(row, lane.type, claimedAt), row[8] + 1, task);
  const rest = row[11] === null ? undefined : readRest(row[11], claimed);
  readPayload(row[10], rest?.[2] ?? null, task);
  if (task.unreadable !== undefined) claimed.unreadable = task.unreadable;
  return claimed;
}

function readRest(text: string, claimed: Claimed): ClaimedRest {
  const rest = JSON.parse(text) as ClaimedRest;
  const [crashes, snoozes, , error, description, tags, idempotency, settings, progress] = rest;
  const { task } = claimed;
  task.crashes = crashes;
  task.snoozes = snoozes;
  if (tags !== null) task.tags = readJson(tags) ?? task.tags;
  if (error !== null) task.error = error;
  if (description !== null) task.description = description;
  if (idempotency !== null) task.idempotencyKey = idempotency.slice(task.type.length + 1);
  if (progress !== null) task.progress = readJson(progress)!;
  const own = readJson<TaskSettings>(settings);
  if (own) claimed.settings = own;
  return rest;
}

function readPayload(json: string, types: string | null, task: Task): void {
  try {
    task.payload = decode(json, types);
  } catch (error) {
    task.unreadable = (error as Error).message;
  }
}

class Ref implements TaskRef {
  readonly seq: number;
  readonly lane: number;
  readonly minute: number;
  readonly type: string;
  readonly startedAt: number;
  readonly waitMs: number;

  constructor(row: ClaimedRow, type: string, claimedAt: number) {
    this.seq = row[0];
    this.lane = row[2];
    this.minute = minuteOf(row[5]);
    this.type = type;
    this.startedAt = claimedAt;
    this.waitMs = claimedAt - row[4];
  }
}
