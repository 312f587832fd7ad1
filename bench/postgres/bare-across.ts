/**
 * The limit of the latency across processes: what Dure's statements come to without anything around them. One process inserts
 * a row of the product's table and notifies; the other listens on one connection and claims on another. Every statement is
 * prepared, every connection warm, and all commits are durable.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { inSchema } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { finish } from "../support/figures.ts";
import { percentile } from "../support/numbers.ts";
import { payload, taskIds } from "../support/sample.ts";

const warmUp = 100;
const [, countText, url] = process.argv.slice(2) as [string, string, string];
const count = Number(countText);
const { schema, connectionStrings } = parseLocation(url);
const now = () => performance.timeOrigin + performance.now();

const insert = `INSERT INTO :schema.tasks (id, lane, own_id, priority, due_at, created_at, updated_at, max_attempts,
    rerun_after_crash, payload)
  VALUES ($1, 1, false, 0, $2::bigint, $2::bigint, $2::bigint, 1, true, $3)`;
const claim = `WITH due AS MATERIALIZED (SELECT ctid AS place FROM :schema.tasks WHERE status < 2 AND crashes = 0 AND lane = 1
    AND priority = 0 AND due_at <= $1::bigint ORDER BY due_at, seq LIMIT 10 FOR UPDATE SKIP LOCKED)
  UPDATE :schema.tasks SET status = 2, worker = 1, fence = fence + 1, attempts = attempts + 1, started_at = $1::bigint,
    updated_at = $1::bigint, version = version + 1
  WHERE ctid = ANY (ARRAY(SELECT place FROM due)) RETURNING ctid::text, id, fence, payload`;

if (process.send) await insertSlowly();
else await measure();

async function measure(): Promise<void> {
  const store = createPostgresStore({ url });
  await store.open();
  await store.close();
  const [listener, claimer] = await Promise.all([connect(), connect()]);
  await claimer.query(
    inSchema(
      "INSERT INTO :schema.lanes (type, queue, own_ids) VALUES ('bench-task', 'default', false)",
      schema,
    ),
  );
  const waits: number[] = [];
  const done = new Promise<void>((resolve) => {
    let claiming = Promise.resolve();
    listener.on("notification", () => {
      claiming = claiming.then(async () => {
        for (const row of await query(claimer, claim, [Date.now()], "claim")) {
          waits.push(now() - JSON.parse(row[3]).sentAt);
        }
        if (waits.length >= count) resolve();
      });
    });
  });
  await listener.query("LISTEN bench");
  const child = fork(import.meta.filename, process.argv.slice(2));
  await Promise.all([done, once(child, "exit")]);
  await Promise.all([listener.end(), claimer.end()]);
  const counted = waits.slice(warmUp);
  finish({ p50: percentile(counted, 50), p99: percentile(counted, 99) });
}

async function insertSlowly(): Promise<void> {
  const client = await connect();
  const newId = taskIds();
  for (let n = 0; n < count; n += 1) {
    await sleep(10 + Math.random() * 50);
    const sentAt = now();
    await query(client, insert, [newId(), Date.now(), JSON.stringify({ ...payload, sentAt })], "insert");
    await query(client, "SELECT pg_notify('bench', '')", [], "notify");
  }
  await client.end();
  process.exit(0);
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: connectionStrings[0]! });
  await client.connect();
  return client;
}

async function query(client: pg.Client, text: string, values: unknown[], name: string): Promise<any[][]> {
  return (await client.query({ text: inSchema(text, schema), values, rowMode: "array", name })).rows;
}
