/** Whole records of tasks and attempts, as they move from one store to another. */
import type { AttemptOutcome } from "./attempt.ts";
import type { Attributes, TaskStore } from "./store.ts";
import type { TaskStatusName } from "./task.ts";
import type { EncodedValue } from "./values/value.ts";

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
  /** The id of the audit log's record of the last action on a search that changed it. */
  actionRecord?: string;
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

/** What can still be read of a damaged store, which is left as it is. */
export interface DamagedSource
  extends Pick<
    TaskStore,
    "location" | "listDefinitions" | "listSearches" | "listPauses" | "readHistory" | "readAudit"
  > {
  /** How many tasks it had; undefined when nothing tells. */
  countTasks(): number | undefined;
  /** In batches of at most `limit`; an empty one says only that it goes on. */
  readTasks(limit: number): Iterable<SalvagedTask[]>;
  /** Ids of tasks that `readTasks`, read to its end, could not give; as far as they are known. */
  missedIds(): Iterable<string>;
  /** What lies beside the tasks and could not be read, in words. */
  readonly unreadable: readonly string[];
}

/** A task that was read whole, at rest or RUNNING; or, when neither is there, one of which only its id is known. */
export interface SalvagedTask {
  id: string;
  record?: TaskRecord;
  running?: TaskRecord & { cancelRequested: boolean };
}
