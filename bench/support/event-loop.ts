/**
 * Watches how late the main thread's event loop runs its timers, and how much of that is its own work. On a machine whose
 * processors are all busy, most of it is the wait for one.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Measured } from "../measured.ts";

const resolutionMs = 1;

/** In milliseconds. */
export type LoopDelay = {
  /** Beyond the sampling interval. */
  p99: number;
  max: number;
  /** Of the thread's own time on a processor between two looks, a sampling interval apart: as late as it were if it never waited for one. */
  ownP99: number;
};

/** Of the event loop while `work` runs. */
export async function eventLoopDelay(work: () => Promise<unknown>): Promise<LoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  const own = createHistogram();
  let before = process.threadCpuUsage();
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    own.record(Math.max(1, now.user - before.user + now.system - before.system));
    before = now;
  }, resolutionMs);
  histogram.enable();
  await work();
  histogram.disable();
  clearInterval(timer);
  const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return {
    p99: beyond(histogram.percentile(99)),
    max: beyond(histogram.max),
    ownP99: own.percentile(99) / 1_000,
  };
}

/** The same, beside a process that does nothing else than look how late it gets: what the machine alone makes of it. */
export async function eventLoopDelayBeside(
  work: () => Promise<unknown>,
): Promise<LoopDelay & { idleP99: number }> {
  const idle = fork(new URL("idle-process.ts", import.meta.url));
  await once(idle, "message");
  const delay = await eventLoopDelay(work);
  idle.send("tell");
  const [idleP99] = (await once(idle, "message")) as [number];
  return { ...delay, idleP99 };
}

/** How late the event loop of a question was, beside what it was late for; undefined when it was not measured so. */
export function lateness({ figure }: Measured, question: string): string | undefined {
  const [own, idle] = ["ownP99", "idleP99"].map((name) => figure(question, "dure", name)?.toFixed(2));
  if (own === undefined || idle === undefined) return undefined;
  return `${question}, event loop: ${own} ms of its own work at the 99th percentile; a process beside that does nothing: ${idle} ms late.`;
}
