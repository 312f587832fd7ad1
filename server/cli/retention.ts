/** What `dure archive` and `dure prune` take away: how many tasks that is, and a bar while they go. */
import type { Dure } from "../dure.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";
import type { Output } from "./output.ts";
import { progressBar } from "./progress-bar.ts";

/** How long finished tasks are kept, in milliseconds; absent for ever. */
export type KeptMs = Partial<Record<"COMPLETED" | "FAILED" | "CANCELLED", number>>;

const lookMs = 250;
const statuses = ["COMPLETED", "FAILED", "CANCELLED"] as const;

/** How many tasks ended longer ago than they are kept, or are more than `keep` of their type and status. */
export async function countPast(dure: Dure, kept: KeptMs, now: number, keep?: number): Promise<number> {
  const counts = statuses.map((status) => countPastAge(dure, { status }, kept[status], now));
  const more = keep === undefined ? 0 : await countMore(dure, kept, now, keep);
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, more);
}

async function countPastAge(
  dure: Dure,
  search: TaskSearchOptions,
  keptMs: number | undefined,
  now: number,
): Promise<number> {
  if (keptMs === undefined) return 0;
  return dure.countTasks({ ...search, updatedAtRange: { end: new Date(now - keptMs) } });
}

/** How many are too many, beside those that are past their age. */
async function countMore(dure: Dure, kept: KeptMs, now: number, keep: number): Promise<number> {
  const { byType } = await dure.stats();
  let more = 0;
  for (const status of statuses) {
    const ofStatus = byType.filter((entry) => entry.status === status);
    for (const [type, entries] of Map.groupBy(ofStatus, (entry) => entry.type)) {
      const excess = entries.reduce((sum, { count }) => sum + count, -keep);
      if (excess > 0)
        more += Math.max(0, excess - (await countPastAge(dure, { status, type }, kept[status], now)));
    }
  }
  return more;
}

/** Prunes, with a bar on a terminal that shows how many tasks are gone. */
export async function pruneWithBar(output: Output, dure: Dure, kept: KeptMs, total: number, keep?: number) {
  if (!output.drawsProgress || total === 0) return dure.prune();
  const now = Date.now();
  const bar = progressBar(output);
  bar.update(0, total, "task");
  let done = false;
  const watch = (async () => {
    while (!done) {
      bar.update(total - (await countPast(dure, kept, now, keep)), total, "task");
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  })();
  try {
    return await dure.prune();
  } finally {
    done = true;
    bar.end();
    await watch.catch(() => {});
  }
}
