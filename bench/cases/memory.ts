/**
 * How much memory does draining a million tasks take, and does it grow? The tasks are enqueued by another process.
 * Flatness is the median of the last quarter of the samples over that of the second quarter.
 */
import { execFileSync } from "node:child_process";
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { median } from "../support/numbers.ts";

/** The system's own maximum is of no use: a process inherits its parent's. */
const sampleMs = 20;
const enqueueSize = 100_000;
const { tasks, database } = caseOptions(1_000_000);
if (process.env.DURE_BENCH_FILL) await fill();
else await measure();

async function fill(): Promise<void> {
  const dure = open(database);
  const definition = define(dure);
  for (let n = 0; n < tasks; n += enqueueSize)
    await definition.enqueueMany(items(Math.min(enqueueSize, tasks - n)));
  await dure.close();
}

async function measure(): Promise<void> {
  const parameters = [import.meta.filename, "--database", database, "--tasks", String(tasks)];
  execFileSync(process.execPath, parameters, { env: { ...process.env, DURE_BENCH_FILL: "1" } });
  const { onStart, reached } = startCounter(tasks);
  const dure = open(database);
  define(dure, onStart);
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(process.memoryUsage.rss() / 1e6), sampleMs);
  await dure.start();
  await reached;
  await dure.stop();
  clearInterval(timer);
  await dure.close();
  const quarter = Math.floor(samples.length / 4);
  const growth = median(samples.slice(-quarter)) / median(samples.slice(quarter, 2 * quarter));
  finish({ peakMb: Math.max(...samples), medianMb: median(samples), growth });
}
