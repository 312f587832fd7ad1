/**
 * What claims are made of, a hundred thousand times a second, and none of it as an object or array literal. V8 counts how
 * many of a literal's objects outlive a collection; when nearly all do, as those in flight in the first moments of a drain,
 * it makes all later ones in the old generation, where they stay until a full collection (docs/design/storage.md). Copies
 * and objects of classes are not counted.
 */
import type { ClaimedTask, TaskSettings } from "../../core/store.ts";
import type { Task, TaskStatus } from "../../core/task.ts";

export class Claimed implements ClaimedTask {
  readonly ref: unknown;
  readonly fence: number;
  readonly task: Task;
  declare settings?: TaskSettings;
  declare unreadable?: string;

  constructor(ref: unknown, fence: number, task: Task) {
    this.ref = ref;
    this.fence = fence;
    this.task = task;
  }
}

/** A running task of which everything is still to be said. */
export function blankTask(): Task {
  const task = { ...blank };
  task.tags = noTags.slice();
  return task;
}

const noTags: string[] = [];
const never = new Date(0);

const blank: Task = {
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
