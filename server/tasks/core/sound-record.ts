/** Whether a record that was read from a damaged file holds together: what no store would ever have written is not told as true. */
import { checkDefinitionId, checkQueue, checkTaskId } from "./names.ts";
import type { AttemptRecord, TaskRecord } from "./record.ts";

/** Milliseconds since 1970 of the first and the last instant that a task may have: the years 1 to 9999. */
const instants = [-62_135_596_800_000, 253_402_300_799_999] as const;
const outcomes = ["completed", "failed", "timed-out", "cancelled", "snoozed", "released", "lost", undefined];

export function isSoundRecord(record: TaskRecord): boolean {
  const { payload, result, tags, settings, progress, attributes } = record;
  return (
    hasSoundNames(record) &&
    hasSoundNumbers(record) &&
    hasSoundInstants(record) &&
    [payload.json, payload.types, result?.json, result?.types, tags, settings, progress].every(isJson) &&
    [record.error, record.description, record.idempotencyKey].every(isText) &&
    (attributes === undefined || (typeof attributes === "object" && attributes !== null)) &&
    typeof payload.json === "string" &&
    record.history.every(isSoundAttempt)
  );
}

function hasSoundNames({ id, type, queue }: TaskRecord): boolean {
  try {
    checkTaskId(id);
    checkDefinitionId(type);
    checkQueue(queue);
    return true;
  } catch {
    return false;
  }
}

function hasSoundNumbers(record: TaskRecord): boolean {
  const { priority, attempts, maxAttempts, fence, crashes, snoozes, version } = record;
  return (
    isWithin(priority, -1_000, 1_000) &&
    [attempts, fence, crashes, snoozes].every((number) => isWithin(number, 0)) &&
    [maxAttempts, version].every((number) => isWithin(number, 1))
  );
}

function hasSoundInstants(record: TaskRecord): boolean {
  const { status, dueAt, createdAt, updatedAt, startedAt, completedAt, version } = record;
  const hasEnded = status === "COMPLETED" || status === "FAILED" || status === "CANCELLED";
  return (
    (hasEnded || status === "PENDING") &&
    [dueAt, createdAt, updatedAt].every((instant) => isWithin(instant, ...instants)) &&
    [startedAt, completedAt].every((instant) => instant === undefined || isWithin(instant, ...instants)) &&
    hasEnded === (completedAt !== undefined) &&
    (version > 1 || (status === "PENDING" && updatedAt === createdAt))
  );
}

function isSoundAttempt({ fence, number, startedAt, endedAt, ...attempt }: AttemptRecord): boolean {
  return (
    [fence, number].every((value) => isWithin(value, 0)) &&
    [startedAt, endedAt ?? 0].every((instant) => isWithin(instant, ...instants)) &&
    [attempt.outcome, attempt.lateOutcome].every((outcome) => outcomes.includes(outcome)) &&
    [attempt.error, attempt.logs].every(isJson)
  );
}

function isWithin(value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isJson(value: unknown): boolean {
  if (value === undefined) return true;
  try {
    JSON.parse(value as string);
    return typeof value === "string";
  } catch {
    return false;
  }
}
