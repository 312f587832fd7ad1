/** What `dure doctor` asks of the server itself, beside Dure's own tables: each finding names a cause and the next step. */
import { grouped } from "../../core/grouped.ts";
import type { HealthFinding } from "../../core/store.ts";
import type { Database } from "./connections/database.ts";
import { statement } from "./statement.ts";

const skewMsMax = 5_000;
const transactionAgeMsMax = 60_000;
const transactionsShownMax = 5;
const connectionsLeftMin = 10;
const deadShareMax = 0.5;
const deadRowsMin = 100_000;

/**
 * @param skewMs how far the server's clock is ahead of this machine's
 * @param openMsMax transactions that are open for longer are named; 60,000
 */
export async function serverFindings(
  database: Database,
  skewMs: number,
  openMsMax: number = transactionAgeMsMax,
): Promise<HealthFinding[]> {
  const { schema } = database.location;
  const [facts] = (await database.read(serverFacts, [schema])) as [ServerFacts];
  return [
    serverFinding(facts),
    rightsFinding(facts, schema),
    clockFinding(skewMs),
    ...encryptionFindings(database),
    connectionsFinding(facts),
    ...(await transactionFindings(database, facts, openMsMax)),
    ...(await vacuumFindings(database, facts)),
  ];
}

type ServerFacts = [
  version: string,
  isStandby: boolean,
  synchronous: string,
  fsync: string,
  autovacuum: string,
  user: string,
  isSuperuser: boolean,
  mayRun: boolean,
  mayEnqueue: boolean,
  seesAll: boolean,
  used: number,
  most: number,
];

function serverFinding([version, isStandby, synchronous, fsync]: ServerFacts): HealthFinding {
  const check = "server";
  if (isStandby) {
    return {
      level: "error",
      check,
      message: `PostgreSQL ${version} is a standby: it takes no writes.`,
      next: "Name the primary in the connection string, or all hosts: postgres://a,b/…",
    };
  }
  const careless = [
    ...(fsync === "off" ? ["fsync"] : []),
    ...(synchronous === "off" ? ["synchronous_commit"] : []),
  ];
  if (careless.length > 0) {
    return {
      level: "warning",
      check,
      message: `PostgreSQL ${version} has ${careless.join(" and ")} off: a crash of the server loses the last tasks it acknowledged${fsync === "off" ? ", or damages all" : ""}.`,
      next: `Set ${careless.map((name) => `${name} = on`).join(" and ")}, unless that is meant.`,
    };
  }
  return {
    level: "ok",
    check,
    message: `PostgreSQL ${version} takes writes and keeps what it acknowledges.`,
  };
}

function rightsFinding(facts: ServerFacts, schema: string): HealthFinding {
  const check = "rights";
  const [, , , , , user, isSuperuser, mayRun, mayEnqueue] = facts;
  if (isSuperuser) {
    return {
      level: "warning",
      check,
      message: `The user ${user} is a superuser, which no program of Dure needs to be.`,
      next: `Let programs sign in as a user of their own: dure migrate --grants <role> --as worker (schema ${schema}).`,
    };
  }
  const may = mayRun
    ? "run tasks"
    : mayEnqueue
      ? "enqueue, change and search tasks, but run none"
      : "search tasks, but change none";
  return { level: "ok", check, message: `The user ${user} may ${may}.` };
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

function encryptionFindings({ location }: Database): HealthFinding[] {
  if (location.unencrypted.length === 0) return [];
  return [
    {
      level: "warning",
      check: "encryption",
      message: `What goes to ${location.unencrypted.join(", ")} is not encrypted, payloads and passwords included.`,
      next: "Take sslmode=disable out of the connection string, unless nobody else can read the network.",
    },
  ];
}

function connectionsFinding(facts: ServerFacts): HealthFinding {
  const check = "connections";
  const [used, most] = facts.slice(10) as [number, number];
  const message = `${used} of the server's ${most} connections are in use.`;
  if (most - used >= connectionsLeftMin) return { level: "ok", check, message };
  return {
    level: "warning",
    check,
    message,
    next: "Raise max_connections, lower pool_size, or put a pooler between.",
  };
}

/** What is left open keeps dead rows from being cleaned away, and claims step over more of them each minute. */
async function transactionFindings(
  database: Database,
  facts: ServerFacts,
  openMsMax: number,
): Promise<HealthFinding[]> {
  const check = "transactions";
  const [, , , , , user, , , , seesAll] = facts;
  const rows = (await database.read(openForLong, [openMsMax, transactionsShownMax])) as HeldOpen[];
  if (rows.length > 0) return rows.map(heldFinding);
  if (seesAll) return [{ level: "ok", check, message: "No transaction is held open for long." }];
  return [
    {
      level: "ok",
      check,
      message: `No transaction of ${user} is held open for long; those of others cannot be seen by this user.`,
      next: `GRANT pg_read_all_stats TO ${user}; then all are looked at.`,
    },
  ];
}

type HeldOpen = [
  kind: "session" | "prepared" | "slot",
  name: string,
  application: string | null,
  user: string | null,
  state: string | null,
  ageMs: number | null,
];

function heldFinding([kind, name, application, user, state, ageMs]: HeldOpen): HealthFinding {
  const minutes = ageMs === null ? undefined : Math.round(ageMs / 60_000);
  const since = minutes === undefined ? "" : minutes === 1 ? " for a minute" : ` for ${minutes} minutes`;
  const effect = "until it ends no row that was changed since can be cleaned away, and claims slow down";
  const facts = { level: "warning", check: "transactions" } as const;
  if (kind === "slot") {
    return {
      ...facts,
      message: `The replication slot "${name}" is held back${since}: ${effect}.`,
      next: `Bring its reader back, or: SELECT pg_drop_replication_slot('${name}');`,
    };
  }
  if (kind === "prepared") {
    return {
      ...facts,
      message: `A prepared transaction "${name}" of ${user} has been open${since}: ${effect}.`,
      next: `COMMIT PREPARED '${name}' or ROLLBACK PREPARED '${name}', as its owner.`,
    };
  }
  return {
    ...facts,
    message: `A transaction of ${application || "an unnamed program"} (user ${user}, process ${name}, ${state}) has been open${since}: ${effect}.`,
    next: `End it there, or: SELECT pg_terminate_backend(${name}); and set idle_in_transaction_session_timeout.`,
  };
}

async function vacuumFindings(
  database: Database,
  [, , , , autovacuum]: ServerFacts,
): Promise<HealthFinding[]> {
  const check = "vacuum";
  const tables = (await database.read(deadRows, [database.location.schema])) as DeadRows[];
  const off = tables.filter(([, , , isOff]) => isOff).map(([table]) => table);
  if (autovacuum === "off" || off.length > 0) {
    return [
      {
        level: "warning",
        check,
        message: `Autovacuum is off${autovacuum === "off" ? "" : ` for ${off.join(", ")}`}: old rows pile up, and claims slow down.`,
        next: "Turn it on.",
      },
    ];
  }
  const behind = tables.filter(([, live, dead]) => dead > deadRowsMin && dead > live * deadShareMax);
  if (behind.length === 0) return [{ level: "ok", check, message: "Autovacuum keeps up." }];
  return behind.map(([table, live, dead]) => ({
    level: "warning",
    check,
    message: `${table} has ${grouped(dead)} dead rows beside ${grouped(live)} live ones.`,
    next: "Look for old transactions above; or give autovacuum more to work with (autovacuum_vacuum_cost_limit).",
  }));
}

const serverFacts = statement(
  "serverState",
  `SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('synchronous_commit'),
    current_setting('fsync'), current_setting('autovacuum'), current_user::text,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    has_column_privilege(tasks.oid, 'fence', 'UPDATE'), has_table_privilege(tasks.oid, 'INSERT'),
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer,
    current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
  FROM pg_class AS tasks WHERE relname = 'tasks' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)`,
);

// Transactions that only hold a lock or read nothing keep nothing; those with a snapshot or an id do.
const openForLong = statement(
  "openForLong",
  `SELECT * FROM (
      SELECT 'session', pid::text, application_name, usename::text, state,
        (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint AS age
      FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
      UNION ALL
      SELECT 'prepared', gid, NULL, owner::text, NULL, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint
      FROM pg_prepared_xacts
      UNION ALL
      SELECT 'slot', slot_name::text, NULL, NULL, NULL, NULL
      FROM pg_replication_slots WHERE NOT active AND (xmin IS NOT NULL OR catalog_xmin IS NOT NULL)
    ) AS held WHERE age > $1::bigint OR age IS NULL ORDER BY age DESC NULLS LAST LIMIT $2`,
);

type DeadRows = [table: string, live: number, dead: number, isOff: boolean];

const deadRows = statement(
  "deadRows",
  `SELECT stats.relname::text, n_live_tup, n_dead_tup, coalesce(reloptions::text ~ 'autovacuum_enabled=(off|false)', false)
    FROM pg_stat_user_tables AS stats JOIN pg_class ON pg_class.oid = relid
    WHERE schemaname = $1 ORDER BY stats.relname`,
);
