/** What `dure archive` and `dure prune` take away: a bar while they go. */
import type { Dure } from "../dure.ts";
import type { Output } from "./output.ts";
import { progressBar } from "./progress-bar.ts";

const lookMs = 250;

/** Prunes, with a bar on a terminal that shows how many tasks are gone. */
export async function pruneWithBar(output: Output, dure: Dure, total: number) {
  if (!output.drawsProgress || total === 0) return dure.prune();
  const before = await countEnded(dure);
  const bar = progressBar(output);
  bar.update(0, total, "task");
  let done = false;
  const watch = (async () => {
    while (!done) {
      bar.update(before - (await countEnded(dure)), total, "task");
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

function countEnded(dure: Dure): Promise<number> {
  return dure.countTasks({ status: ["COMPLETED", "FAILED", "CANCELLED"] });
}
