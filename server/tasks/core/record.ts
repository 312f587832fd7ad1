/** Whole records of tasks and attempts, as they move from one store to another. */
import type { AttemptOutcome } from "./attempt.ts";
import type { Attributes } from "./store.ts";
import type { TaskStatusName } from "./task.ts";
import type { EncodedValue } from "./value.ts";

/**
 * A task with all that a store has of it, as it moves to another store. RUNNING tasks do not move. Instants are
 * milliseconds since 1970; absent is what the task does not have.
 */
export interface TaskRecord {
  id: string;
  type: string;
  queue: string;
  ownId: boolean;
  status: Exclude<TaskStatusName, "RUNNING">;
  priority: number;
  dueAt: number;
  createdAt: number;
  updatedAt: number;
  startedAt?: number;
  completedAt?: number;
  attempts: number;
  maxAttempts: number;
  fence: number;
  crashes: number;
  snoozes: number;
  version: number;
  rerunAfterCrash: boolean;
  payload: EncodedValue;
  result?: EncodedValue;
  error?: string;
  description?: string;
  idempotencyKey?: string;
  /** The worker that had it last. */
  workerId?: string;
  attributes?: Attributes;
  /** JSON, as it is stored. */
  tags?: string;
  settings?: string;
  progress?: string;
  /** Oldest first. */
  history: AttemptRecord[];
}

/** A stored attempt, as it moves with its task. */
export interface AttemptRecord {
  fence: number;
  number: number;
  workerId?: string;
  startedAt: number;
  endedAt?: number;
  outcome?: AttemptOutcome;
  lateOutcome?: AttemptOutcome;
  /** JSON, as it is stored. */
  error?: string;
  logs?: string;
}
