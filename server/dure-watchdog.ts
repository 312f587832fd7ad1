/**
 * Ends a process whose main thread is blocked for good, where the program asked for that: whoever supervises it starts it
 * again, which nothing inside a blocked thread can do. Watched from a thread of its own, for which no store and no lease is
 * needed. SIGKILL, since every other signal waits for the main thread; the worker's tasks are taken back as after any death.
 */
import { writeSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";

interface Watched {
  /** Moves on while the main thread turns. */
  pulse: SharedArrayBuffer;
  maxMs: number;
}

const stderr = 2;
const pulseMsMax = 1_000;
/** Looks in the time that may pass. */
const looks = 8;

/** Watches this thread until the returned function is called. */
export function exitWhenBlocked(maxMs: number): () => void {
  const pulse = new SharedArrayBuffer(4);
  const watchdog: Watched = { pulse, maxMs };
  const thread = new Worker(new URL(import.meta.url), {
    workerData: { watchdog },
    name: "dure-watchdog",
    resourceLimits: { maxYoungGenerationSizeMb: 1 },
  });
  thread.unref();
  // Without it the process lives as it would without the option.
  thread.on("error", () => undefined);
  const turns = new Int32Array(pulse);
  const timer = setInterval(() => void Atomics.add(turns, 0, 1), Math.min(pulseMsMax, maxMs / looks));
  timer.unref();
  return () => {
    clearInterval(timer);
    void thread.terminate();
  };
}

/** Only time in which this thread turned itself counts, so that a process that was stopped and goes on is not ended. */
function watch({ pulse, maxMs }: Watched): void {
  const turns = new Int32Array(pulse);
  const lookMs = maxMs / looks;
  let seen = 0;
  let blockedMs = 0;
  let lookedAt = performance.now();
  setInterval(() => {
    const now = performance.now();
    const passedMs = Math.min(now - lookedAt, 2 * lookMs);
    lookedAt = now;
    const turned = Atomics.load(turns, 0);
    blockedMs = turned === seen ? blockedMs + passedMs : 0;
    seen = turned;
    if (blockedMs < maxMs) return;
    writeSync(
      stderr,
      `dure error: the main thread has been blocked for ${Math.round(blockedMs / 1_000)} seconds; the process ends itself, as worker.exitAfterBlock says.\n`,
    );
    process.kill(process.pid, "SIGKILL");
  }, lookMs);
}

if (!isMainThread && workerData?.watchdog) watch(workerData.watchdog as Watched);
