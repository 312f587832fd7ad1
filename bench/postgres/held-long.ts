/**
 * npm run soak:held -- 10: a transaction is held open for so many minutes by the clock while 800 tasks a second are enqueued
 * and run. Says how fast a burst is drained before and at the end, whether every task was run, and what the doctor says. The
 * ratio means something on a machine that does nothing else; for a drain without a pause in between, see drain-held.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { define, drainRate, items, open, startCounter } from "../support/case.ts";
import { median } from "../support/numbers.ts";
import { startServer } from "../support/postgres.ts";

const minutes = Number(process.argv[2] ?? 10);
const perSecond = 800;
const burst = 50_000;
const bursts = 3;
const server = await startServer();
try {
  const database = await server.createDatabase("bench");
  await drainSeveral(database);
  const free = await drainSeveral(database);
  const client = new pg.Client({ connectionString: database, application_name: "held" });
  await client.connect();
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query("SELECT count(*) FROM pg_class");
  const heldAt = performance.now();
  const paced = await runSteadily(database, minutes * 60_000);
  const held = await drainSeveral(database);
  const heldMinutes = (performance.now() - heldAt) / 60_000;
  const dure = open(database);
  const named = (await dure.checkHealth()).find(({ check }) => check === "transactions");
  const completed = await dure.countTasks({ status: "COMPLETED" });
  await dure.close();
  await client.query("COMMIT");
  await client.end();
  const enqueued = 3 * bursts * burst + paced;
  const share = median(held) / median(free);
  console.log(
    JSON.stringify({
      heldMinutes,
      free: median(free),
      held: median(held),
      share,
      enqueued,
      completed,
      named,
    }),
  );
} finally {
  await server.remove();
}

/** Answers how many were run. */
async function runSteadily(database: string, forMs: number): Promise<number> {
  const dure = open(database);
  let ran = 0;
  const definition = define(dure, () => {
    ran += 1;
  });
  await dure.start();
  const endAt = performance.now() + forMs;
  let enqueued = 0;
  while (performance.now() < endAt) {
    await definition.enqueueMany(items(perSecond));
    enqueued += perSecond;
    await sleep(1_000);
  }
  while (ran < enqueued) await sleep(100);
  await dure.close();
  return enqueued;
}

async function drainSeveral(database: string): Promise<number[]> {
  const rates: number[] = [];
  for (let n = 0; n < bursts; n += 1) {
    const { onStart, reached } = startCounter(burst);
    const dure = open(database);
    await define(dure, onStart).enqueueMany(items(burst));
    rates.push(await drainRate(dure, reached, burst));
    await dure.close();
  }
  return rates;
}
