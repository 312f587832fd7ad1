/** graphile-worker, tuned as its documents advise for throughput: batches of completions, a local queue. Deletes what is done. */
import { makeWorkerUtils, run } from "graphile-worker";

const addBulkSize = 1_000;

export async function openGraphileWorker(connectionString) {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  const runners = [];
  return {
    enqueue: (payload) => utils.addJob("bench", payload),
    async enqueueMany(payloads) {
      for (let at = 0; at < payloads.length; at += addBulkSize) {
        const jobs = payloads
          .slice(at, at + addBulkSize)
          .map((payload) => ({ identifier: "bench", payload }));
        await utils.addJobs(jobs);
      }
    },
    async work(onStart, onEnd, forThroughput) {
      const batches = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
      const runner = await run({
        preset: {
          worker: {
            connectionString,
            concurrentJobs: forThroughput ? 100 : 10,
            maxPoolSize: 10,
            pollInterval: 1_000,
            ...(forThroughput && batches),
            logger: silentLogger,
          },
        },
        noHandleSignals: true,
        taskList: { bench: async (payload) => onStart(payload) },
      });
      if (onEnd) runner.events.on("job:complete", onEnd);
      runners.push(runner);
    },
    async close() {
      for (const runner of runners) await runner.stop();
      await utils.release();
    },
  };
}

const { Logger } = await import("@graphile/logger");
const silentLogger = new Logger(() => () => undefined);
