/**
 * node bench/search/index-rate.ts [tasks]: how many texts a second a worker on SQLite indexes, with nothing else to do, and
 * beside two hundred tasks a second that it runs.
 */
import { join } from "node:path";
import { temporaryFolder } from "../support/data.ts";
import { type BenchDure, createDure } from "../support/product.ts";
import { recordOf } from "./records.ts";

const tasks = Number(process.argv[2] ?? "100000");
const lookMs = 50;
const measuredMs = 10_000;

for (const isBusy of [false, true]) {
  const database = join(temporaryFolder("index-rate"), "tasks.db");
  const dure = createDure({ database, retention: false, worker: { concurrency: 10, queues: ["bench"] } });
  const waiting = dure.defineTask("bench-index", async () => undefined, { queue: "elsewhere" });
  const now = Date.now();
  await waiting.enqueueMany(
    Array.from({ length: tasks }, (_, n) => ({
      payload: JSON.parse(recordOf(n, tasks, now, "history").payload.json),
    })),
  );
  console.log(
    `${isBusy ? "beside 200 tasks a second" : "alone"}: ${await rateOf(dure, isBusy)} texts a second`,
  );
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
