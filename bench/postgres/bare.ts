/**
 * The limit: the product's tables and nothing else around them. Inserts of 1,000 rows by arrays; single inserts; claim
 * and settlement of 500, overlapped on two connections.
 */
import pg from "pg";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { inSchema } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { finish } from "../support/figures.ts";
import { rateSince } from "../support/numbers.ts";
import { payloadJson, taskIds } from "../support/sample.ts";

const [question, countText, url] = process.argv.slice(2) as [string, string, string];
const count = Number(countText);
const insertSize = 1_000;
const batchSize = 500;
const store = createPostgresStore({ url });
await store.open();
await store.close();
const { schema, connectionStrings } = parseLocation(url);
const [first, second] = await Promise.all([connect(), connect()]);
await query(
  first,
  "INSERT INTO :schema.lanes (type, queue, own_ids) VALUES ('bench-task', 'default', false)",
  [],
);
const newId = taskIds();

const insert = `INSERT INTO :schema.tasks (id, lane, own_id, priority, due_at, created_at, updated_at, max_attempts,
    rerun_after_crash, payload)
  SELECT id, 1, false, 0, $2::bigint, $2::bigint, $2::bigint, 1, true, payload
  FROM unnest($1::text[], $3::text[]) AS given (id, payload)`;
const claim = `WITH due AS MATERIALIZED (SELECT ctid AS place FROM :schema.tasks WHERE status < 2 AND crashes = 0 AND lane = 1
    AND priority = 0 AND due_at <= $1::bigint ORDER BY due_at, seq LIMIT $2::integer FOR UPDATE SKIP LOCKED)
  UPDATE :schema.tasks SET status = 2, worker = 1, fence = fence + 1, attempts = attempts + 1, started_at = $1::bigint,
    updated_at = $1::bigint, version = version + 1
  WHERE ctid = ANY (ARRAY(SELECT place FROM due)) RETURNING ctid::text, id, fence, payload`;
const settle = `UPDATE :schema.tasks SET status = 3, completed_at = $2::bigint, updated_at = $2::bigint, version = version + 1
  WHERE ctid = ANY ($1::tid[]) AND status = 2 AND worker = 1`;

if (question === "bulk-enqueue") finish({ rate: await timed(() => insertAll(insertSize)) });
else if (question === "one-by-one") finish({ rate: await timed(() => insertAll(1)) });
else {
  await insertAll(insertSize);
  finish({ rate: await timed(drain) });
}
await Promise.all([first.end(), second.end()]);

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return rateSince(count, startedAt);
}

async function insertAll(size: number): Promise<void> {
  for (let n = 0; n < count; n += size) {
    const ids = Array.from({ length: size }, newId);
    const now = Date.now();
    await query(first, insert, [ids, now, ids.map(() => payloadJson)], "insert");
  }
}

/** One connection claims, the other settles what the one before brought. */
async function drain(): Promise<void> {
  let settling: Promise<unknown> = Promise.resolve();
  for (let n = 0; n < count; n += batchSize) {
    const { rows } = await query(first, claim, [Date.now(), batchSize], "claim");
    await settling;
    settling = query(second, settle, [rows.map((row) => row[0]), Date.now()], "settle");
  }
  await settling;
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: connectionStrings[0]! });
  await client.connect();
  return client;
}

function query(
  client: pg.Client,
  text: string,
  values: unknown[],
  name?: string,
): Promise<pg.QueryResult<any>> {
  return client.query({ text: inSchema(text, schema), values, rowMode: "array", ...(name && { name }) });
}
