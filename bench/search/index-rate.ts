/**
 * How many texts a second a worker indexes, with nothing else to do, and beside two hundred tasks a second that it runs.
 * node bench/search/index-rate.ts [--tasks 100000] [--store sqlite,postgres]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryFolder } from "../support/data.ts";
import { knowsLetters, startServer } from "../support/postgres.ts";
import { type BenchDure, createDure } from "../support/product.ts";
import { recordOf } from "./records.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "100000" },
    store: { type: "string", default: "sqlite,postgres" },
  },
});
const tasks = Number(values.tasks);
/** To ask takes the server some milliseconds. */
const lookMs = 200;
const measuredMs = 10_000;

if (values.store.includes("sqlite"))
  await measure("SQLite", async () => join(temporaryFolder("index-rate"), "tasks.db"));
if (values.store.includes("postgres")) {
  const server = await startServer();
  let made = 0;
  await measure("PostgreSQL", () => server.createDatabase(`index_rate_${made++}`, knowsLetters));
  await server.remove();
}

async function measure(store: string, newDatabase: () => Promise<string>): Promise<void> {
  for (const isBusy of [false, true]) {
    const rate = await rateOn(await newDatabase(), isBusy);
    console.log(`${store}, ${isBusy ? "beside 200 tasks a second" : "alone"}: ${rate} texts a second`);
  }
}

async function rateOn(database: string, isBusy: boolean): Promise<number> {
  const dure = createDure({ database, retention: false, worker: { concurrency: 10, queues: ["bench"] } });
  const waiting = dure.defineTask("bench-index", async () => undefined, { queue: "elsewhere" });
  const now = Date.now();
  await waiting.enqueueMany(
    Array.from({ length: tasks }, (_, n) => ({
      payload: JSON.parse(recordOf(n, tasks, now, "history").payload.json),
    })),
  );
  return rateOf(dure, isBusy);
}

/** From the first text on. */
async function rateOf(dure: BenchDure, isBusy: boolean): Promise<number> {
  await dure.start();
  const endLoad = isBusy ? startLoad(dure) : undefined;
  const first = await lagUnder(dure, await lagOf(dure));
  const startedAt = performance.now();
  const last = await lagUnder(dure, 1, measuredMs);
  const rate = Math.round(((first - last) / (performance.now() - startedAt)) * 1_000);
  endLoad?.();
  await dure.stop();
  await dure.close();
  return rate;
}

function startLoad(dure: BenchDure): () => void {
  const definition = dure.defineTask("bench-load", async () => undefined, { queue: "bench" });
  const timer = setInterval(() => {
    void definition.enqueueMany(Array.from({ length: 10 }, () => ({ payload: null })));
  }, 50);
  return () => clearInterval(timer);
}

/** How many are left as soon as it is fewer than `limit`, or after some time. */
async function lagUnder(
  dure: BenchDure,
  limit: number,
  waitMsMax = Number.POSITIVE_INFINITY,
): Promise<number> {
  const endsAt = performance.now() + waitMsMax;
  for (;;) {
    const lag = await lagOf(dure);
    if (lag < limit || performance.now() > endsAt) return lag;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

async function lagOf(dure: BenchDure): Promise<number> {
  return (await dure.stats()).textLag ?? 0;
}
