/** What `dure archive` and `dure prune` take away: how many tasks that is, and a bar while they go. */
import type { Dure } from "../dure.ts";
import type { Output } from "./output.ts";
import { progressBar } from "./progress-bar.ts";

/** How long finished tasks are kept, in milliseconds; absent for ever. */
export type KeptMs = Partial<Record<"COMPLETED" | "FAILED" | "CANCELLED", number>>;

const lookMs = 250;

/** How many tasks ended longer ago than they are kept. */
export async function countPast(dure: Dure, kept: KeptMs, now: number): Promise<number> {
  const counts = Object.entries(kept).map(([status, keptMs]) =>
    dure.countTasks({ status: status as keyof KeptMs, updatedAtRange: { end: new Date(now - keptMs) } }),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** Prunes, with a bar on a terminal that shows how many tasks are gone. */
export async function pruneWithBar(output: Output, dure: Dure, kept: KeptMs, total: number) {
  if (!output.drawsProgress || total === 0) return dure.prune();
  const now = Date.now();
  const bar = progressBar(output);
  bar.update(0, total, "task");
  let done = false;
  const watch = (async () => {
    while (!done) {
      bar.update(total - (await countPast(dure, kept, now)), total, "task");
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
