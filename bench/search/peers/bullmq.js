/**
 * BullMQ on Redis. A job is in one queue, and only a queue and a state can be asked for, so each job is there twice: in
 * a queue of all, and in one of its type; a question goes to the one that can answer it. The pipelines write the keys
 * that adding, running and failing a job leave behind.
 */
import { Queue } from "bullmq";
import { types } from "../records.ts";
import { startRedis } from "./redis.js";

// A cancelled job is removed from BullMQ; to have as many, it stands among the failed.
const states = {
  PENDING: ["waiting", "prioritized"],
  COMPLETED: ["completed"],
  FAILED: ["failed"],
  CANCELLED: ["failed"],
};
const cancelled = "cancelled";

export async function open(folder) {
  const { connection, client, close } = await startRedis(folder);
  const queues = new Map(["all", ...types].map((name) => [name, new Queue(name, { connection })]));
  const all = queues.get("all");
  for (const queue of queues.values()) await queue.waitUntilReady();
  const prioritized = new Map();
  return {
    async write(jobs) {
      const pipeline = client.pipeline();
      for (const { place, record } of jobs) {
        for (const queue of ["all", record.type]) add(pipeline, queue, String(place + 1), record);
      }
      await pipeline.exec();
    },
    async read({ place, record }) {
      const ofType = await queues.get(record.type).getJob(String(place + 1));
      const job = await all.getJob(ofType.id);
      return { type: job.name, status: await statusOf(job), payload: ofType.data };
    },
    count: async () => sum(await all.getJobCounts()),
    asks: {
      "by-id": async ({ place }) => ((await all.getJob(String(place + 1))) ? 1 : 0),
      "newest-failed": async () => (await all.getJobs(["failed"], 0, 49)).length,
      "type-status": async ({ type, status }) =>
        (await queues.get(type).getJobs(states[status], 0, 49)).length,
      "oldest-waiting": async ({ type }) =>
        (await queues.get(type).getJobs(states.PENDING, 0, 49, true)).length,
      offset: async () => (await all.getJobs(["completed"], 100_000, 100_049)).length,
      counts: async () => sum(await all.getJobCounts()),
      "counts-of-type": async ({ type }) => sum(await queues.get(type).getJobCounts()),
    },
    async close() {
      for (const queue of queues.values()) await queue.close();
      await close();
    },
  };

  function add(pipeline, queue, id, record) {
    const key = `bull:${queue}:`;
    pipeline.hset(key + id, fieldsOf(record));
    if (record.status === "COMPLETED") pipeline.zadd(`${key}completed`, record.completedAt, id);
    else if (record.status !== "PENDING") pipeline.zadd(`${key}failed`, record.completedAt, id);
    else if (record.priority === 0) pipeline.lpush(`${key}wait`, id);
    else {
      const nth = (prioritized.get(queue) ?? 0) + 1;
      prioritized.set(queue, nth);
      pipeline.zadd(`${key}prioritized`, record.priority * 2 ** 32 + nth, id);
    }
  }
}

function fieldsOf(record) {
  const { type, status, payload, createdAt, startedAt, completedAt, priority, result, error } = record;
  const opts = { attempts: record.maxAttempts, ...(priority > 0 && { priority }) };
  const added = {
    name: type,
    data: payload.json,
    opts: JSON.stringify(opts),
    timestamp: createdAt,
    delay: 0,
    priority,
  };
  if (status === "PENDING") return added;
  const ended = { ...added, processedOn: startedAt, ats: 1, atm: 1, finishedOn: completedAt };
  if (status === "COMPLETED") return { ...ended, returnvalue: result.json };
  if (status === "CANCELLED") return { ...ended, failedReason: cancelled, stacktrace: "[]" };
  const { stack } = JSON.parse(record.history[0].error);
  return { ...ended, failedReason: error, stacktrace: JSON.stringify([stack]) };
}

async function statusOf(job) {
  if (job.failedReason === cancelled) return "CANCELLED";
  const state = await job.getState();
  return Object.keys(states).find((status) => states[status].includes(state));
}

function sum(counts) {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
