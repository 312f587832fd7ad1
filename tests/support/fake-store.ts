/**
 * A store of which only the verbs that the runtime's own tests watch do anything: a list to claim from, a list of
 * what was settled. Tests replace single verbs to make them fail, hang or answer late.
 */

import type {
  Beat,
  ClaimedTask,
  LeaseRequest,
  News,
  Pace,
  Settled,
  Settlement,
  TaskStore,
  Written,
} from "../../server/tasks/core/store.ts";
import { TaskStatus } from "../../server/tasks/core/task.ts";

export class FakeStore {
  readonly location = "a fake store";
  pace: Pace = { pollMs: 250, reapMs: 500, lookMs: 2_000 };
  readonly due: ClaimedTask[] = [];
  readonly settled: Settlement[] = [];
  readonly settleSizes: number[] = [];
  readonly claimLimits: number[] = [];
  readonly progress: unknown[] = [];
  readonly registered: string[] = [];
  readonly stopped: string[] = [];
  readonly listeners = new Set<(news?: News) => void>();
  cancelRequests: { taskId: string; fence: number }[] = [];
  lease: (LeaseRequest & { released: boolean; alives: number }) | undefined;
  /** What an explicit beat answers. */
  beat: Beat = { alive: true, owned: [] };

  open = async (): Promise<void> => {};
  close = async (): Promise<void> => {};

  onChange = (listener: (news?: News) => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  registerWorker: TaskStore["registerWorker"] = async ({ id }) => {
    this.registered.push(id);
    return ok(undefined);
  };

  stopWorker: TaskStore["stopWorker"] = async (id) => {
    this.stopped.push(id);
    return ok(undefined);
  };

  holdLease: TaskStore["holdLease"] = (request) => {
    const lease = { ...request, released: false, alives: 0 };
    this.lease = lease;
    return {
      alive: () => {
        lease.alives += 1;
      },
      beat: async () => this.beat,
      release: async () => {
        lease.released = true;
      },
    };
  };

  pruneHistory: TaskStore["pruneHistory"] = async () => ok(0);

  listSearches: TaskStore["listSearches"] = async () => [];

  endClaimWait: TaskStore["endClaimWait"] = () => undefined;

  claimTasks: TaskStore["claimTasks"] = async ({ limit, suspect }) => {
    this.claimLimits.push(limit);
    const claimed: ClaimedTask[] = [];
    for (let index = 0; index < this.due.length && claimed.length < limit; ) {
      const isSuspect = (this.due[index]!.task.crashes ?? 0) > 0;
      const taken = isSuspect && (!suspect || claimed.some(({ task }) => (task.crashes ?? 0) > 0));
      if (taken) index += 1;
      else claimed.push(...this.due.splice(index, 1));
    }
    return ok({ claimed });
  };

  settleTasks: TaskStore["settleTasks"] = async (settlements) => {
    this.settleSizes.push(settlements.length);
    this.settled.push(...settlements);
    return ok(settlements.map(settledAs));
  };

  reportProgress: TaskStore["reportProgress"] = async (reports) => {
    this.progress.push(...reports);
    return ok(undefined);
  };

  listCancelRequests: TaskStore["listCancelRequests"] = async () => this.cancelRequests;
  listWorkers: TaskStore["listWorkers"] = async () => [];
  reapWorkers: TaskStore["reapWorkers"] = async () => ok({ buried: [], tasks: [] });

  /** Puts a task on the list to claim from. */
  add(
    id: string,
    options: Partial<ClaimedTask["task"]> & Pick<ClaimedTask, "settings" | "unreadable"> = {},
  ): ClaimedTask {
    const { settings, unreadable, ...task } = options;
    const claimed: ClaimedTask = {
      ref: id,
      fence: 1,
      task: {
        id,
        type: "resize-image",
        status: TaskStatus.RUNNING,
        createdAt: new Date(0),
        updatedAt: new Date(0),
        payload: {},
        attempts: 1,
        maxAttempts: 1,
        ...task,
      },
      ...(settings && { settings }),
      ...(unreadable !== undefined && { unreadable }),
    };
    this.due.push(claimed);
    return claimed;
  }

  /** Says that something changed. */
  hint(): void {
    for (const listener of this.listeners) listener();
  }

  asStore(): TaskStore {
    return this as unknown as TaskStore;
  }
}

function settledAs({ outcome, retryAt }: Settlement): Settled {
  if (outcome === "completed") return { kind: "settled", status: "COMPLETED" };
  if (outcome === "cancelled") return { kind: "settled", status: "CANCELLED" };
  const again = retryAt !== undefined || outcome === "released";
  return { kind: "settled", status: again ? "PENDING" : "FAILED" };
}

function ok<Value>(value: Value): Written<Value> {
  return { kind: "ok", value };
}
