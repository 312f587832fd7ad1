/** Searches with `updatedSince`: a page of what has changed and is in the search now. */
import type { Instance } from "../instance.ts";
import type { TaskPage } from "../search.ts";
import type { StoreSearch } from "../store.ts";
import type { Task } from "../task.ts";
import { encodeValue } from "../values/value.ts";
import { matching } from "./watch-match.ts";

/** Read in one go, at most; and where what is read is bounded by bytes, which only tasks that were read tell. */
const readMax = 500;
const boundedReadMax = 25;

/** @throws DureError INVALID_CURSOR */
export async function readChangedPage(
  instance: Instance,
  search: StoreSearch,
  updatedSince: string,
): Promise<TaskPage> {
  const store = await instance.store();
  const { limit, bytesMax, budgetMs = Number.POSITIVE_INFINITY, after: _after, ...filters } = search;
  const endsAt = instance.clock.monotonic() + budgetMs;
  const tasks = new Map<string, Task>();
  let since = updatedSince === "now" ? undefined : updatedSince;
  const mostAtOnce = bytesMax === undefined ? readMax : boundedReadMax;
  for (;;) {
    const wanted = Math.min(mostAtOnce, limit - tasks.size);
    const page = await store.readChanges({ limit: wanted, ...(since !== undefined && { since }) });
    const fitting = await matching(store, filters, page.changes);
    for (const task of page.changes) {
      tasks.delete(task.id);
      if (fitting.has(task.id)) tasks.set(task.id, task);
    }
    since = page.cursor;
    const isFull = bytesMax !== undefined && bytesOf(tasks.values()) >= bytesMax;
    const isEnough = isFull || tasks.size >= limit || instance.clock.monotonic() > endsAt;
    if (!page.more || isEnough)
      return { tasks: [...tasks.values()], updatedCursor: since, complete: !page.more };
  }
}

/** About what they take in the store. */
function bytesOf(tasks: Iterable<Task>): number {
  let bytes = 0;
  for (const { payload, result, error = "" } of tasks) {
    bytes += error.length + encodeValue(payload, "payload").json.length;
    if (result !== undefined) bytes += encodeValue(result, "result").json.length;
  }
  return bytes;
}
