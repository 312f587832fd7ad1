/** Agenda on PostgreSQL. The rows are those that saving, running, failing and disabling a job leave behind. */
import { PostgresBackend } from "@agendajs/postgres-backend";
import { Agenda } from "agenda";
import { iso, openRows, uuidOf } from "./rows.js";

// A cancelled job is removed from Agenda; to have as many, it stands there disabled.
const states = { PENDING: "queued", COMPLETED: "completed", FAILED: "failed", CANCELLED: "paused" };
const columns = [
  ...["id", "name", "priority", "next_run_at", "type", "last_finished_at", "failed_at", "fail_count"],
  ...["fail_reason", "last_run_at", "data", "disabled", "fork", "created_at", "updated_at"],
];

export async function open(url) {
  const backend = new PostgresBackend({ connectionString: url, disableNotifications: true });
  const agenda = new Agenda({ backend });
  await agenda.ready;
  const rows = await openRows(url, "agenda_jobs", columns);
  const found = async (options) => (await agenda.queryJobs({ limit: 50, ...options })).jobs.length;
  return {
    write: (jobs) => rows.write(jobs.map(toRow)),
    settleDown: rows.settleDown,
    async read({ place }) {
      const [job] = (await agenda.queryJobs({ id: uuidOf(place) })).jobs;
      const status = job.disabled
        ? "CANCELLED"
        : Object.keys(states).find((name) => states[name] === job.state);
      return { type: job.name, status, payload: job.data };
    },
    count: async () => total(await agenda.getJobsOverview()),
    asks: {
      "by-id": ({ place }) => found({ id: uuidOf(place) }),
      "newest-failed": () => found({ state: "failed", sort: { lastRunAt: "desc" } }),
      "type-status": ({ type, status }) =>
        found({ name: type, state: states[status], sort: { lastRunAt: "desc" } }),
      "oldest-waiting": ({ type }) => found({ name: type, state: "queued", sort: { nextRunAt: "asc" } }),
      offset: () => found({ state: "completed", skip: 100_000, sort: { lastRunAt: "desc" } }),
      "payload-user": ({ type, user }) => found({ name: type, data: { user: { id: user } } }),
      "payload-path": ({ record, place }) => found({ name: record.type, data: { order: { number: place } } }),
      counts: async () => total(await agenda.getJobsOverview()),
    },
    async close() {
      await rows.close();
      await agenda.stop();
      await backend.disconnect();
    },
  };
}

function total(overviews) {
  return overviews.reduce((sum, { total }) => sum + total, 0);
}

function toRow({ place, record }) {
  const { type, status, priority, payload, createdAt, startedAt, completedAt, error } = record;
  const isWaiting = status === "PENDING" || status === "CANCELLED";
  return {
    id: uuidOf(place),
    name: type,
    priority,
    next_run_at: isWaiting ? iso(createdAt) : null,
    type: "normal",
    last_finished_at: isWaiting ? null : iso(completedAt),
    failed_at: status === "FAILED" ? iso(completedAt) : null,
    fail_count: status === "FAILED" ? 1 : null,
    fail_reason: status === "FAILED" ? error : null,
    last_run_at: isWaiting ? null : iso(startedAt),
    data: JSON.parse(payload.json),
    disabled: status === "CANCELLED",
    fork: false,
    created_at: iso(createdAt),
    updated_at: iso(completedAt ?? createdAt),
  };
}
