/** What a walk reads at once, and its place in the order of the search. */

import { type Subject, sortValueOf } from "../../../core/filters/meets.ts";
import type { Place, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards } from "../../shared/search-bounds.ts";

export const chunkMin = 200;
export const chunkMax = 2_000;
/** What a source gives is likely to fit. */
const sourceChunkMin = 50;

/** How many candidates of a source are read first. */
export function firstOfSource({ offset, limit }: StoreSearch): number {
  return Math.min(chunkMin, Math.max(sourceChunkMin, offset + limit));
}

/** The same where all that it gives is of the types, queues and statuses that are asked for: a page, if nothing else is asked. */
export function firstOfFiltered(search: StoreSearch): number {
  const page = Math.max(1, search.offset + search.limit);
  const least = search.where?.kind === "and" ? firstOfSource(search) : 0;
  return Math.min(chunkMax, Math.max(least, page));
}

/** Candidates that were read together, those of them that meet the conditions, and the last place that was looked at. */
export interface Chunk {
  met: readonly Subject[];
  seen: number;
  /** How many were passed over before them, of those that were to be. */
  passed?: number;
  last: Place;
}

export interface Placed {
  task: Task;
  value: number;
}

/** In the order of the search, where the tasks are. */
export function withEntries(
  search: StoreSearch,
  subjects: readonly Subject[],
  entries: readonly Placed[],
): readonly Subject[] {
  if (entries.length === 0) return subjects;
  const all = subjects.map(({ task }): Placed => ({ task, value: sortValueOf(search.sortBy, task) ?? 0 }));
  const found = new Map(subjects.map((subject) => [subject.task, subject]));
  const sorted = [...all, ...entries].sort(comparator(search));
  return sorted.map(({ task }) => found.get(task) ?? { task });
}

export function placed({ value, id }: Place): Placed {
  return { task: { id } as Task, value: value ?? 0 };
}

export function comparator(search: StoreSearch): (a: Placed, b: Placed) => number {
  const sign = isDownwards(search) ? -1 : 1;
  return (a, b) => sign * (a.value - b.value || compareText(a.task.id, b.task.id));
}

export function placeOf({ sortBy }: StoreSearch, task: Task): Place {
  return { value: sortValueOf(sortBy, task) ?? null, id: task.id };
}
