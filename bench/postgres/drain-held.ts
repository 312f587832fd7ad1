/**
 * How fast are waiting tasks run while another session holds a transaction open, so that nothing dead can be cleared
 * away? Several times as many have gone through under it before; and before that as many without it, to compare.
 */
import pg from "pg";
import { caseOptions, define, drainRate, finish, items, open, startCounter } from "../support/case.ts";
import { median } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
const drains = 3;
const free = await drainSeveral();
const client = new pg.Client({ connectionString: database });
await client.connect();
await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
await client.query("SELECT count(*) FROM pg_class");
await drainSeveral();
const held = await drainSeveral();
await client.end();
finish({ rate: median(held), free: median(free), share: median(held) / median(free) });

async function drainSeveral(): Promise<number[]> {
  const rates: number[] = [];
  for (let n = 0; n < drains; n += 1) rates.push(await drain());
  return rates;
}

async function drain(): Promise<number> {
  const { onStart, reached } = startCounter(tasks);
  const dure = open(database);
  await define(dure, onStart).enqueueMany(items(tasks));
  const rate = await drainRate(dure, reached, tasks);
  await dure.close();
  return rate;
}
