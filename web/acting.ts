/** Acting on many tasks: which statuses an action is for, and the work itself, task by task, until done or stopped. */
import { api, type TaskSearch } from "./api.ts";
import type { Role, Status, TaskDocument } from "./contract.ts";

/** The type of the tasks that are actions themselves; every worker runs it. */
export const actionType = "dure.act-on-tasks";

/** What the server does to a whole search, as a task of its own. */
export type SearchAction = "retry" | "cancel" | "delete";
export type TaskAction = SearchAction | "runAgain";

export const statusesFor: Record<TaskAction, readonly Status[]> = {
  retry: ["FAILED", "CANCELLED"],
  cancel: ["PENDING", "RUNNING"],
  runAgain: ["COMPLETED", "FAILED", "CANCELLED"],
  delete: ["COMPLETED", "FAILED", "CANCELLED"],
};

/** The role that the server asks for. */
export const neededFor: Record<TaskAction, Role> = {
  retry: "operator",
  cancel: "operator",
  runAgain: "operator",
  delete: "admin",
};

export function appliesTo(action: TaskAction, task: TaskDocument): boolean {
  if (task.isDefinition) return false;
  return statusesFor[action].includes(task.status) && !(action === "cancel" && task.cancelRequestedAt);
}

/** Tasks at hand, or all that a search finds; `count` is what was counted beforehand. */
export type Target =
  | { tasks: readonly TaskDocument[]; count: number }
  | { search: TaskSearch; count: number };

/** How many requests of one action are under way at once. */
const togetherMax = 4;
const pageSize = 100;

export interface Outcome {
  done: number;
  refusals: Error[];
}

/**
 * Acts on each task of the target that the action is for. A refused task is noted and the rest goes on; an aborted
 * signal ends it after the requests under way. `onProgress` is told after each task.
 */
export async function act(
  action: TaskAction,
  target: Target,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (outcome: Outcome) => void },
): Promise<Outcome> {
  const outcome: Outcome = { done: 0, refusals: [] };
  for await (const tasks of pagesOf(action, target)) {
    await Promise.all(Array.from({ length: togetherMax }, () => work(tasks)));
    if (signal.aborted) break;
  }
  return outcome;

  async function work(left: TaskDocument[]): Promise<void> {
    for (let task = left.shift(); task && !signal.aborted; task = left.shift()) {
      try {
        await api[action](task);
        outcome.done += 1;
      } catch (error) {
        outcome.refusals.push(error as Error);
      }
      onProgress(outcome);
    }
  }
}

async function* pagesOf(action: TaskAction, target: Target): AsyncGenerator<TaskDocument[]> {
  if ("tasks" in target) {
    yield target.tasks.filter((task) => appliesTo(action, task));
    return;
  }
  const { search } = target;
  for (const status of statusesFor[action]) {
    if (search.status && search.status !== status) continue;
    let cursor: string | undefined;
    do {
      // By creation, so that what the action changes does not move the pages still to come.
      const page = await api.tasks({ ...search, status, sort: undefined }, { cursor, limit: pageSize });
      cursor = page.nextCursor;
      yield page.tasks.filter((task) => appliesTo(action, task));
    } while (cursor);
  }
}
