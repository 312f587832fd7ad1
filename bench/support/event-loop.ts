/** Watches how late the main thread's event loop runs its timers. */
import { monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMs = 1;

/** Runs `work` and answers the delay beyond the sampling interval, in milliseconds. */
export async function eventLoopDelay(work: () => Promise<unknown>): Promise<{ p99: number; max: number }> {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  await work();
  histogram.disable();
  const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return { p99: beyond(histogram.percentile(99)), max: beyond(histogram.max) };
}
