/** BullMQ on a Redis server of its own, which syncs its log to the disk once a second. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { Queue, Worker } from "bullmq";
import Redis from "ioredis";

const addBulkSize = 1_000;
const concurrency = 100;

export async function openBullmq(folder) {
  const { redis, port } = await startRedis(folder);
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const workers = [];
  return {
    enqueue: (payload) => queue.add("bench", payload),
    async enqueueMany(payloads) {
      for (let at = 0; at < payloads.length; at += addBulkSize) {
        const jobs = payloads.slice(at, at + addBulkSize).map((data) => ({ name: "bench", data }));
        await queue.addBulk(jobs);
      }
    },
    async work(onStart, onEnd) {
      const worker = new Worker("bench", async () => onStart(), { connection, concurrency });
      if (onEnd) worker.on("completed", onEnd);
      workers.push(worker);
      await worker.waitUntilReady();
    },
    async close() {
      for (const worker of workers) await worker.close();
      await queue.close();
      redis.kill("SIGTERM");
      await new Promise((resolve) => redis.once("exit", resolve));
    },
  };
}

async function startRedis(folder) {
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes"];
  const redis = spawn("redis-server", [...options, "--appendfsync", "everysec", "--save", ""], {
    stdio: "ignore",
  });
  process.on("exit", () => redis.kill("SIGKILL"));
  await new Promise((resolve, reject) => {
    redis.once("spawn", resolve);
    redis.once("error", reject);
  });
  const client = new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on("error", () => undefined);
  await client.ping();
  await client.quit();
  return { redis, port };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
