/**
 * Waits for tasks to end. Memory only shortens the wait: a settlement of this process or a hint of the store makes it
 * look at once (hints at most every 50 ms), and it looks anyway every second, which is the truth.
 */
import type { Clock } from "../core/clock.ts";
import { DureError } from "../core/errors.ts";
import { findNearIdsIn } from "../core/find.ts";
import { isFinished } from "../core/lifecycle.ts";
import type { TaskStore } from "../core/store.ts";
import type { Task } from "../core/task.ts";

const pollMs = 1_000;
const hintMs = 50;

export interface WaitOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

export class Waiter {
  readonly #clock: Clock;
  readonly #store: () => Promise<TaskStore>;
  readonly #waits = new Map<string, Set<Alarm>>();
  /** Whether the store tells of changes; it is asked to when the first wait begins, since that may cost a connection. */
  #isTold = false;
  #hintScheduled = false;
  #hintAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, store: () => Promise<TaskStore>) {
    this.#clock = clock;
    this.#store = store;
  }

  /** A task was settled in this process. */
  onEnded(taskId: string): void {
    if (this.#waits.size === 0) return;
    for (const alarm of this.#waits.get(taskId) ?? []) alarm.ring();
  }

  /** Something changed in the store. */
  onChange(): void {
    if (this.#waits.size === 0 || this.#hintScheduled) return;
    this.#hintScheduled = true;
    this.#clock.after(Math.max(0, this.#hintAt - this.#clock.monotonic()), () => {
      this.#hintScheduled = false;
      this.#hintAt = this.#clock.monotonic() + hintMs;
      for (const waits of this.#waits.values()) for (const alarm of waits) alarm.ring();
    });
  }

  /**
   * Resolves with the task once it has ended.
   * @throws DureError TASK_NOT_FOUND, WAIT_TIMEOUT; the signal's reason when it aborts
   */
  async waitForEnd(id: string, { timeoutMs, signal }: WaitOptions): Promise<Task> {
    signal?.throwIfAborted();
    const alarm = this.#add(id);
    let timedOut = false;
    const cancelTimer =
      timeoutMs === undefined
        ? undefined
        : this.#clock.after(timeoutMs, () => {
            timedOut = true;
            alarm.ring();
          });
    signal?.addEventListener("abort", alarm.ring, { once: true });
    try {
      for (;;) {
        alarm.reset();
        const task = await this.#read(id);
        if (isFinished(task.status)) return task;
        signal?.throwIfAborted();
        if (timedOut) throw waitTimeout(task, timeoutMs!);
        await alarm.rung(pollMs);
      }
    } finally {
      cancelTimer?.();
      signal?.removeEventListener("abort", alarm.ring);
      this.#remove(id, alarm);
    }
  }

  #add(id: string): Alarm {
    const alarm = new Alarm(this.#clock);
    const alarms = this.#waits.get(id);
    if (alarms) alarms.add(alarm);
    else this.#waits.set(id, new Set([alarm]));
    return alarm;
  }

  #remove(id: string, alarm: Alarm): void {
    const alarms = this.#waits.get(id);
    alarms?.delete(alarm);
    if (alarms?.size === 0) this.#waits.delete(id);
  }

  #follow(store: TaskStore): void {
    if (this.#isTold) return;
    this.#isTold = true;
    store.onChange((news) => {
      if (news === undefined || news === "ends") this.onChange();
    });
  }

  async #read(id: string): Promise<Task> {
    const store = await this.#store();
    this.#follow(store);
    const task = await store.getTask(id);
    if (task) return task;
    const near = await findNearIdsIn(store, id);
    const hint = near.length > 0 ? ` Did you mean ${near.map((other) => `"${other}"`).join(" or ")}?` : "";
    throw new DureError("TASK_NOT_FOUND", `There is no task "${id}".${hint}`, { details: { id, near } });
  }
}

function waitTimeout(task: Task, timeoutMs: number): DureError {
  return new DureError(
    "WAIT_TIMEOUT",
    `Task "${task.id}" is ${task.status} after ${timeoutMs} ms of waiting; it goes on. Wait longer, or see that a worker that defines "${task.type}" runs.`,
    { details: { id: task.id, status: task.status, timeoutMs } },
  );
}

/** Ends a pause early. What rings between `reset` and `rung` counts, so no news is missed while reading. */
class Alarm {
  readonly #clock: Clock;
  #rang = false;
  #endPause: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly ring = (): void => {
    this.#rang = true;
    this.#endPause?.();
  };

  reset(): void {
    this.#rang = false;
  }

  /** Resolves when it has rung since the last reset, or after `ms`. */
  rung(ms: number): Promise<void> {
    if (this.#rang) return Promise.resolve();
    return new Promise((resolve) => {
      const cancelTimer = this.#clock.after(ms, () => this.#endPause?.());
      this.#endPause = () => {
        this.#endPause = undefined;
        cancelTimer();
        resolve();
      };
    });
  }
}
