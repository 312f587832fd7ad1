/** What the store's tests hand to it: new tasks, workers and settlements, with only the facts that matter given. */
import { createIds } from "../../server/tasks/core/ids.ts";
import type {
  AuditRecord,
  ClaimedTask,
  NewTask,
  Settlement,
  StoredDefinition,
  StoreSearch,
} from "../../server/tasks/core/store.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";

/** When the tests' world begins; milliseconds since 1970. */
export const startAt = Date.UTC(2026, 10, 23);

const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));

/** A generated id whose time is `at`, as core gives it to a task created then. */
export function newId(at = startAt): string {
  return createIds(() => at, randomBytes).taskId();
}

type NewTaskFacts = Partial<Omit<NewTask, "payload">> & { payload?: unknown };

/** A task as core hands it to the store; `id` given means that the caller chose it. */
export function newTask({ payload = { widthPx: 640 }, ...facts }: NewTaskFacts = {}): NewTask {
  const createdAt = facts.createdAt ?? startAt;
  return {
    id: newId(createdAt),
    type: "resize-image",
    queue: "default",
    priority: 0,
    createdAt,
    dueAt: createdAt,
    maxAttempts: 1,
    payload: encodeValue(payload, "payload"),
    description: undefined,
    tags: undefined,
    idempotencyKey: undefined,
    rerunAfterCrash: true,
    settings: undefined,
    ownId: facts.id !== undefined,
    ...facts,
  };
}

/** `count` tasks, in order. */
export function newTasks(count: number, facts: NewTaskFacts = {}): NewTask[] {
  const ids = createIds(() => facts.createdAt ?? startAt, randomBytes);
  return Array.from({ length: count }, () => newTask({ ...facts, id: ids.taskId(), ownId: false }));
}

export function newWorker(id = "worker-1") {
  return { id, host: "machine", pid: process.pid, concurrency: 10, types: ["resize-image"], leaseMs: 30_000 };
}

export function newDefinition(id = "resize-image"): Omit<StoredDefinition, "createdAt" | "updatedAt"> {
  return {
    id,
    maxAttempts: 1,
    queue: "default",
    priority: 0,
    timeoutMs: 300_000,
    tags: [],
    rerunAfterCrash: true,
  };
}

/** How the worker that claimed the task ends the attempt. */
export function settlementOf(
  { ref, task, fence }: ClaimedTask,
  outcome: Settlement["outcome"],
  facts: Partial<Settlement> = {},
): Settlement {
  return { ref, taskId: task.id, fence, workerId: "worker-1", outcome, ...facts };
}

export const someError = { name: "Error", message: "mailbox full" };

/** A search as core hands it to the store: all tasks, newest first. */
export function newSearch(facts: Partial<StoreSearch> = {}): StoreSearch {
  return { sortBy: "createdAt", descending: true, limit: 50, offset: 0, definitions: false, ...facts };
}

/** A record of the audit log. */
export function newRecord(facts: Partial<AuditRecord> = {}): AuditRecord {
  return {
    ...{ id: "record", at: new Date(startAt), action: "cancel", kind: "task", target: "order-17" },
    ...{ who: "anna", via: "cli", ...facts },
  };
}
