/**
 * What a task's life costs the server, in processor time of its connection: enqueued by arrays of 1,000, claimed and
 * settled in batches by the product's own statements; then the same with one thing less, or set otherwise.
 *
 *   node bench/postgres/costs.ts --rounds 3
 *   node bench/postgres/costs.ts --only "as it is,small claim" --batch 125
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pg from "pg";
import { claimDue, claimFirstDue } from "../../server/tasks/stores/postgres/claim.ts";
import { completeTasks } from "../../server/tasks/stores/postgres/settle.ts";
import { inSchema, type Statement, statement } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { median } from "../support/numbers.ts";
import { startServer } from "../support/postgres.ts";
import { payloadJson, taskIds } from "../support/sample.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "3" },
    tasks: { type: "string", default: "50000" },
    batch: { type: "string", default: "500" },
  },
});
const [count, batchSize, rounds] = [Number(options.tasks), Number(options.batch), Number(options.rounds)];
const schema = "dure";

/** What is done to the tables before. */
const variants: Record<string, string> = {
  "as it is": "",
  "small claim": "",
  "without the primary key": "ALTER TABLE :schema.tasks DROP CONSTRAINT tasks_pkey",
  "without tasks_lane_created": "DROP INDEX :schema.tasks_lane_created",
  "without tasks_lane_updated": "DROP INDEX :schema.tasks_lane_updated",
  "without tasks_running": "DROP INDEX :schema.tasks_running",
  "primary key filled to 90 %": "ALTER INDEX :schema.tasks_pkey SET (fillfactor = 90)",
  "without CHECKs": `DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = ':schema.tasks'::regclass AND contype = 'c'
    LOOP EXECUTE format('ALTER TABLE :schema.tasks DROP CONSTRAINT %I', name); END LOOP; END $$`,
};
const insert = statement(
  "insert",
  `INSERT INTO :schema.tasks (id, lane, own_id, priority, due_at, created_at, updated_at, max_attempts,
      rerun_after_crash, payload)
    SELECT id, 1, false, 0, $2::bigint, $2::bigint, $2::bigint, 1, true, payload
    FROM unnest($1::text[], $3::text[]) AS given (id, payload)`,
);
const prepare = `INSERT INTO :schema.lanes (type, queue, own_ids) VALUES ('bench-task', 'default', false);
  INSERT INTO :schema.workers (id, state, host, pid, concurrency, types, lease_ms, started_at, beat_at)
    VALUES ('worker', 'alive', 'host', 1, 1, '[]', 1, 1, 1)`;
/** In a row of a claim's answer, after what tells of the claim: place, number, id, fence. */
const [place, seq, id, fence] = [8, 9, 10, 13];

const server = await startServer();
const template = await server.createDatabase("costs");
const store = createPostgresStore({ url: template });
await store.open();
await store.close();
const only = options.only?.split(",") ?? Object.keys(variants);
const measured = new Map<string, number[][]>(only.map((name) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  for (const name of only) measured.get(name)!.push(await live(name, `costs_${round}_${only.indexOf(name)}`));
}
await server.remove();
const table = new Table({ head: ["µs a task", "enqueue", "claim", "settle", "bytes of primary key"] });
for (const [name, lives] of measured) {
  table.push([name, ...[0, 1, 2, 3].map((part) => median(lives.map((one) => one[part]!)).toFixed(1))]);
}
console.log(table.toString());

/** One life of all tasks in a database of its own: microseconds a task for each step, and the size of the primary key. */
async function live(name: string, database: string): Promise<number[]> {
  await server.query(`CREATE DATABASE ${database} TEMPLATE costs`);
  const client = new pg.Client({ connectionString: server.url(database) });
  await client.connect();
  await client.query(inSchema(`${variants[name]}; ${prepare}`, schema));
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
  const spent = () => Number(readFileSync(`/proc/${rows[0].pid}/schedstat`, "utf8").split(" ")[0]) / 1_000;
  const costs = [0, 0, 0];
  const run = async (step: number, { text, name }: Statement, values: unknown[]): Promise<any[][]> => {
    const before = spent();
    const answer = await client.query({ name, text: inSchema(text, schema), values, rowMode: "array" });
    costs[step]! += spent() - before;
    return answer.rows;
  };
  const newId = taskIds();
  for (let done = 0; done < count; done += 1_000) {
    const ids = Array.from({ length: 1_000 }, newId);
    await run(0, insert, [ids, Date.now(), ids.map(() => payloadJson)]);
  }
  const isSmall = name === "small claim";
  const asked = [null, "worker", ["bench-task"], null, batchSize];
  const whole = [...asked, true, `${schema}.tasks`, [], [], [], [], false];
  for (let done = 0; done < count; done += batchSize) {
    const answer = await run(1, isSmall ? claimFirstDue : claimDue, isSmall ? asked : whole);
    const claimed = answer.slice(1);
    if (claimed.length !== batchSize) throw new Error(`A claim brought ${claimed.length} tasks.`);
    const columns = [place, seq, id, fence].map((column) => claimed.map((row) => row[column]));
    await run(2, completeTasks, [null, "worker", ...columns, null, null]);
  }
  await client.query(inSchema("VACUUM :schema.tasks", schema));
  const size = await client.query(
    inSchema("SELECT coalesce(pg_relation_size(to_regclass(':schema.tasks_pkey')), 0) AS bytes", schema),
  );
  await client.end();
  await server.query(`DROP DATABASE ${database}`);
  return [...costs, Number(size.rows[0].bytes)].map((cost) => cost / count);
}
