/** Sidequest on PostgreSQL: a task's type is a job's class. The rows are those that its calls leave behind. */
import Backend from "@sidequest/postgres-backend";
import { iso, openRows } from "./rows.js";

const states = { PENDING: "waiting", COMPLETED: "completed", FAILED: "failed", CANCELLED: "canceled" };
const columns = [
  ...[
    "id",
    "queue",
    "state",
    "script",
    "class",
    "args",
    "constructor_args",
    "attempt",
    "max_attempts",
    "result",
  ],
  ...["errors", "inserted_at", "attempted_at", "available_at", "completed_at", "failed_at", "canceled_at"],
  ...["claimed_by", "claimed_at", "backoff_strategy"],
];

export async function open(url) {
  const backend = new Backend(url);
  await backend.migrate();
  const rows = await openRows(url, "sidequest_jobs", columns);
  return {
    write: (jobs) => rows.write(jobs.map(toRow)),
    settleDown: rows.settleDown,
    async read({ place }) {
      const job = await backend.getJob(place + 1);
      const status = Object.keys(states).find((name) => states[name] === job.state);
      return { type: job.class, status, payload: job.args[0] };
    },
    count: async () => (await backend.countJobs()).total,
    asks: {
      "by-id": async ({ place }) => ((await backend.getJob(place + 1)) ? 1 : 0),
      "newest-failed": async () => (await backend.listJobs({ state: ["failed"] })).length,
      "type-status": async ({ type, status }) =>
        (await backend.listJobs({ jobClass: [type], state: [states[status]] })).length,
      offset: async () => (await backend.listJobs({ state: ["completed"], offset: 100_000 })).length,
      started: async ({ type, from, to }) =>
        (await backend.listJobs({ jobClass: [type], timeRange: { from, to } })).length,
      counts: async () => (await backend.countJobs()).total,
      "counts-by-hour": async () => (await backend.countJobsOverTime("24h")).length,
    },
    async close() {
      await rows.close();
      await backend.close();
    },
  };
}

function toRow({ place, record }) {
  const { type, queue, status, payload, createdAt, startedAt, completedAt, result, history } = record;
  const endedAs = (name) => (status === name ? iso(completedAt) : null);
  const error = status === "FAILED" && JSON.parse(history[0].error);
  return {
    id: place + 1,
    queue,
    state: states[status],
    script: "file:///srv/jobs/index.js",
    class: type,
    args: [JSON.parse(payload.json)],
    constructor_args: [],
    attempt: startedAt === undefined ? 0 : 1,
    max_attempts: record.maxAttempts,
    result: result ? JSON.parse(result.json) : null,
    errors: error
      ? [{ ...error, attempt: 1, attempted_at: iso(startedAt), attempt_by: record.workerId }]
      : null,
    inserted_at: iso(createdAt),
    attempted_at: iso(startedAt),
    available_at: iso(createdAt),
    completed_at: endedAs("COMPLETED"),
    failed_at: endedAs("FAILED"),
    canceled_at: endedAs("CANCELLED"),
    claimed_by: record.workerId ?? null,
    claimed_at: iso(startedAt),
    backoff_strategy: "exponential",
  };
}
