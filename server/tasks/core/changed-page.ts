/** Searches with `updatedSince`: a page of what has changed and is in the search now. */
import type { Instance } from "./instance.ts";
import type { TaskPage } from "./search.ts";
import type { StoreSearch } from "./store.ts";
import type { Task } from "./task.ts";
import { matching } from "./watch-match.ts";

/** Read in one go, at most. */
const readMax = 500;

/** @throws DureError INVALID_CURSOR */
export async function readChangedPage(
  instance: Instance,
  search: StoreSearch,
  updatedSince: string,
): Promise<TaskPage> {
  const store = await instance.store();
  const { limit, budgetMs = Number.POSITIVE_INFINITY, after: _after, ...filters } = search;
  const endsAt = instance.clock.monotonic() + budgetMs;
  const tasks = new Map<string, Task>();
  let since = updatedSince === "now" ? undefined : updatedSince;
  for (;;) {
    const wanted = Math.min(readMax, limit - tasks.size);
    const page = await store.readChanges({ limit: wanted, ...(since !== undefined && { since }) });
    const fitting = await matching(store, filters, page.changes);
    for (const task of page.changes) {
      tasks.delete(task.id);
      if (fitting.has(task.id)) tasks.set(task.id, task);
    }
    since = page.cursor;
    const isEnough = tasks.size >= limit || instance.clock.monotonic() > endsAt;
    if (!page.more || isEnough)
      return { tasks: [...tasks.values()], updatedCursor: since, complete: !page.more };
  }
}
