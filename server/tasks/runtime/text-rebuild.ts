/** Rebuilding the index of texts: everything in it is forgotten, and indexed again; a searcher meets the difference meanwhile. */
import type { TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import type { Indexer } from "./indexer.ts";

export interface RebuildOptions {
  /** Only forgets them, to free their space where no worker indexes texts (`fullText: false`). Default false. */
  clear?: boolean;
  /** Told after each batch, how many tasks there are to index about. */
  onProgress?: (progress: { indexed: number; total: number }) => void;
  /** Ends it between two batches; workers go on. */
  signal?: AbortSignal;
}

export interface Rebuilt {
  indexed: number;
}

export async function rebuildTexts(
  store: TaskStore,
  indexer: Indexer,
  { clear = false, onProgress, signal }: RebuildOptions,
): Promise<Rebuilt> {
  committed(await store.clearTexts(), store);
  const { textLag: total = 0 } = await store.stats();
  let indexed = 0;
  while (!clear && !signal?.aborted) {
    const count = await indexer.indexBatch(await isAlone(store));
    if (count === 0) break;
    indexed += count;
    // Workers index as well, and what changes meanwhile comes again.
    onProgress?.({ indexed: Math.min(indexed, total), total });
  }
  return { indexed };
}

/** Whether no worker that lives, of any process, runs a task. */
async function isAlone(store: TaskStore): Promise<boolean> {
  const workers = await store.listWorkers();
  return workers.every(({ state, running }) => state !== "alive" || running === 0);
}
