/** explainTask: why a task is where it is, and what happens to it next. Computed when asked; never another status. */
import type { Attempt } from "./attempt.ts";
import { DureError } from "./errors.ts";
import type { Condition, TaskField } from "./filters/condition.ts";
import { findNearIdsIn } from "./find.ts";
import { grouped } from "./grouped.ts";
import { ulidTime } from "./ids.ts";
import type { Instance } from "./instance.ts";
import { checkIsText, didYouMean } from "./names.ts";
import { describePause, pausesOf } from "./pauses.ts";
import type { StoredPause, StoreSearch, TaskStore, WorkerRecord } from "./store.ts";
import type { Task } from "./task.ts";

/**
 * - `definition`: the entry of a definition; it is no work.
 * - `scheduled`: it was enqueued for later. `retrying`: it waits for its next attempt. `snoozed`: its handler put it off.
 * - `taken-back`: its worker died or gave it back, and it waits to run again.
 * - `paused`: somebody paused its type or its queue.
 * - `no-worker`: no worker that runs defines its type, or takes its queue.
 * - `behind`: others are due before it. `busy`: every slot of its workers is taken. `next`: it is next, and there is room.
 * - `quarantine`: its worker died more than once, so it runs alone on a worker.
 * - `running`; `cancelling`: it runs and was asked to stop.
 * - `completed`, `failed`, `cancelled`: it has ended; `why` says what ended it.
 */
export type ExplanationCode =
  | "definition"
  | "scheduled"
  | "retrying"
  | "snoozed"
  | "taken-back"
  | "paused"
  | "no-worker"
  | "behind"
  | "busy"
  | "next"
  | "quarantine"
  | "running"
  | "cancelling"
  | "completed"
  | "failed"
  | "cancelled";

export interface ExplanationReason {
  code: ExplanationCode;
  /** A sentence for people, in English. */
  message: string;
  /** When it changes by itself, where that is known. */
  until?: Date;
  /** How many tasks are due before it. */
  ahead?: number;
  /** By how many `ahead` may be off; 0 when it is exact. */
  aheadErrorMax?: number;
}

export interface TaskExplanation {
  task: Task;
  /** The most decisive first; never empty. */
  reasons: readonly ExplanationReason[];
  /** Attempts that were not charged to `maxAttempts`, oldest first: lost, given back or snoozed. */
  uncharged: readonly Attempt[];
  /** Attempts that may still be charged. */
  attemptsLeft: number;
  /** When the next attempt may start; absent when none will. */
  nextAttemptAt?: Date;
  /** Workers that run, define its type and take its queue. */
  workers: readonly WorkerRecord[];
}

const aheadBudgetMs = 200;

/** @throws DureError TASK_NOT_FOUND (with near ids), INVALID_ID */
export async function explainTaskIn(instance: Instance, id: string): Promise<TaskExplanation> {
  checkIsText("explainTask(id)", id);
  const store = await instance.store();
  const task = await store.getTask(id);
  if (!task) throw await notFound(store, id);
  const [attempts, all, pauses] = await Promise.all([
    store.listAttempts(id),
    store.listWorkers(),
    store.listPauses(),
  ]);
  const workers = all.filter((worker) => isFit(worker, task));
  const now = instance.clock.now();
  const uncharged = attempts.filter(({ outcome }) => isUncharged(outcome));
  const waits = task.status === "PENDING" && !task.isDefinition;
  const reasons = waits
    ? await whyItWaits(store, task, { attempts, workers, pauses, now })
    : [whatItIs(task, attempts.at(-1))];
  return {
    task,
    reasons,
    uncharged,
    attemptsLeft: Math.max(0, task.maxAttempts - task.attempts),
    ...(waits && { nextAttemptAt: task.dueAt ?? task.createdAt }),
    workers,
  };
}

async function notFound(store: TaskStore, id: string): Promise<DureError> {
  const near = await findNearIdsIn(store, id);
  return new DureError("TASK_NOT_FOUND", `There is no task "${id}".${didYouMean(id, near)}`, {
    details: { id, near },
  });
}

function isFit({ state, types, queues }: WorkerRecord, { type, queue }: Task): boolean {
  return state === "alive" && types.includes(type) && (!queues || queues.includes(queue ?? "default"));
}

function isUncharged(outcome: Attempt["outcome"]): boolean {
  return outcome === "lost" || outcome === "released" || outcome === "snoozed";
}

/** Of a task that does not wait. */
function whatItIs(task: Task, last: Attempt | undefined): ExplanationReason {
  if (task.isDefinition) {
    return { code: "definition", message: `This is the definition "${task.type}"; only its tasks are run.` };
  }
  const worker = task.workerId === undefined ? "a worker" : `worker ${task.workerId}`;
  switch (task.status as `${Task["status"]}`) {
    case "RUNNING":
      return task.cancelRequestedAt
        ? {
            code: "cancelling",
            message: `It was asked to stop, and runs on ${worker} until its handler does.`,
          }
        : {
            code: "running",
            message: `It runs on ${worker}: attempt ${task.attempts} of ${task.maxAttempts}.`,
          };
    case "COMPLETED":
      return { code: "completed", message: `Its attempt ${task.attempts} succeeded.` };
    case "FAILED":
      return { code: "failed", message: whyItFailed(task, last) };
    default:
      return { code: "cancelled", message: "It was cancelled. A retry puts it back." };
  }
}

function whyItFailed(task: Task, last: Attempt | undefined): string {
  const error = task.error === undefined ? "no error was kept" : task.error;
  if (last?.outcome === "lost") return `Its worker died, and it may not start again: ${error}`;
  if (task.attempts < task.maxAttempts) return `Its error said that no further attempt helps: ${error}`;
  if (task.maxAttempts === 1) return `Its only attempt failed: ${error}`;
  return `All ${task.maxAttempts} attempts failed; the last with: ${error}`;
}

interface Surroundings {
  attempts: readonly Attempt[];
  workers: readonly WorkerRecord[];
  /** All there are. */
  pauses: readonly StoredPause[];
  now: number;
}

async function whyItWaits(
  store: TaskStore,
  task: Task,
  surroundings: Surroundings,
): Promise<ExplanationReason[]> {
  const { attempts, workers, pauses, now } = surroundings;
  const last = attempts.at(-1);
  const reasons: ExplanationReason[] = [];
  const dueAt = task.dueAt ?? task.createdAt;
  if (dueAt.getTime() > now) reasons.push(untilDue(task, last, dueAt));
  else if (last?.outcome === "lost" || last?.outcome === "released") reasons.push(takenBack(last));
  const paused = pausesOf(pauses, task);
  for (const pause of paused) {
    reasons.push({ code: "paused", message: `${describePause(pause)} It waits until that is resumed.` });
  }
  if (workers.length === 0) reasons.push(noWorker(task));
  if (dueAt.getTime() > now || paused.length > 0) return reasons;
  if ((task.crashes ?? 0) > 1) {
    const message = `${task.crashes} workers died while they ran it, so it is run alone, one such task at a time.`;
    reasons.push({ code: "quarantine", message });
  }
  if (workers.length > 0) reasons.push(...(await itsTurn(store, task, surroundings)));
  return reasons;
}

function untilDue(task: Task, last: Attempt | undefined, dueAt: Date): ExplanationReason {
  const at = dueAt.toISOString();
  if (last?.outcome === "snoozed") {
    return { code: "snoozed", message: `Its handler put it off until ${at}.`, until: dueAt };
  }
  if (last === undefined) {
    return { code: "scheduled", message: `It was enqueued for ${at}.`, until: dueAt };
  }
  const next = `attempt ${task.attempts + 1} of ${task.maxAttempts}`;
  return {
    code: "retrying",
    message: `It waits until ${at} for ${next}; the last one failed.`,
    until: dueAt,
  };
}

function takenBack({ outcome, workerId }: Attempt): ExplanationReason {
  const worker = workerId === undefined ? "its worker" : `worker ${workerId}`;
  const message =
    outcome === "lost"
      ? `It was taken back from ${worker}, which died or was taken for dead.`
      : `It was given back by ${worker}, which stopped.`;
  return { code: "taken-back", message };
}

function noWorker({ type, queue }: Task): ExplanationReason {
  const message = `No worker that runs defines "${type}" and takes queue "${queue ?? "default"}". Start one that does: dure worker <files>.`;
  return { code: "no-worker", message };
}

/** How many go before it, and whether there is room for any of them. */
async function itsTurn(
  store: TaskStore,
  task: Task,
  surroundings: Surroundings,
): Promise<ExplanationReason[]> {
  const { count: ahead, errorMax } = await countAhead(store, task, surroundings);
  const taken = slotsTaken(surroundings.workers);
  if (ahead > 0) {
    const about = errorMax > 0 ? "about " : "";
    const others = `${about}${grouped(ahead)} other ${ahead === 1 ? "task" : "tasks"}`;
    const message = `It is behind ${others} of priority ${task.priority ?? 0} or higher.`;
    const behind = { code: "behind", message, ahead, aheadErrorMax: errorMax } as const;
    if (taken === undefined) return [behind];
    return [behind, { code: "busy", message: `Every slot of its workers is taken: ${taken}.` }];
  }
  if (taken !== undefined) {
    const message = `It is the next to run, and every slot of its workers is taken: ${taken}.`;
    return [{ code: "busy", message }];
  }
  return [{ code: "next", message: "It is the next to run, and a worker has room for it." }];
}

/** Such as `3 of 3`; undefined while a worker has room. */
function slotsTaken(workers: readonly WorkerRecord[]): string | undefined {
  if (workers.some(({ running, concurrency }) => running < concurrency)) return undefined;
  const running = workers.reduce((sum, worker) => sum + worker.running, 0);
  const slots = workers.reduce((sum, worker) => sum + worker.concurrency, 0);
  return `${running} of ${slots}`;
}

/**
 * Tasks that its workers run and claim before it: of a higher priority, or due before it, or, of one instant, stored before it.
 * Ids tell which was stored first, unless callers chose them: then those of its instant are what it may be off by.
 */
async function countAhead(store: TaskStore, task: Task, { workers, pauses, now }: Surroundings) {
  const priority = task.priority ?? 0;
  const dueAt = (task.dueAt ?? task.createdAt).getTime();
  const createdAt = task.createdAt.getTime();
  const inTurn = (...parts: Condition[]): Condition => ({
    kind: "and",
    parts: [equals("priority", [priority]), ...parts],
  });
  const atOnce = [equals("dueAt", [dueAt]), equals("createdAt", [createdAt])];
  const first: Condition[] = [
    range("priority", { from: { value: priority, isIncluded: false } }),
    inTurn(range("dueAt", { to: { value: dueAt, isIncluded: false } })),
    inTurn(equals("dueAt", [dueAt]), range("createdAt", { to: { value: createdAt, isIncluded: false } })),
    inTurn(...atOnce, range("id", { to: { value: task.id, isIncluded: false } })),
  ];
  const paused = (kind: StoredPause["kind"]) =>
    pauses.filter((pause) => pause.kind === kind).map(({ name }) => name);
  const types = new Set(workers.flatMap((worker) => worker.types));
  for (const type of paused("type")) types.delete(type);
  const count = (...parts: Condition[]) => {
    const search: StoreSearch = {
      types: [...types],
      statuses: ["PENDING"],
      where: { kind: "and", parts: [...parts, ...takenBy(workers), ...notIn(paused("queue"))] },
      budgetMs: aheadBudgetMs,
      sortBy: "createdAt",
      descending: false,
      limit: 1,
      offset: 0,
      definitions: false,
    };
    return store.countTasks(search);
  };
  const due = range("dueAt", { to: { value: now, isIncluded: true } });
  const ahead = await count(due, { kind: "or", parts: first });
  if (ulidTime(task.id) !== undefined) return ahead;
  const others = await count(inTurn(...atOnce), { kind: "not", part: equals("id", [task.id]) });
  return { ...ahead, errorMax: ahead.errorMax + others.count + others.errorMax };
}

/** What some worker runs of those queues that it takes; nothing to ask where one of them takes all queues. */
function takenBy(workers: readonly WorkerRecord[]): Condition[] {
  if (!workers.some(({ queues }) => queues)) return [];
  const parts = workers.map(({ types, queues }): Condition => {
    const ofTypes = equals("type", types);
    return queues ? { kind: "and", parts: [ofTypes, equals("queue", queues)] } : ofTypes;
  });
  return [{ kind: "or", parts }];
}

/** Tasks of paused queues are passed over by whoever claims. */
function notIn(queues: readonly string[]): Condition[] {
  return queues.length === 0 ? [] : [{ kind: "not", part: equals("queue", queues) }];
}

function equals(name: TaskField, values: readonly (string | number)[]): Condition {
  return { kind: "equals", field: { of: "task", name }, values };
}

function range(name: TaskField, bounds: Pick<Condition & { kind: "range" }, "from" | "to">): Condition {
  return { kind: "range", field: { of: "task", name }, ...bounds };
}
