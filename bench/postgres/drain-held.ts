/**
 * How fast are waiting tasks run while another session holds a transaction open, so that nothing that is dead can be
 * cleared away? Three times as many tasks have gone through under it before. And the same without it, in turns.
 */
import pg from "pg";
import { caseOptions, define, finish, items, open, startCounter } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
const before = 3;
const client = new pg.Client({ connectionString: database });
await client.connect();
const holding = process.argv.includes("--free") ? undefined : "BEGIN ISOLATION LEVEL REPEATABLE READ";
let counter = startCounter(tasks);
await prepare();
if (holding) {
  await client.query(holding);
  await client.query("SELECT count(*) FROM pg_class");
}
let rate = 0;
for (let round = 0; round <= before; round += 1) rate = await drain();
await client.end();
finish({ rate });

/** The tables are made before the transaction sees them. */
async function prepare(): Promise<void> {
  const dure = open(database);
  await dure.stats();
  await dure.close();
}

async function drain(): Promise<number> {
  counter = startCounter(tasks);
  const dure = open(database);
  await define(dure, () => counter.onStart()).enqueueMany(items(tasks));
  const startedAt = performance.now();
  await dure.start();
  await counter.reached;
  await dure.stop();
  const reached = rateSince(tasks, startedAt);
  await dure.close();
  return reached;
}
