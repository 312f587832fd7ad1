/** pg-boss on PostgreSQL: a queue per type. The rows are those that `insert`, `complete`, `fail` and `cancel` leave behind. */
import { PgBoss } from "pg-boss";
import { dayMs, days, types } from "../records.ts";
import { iso, openRows, uuidOf } from "./rows.js";

const states = { PENDING: "created", COMPLETED: "completed", FAILED: "failed", CANCELLED: "cancelled" };
const keptSeconds = (2 * days * dayMs) / 1_000;
const columns = [
  ...[
    "id",
    "name",
    "priority",
    "data",
    "state",
    "retry_limit",
    "retry_count",
    "retry_delay",
    "retry_backoff",
  ],
  ...["expire_seconds", "deletion_seconds", "start_after", "created_on", "started_on", "completed_on"],
  ...["keep_until", "output", "policy", "blocked", "blocking", "pending_dependencies"],
];

export async function open(url) {
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false });
  boss.on("error", (error) => process.stderr.write(`${error}\n`));
  await boss.start();
  const kept = { retentionSeconds: keptSeconds, deleteAfterSeconds: keptSeconds };
  for (const type of types) await boss.createQueue(type, { policy: "standard", retryLimit: 2, ...kept });
  const rows = await openRows(url, "pgboss.job", columns);
  return {
    write: (jobs) => rows.write(jobs.map(toRow)),
    async settleDown() {
      await rows.settleDown();
      // Its monitor and maintenance, which count what is there.
      await boss.supervise();
    },
    async read({ place, record }) {
      const [job] = await boss.findJobs(record.type, { id: uuidOf(place) });
      const status = Object.keys(states).find((name) => states[name] === job.state);
      return { type: record.type, status, payload: job.data };
    },
    count: async () => (await boss.getQueues()).reduce((sum, { totalCount }) => sum + totalCount, 0),
    asks: {
      "by-id": async ({ place, record }) => (await boss.findJobs(record.type, { id: uuidOf(place) })).length,
      "oldest-waiting": async ({ type }) => (await boss.findJobs(type, { queued: true, limit: 50 })).length,
      "page-after": async ({ place, record }) =>
        (await boss.findJobs(record.type, { after: uuidOf(place), limit: 50 })).length,
      "payload-user": async ({ type, user }) =>
        (await boss.findJobs(type, { data: { user: { id: user } }, limit: 50 })).length,
      "payload-path": async ({ record, place }) =>
        (await boss.findJobs(record.type, { data: { order: { number: place } }, limit: 50 })).length,
      counts: async () => (await boss.getQueues()).length,
      "counts-of-type": async ({ type }) => (await boss.getQueueStats(type, { force: true })).length,
    },
    async close() {
      await rows.close();
      await boss.stop({ graceful: false });
    },
  };
}

function toRow({ place, record }) {
  const { type, status, priority, payload, createdAt, startedAt, completedAt, result, history } = record;
  const output = status === "FAILED" ? history[0].error : result?.json;
  return {
    id: uuidOf(place),
    name: type,
    priority,
    data: JSON.parse(payload.json),
    state: states[status],
    retry_limit: 2,
    retry_count: status === "FAILED" ? 2 : 0,
    retry_delay: 0,
    retry_backoff: false,
    expire_seconds: 900,
    deletion_seconds: keptSeconds,
    start_after: iso(createdAt),
    created_on: iso(createdAt),
    started_on: iso(startedAt),
    completed_on: iso(completedAt),
    keep_until: iso(createdAt + keptSeconds * 1_000),
    output: output === undefined ? null : JSON.parse(output),
    policy: "standard",
    blocked: false,
    blocking: false,
    pending_dependencies: 0,
  };
}
