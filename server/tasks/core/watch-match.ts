/** Whether a task that has changed is in a search, by what is known of it; and whether it may have been before. */
import type { Condition, TaskField } from "./condition.ts";
import { meets } from "./meets.ts";
import type { StoreSearch, TaskStore } from "./store.ts";
import type { Task } from "./task.ts";

export type WatchedSearch = Pick<
  StoreSearch,
  "id" | "types" | "statuses" | "queues" | "created" | "updated" | "where"
>;

/** The ids of those tasks that are in the search, each as it is given. Only attributes are asked of the store. */
export async function matching(
  store: TaskStore,
  search: WatchedSearch,
  tasks: readonly Task[],
): Promise<Set<string>> {
  const { where } = search;
  const fitting = tasks.filter((task) => fitsLasting(search, task) && fitsPassing(search, task));
  if (!where || fitting.length === 0) return idsOf(fitting);
  if (!asksAttributes(where)) return idsOf(fitting.filter((task) => meets(where, { task })));
  const ids: Condition = { kind: "equals", field: { of: "task", name: "id" }, values: [...idsOf(fitting)] };
  const { tasks: found } = await store.searchTasks({
    ...search,
    where: { kind: "and", parts: [ids, where] },
    updated: { ...search.updated, start: Math.min(...fitting.map(({ updatedAt }) => updatedAt.getTime())) },
    sortBy: "updatedAt",
    descending: true,
    limit: fitting.length,
    offset: 0,
    definitions: false,
  });
  return idsOf(found);
}

/** False when nothing that happens to a task can have taken it out of the search: it never was in it. */
export function mayHaveMatched({ where, ...search }: WatchedSearch, task: Task): boolean {
  return fitsLasting(search, task) && task.version !== 1 && (!where || judge(where, task) !== false);
}

function idsOf(tasks: readonly Task[]): Set<string> {
  return new Set(tasks.map(({ id }) => id));
}

function fitsLasting({ id, types, queues, created }: WatchedSearch, task: Task): boolean {
  return (
    (id === undefined || task.id === id) &&
    (!types || types.includes(task.type)) &&
    (!queues || queues.includes(task.queue!)) &&
    within(created, task.createdAt.getTime())
  );
}

function fitsPassing({ statuses, updated }: WatchedSearch, task: Task): boolean {
  return (!statuses || statuses.includes(task.status)) && within(updated, task.updatedAt.getTime());
}

function within(range: { start?: number; end?: number } | undefined, at: number): boolean {
  return (range?.start === undefined || at >= range.start) && (range?.end === undefined || at < range.end);
}

const lasting: ReadonlySet<TaskField> = new Set([
  "id",
  "type",
  "queue",
  "createdAt",
  "maxAttempts",
  "tag",
  "idempotencyKey",
  "description",
]);

/** Undefined where it may have been otherwise once. */
function judge(condition: Condition, task: Task): boolean | undefined {
  switch (condition.kind) {
    case "and":
    case "or": {
      const decides = condition.kind === "or";
      const parts = condition.parts.map((part) => judge(part, task));
      return parts.includes(decides) ? decides : parts.includes(undefined) ? undefined : !decides;
    }
    case "not": {
      const part = judge(condition.part, task);
      return part === undefined ? undefined : !part;
    }
    case "text":
      return undefined;
    default: {
      const { field } = condition;
      const stays = field.of === "payload" || (field.of === "task" && lasting.has(field.name));
      return stays ? meets(condition, { task }) : undefined;
    }
  }
}

function asksAttributes(condition: Condition): boolean {
  if (condition.kind === "not") return asksAttributes(condition.part);
  if (condition.kind === "and" || condition.kind === "or") return condition.parts.some(asksAttributes);
  return "field" in condition && condition.field.of === "attribute";
}
