/**
 * node memory-drain.js <database> <tasks>: drains them and prints the largest resident size of the process, all its threads
 * included. Flatness is the median of the last quarter of the samples over that of the second quarter.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.env.DURE_BENCH_DIST ?? join(import.meta.dirname, "../../dist");
const { createDure } = await import(pathToFileURL(join(folder, "server/index.js")).href);

/** The system's own maximum is of no use: a process inherits its parent's. */
const sampleMs = 20;
const [database, tasks] = process.argv.slice(2);
const samples = [];

const dure = createDure({ database, retention: false, worker: { concurrency: 1_000 } });
const drained = new Promise((resolve) => {
  let started = 0;
  dure.defineTask("bench-task", async () => {
    started += 1;
    if (started === Number(tasks)) resolve();
  });
});
const timer = setInterval(() => samples.push(process.memoryUsage.rss() / 1e6), sampleMs);
await dure.start();
await drained;
await dure.stop();
clearInterval(timer);
await dure.close();

const quarter = Math.floor(samples.length / 4);
const growth = median(samples.slice(-quarter)) / median(samples.slice(quarter, 2 * quarter));
console.log(JSON.stringify({ peakMb: Math.max(...samples), medianMb: median(samples), growth }));

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
