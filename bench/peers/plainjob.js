/** plainjob on better-sqlite3, with the pragmas it sets itself: WAL, synchronous=NORMAL. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { better, defineQueue, defineWorker } from "plainjob";

const silent = { error: console.error, warn() {}, info() {}, debug() {} };

export async function openPlainjob(folder) {
  const connection = better(new Database(join(folder, "plainjob.db")));
  const queue = defineQueue({ connection, logger: silent });
  const workers = [];
  return {
    enqueue: async (payload) => queue.add("bench", payload),
    enqueueMany: async (payloads) => queue.addMany("bench", payloads),
    async work(onStart, onEnd) {
      const options = { queue, logger: silent, pollIntervall: 1, onCompleted: onEnd };
      const worker = defineWorker("bench", async () => onStart(), options);
      workers.push(worker);
      worker.start();
    },
    async close() {
      for (const worker of workers) await worker.stop();
      queue.close();
    },
  };
}
