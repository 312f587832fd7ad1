/**
 * Counts by stretches of time that no counter keeps, or that are very many, within a budget: from the newest tasks backwards,
 * slice by slice, so that what was counted when the budget ran out is exact as far back as it goes.
 */
import type { Clock } from "../clock.ts";
import type { Buckets, CountKey, StoreSearch, TaskCounts, TaskStore } from "../store.ts";
import { bucketsMs } from "./summary-groups.ts";

/** So many tasks for each millisecond of the budget are counted at once: fewer than any machine that runs this can. */
const tasksPerMs = 50;
/** The first slice, in milliseconds: however many are enqueued at once, they are not too many for one look. */
const firstSliceMs = 10_000;
/** A slice that took less than this part of the budget is followed by one twice as long. */
const quickPart = 1 / 10;
/** So many minutes are read at once, whatever the budget. */
const minutesMax = 2_880;
/** Before every instant that a task can have. */
const beforeAll = -62_135_596_800_000;

/**
 * Answers whether it counted all; else the budget ran out, and what it gave is of the newest tasks. Slices are read one after
 * another: a task that changes meanwhile may be missed where counts are of the latest change.
 */
export async function countByTime(
  store: TaskStore,
  clock: Clock,
  search: StoreSearch,
  buckets: Buckets,
  by: readonly CountKey[],
  give: (counts: TaskCounts) => void,
): Promise<boolean> {
  const { budgetMs } = search;
  const began = clock.monotonic();
  if (budgetMs === undefined || isKept(store, search, buckets) || (await isSmall(store, search, budgetMs))) {
    give(await store.summarizeTasks(search, buckets, by));
    return true;
  }
  const field = buckets.time === "createdAt" ? "created" : "updated";
  const { start = beforeAll, end } = search[field] ?? {};
  // Of kept counts a slice has so many minutes, however many tasks they have.
  const leastMs = isKeptByMinute(store, search, buckets) ? minutesMax * bucketsMs.minute : firstSliceMs;
  let sliceMs = leastMs;
  let to = end;
  for (;;) {
    const sliceBegan = clock.monotonic();
    const sliceOf = (lengthMs: number) => ({
      start: Math.max(start, Math.min(clock.now(), to ?? Number.POSITIVE_INFINITY) - lengthMs),
      ...(to !== undefined && { end: to }),
    });
    // The stretch before the last one may have many times as many.
    while (sliceMs > leastMs) {
      const { count } = await store.countTasks({ ...search, [field]: sliceOf(sliceMs) });
      if (count <= budgetMs * tasksPerMs) break;
      sliceMs = Math.max(leastMs, Math.floor((sliceMs * budgetMs * tasksPerMs) / count));
      if (clock.monotonic() - began >= budgetMs) return false;
    }
    const slice = sliceOf(sliceMs);
    const from = slice.start;
    give(await store.summarizeTasks({ ...search, [field]: slice }, buckets, by));
    if (from <= start) return true;
    const now = clock.monotonic();
    if (now - began >= budgetMs) return false;
    if (now - sliceBegan < budgetMs * quickPart) sliceMs *= 2;
    else sliceMs = Math.max(1, Math.floor(sliceMs / 2));
    to = from;
  }
}

/** Counts of a range of either instant are kept, by the hour and by the minute, of which there may be very many. */
function isKept(store: TaskStore, search: StoreSearch, buckets: Buckets): boolean {
  const { time, bucketMs } = buckets;
  const { created, updated } = search;
  if (!isKeptByMinute(store, search, buckets))
    return !store.keepsMinutes && !updated && time === "createdAt" && bucketMs >= bucketsMs.hour;
  if (bucketMs >= bucketsMs.hour) return true;
  const range = time === "createdAt" ? created : updated;
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = range ?? {};
  return end - start <= minutesMax * bucketsMs.minute;
}

function isKeptByMinute(store: TaskStore, { created, updated }: StoreSearch, { time }: Buckets): boolean {
  const other = time === "createdAt" ? updated : created;
  return store.keepsMinutes === true && other === undefined;
}

async function isSmall(store: TaskStore, search: StoreSearch, budgetMs: number): Promise<boolean> {
  const { count } = await store.countTasks(search);
  return count <= budgetMs * tasksPerMs;
}
