/** Deletes what is kept of the history no more: minutes after two days, hours after 60, days after their retention. */
import type { Clock } from "../core/clock.ts";
import type { TaskStore } from "../core/store.ts";
import { keptMs, type Span } from "../core/store-history.ts";
import { committed } from "../core/written.ts";

const batchSize = 1_000;
/** Between two batches, so that claims and settlements come through. */
const pauseMs = 50;
const spans: readonly Span[] = ["minute", "hour", "day"];

/** @param daysMs how long days are kept, in milliseconds; null for ever */
export async function pruneHistory(store: TaskStore, clock: Clock, daysMs: number | null): Promise<void> {
  const now = clock.now();
  for (const span of spans) {
    const kept = keptMs[span] ?? daysMs;
    if (kept === null) continue;
    const request = { span, before: now - kept, limit: batchSize };
    while (committed(await store.pruneHistory(request), store) === batchSize) await clock.sleep(pauseMs);
  }
}
