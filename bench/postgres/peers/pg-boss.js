/** pg-boss, history kept: jobs are fetched and completed in batches by several loops at once, its fastest way. */
import { PgBoss } from "pg-boss";

const insertBulkSize = 1_000;
const batchSize = 500;
const loops = 4;

export async function openPgBoss(connectionString) {
  const boss = new PgBoss({ connectionString, max: 10, supervise: false, schedule: false });
  boss.on("error", () => undefined);
  await boss.start();
  await boss.createQueue("bench");
  let stopping = false;
  const working = [];
  return {
    enqueue: (payload) => boss.send("bench", payload),
    async enqueueMany(payloads) {
      for (let at = 0; at < payloads.length; at += insertBulkSize) {
        await boss.insert(
          "bench",
          payloads.slice(at, at + insertBulkSize).map((data) => ({ data })),
        );
      }
    },
    async work(onStart, onEnd, forThroughput) {
      if (!forThroughput) {
        await boss.work("bench", { pollingIntervalSeconds: 0.5, batchSize: 1 }, async ([job]) =>
          onStart(job.data),
        );
        return;
      }
      for (let loop = 0; loop < loops; loop += 1) working.push(fetchAndComplete(onStart, onEnd));
    },
    async close() {
      stopping = true;
      await Promise.all(working);
      await boss.stop({ graceful: false });
    },
  };

  async function fetchAndComplete(onStart, onEnd) {
    while (!stopping) {
      const jobs = await boss.fetch("bench", { batchSize });
      if (jobs.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      for (const job of jobs) onStart(job.data);
      await boss.complete(
        "bench",
        jobs.map(({ id }) => id),
      );
      for (let n = 0; n < jobs.length; n += 1) onEnd?.();
    }
  }
}
