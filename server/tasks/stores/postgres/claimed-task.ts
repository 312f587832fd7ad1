/** Claimed row → ClaimedTask, tens of thousands of times a second: see stores/shared/claimed.ts. */
import type { ClaimedTask, TaskSettings } from "../../core/store.ts";
import { decodeValue } from "../../core/values/value.ts";
import { blankTask, Claimed } from "../shared/claimed.ts";
import type { Lane } from "./lanes.ts";
import { readJson } from "./rows.ts";

/** What a claim tells of each task, in this order; what nearly all have is null, which takes no time to send and to read. */
const claimed: readonly [column: string, type: string, expression?: string][] = [
  ["place", "tid", "tasks.ctid"],
  ["seq", "bigint", "tasks.seq"],
  ["id", "text"],
  ["lane", "integer"],
  ["created_at", "bigint"],
  ["fence", "integer"],
  ["payload", "text"],
  ["priority", "smallint", "nullif(priority, 0)"],
  ["due_at", "bigint", "nullif(due_at, created_at)"],
  ["attempts", "integer", "nullif(attempts, fence)"],
  ["max_attempts", "integer", "nullif(max_attempts, 1)"],
  ["crashes", "integer", "nullif(crashes, 0)"],
  ["snoozes", "integer", "nullif(snoozes, 0)"],
  ["version", "integer", "nullif(version, 2 * fence)"],
  ["payload_types", "text"],
  ["error", "text"],
  ["description", "text"],
  ["tags", "text"],
  ["idempotency", "text"],
  ["settings", "text"],
  ["progress", "text"],
];

/** For the RETURNING of a claim. */
export const claimedColumns = claimed
  .map(([column, , expression = column]) => `${expression} AS ${column}`)
  .join(", ");
/** For the row of the answer that tells of the claim itself. */
export const noClaimedColumns = claimed.map(([, type]) => `NULL::${type}`).join(", ");

export type ClaimedRow = [
  place: string,
  seq: number,
  id: string,
  lane: number,
  createdAt: number,
  fence: number,
  payload: string,
  priority: number | null,
  dueAt: number | null,
  attempts: number | null,
  maxAttempts: number | null,
  crashes: number | null,
  snoozes: number | null,
  version: number | null,
  payloadTypes: string | null,
  error: string | null,
  description: string | null,
  tags: string | null,
  idempotency: string | null,
  settings: string | null,
  progress: string | null,
];

/** As they are to run: the suspect first, then by priority, due time and place in the store. */
export function inOrder(a: ClaimedRow, b: ClaimedRow): number {
  return (
    Number(b[11] !== null) - Number(a[11] !== null) ||
    (b[7] ?? 0) - (a[7] ?? 0) ||
    (a[8] ?? a[4]) - (b[8] ?? b[4]) ||
    a[1] - b[1]
  );
}

/** What a claim gives and a settlement brings back. */
export interface TaskRef {
  /** Where the row was then. */
  readonly place: string;
  readonly seq: number;
  /** From when it was due to the claim. */
  readonly waitMs: number;
}

/**
 * Never throws: a payload that cannot be read is left out and named in `unreadable`.
 * @param at when it was claimed, by the store's clock
 */
export function toClaimedTask(
  row: ClaimedRow,
  lanes: ReadonlyMap<number, Lane>,
  workerId: string,
  at: number,
): ClaimedTask {
  const lane = lanes.get(row[3]) ?? unknownLane;
  const fence = row[5];
  const task = blankTask();
  task.id = row[2];
  task.type = lane.type;
  task.createdAt = new Date(row[4]);
  task.updatedAt = new Date(Math.max(at, row[4]));
  task.maxAttempts = row[10] ?? 1;
  task.attempts = row[9] ?? fence;
  task.queue = lane.queue;
  task.priority = row[7] ?? 0;
  task.dueAt = new Date(row[8] ?? row[4]);
  task.crashes = row[11] ?? 0;
  task.snoozes = row[12] ?? 0;
  task.version = row[13] ?? 2 * fence;
  task.startedAt = new Date(at);
  task.workerId = workerId;
  if (row[17] !== null) task.tags = readJson(row[17]) ?? task.tags;
  const description = row[16] ?? lane.description;
  if (description !== null) task.description = description;
  if (row[15] !== null) task.error = row[15];
  if (row[18] !== null) task.idempotencyKey = row[18].slice(lane.type.length + 1);
  if (row[20] !== null) task.progress = readJson(row[20])!;
  const claimed = new Claimed(new Ref(row, at), fence, task);
  const settings = row[19] === null ? undefined : readJson<TaskSettings>(row[19]);
  if (settings) claimed.settings = settings;
  readPayload(row, claimed);
  return claimed;
}

function readPayload(row: ClaimedRow, claimed: Claimed): void {
  try {
    claimed.task.payload = decodeValue(
      row[14] === null ? { json: row[6] } : { json: row[6], types: row[14] },
    );
  } catch (error) {
    claimed.task.unreadable = claimed.unreadable = (error as Error).message;
  }
}

const unknownLane = { type: "?", queue: "?", description: null };

class Ref implements TaskRef {
  readonly place: string;
  readonly seq: number;
  readonly waitMs: number;

  constructor(row: ClaimedRow, at: number) {
    this.place = row[0];
    this.seq = row[1];
    this.waitMs = at - (row[8] ?? row[4]);
  }
}
