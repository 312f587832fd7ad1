/** What bench/postgres/layouts.ts compares: the tables, and the statements of one life on them. */

export interface Layout {
  name: string;
  /** The one that takes new tasks. */
  hot: string;
  /** Makes the tables; `days` partitions of the history, the last one for today. */
  create(days: number, now: number): string[];
  /** $1 first number, $2 last number, $3 count, $4 now, $5 days: finished tasks spread evenly over the days. */
  fill: string;
  /** $1 place[], $2 now. */
  settle: string;
  /** Removes what ended before $1, at most $2 rows; undefined where a partition is dropped instead. */
  prune?: string;
  dropOldest?: string;
  /** The newest completed tasks of a lane. */
  page: string;
  /** $1 id: one task, whatever its status. */
  byId: string;
}

const dayMs = 86_400_000;

const columns = `seq bigint GENERATED ALWAYS AS IDENTITY, due_at bigint NOT NULL, created_at bigint NOT NULL,
  updated_at bigint NOT NULL, started_at bigint, completed_at bigint, cancel_requested_at bigint, lane integer NOT NULL,
  worker integer, fence integer NOT NULL DEFAULT 0, attempts integer NOT NULL DEFAULT 0, max_attempts integer NOT NULL,
  crashes integer NOT NULL DEFAULT 0, snoozes integer NOT NULL DEFAULT 0, version integer NOT NULL DEFAULT 1,
  status smallint NOT NULL DEFAULT 0, priority smallint NOT NULL, own_id boolean NOT NULL,
  rerun_after_crash boolean NOT NULL, id text COLLATE "C" NOT NULL, payload text NOT NULL, payload_types text,
  result text, result_types text, error text, description text, tags text, idempotency text COLLATE "C",
  settings text, progress text`;
const copied = `due_at, created_at, updated_at, started_at, completed_at, lane, worker, fence, attempts, max_attempts,
  crashes, snoozes, version, status, priority, own_id, rerun_after_crash, id, payload, result`;
const filled = `id, lane, own_id, priority, due_at, created_at, updated_at, started_at, completed_at, attempts,
  fence, max_attempts, rerun_after_crash, status, worker, payload, result`;
const finishedRows = `SELECT 'h' || lpad(n::text, 25, '0'), 1 + n % 4, false, 0, at, at, at + 40, at + 20, at + 40, 1, 1, 5, true,
    CASE WHEN n % 20 = 0 THEN 4 ELSE 3 END, 1, '{"to":"somebody","n":' || n || '}', '{"sent":true}'
  FROM generate_series($1::bigint, $2::bigint) AS n,
    LATERAL (SELECT $4::bigint - $5::bigint * ${dayMs} + (n::float8 / $3::bigint * $5::bigint * ${dayMs})::bigint AS at) AS x`;

const claimIndexes = (table: string) => [
  `CREATE INDEX ON ${table} (lane, priority DESC, due_at, seq) WHERE status < 2 AND crashes = 0`,
  `CREATE INDEX ON ${table} (lane, priority DESC, due_at, seq) WHERE status < 2 AND crashes > 0`,
  `CREATE INDEX ON ${table} (worker) WHERE status = 2`,
  `CREATE INDEX ON ${table} (lane, status, created_at, id) WHERE status <> 2`,
];
const late = (table: string) => [
  `CREATE INDEX ON ${table} (lane, status, created_at, id) INCLUDE (updated_at)
     WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 3600000`,
  `CREATE INDEX ON ${table} (lane, status, updated_at, id) INCLUDE (created_at)
     WHERE status <> 2 AND status <> 0 AND updated_at - created_at > 3600000`,
];
const updatedIndex = (table: string) =>
  `CREATE INDEX ON ${table} (lane, status, updated_at, id) WHERE status <> 2 AND status <> 0`;
const hot = (table: string, fillfactor: number) =>
  `CREATE TABLE ${table} (${columns}, PRIMARY KEY (id)) WITH (fillfactor = ${fillfactor}, autovacuum_enabled = off)`;

/** One table for every status: what the store has. */
export function oneTable(fillfactor: number): Layout {
  const name = fillfactor === 85 ? "one" : `one${fillfactor}`;
  const table = `${name}_tasks`;
  return {
    name,
    hot: table,
    create: () => [hot(table, fillfactor), ...claimIndexes(table), updatedIndex(table), ...late(table)],
    fill: `INSERT INTO ${table} (${filled}) ${finishedRows}`,
    settle: `UPDATE ${table} SET status = 3, completed_at = $2::bigint, updated_at = $2::bigint, version = version + 1,
        result = '{"sent":true}' WHERE ctid = ANY ($1::tid[]) AND status = 2 AND worker = 1`,
    prune: `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table}
        WHERE lane = $3 AND status = $4 AND updated_at < $1 ORDER BY updated_at, id LIMIT $2 FOR UPDATE SKIP LOCKED))`,
    page: `SELECT * FROM ${table} WHERE lane = 1 AND status = 3 ORDER BY created_at DESC, id DESC LIMIT 50`,
    byId: `SELECT * FROM ${table} WHERE id = $1`,
  };
}

/** What waits and runs in one table; what has ended is moved to another, in partitions of a day. */
export const moved: Layout = {
  name: "moved",
  hot: "moved_tasks",
  create: (days, now) => [
    hot("moved_tasks", 85),
    ...claimIndexes("moved_tasks"),
    `CREATE TABLE moved_ended (${columns.replace("GENERATED ALWAYS AS IDENTITY", "")}) PARTITION BY RANGE (completed_at)`,
    "CREATE INDEX ON moved_ended (id)",
    "CREATE INDEX ON moved_ended (lane, status, created_at, id)",
    "CREATE INDEX ON moved_ended (lane, status, updated_at, id)",
    ...late("moved_ended"),
    ...Array.from({ length: days + 1 }, (_, day) => {
      const from = now - (days - day) * dayMs;
      const to = day === days ? "MAXVALUE" : from + dayMs;
      return `CREATE TABLE moved_ended_${day} PARTITION OF moved_ended FOR VALUES FROM (${day === 0 ? "MINVALUE" : from}) TO (${to})
        WITH (autovacuum_enabled = off)`;
    }),
  ],
  fill: `INSERT INTO moved_ended (seq, ${filled}) SELECT 0, rows.* FROM (${finishedRows}) AS rows`,
  settle: `WITH gone AS (DELETE FROM moved_tasks WHERE ctid = ANY ($1::tid[]) AND status = 2 AND worker = 1 RETURNING *)
    INSERT INTO moved_ended (seq, ${copied})
    SELECT seq, ${copied
      .replace("updated_at,", "$2::bigint,")
      .replace("completed_at,", "$2::bigint,")
      .replace("version,", "version + 1,")
      .replace(" status,", " 3,")
      .replace("result", `'{"sent":true}'`)} FROM gone`,
  dropOldest: "DROP TABLE moved_ended_0",
  page: "SELECT * FROM moved_ended WHERE lane = 1 AND status = 3 ORDER BY created_at DESC, id DESC LIMIT 50",
  byId: "SELECT id FROM moved_tasks WHERE id = $1 UNION ALL SELECT id FROM moved_ended WHERE id = $1",
};

export const insertInto = (
  table: string,
) => `INSERT INTO ${table} (id, lane, own_id, priority, due_at, created_at,
    updated_at, max_attempts, rerun_after_crash, payload)
  SELECT id, 1, false, 0, $2::bigint, $2::bigint, $2::bigint, 5, true, $3::text FROM unnest($1::text[]) AS id`;

export const claimFrom = (
  table: string,
) => `WITH due AS MATERIALIZED (SELECT ctid AS place FROM ${table} WHERE status < 2
    AND crashes = 0 AND lane = 1 AND priority = 0 AND due_at <= $1::bigint ORDER BY due_at, seq LIMIT $2::integer
    FOR UPDATE SKIP LOCKED)
  UPDATE ${table} SET status = 2, worker = 1, fence = fence + 1, attempts = attempts + 1, started_at = $1::bigint,
    updated_at = $1::bigint, version = version + 1
  WHERE ctid = ANY (ARRAY(SELECT place FROM due)) RETURNING ctid::text`;
