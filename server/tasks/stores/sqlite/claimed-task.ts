/**
 * Claimed row → ClaimedTask, a hundred thousand times a second. Runs on the main thread.
 *
 * Nothing made per task here is an object or array literal. V8 counts how many of a literal's objects outlive a collection; when nearly
 * all do, as those in flight in the first moments of a drain, it makes all later ones in the old generation, where they
 * stay until a full collection (docs/design/storage.md). Copies and constructors are not counted.
 */
import type { ClaimedTask, TaskSettings } from "../../core/store.ts";
import type { Task, TaskStatus } from "../../core/task.ts";
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
}

/** The task as a claim has left it. Never throws, as `toTask`. */
export function toClaimedTask(
  row: ClaimedRow,
  lanes: (lane: number) => LaneInfo,
  workerId: string,
  claimedAt: number,
): ClaimedTask {
  const lane = lanes(row[2]);
  const task = { ...blankTask };
  task.id = row[1];
  task.type = lane.type;
  task.createdAt = new Date(row[5]);
  task.updatedAt = new Date(Math.max(claimedAt, row[5]));
  task.maxAttempts = row[7];
  task.attempts = row[6] + 1;
  task.queue = lane.queue;
  task.priority = row[3];
  task.dueAt = new Date(row[4]);
  task.tags = noTags.slice();
  task.version = row[9] + 1;
  task.startedAt = new Date(claimedAt);
  task.workerId = workerId;
  if (lane.description !== null) task.description = lane.description;
  const claimed = new Claimed(new Ref(row[0], row[2]), row[8] + 1, task);
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
  task.tags = readJson(tags) ?? [];
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

const noTags: string[] = [];
const never = new Date(0);

const blankTask: Task = {
  id: "",
  type: "",
  status: "RUNNING" as TaskStatus,
  createdAt: never,
  updatedAt: never,
  payload: undefined,
  maxAttempts: 1,
  attempts: 1,
  queue: "",
  priority: 0,
  dueAt: never,
  tags: noTags,
  crashes: 0,
  snoozes: 0,
  version: 1,
  startedAt: never,
  workerId: "",
};

class Claimed implements ClaimedTask {
  readonly ref: TaskRef;
  readonly fence: number;
  readonly task: Task;
  declare settings?: TaskSettings;
  declare unreadable?: string;

  constructor(ref: TaskRef, fence: number, task: Task) {
    this.ref = ref;
    this.fence = fence;
    this.task = task;
  }
}

class Ref implements TaskRef {
  readonly seq: number;
  readonly lane: number;

  constructor(seq: number, lane: number) {
    this.seq = seq;
    this.lane = lane;
  }
}
