/**
 * What the index of texts costs: the rate of `enqueueMany` while a worker's indexer runs beside, and the rate at which waiting tasks
 * whose texts nobody has indexed are claimed and run, each against the same without (`fullText: false`), by turns; how fast texts are
 * indexed by `rebuildTexts`, which nobody holds back; and the space they take. The tasks are those of search/records.ts, payloads of
 * 100 to 400 bytes. Prints the medians of the rounds and each round's own ratio.
 * node bench/texts.ts [--tasks 100000] [--rounds 4] [--store sqlite,postgres]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { recordOf } from "./search/records.ts";
import { drainRate, fullConcurrency, startCounter } from "./support/case.ts";
import { temporaryFolder } from "./support/data.ts";
import { median, rateSince } from "./support/numbers.ts";
import { startServer } from "./support/postgres.ts";
import { createDure } from "./support/product.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "100000" },
    rounds: { type: "string", default: "4" },
    store: { type: "string", default: "sqlite,postgres" },
  },
});
const tasks = Number(values.tasks);
const batch = 1_000;

let made = 0;
if (values.store.includes("sqlite")) {
  const folder = temporaryFolder("texts");
  await measure("SQLite", () => join(folder, `${made++}.db`));
}
if (values.store.includes("postgres")) {
  const server = await startServer();
  await measure("PostgreSQL", () => server.createDatabase(`texts_${made++}`));
  await server.remove();
}

async function measure(store: string, newDatabase: () => string | Promise<string>): Promise<void> {
  for (const [what, rate] of [
    ["enqueueMany", enqueueRate],
    ["claimed and run", claimRate],
  ] as const) {
    const rates: Record<"on" | "off", number[]> = { on: [], off: [] };
    for (let round = 0; round < Number(values.rounds); round += 1) {
      // The first of a round has the machine as the round before left it.
      for (const turn of round % 2 === 0 ? (["on", "off"] as const) : (["off", "on"] as const))
        rates[turn].push(await rate(await newDatabase(), turn === "on"));
    }
    const [on, off] = [median(rates.on), median(rates.off)];
    const ratios = rates.on.map((one, round) => (one / rates.off[round]!).toFixed(2)).join(", ");
    console.log(
      `${store}: ${what} ${Math.round(on)} tasks/s with texts indexed beside, ${Math.round(off)} without: ${(on / off).toFixed(2)} (${ratios})`,
    );
  }
  console.log(`${store}: ${await rebuild(await newDatabase())}`);
}

/** A worker that has nothing to run: its indexer alone is beside. */
async function enqueueRate(database: string, fullText: boolean): Promise<number> {
  const dure = createDure({ database, fullText, retention: false, worker: { queues: ["nothing"] } });
  const definition = dure.defineTask("send-receipt", async () => undefined);
  const payloads = Array.from({ length: tasks }, (_, n) => payloadOf(n));
  await definition.enqueueMany(payloads.slice(0, batch).map((payload) => ({ payload })));
  await dure.start();
  const beganAt = performance.now();
  for (let from = 0; from < tasks; from += batch) {
    await definition.enqueueMany(payloads.slice(from, from + batch).map((payload) => ({ payload })));
  }
  const rate = rateSince(tasks, beganAt);
  await dure.stop();
  await dure.close();
  return rate;
}

async function claimRate(database: string, fullText: boolean): Promise<number> {
  const { onStart, reached } = startCounter(tasks);
  const worker = { concurrency: fullConcurrency };
  const dure = createDure({ database, fullText, retention: false, worker });
  const definition = dure.defineTask("send-receipt", async () => onStart());
  for (let from = 0; from < tasks; from += batch) await definition.enqueueMany(itemsFrom(from));
  const rate = await drainRate(dure, reached, tasks);
  await dure.close();
  return rate;
}

function itemsFrom(from: number): { payload: unknown }[] {
  return Array.from({ length: Math.min(batch, tasks - from) }, (_, n) => ({ payload: payloadOf(from + n) }));
}

async function rebuild(database: string): Promise<string> {
  const dure = createDure({ database, fullText: false, retention: false });
  const definition = dure.defineTask("send-receipt", async () => undefined);
  for (let from = 0; from < tasks; from += batch) {
    await definition.enqueueMany(itemsFrom(from));
  }
  const before = (await dure.stats()).sizeBytes;
  const beganAt = performance.now();
  const { indexed } = await dure.rebuildTexts();
  const seconds = (performance.now() - beganAt) / 1_000;
  const after = (await dure.stats()).sizeBytes;
  await dure.close();
  const bytes = Math.round((after - before) / indexed);
  return `${Math.round(indexed / seconds)} texts/s indexed, ${bytes} bytes each beside ${Math.round(before / tasks)} of the task`;
}

function payloadOf(n: number): unknown {
  return JSON.parse(recordOf(n, tasks, Date.now(), "waiting").payload.json);
}
