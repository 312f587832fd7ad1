/**
 * Fills a PostgreSQL schema with tasks as they lie there after a month of work, for measuring searches:
 * node bench/postgres/fill.ts 'postgres://user@host/db?schema=dure_bench' 1000000
 *
 * Twenty types in two queues, every status, ids of both kinds, results and errors; created in order over thirty days.
 */
import pg from "pg";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { fillMinutes } from "../../server/tasks/stores/postgres/counts/minute-fill.ts";
import { inSchema, onceOnly } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { allLanes, hourSql } from "../../server/tasks/stores/shared/hours.ts";

const batch = 100_000;
const types = 20;

export interface FillOptions {
  /** `history`: nine tenths are completed, one in fifty took days. `waiting`: all wait and were never changed. */
  mix?: "history" | "waiting";
  /** Whether the server's statistics are brought up to date after it; else it is kept from doing so by itself. */
  analyse?: boolean;
}

/** Makes the schema, if need be, and fills it with `count` tasks. */
export async function fillPostgres(
  url: string,
  count: number,
  { mix = "history", analyse = true }: FillOptions = {},
): Promise<void> {
  const store = createPostgresStore({ url });
  await store.open();
  await store.close();
  const { connectionStrings, schema } = parseLocation(url);
  const client = new pg.Client({ connectionString: connectionStrings[0]! });
  await client.connect();
  const run = (text: string, values?: unknown[]) => client.query(inSchema(text, schema), values);
  try {
    if (!analyse) await run("ALTER TABLE :schema.tasks SET (autovacuum_enabled = off)");
    await run(insertLanes, [types]);
    await run(insertWorker);
    for (let first = 0; first < count; first += batch)
      await run(insertTasks, [first, Math.min(first + batch, count) - 1, count, mix === "waiting"]);
    await run(tallyUp);
    await run(tallyHours);
    await tallyMinutes(url);
  } finally {
    await client.end();
  }
  if (analyse) await analysePostgres(url);
}

/** Brings the server's statistics up to date. */
export async function analysePostgres(url: string): Promise<void> {
  const { connectionStrings, schema } = parseLocation(url);
  const client = new pg.Client({ connectionString: connectionStrings[0]! });
  await client.connect();
  try {
    for (const table of ["tasks", "lanes", "tallies", "hour_tallies", "minute_tallies", "ended_tallies"])
      await client.query(inSchema(`VACUUM (ANALYZE) :schema.${table}`, schema));
  } finally {
    await client.end();
  }
}

// Types 0 to 3 have a second queue, types 0 and 1 tasks of chosen ids.
const insertLanes = `INSERT INTO :schema.lanes (type, queue, own_ids)
  SELECT 'type-' || n, queue, own FROM generate_series(0, $1::integer - 1) AS n,
    (VALUES ('default', false, 100), ('mail', false, 4), ('default', true, 2)) AS kinds (queue, own, below)
  WHERE n < below ON CONFLICT DO NOTHING`;

const insertWorker = `INSERT INTO :schema.workers
    (id, state, host, pid, concurrency, types, lease_ms, started_at, beat_at)
  VALUES ('bench', 'stopped', 'bench', 1, 10, '[]', 30000, 0, 0) ON CONFLICT DO NOTHING`;

const digit = (shift: number) =>
  `substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (at >> ${shift} & 31)::integer + 1, 1)`;
const generatedId = `${[45, 40, 35, 30, 25, 20, 15, 10, 5, 0].map(digit).join(" || ")} || upper(substr(md5(n::text), 1, 16))`;

/** $1 first, $2 last, $3 count, $4 whether all wait. */
const insertTasks = `INSERT INTO :schema.tasks (id, own_id, lane, status, priority, due_at, created_at, updated_at,
    started_at, completed_at, worker, fence, attempts, max_attempts, rerun_after_crash, payload, result, error)
  SELECT id, own, lane, status, 0, at, at, at + took, CASE WHEN status >= 2 THEN at + took / 2 END,
    CASE WHEN status >= 3 THEN at + took END, CASE WHEN status >= 2 THEN (SELECT worker FROM :schema.workers WHERE id = 'bench') END,
    (status <> 0)::integer, (status <> 0)::integer, 3, true,
    json_build_object('userId', n % 5000, 'url', 'https://example.com/' || md5(n::text))::text,
    CASE WHEN status = 3 THEN '{"widthPx":640}' END, CASE WHEN status = 4 THEN 'ETIMEDOUT after ' || n % 30 || ' s' END
  FROM (
    SELECT n, at, own, CASE WHEN own THEN 'order-' || n ELSE ${generatedId} END AS id,
      CASE WHEN status = 0 THEN 0 WHEN n % 50 = 7 THEN (random() * 864000000)::bigint ELSE (random() * 600000)::bigint END AS took, status, type,
      CASE WHEN type < 4 AND n % 7 = 0 AND NOT own THEN 'mail' ELSE 'default' END AS queue
    FROM (
      SELECT n, at, chance, (5 * power(random(), 3) * 4)::integer % ${types} AS type,
        CASE WHEN $4::boolean THEN 0 WHEN n % 50000 = 0 THEN 2 WHEN chance < 0.90 THEN 3 WHEN chance < 0.94 THEN 4 WHEN chance < 0.95 THEN 5
          WHEN chance < 0.99 THEN 0 ELSE 1 END AS status
      FROM (SELECT n, (extract(epoch FROM now()) * 1000)::bigint - 2592000000 + n::bigint * 2592000000 / $3::bigint AS at,
          random() AS chance FROM generate_series($1::integer, $2::integer) AS n) AS instants) AS kinds
    CROSS JOIN LATERAL (SELECT type < 2 AND n % 11 = 0 AS own) AS owned) AS drawn
  JOIN :schema.lanes ON lanes.type = 'type-' || drawn.type AND lanes.queue = drawn.queue AND lanes.own_ids = drawn.own`;

const tallyUp = `INSERT INTO :schema.tallies AS kept (lane, status, tasks)
  SELECT lane, greatest(status, 1), count(*) FROM :schema.tasks GROUP BY 1, 2
  ON CONFLICT (lane, status) DO UPDATE SET tasks = excluded.tasks`;

const tallyHours = `INSERT INTO :schema.hour_tallies AS kept (lane, state, hour, tasks)
  SELECT coalesce(lane, ${allLanes}), state, hour, count(*) FROM (
    SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END AS state, ${hourSql("created_at")} AS hour FROM :schema.tasks) AS own
  GROUP BY GROUPING SETS ((lane, state, hour), (state, hour))
  ON CONFLICT (lane, state, hour) DO UPDATE SET tasks = excluded.tasks`;

/** As after the migration that began these counts. */
async function tallyMinutes(url: string): Promise<void> {
  const database = new Database(parseLocation(url));
  await database.open();
  await database.query(onceOnly("noteGap", "INSERT INTO :schema.minute_gaps DEFAULT VALUES"));
  while ((await fillMinutes({ database }, 0)) === "counted");
  await database.close();
}

if (process.argv[1] === import.meta.filename) {
  const [url, count = 1_000_000, mix] = process.argv.slice(2);
  await fillPostgres(url!, Number(count), { mix: mix === "waiting" ? "waiting" : "history" });
}
