/** What `dure stats` and `dure doctor` ask of the server: each finding names a cause and the next step. */
import type { HealthFinding, StoreStats } from "../../core/store.ts";
import { backlogFindings, workerFinding } from "../findings.ts";
import type { Context } from "./context.ts";
import type { ResultRow } from "./database.ts";
import { statusNames } from "./rows.ts";
import { nowOf, onceOnly, statement } from "./statement.ts";
import { foldTallies, sums } from "./tallies.ts";
import { listWorkers } from "./workers.ts";

const skewMsMax = 5_000;
const transactionAgeMsMax = 60_000;
const connectionsLeftMin = 10;
const deadShareMax = 0.5;
const deadRowsMin = 100_000;

export async function stats(context: Context): Promise<StoreStats> {
  // Best done where sums are wanted; that it fails, on a standby for instance, is no matter.
  await foldTallies(context).catch(() => undefined);
  return context.database.snapshot(async (session) => {
    const counts = await session.query(countByType);
    const [facts] = await session.query(storeFacts, [context.now(), context.database.location.schema]);
    const [alive, dead, stopped, oldestDueMs, sizeBytes] = facts!;
    return {
      byType: counts.map(([type, queue, status, count]) => ({
        type,
        queue,
        status: statusNames[status]!,
        count,
      })),
      workers: { alive, dead, stopped },
      ...(oldestDueMs !== null && { oldestDueMs }),
      sizeBytes,
    };
  });
}

/** `full` counts every task; otherwise only what is quick. */
export async function checkHealth(context: Context, { full }: { full: boolean }): Promise<HealthFinding[]> {
  const workers = await listWorkers(context);
  const [facts] = await context.database.read(serverFacts, [context.now()]);
  const now = facts![0] as number;
  return [
    serverFinding(facts!),
    clockFinding(context.now() === null ? now - Date.now() : 0),
    connectionsFinding(facts!),
    ...(await transactionFindings(context)),
    ...(await vacuumFindings(context)),
    ...(full ? [await talliesFinding(context)] : []),
    workerFinding(workers, now),
    ...backlogFindings(workers, await stats(context)),
  ];
}

function serverFinding([, version, synchronous, isStandby]: ResultRow): HealthFinding {
  const check = "server";
  if (isStandby) {
    return {
      level: "error",
      check,
      message: `PostgreSQL ${version} is a standby: it takes no writes.`,
      next: "Name the primary in the connection string, or all hosts: postgres://a,b/…",
    };
  }
  if (synchronous === "off") {
    return {
      level: "warning",
      check,
      message: `PostgreSQL ${version} has synchronous_commit off: a crash of the server loses the last tasks it acknowledged.`,
      next: "Set synchronous_commit = on for this user, unless that is meant.",
    };
  }
  return {
    level: "ok",
    check,
    message: `PostgreSQL ${version} takes writes and keeps what it acknowledges.`,
  };
}

function clockFinding(skewMs: number): HealthFinding {
  const check = "clock";
  if (Math.abs(skewMs) <= skewMsMax) {
    return { level: "ok", check, message: "The clocks of this machine and the server agree." };
  }
  const way = skewMs > 0 ? "behind" : "ahead of";
  return {
    level: "warning",
    check,
    message: `This machine's clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${way} the server's, whose clock decides.`,
    next: "Let the machines set their clocks by NTP.",
  };
}

function connectionsFinding([, , , , used, most]: ResultRow): HealthFinding {
  const check = "connections";
  const message = `${used} of the server's ${most} connections are in use.`;
  if (most - used >= connectionsLeftMin) return { level: "ok", check, message };
  return {
    level: "warning",
    check,
    message,
    next: "Raise max_connections, lower pool_size, or put a pooler between.",
  };
}

/** A transaction left open keeps dead rows from being cleaned away, and claims step over more of them each minute. */
async function transactionFindings(context: Context): Promise<HealthFinding[]> {
  const rows = await context.database.read(oldTransactions, [transactionAgeMsMax]);
  return rows.map(([pid, application, user, state, ageMs]) => ({
    level: "warning",
    check: "transactions",
    message: `A transaction of ${application || "an unnamed program"} (user ${user}, process ${pid}, ${state}) has been open for ${Math.round(ageMs / 60_000)} minutes; until it ends no row that Dure has changed since can be cleaned away.`,
    next: `End it, or: SELECT pg_terminate_backend(${pid});`,
  }));
}

async function vacuumFindings(context: Context): Promise<HealthFinding[]> {
  const check = "vacuum";
  const rows = await context.database.read(deadRows, [context.database.location.schema]);
  const bloated = rows.filter(([, live, dead]) => dead > deadRowsMin && dead > live * deadShareMax);
  if (bloated.length === 0) return [{ level: "ok", check, message: "Autovacuum keeps up." }];
  return bloated.map(([table, live, dead, enabled]) => ({
    level: "warning",
    check,
    message: `${table} has ${dead} dead rows beside ${live} live ones.`,
    next: enabled
      ? "Look for old transactions above; give autovacuum more to work with (autovacuum_vacuum_cost_limit)."
      : "Autovacuum is off: turn it on.",
  }));
}

/** The kept counts against counted ones. */
async function talliesFinding(context: Context): Promise<HealthFinding> {
  const check = "counts";
  const rows = await context.database.read(wrongTallies);
  if (rows.length === 0) return { level: "ok", check, message: "The kept counts equal the counted ones." };
  return {
    level: "error",
    check,
    message: `${rows.length} kept counts differ from the counted ones.`,
    next: "Please report this: it is a defect of Dure. Tasks are not affected.",
  };
}

const countByType = statement(
  "countByType",
  `SELECT type, queue, status, sum(tasks)::bigint FROM (${sums}) AS counted JOIN :schema.lanes USING (lane)
    GROUP BY type, queue, status ORDER BY type, queue, status`,
);

const storeFacts = statement(
  "stats",
  `WITH RECURSIVE clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  heads (lane, priority) AS (
    SELECT lane, (SELECT tasks.priority::integer FROM :schema.tasks WHERE status < 2 AND crashes = 0
      AND tasks.lane = lanes.lane ORDER BY tasks.priority DESC LIMIT 1) FROM :schema.lanes
    UNION ALL
    SELECT lane, (SELECT tasks.priority::integer FROM :schema.tasks WHERE status < 2 AND crashes = 0
      AND tasks.lane = heads.lane AND tasks.priority < heads.priority ORDER BY tasks.priority DESC LIMIT 1)
    FROM heads WHERE priority IS NOT NULL),
  oldest AS (
    SELECT min(found.due_at) AS due_at FROM heads CROSS JOIN LATERAL (
      SELECT due_at FROM :schema.tasks WHERE status < 2 AND crashes = 0 AND tasks.lane = heads.lane
        AND tasks.priority = heads.priority ORDER BY due_at, seq LIMIT 1) AS found
    WHERE heads.priority IS NOT NULL)
  SELECT (SELECT count(*) FROM :schema.workers WHERE state = 'alive'),
    (SELECT count(*) FROM :schema.workers WHERE state = 'dead'),
    (SELECT count(*) FROM :schema.workers WHERE state = 'stopped'),
    CASE WHEN oldest.due_at < clock.at THEN clock.at - oldest.due_at END,
    (SELECT sum(pg_total_relation_size(pg_class.oid))::bigint FROM pg_class
      WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2) AND relkind = 'r')
  FROM clock, oldest`,
);

const serverFacts = statement(
  "serverState",
  `SELECT ${nowOf("$1")}, current_setting('server_version'), current_setting('synchronous_commit'), pg_is_in_recovery(),
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer,
    current_setting('max_connections')::integer`,
);

const oldTransactions = statement(
  "oldTransactions",
  `SELECT pid, application_name, usename, state, (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      AND xact_start < clock_timestamp() - $1::bigint * interval '1 millisecond'
    ORDER BY xact_start LIMIT 5`,
);

const deadRows = statement(
  "deadRows",
  `SELECT relname, n_live_tup, n_dead_tup, current_setting('autovacuum') = 'on'
    FROM pg_stat_user_tables WHERE schemaname = $1`,
);

const wrongTallies = onceOnly(
  "checkTallies",
  `SELECT lane, status FROM (
      SELECT lane, greatest(status, 1) AS status, count(*) AS tasks FROM :schema.tasks GROUP BY 1, 2
      UNION ALL SELECT lane, status, -tasks FROM (${sums}) AS kept) AS both_counts
    GROUP BY lane, status HAVING sum(tasks) <> 0`,
);
