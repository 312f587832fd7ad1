/**
 * What the index of texts costs: the rate of `enqueueMany` while a worker's indexer runs beside, against the same without
 * (`fullText: false`), by turns; how fast texts are indexed by `rebuildTexts`, which nobody holds back; and the space they
 * take. The tasks are those of search/records.ts, payloads of 100 to 400 bytes. Prints a line for each store.
 * node bench/texts.ts [--tasks 100000] [--rounds 4] [--store sqlite,postgres]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { recordOf } from "./search/records.ts";
import { temporaryFolder } from "./support/data.ts";
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

if (values.store.includes("sqlite")) {
  await measure("SQLite", () => join(temporaryFolder("texts"), "tasks.db"));
}
if (values.store.includes("postgres")) {
  const server = await startServer();
  let made = 0;
  await measure("PostgreSQL", () => server.createDatabase(`texts_${made++}`));
  await server.remove();
}

async function measure(store: string, newDatabase: () => string | Promise<string>): Promise<void> {
  const rates: Record<"on" | "off", number[]> = { on: [], off: [] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const fullText = round % 2 === 0;
    rates[fullText ? "on" : "off"].push(await enqueueRate(await newDatabase(), fullText));
  }
  const [on, off] = [median(rates.on), median(rates.off)];
  console.log(
    `${store}: enqueueMany ${on} tasks/s with texts indexed beside, ${off} without: ${(on / off).toFixed(2)}`,
  );
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
  const seconds = (performance.now() - beganAt) / 1_000;
  await dure.stop();
  await dure.close();
  return Math.round(tasks / seconds);
}

async function rebuild(database: string): Promise<string> {
  const dure = createDure({ database, fullText: false, retention: false });
  const definition = dure.defineTask("send-receipt", async () => undefined);
  for (let from = 0; from < tasks; from += batch) {
    const some = Array.from({ length: batch }, (_, n) => ({ payload: payloadOf(from + n) }));
    await definition.enqueueMany(some);
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

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
