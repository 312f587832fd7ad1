/** Entries of definitions among tasks: whether they fit, and where they lie in the order. */
import type { StoredDefinition, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { toEntry } from "../rows.ts";

/** A task or an entry of a definition, with its place in the order. */
export interface Placed {
  task: Task;
  value: number;
}

export function entryOf(search: StoreSearch, definition: StoredDefinition): Placed {
  const task = toEntry(definition, undefined);
  return { task, value: sortValueOf(search, task) };
}

export function sortValueOf({ sortBy }: StoreSearch, task: Task): number {
  return sortBy === "updatedAt" ? task.updatedAt.getTime() : sortBy === "id" ? 0 : task.createdAt.getTime();
}

/** Whether a task or an entry passes the filters. */
export function fits(search: StoreSearch, task: Task): boolean {
  return (
    (!search.types || search.types.includes(task.type)) &&
    (!search.queues || search.queues.includes(task.queue!)) &&
    (!search.statuses || search.statuses.includes(task.status)) &&
    isWithin(search.created, task.createdAt.getTime()) &&
    isWithin(search.updated, task.updatedAt.getTime())
  );
}

export function isWithin(range: { start?: number; end?: number } | undefined, at: number): boolean {
  if (!range) return true;
  return (range.start === undefined || at >= range.start) && (range.end === undefined || at < range.end);
}

export function isAfter(search: StoreSearch, placed: Placed): boolean {
  const { after } = search;
  if (!after) return true;
  const place = { task: { id: after.id } as Task, value: after.value ?? 0 };
  return comparator(search)(place, placed) < 0;
}

export function comparator(search: StoreSearch): (a: Placed, b: Placed) => number {
  const sign = isDownwards(search) ? -1 : 1;
  if (search.sortBy === "id") return (a, b) => sign * compareText(a.task.id, b.task.id);
  return (a, b) => sign * (a.value - b.value || compareText(a.task.id, b.task.id));
}
