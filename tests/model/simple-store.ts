/** What a store should do, as simply as it can be said: a Map and the rules of the protocol. No SQL, no threads. */
import type { TaskStatusName } from "../../server/tasks/core/task.ts";

export interface SimpleTask {
  id: string;
  type: string;
  status: TaskStatusName;
  priority: number;
  dueAt: number;
  attempts: number;
  maxAttempts: number;
  fence: number;
  crashes: number;
  snoozes: number;
  version: number;
  worker: string | undefined;
  cancelRequested: boolean;
  rerunAfterCrash: boolean;
  error: string | undefined;
  endedAt: number | undefined;
  /** The caller's idempotency key, and the payload that came with it. */
  key: string | undefined;
  payload: string;
  /** By fence. */
  outcomes: Map<number, string>;
  place: number;
}

type NewSimpleTask = Pick<
  SimpleTask,
  "id" | "type" | "priority" | "dueAt" | "maxAttempts" | "rerunAfterCrash" | "key" | "payload"
>;

export type SimpleOutcome = "completed" | "failed" | "cancelled" | "released" | "snoozed";

export const crashBudget = 3;

export class SimpleStore {
  readonly tasks = new Map<string, SimpleTask>();
  readonly alive = new Set<string>();
  /** How often each worker has beaten. */
  readonly renewals = new Map<string, number>();
  /** How attempts ended, by type and status of their task after it: `resize-image COMPLETED`. */
  readonly history = new Map<string, number>();
  #places = 0;

  /** The id of the task that is stored for it: its own, or that of an earlier one with its key; undefined when refused. */
  enqueue(task: NewSimpleTask): string | undefined {
    const same = [...this.tasks.values()].find(
      (one) => one.key !== undefined && one.key === task.key && one.type === task.type,
    );
    if (same) return same.payload === task.payload ? same.id : undefined;
    if (this.tasks.has(task.id)) return task.id;
    this.tasks.set(task.id, {
      ...task,
      status: "PENDING",
      attempts: 0,
      fence: 0,
      crashes: 0,
      snoozes: 0,
      version: 1,
      worker: undefined,
      cancelRequested: false,
      error: undefined,
      endedAt: undefined,
      outcomes: new Map(),
      place: ++this.#places,
    });
    return task.id;
  }

  /** The ids claimed, in order; undefined for a dead worker. */
  claim(
    worker: string,
    types: readonly string[],
    limit: number,
    suspect: boolean,
    now: number,
  ): string[] | undefined {
    if (!this.alive.has(worker)) return undefined;
    const due = [...this.tasks.values()]
      .filter((task) => task.status === "PENDING" && types.includes(task.type) && task.dueAt <= now)
      .sort((a, b) => b.priority - a.priority || a.dueAt - b.dueAt || a.place - b.place);
    const suspects = suspect ? due.filter((task) => task.crashes > 0).slice(0, Math.min(1, limit)) : [];
    const others = due.filter((task) => task.crashes === 0).slice(0, limit - suspects.length);
    const claimed = [...suspects, ...others];
    for (const task of claimed) {
      Object.assign(task, { status: "RUNNING", worker, fence: task.fence + 1, attempts: task.attempts + 1 });
      task.version += 1;
    }
    return claimed.map((task) => task.id);
  }

  /** The status after it, or undefined when the attempt was no longer the worker's. */
  settle(
    id: string,
    fence: number,
    worker: string,
    outcome: SimpleOutcome,
    retryAt: number | undefined,
    now: number,
  ): TaskStatusName | undefined {
    const task = this.tasks.get(id);
    if (!task) return undefined;
    const owns =
      task.status === "RUNNING" && task.fence === fence && task.worker === worker && this.alive.has(worker);
    if (!owns) return this.#isRecorded(task, fence, outcome) ? statusAfter(task, fence) : undefined;
    task.version += 1;
    if (outcome === "completed") {
      this.#end(task, "COMPLETED", "completed", now);
      task.error = undefined;
      return "COMPLETED";
    }
    const error = outcome === "failed" ? "boom" : undefined;
    if (task.cancelRequested || outcome === "cancelled") {
      this.#end(task, "CANCELLED", "cancelled", now);
      task.error = error;
      return "CANCELLED";
    }
    const again = outcome !== "failed" || (retryAt !== undefined && task.attempts < task.maxAttempts);
    if (!again) {
      this.#end(task, "FAILED", outcome, now);
      task.error = error;
      return "FAILED";
    }
    task.outcomes.set(fence, outcome);
    task.status = "PENDING";
    if (outcome === "failed") this.#count(task);
    task.dueAt = retryAt ?? now;
    if (error !== undefined) task.error = error;
    if (outcome !== "failed") task.attempts -= 1;
    if (outcome === "snoozed") task.snoozes += 1;
    return "PENDING";
  }

  /** What the worker owns, as `id:fence`; undefined when it is dead. */
  beat(worker: string): string[] | undefined {
    if (!this.alive.has(worker)) return undefined;
    this.renewals.set(worker, (this.renewals.get(worker) ?? 0) + 1);
    const owned = [...this.tasks.values()].filter(
      (task) => task.status === "RUNNING" && task.worker === worker,
    );
    return owned.map(({ id, fence }) => `${id}:${fence}`).sort();
  }

  /** Only when it has not beaten since `renewals` was seen. */
  bury(worker: string, renewals: number, now: number): void {
    if (renewals !== (this.renewals.get(worker) ?? 0) || !this.alive.delete(worker)) return;
    for (const task of this.tasks.values()) {
      if (task.status === "RUNNING" && task.worker === worker) this.#lose(task, now);
    }
  }

  cancel(id: string, now: number): "cancelled" | "requested" | "refused" {
    const task = this.tasks.get(id);
    if (!task || task.endedAt !== undefined) return "refused";
    if (task.status === "RUNNING") {
      if (!task.cancelRequested) task.version += 1;
      task.cancelRequested = true;
      return "requested";
    }
    task.version += 1;
    task.status = "CANCELLED";
    task.endedAt = now;
    return "cancelled";
  }

  retry(id: string, now: number): boolean {
    const task = this.tasks.get(id);
    if (!task || (task.status !== "FAILED" && task.status !== "CANCELLED")) return false;
    Object.assign(task, {
      status: "PENDING",
      dueAt: now,
      attempts: 0,
      crashes: 0,
      snoozes: 0,
      endedAt: undefined,
    });
    task.version += 1;
    task.cancelRequested = false;
    return true;
  }

  edit(id: string, priority: number): boolean {
    const task = this.tasks.get(id);
    if (task?.status !== "PENDING") return false;
    task.priority = priority;
    task.version += 1;
    return true;
  }

  delete(id: string): boolean {
    return this.tasks.get(id)?.endedAt !== undefined && this.tasks.delete(id);
  }

  prune(status: TaskStatusName, before: number, limit: number): number {
    const old = [...this.tasks.values()].filter((task) => task.status === status && task.endedAt! < before);
    old.sort((a, b) => a.endedAt! - b.endedAt! || (a.id < b.id ? -1 : 1));
    for (const task of old.slice(0, limit)) this.tasks.delete(task.id);
    return Math.min(old.length, limit);
  }

  /** Whether the attempt ended as its worker says; after a cancel request all but success is recorded as cancelled. */
  #isRecorded(task: SimpleTask, fence: number, outcome: SimpleOutcome): boolean {
    const recorded = task.outcomes.get(fence);
    return recorded === outcome || (recorded === "cancelled" && outcome !== "completed");
  }

  #end(task: SimpleTask, status: TaskStatusName, outcome: string, now: number): void {
    task.status = status;
    task.endedAt = now;
    task.cancelRequested = false;
    task.outcomes.set(task.fence, outcome);
    this.#count(task);
  }

  #count({ type, status }: SimpleTask): void {
    const key = `${type} ${status}`;
    this.history.set(key, (this.history.get(key) ?? 0) + 1);
  }

  #lose(task: SimpleTask, now: number): void {
    task.version += 1;
    task.crashes += 1;
    task.attempts -= 1;
    if (task.cancelRequested) {
      this.#end(task, "CANCELLED", "lost", now);
      task.error = undefined;
    } else if (task.rerunAfterCrash && task.crashes < crashBudget) {
      task.outcomes.set(task.fence, "lost");
      Object.assign(task, { status: "PENDING", dueAt: now });
      this.#count(task);
    } else {
      this.#end(task, "FAILED", "lost", now);
      task.error = "lost";
    }
  }
}

/** Of an earlier attempt it is only known that the task went on after it. */
function statusAfter(task: SimpleTask, fence: number): TaskStatusName {
  return task.fence === fence ? task.status : "PENDING";
}
