/** What `dure top` shows, read at one moment; and the rates between moments. */
import type { Dure } from "../dure.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";
import type { StoreStats, WorkerRecord } from "../tasks/core/store.ts";
import { type Task, TaskStatus, type TaskStatusName } from "../tasks/core/task.ts";

/** Per second, over the last minute. */
export interface PerSecond {
  /** Tasks that became COMPLETED or FAILED. */
  ended: number;
  failed: number;
}

export interface Backlog {
  type: string;
  pending: number;
  running: number;
  /** Whether a living worker has its definition. */
  served: boolean;
}

export interface TopReading {
  at: Date;
  counts: Record<TaskStatusName, number>;
  perSecond: PerSecond;
  oldestDueMs?: number;
  /** Those that are alive, and those that died. */
  workers: WorkerRecord[];
  /** The one that has run longest first. */
  running: Task[];
  /** The newest first. */
  failures: Task[];
  /** The oldest first. */
  due: Task[];
  /** The longest first. */
  backlog: Backlog[];
}

const windowMs = 60_000;
/** Differences over less than this say little; the history is asked instead. */
const differencesFromMs = 10_000;
const searchBudget = "500ms";

export class TopReader {
  readonly #dure: Dure;
  readonly #rates = new Rates();

  constructor(dure: Dure) {
    this.#dure = dure;
  }

  /** @param limit at most so many tasks of each list */
  async read(limit: number): Promise<TopReading> {
    const at = new Date();
    const list = (options: TaskSearchOptions) =>
      this.#dure.searchTasks({ ...options, limit, definitions: false, budget: searchBudget });
    const [stats, workers, running, failures, due] = await Promise.all([
      this.#dure.stats(),
      this.#dure.listWorkers(),
      list({ status: TaskStatus.RUNNING, sortBy: "startedAt", sortOrder: "asc" }),
      list({ status: TaskStatus.FAILED, sortBy: "completedAt", sortOrder: "desc" }),
      // No index has the order of dueAt; of what is due, the oldest mostly waits longest.
      list({ status: TaskStatus.PENDING, dueAt: { lte: at }, sortBy: "createdAt", sortOrder: "asc" }),
    ]);
    const counts = countsOf(stats);
    return {
      at,
      counts,
      perSecond: this.#rates.add(at.getTime(), counts) ?? (await this.#rateBefore(at)),
      ...(stats.oldestDueMs !== undefined && { oldestDueMs: stats.oldestDueMs }),
      workers: workers.filter(({ state }) => state !== "stopped"),
      running,
      failures,
      due,
      backlog: backlogOf(stats, workers),
    };
  }

  /** By the history. */
  async #rateBefore(at: Date): Promise<PerSecond> {
    const start = new Date(at.getTime() - windowMs);
    const buckets = await this.#dure.readHistory({ bucket: "minute", start });
    const seconds = (at.getTime() - Math.floor(start.getTime() / windowMs) * windowMs) / 1_000;
    const failed = sum(buckets.map((bucket) => bucket.failed));
    const completed = sum(buckets.map((bucket) => bucket.completed));
    return { ended: (completed + failed) / seconds, failed: failed / seconds };
  }
}

/**
 * Rates from differences of counts. What is deleted meanwhile, or retried, takes away from the counts and is not
 * taken for negative work: only what rose from one moment to the next counts.
 */
export class Rates {
  #moments: { at: number; completed: number; failed: number }[] = [];

  /** Undefined while the first moment is too near. */
  add(at: number, { COMPLETED, FAILED }: Record<TaskStatusName, number>): PerSecond | undefined {
    this.#moments.push({ at, completed: COMPLETED, failed: FAILED });
    while (at - this.#moments[0]!.at > windowMs) this.#moments.shift();
    const seconds = (at - this.#moments[0]!.at) / 1_000;
    if (seconds * 1_000 < differencesFromMs) return undefined;
    const failed = this.#risen("failed");
    return { ended: (this.#risen("completed") + failed) / seconds, failed: failed / seconds };
  }

  #risen(what: "completed" | "failed"): number {
    const counts = this.#moments.map((moment) => moment[what]);
    return sum(counts.slice(1).map((count, index) => Math.max(0, count - counts[index]!)));
  }
}

function countsOf({ byType }: StoreStats): Record<TaskStatusName, number> {
  const counts = { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };
  for (const { status, count } of byType) counts[status] += count;
  return counts;
}

function backlogOf({ byType }: StoreStats, workers: readonly WorkerRecord[]): Backlog[] {
  const served = new Set(workers.filter(({ state }) => state === "alive").flatMap(({ types }) => types));
  const rows = Map.groupBy(byType, ({ type }) => type);
  return [...rows]
    .map(([type, groups]) => {
      const count = (wanted: TaskStatusName) =>
        sum(groups.filter(({ status }) => status === wanted).map((group) => group.count));
      return { type, pending: count("PENDING"), running: count("RUNNING"), served: served.has(type) };
    })
    .filter(({ pending }) => pending > 0)
    .sort((a, b) => b.pending - a.pending || (a.type < b.type ? -1 : 1));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
