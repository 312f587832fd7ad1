/** Claimed row → ClaimedTask, tens of thousands of times a second: see stores/claimed.ts. */
import type { ClaimedTask, TaskSettings } from "../../core/store.ts";
import { decodeValue } from "../../core/value.ts";
import { blankTask, Claimed } from "../claimed.ts";
import type { Lane } from "./lanes.ts";
import { readJson } from "./rows.ts";

/** What a claim answers for each task: how the claim went, the place and number of the row, and `claimedColumns`. */
export type ClaimedRow = [
  alive: boolean,
  nextDueAt: number | null,
  missed: boolean | null,
  place: string,
  seq: number,
  id: string,
  lane: number,
  priority: number,
  dueAt: number,
  createdAt: number,
  startedAt: number,
  attempts: number,
  maxAttempts: number,
  fence: number,
  crashes: number,
  snoozes: number,
  version: number,
  payload: string,
  payloadTypes: string | null,
  error: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  settings: string | null,
  progress: string | null,
];

/** What a claim gives and a settlement brings back: where the row was then, and its number. */
export interface TaskRef {
  readonly place: string;
  readonly seq: number;
}

/** Never throws: a payload that cannot be read is left out and named in `unreadable`. */
export function toClaimedTask(
  row: ClaimedRow,
  lanes: ReadonlyMap<number, Lane>,
  workerId: string,
): ClaimedTask {
  const lane = lanes.get(row[6]) ?? unknownLane;
  const task = blankTask();
  task.id = row[5];
  task.type = lane.type;
  task.createdAt = new Date(row[9]);
  task.updatedAt = new Date(Math.max(row[10], row[9]));
  task.maxAttempts = row[12];
  task.attempts = row[11];
  task.queue = lane.queue;
  task.priority = row[7];
  task.dueAt = new Date(row[8]);
  task.crashes = row[14];
  task.snoozes = row[15];
  task.version = row[16];
  task.startedAt = new Date(row[10]);
  task.workerId = workerId;
  if (row[21] !== null) task.tags = readJson(row[21]) ?? task.tags;
  const description = row[20] ?? lane.description;
  if (description !== null) task.description = description;
  if (row[19] !== null) task.error = row[19];
  if (row[22] !== null) task.idempotencyKey = row[22].slice(lane.type.length + 1);
  if (row[24] !== null) task.progress = readJson(row[24])!;
  const claimed = new Claimed(new Ref(row[3], row[4]), row[13], task);
  const settings = row[23] === null ? undefined : readJson<TaskSettings>(row[23]);
  if (settings) claimed.settings = settings;
  readPayload(row, claimed);
  return claimed;
}

function readPayload(row: ClaimedRow, claimed: Claimed): void {
  try {
    claimed.task.payload = decodeValue(
      row[18] === null ? { json: row[17] } : { json: row[17], types: row[18] },
    );
  } catch (error) {
    claimed.task.unreadable = claimed.unreadable = (error as Error).message;
  }
}

const unknownLane = { type: "?", queue: "?", description: null };

class Ref implements TaskRef {
  readonly place: string;
  readonly seq: number;

  constructor(place: string, seq: number) {
    this.place = place;
    this.seq = seq;
  }
}
