/**
 * The pruner: deletes finished tasks past their retention in small batches, each written to the archive first, and
 * records of the audit log past theirs.
 */
import type { Clock } from "../core/clock.ts";
import type { ArchivedTask, PruneRequest, StoreStats, TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Archive } from "./archive/archive.ts";
import { countInBytes } from "./kept-size.ts";
import type { Logger } from "./logger.ts";
import { Loop } from "./loop.ts";
import {
  isByAgeAlone,
  type Retention,
  type RoomFor,
  requestsByAge,
  requestsByType,
  typesToWeigh,
} from "./retention.ts";

const batchSize = 500;
/** Between two batches, so that claims and settlements come through. */
const pauseMs = 50;
const intervalMs = 60_000;

/** The audit log grows slowly. */
const auditIntervalMs = 3_600_000;

/** How long the counts by type are good for while rounds follow each other. */
const countsMs = 10_000;

export interface PrunerParts {
  store(): Promise<TaskStore>;
  clock: Clock;
  logger: Logger;
  retention: Retention;
  /** How long records of the audit log are kept; null for ever. */
  auditMs: number | null;
  archive: Archive | undefined;
}

/** What a store holds, and what its size leaves room for. */
interface Held {
  byType: StoreStats["byType"];
  roomFor: RoomFor;
  until: number;
}

export interface Pruned {
  archived: number;
  deleted: number;
  /** Only of a dry run: how many tasks are past their retention. */
  wouldDelete?: number;
}

export interface PruneOptions {
  /** Only counts what would be deleted; by size, about. Default false. */
  dryRun?: boolean;
}

export class Pruner {
  readonly #parts: PrunerParts;
  #loop: Loop | undefined;
  /** Whether `tick` ran before: a worker that has just started has better things to do. */
  #begun = false;
  #held: Held | undefined;
  /** By the monotonic clock. */
  #auditDueAt = Number.NEGATIVE_INFINITY;

  constructor(parts: PrunerParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, logger } = this.#parts;
    this.#loop = new Loop({ name: "deletion of old tasks", clock, logger, tick: () => this.#paced() });
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
  }

  /** Deletes one batch of each status; how long to wait before the next round. */
  async tick(): Promise<number> {
    let full = false;
    for (const request of await this.#requests()) {
      const { deleted } = await this.#prune(request);
      full ||= deleted >= batchSize;
    }
    full ||= await this.#pruneAuditIfDue();
    return full ? pauseMs : intervalMs;
  }

  /** Deletes all tasks that are past their retention now; records of the audit log only workers delete. */
  async pruneNow(): Promise<Pruned> {
    const total: Pruned = { archived: 0, deleted: 0 };
    this.#held = undefined;
    for (const request of await this.#requests()) {
      for (;;) {
        const batch = await this.#prune(request);
        total.archived += batch.archived;
        total.deleted += batch.deleted;
        if (batch.deleted === 0 || Math.max(batch.deleted, batch.archived) < batchSize) break;
        await this.#parts.clock.sleep(pauseMs);
      }
    }
    return total;
  }

  /** How many tasks `pruneNow` would delete. */
  async countNow(): Promise<number> {
    this.#held = undefined;
    const store = await this.#parts.store();
    const requests = await this.#requests();
    const byAge = requests.filter(({ keep }) => keep === undefined);
    let tasks = 0;
    for (const request of byAge) tasks += await countPast(store, request);
    for (const { status, types = [], keep = 0 } of requests.filter(({ keep }) => keep !== undefined)) {
      const [type = ""] = types;
      const own = byAge.find((request) => request.status === status && request.types?.includes(type));
      const gone = own ? await countPast(store, { ...own, types }) : 0;
      tasks += Math.max(0, countOf(await this.#readHeld(), type, status) - keep - gone);
    }
    return tasks;
  }

  /** Answers whether there are more. */
  async #pruneAuditIfDue(): Promise<boolean> {
    const { clock } = this.#parts;
    if (clock.monotonic() < this.#auditDueAt) return false;
    if ((await this.#pruneAudit()) === batchSize) return true;
    this.#auditDueAt = clock.monotonic() + auditIntervalMs;
    return false;
  }

  /** Deletes one batch; answers how many. */
  async #pruneAudit(): Promise<number> {
    const { auditMs, clock } = this.#parts;
    if (auditMs === null) return 0;
    const store = await this.#parts.store();
    return committed(await store.pruneAudit({ before: clock.now() - auditMs, limit: batchSize }), store);
  }

  async #paced(): Promise<number> {
    if (this.#begun) return this.tick();
    this.#begun = true;
    return intervalMs * this.#parts.clock.random();
  }

  async #requests(): Promise<PruneRequest[]> {
    const { retention, clock } = this.#parts;
    const now = clock.now();
    if (isByAgeAlone(retention)) return requestsByAge(retention, now, batchSize);
    const { byType, roomFor } = await this.#readHeld();
    return requestsByType(retention, byType, now, batchSize, roomFor);
  }

  async #readHeld(): Promise<Held> {
    const { clock } = this.#parts;
    if (!this.#held || clock.monotonic() >= this.#held.until) {
      const store = await this.#parts.store();
      const { byType } = await store.stats();
      this.#held = {
        byType,
        roomFor: await this.#weigh(store, byType),
        until: clock.monotonic() + countsMs,
      };
    }
    return this.#held;
  }

  async #weigh(store: TaskStore, byType: StoreStats["byType"]): Promise<RoomFor> {
    const room = new Map<string, number>();
    for (const { type, status, sizeBytes } of typesToWeigh(this.#parts.retention, byType)) {
      room.set(`${status} ${type}`, await countInBytes(store, type, status, sizeBytes));
    }
    return (type, status) => room.get(`${status} ${type}`);
  }

  async #prune(request: PruneRequest): Promise<Pruned> {
    const store = await this.#parts.store();
    const { archive } = this.#parts;
    if (!archive) return { archived: 0, deleted: committed(await store.pruneTasks(request), store) };
    const tasks = await store.readPrunable(request);
    if (tasks.length === 0) return { archived: 0, deleted: 0 };
    await archive.append(tasks);
    return { archived: tasks.length, deleted: await deleteThese(store, tasks) };
  }
}

/** How many tasks ended before the instant of a request. */
async function countPast(store: TaskStore, { status, types, before }: PruneRequest): Promise<number> {
  const { count } = await store.countTasks({
    statuses: [status],
    ...(types && { types }),
    ...(before !== undefined && { updated: { end: before } }),
    sortBy: "createdAt",
    descending: true,
    limit: 1,
    offset: 0,
    definitions: false,
  });
  return count;
}

function countOf({ byType }: Held, type: string, status: PruneRequest["status"]): number {
  const own = byType.filter((entry) => entry.type === type && entry.status === status);
  return own.reduce((sum, { count }) => sum + count, 0);
}

/**
 * Deletes exactly what was archived, each as it was read: another process may prune at the same moment, and a task
 * may have been retried meanwhile. The store commits them together.
 */
async function deleteThese(store: TaskStore, archived: readonly ArchivedTask[]): Promise<number> {
  const answers = await Promise.all(archived.map(({ task }) => store.deleteTask(task.id, task.version)));
  return answers.filter((answer) => answer.kind === "ok").length;
}
