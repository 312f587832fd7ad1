/**
 * npm run bench:readers -- tasks.db: how often open dashboards read the store while much changes, by how many they are and by
 * whether they look at the same.
 *
 *   npm run bench:readers -- bench/.data/search-history-1000000.db --rates 200,1000 --dashboards 1,10,50
 *
 * Each dashboard has a live stream and asks, at most once a second, what a page asks after a hint of a change: half of them
 * are on the overview, half on a list of tasks, of one search or each of its own. Counted are calls of the store's reading
 * verbs, the share of the time in which any was under way, and how many at most; what is under way beside another waits, in
 * SQLite for the one thread that reads, in PostgreSQL for a connection of the pool. The worker has a store of its own, which
 * is not counted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type * as http from "../../server/http.ts";
import { createDure } from "../support/product.ts";

const { createHttpHandler } = (await import(
  pathToFileURL(`${import.meta.dirname}/../../dist/server/http.js`).href
)) as typeof http;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dashboards: { type: "string", default: "1,10,50" },
    rates: { type: "string", default: "200,1000" },
    seconds: { type: "string", default: "10" },
  },
});
const database = positionals[0]!;
const numbersIn = (list: string) => list.split(",").map(Number);
const seconds = Number(values.seconds);
const loadsPerSecond = 20;

const reads = { calls: 0, searches: 0, underWay: 0, underWayMost: 0, since: 0, busyMs: 0 };
const dure = createDure({ database, retention: false });
await countReads();
const handler = createHttpHandler(dure, { authorize: () => "admin" });
const table = new Table({
  head: ["tasks/s", "dashboards", "searches", "pages/s", "reads/s", "of lists", "reading", "at once, most"],
  style: { head: [] },
});
for (const rate of numbersIn(values.rates)) {
  const stopLoad = await startLoad(rate);
  for (const count of numbersIn(values.dashboards)) {
    for (const differ of count > 1 ? [false, true] : [false]) await measure(rate, count, differ);
  }
  await stopLoad();
}
console.log(table.toString());
await dure.close();
process.exit();

/** Every reading verb of the store, wherever it is called from. */
async function countReads(): Promise<void> {
  const store = await dure.instance.store();
  const reading = /^(search|summarize|count|get|list|stats|read|history|find|facet|texts?|changes)/i;
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(store)).filter((name) =>
    reading.test(name),
  );
  for (const name of methods) {
    const verb = (store as any)[name].bind(store);
    (store as any)[name] = async (...given: unknown[]) => {
      begun(name);
      try {
        return await verb(...given);
      } finally {
        ended();
      }
    };
  }
}

function begun(name: string): void {
  reads.calls += 1;
  if (name === "searchTasks") reads.searches += 1;
  if (reads.underWay === 0) reads.since = performance.now();
  reads.underWay += 1;
  reads.underWayMost = Math.max(reads.underWayMost, reads.underWay);
}

function ended(): void {
  reads.underWay -= 1;
  if (reads.underWay === 0) reads.busyMs += performance.now() - reads.since;
}

async function measure(rate: number, count: number, differ: boolean): Promise<void> {
  const ending = new AbortController();
  let pages = 0;
  const dashboards = Array.from({ length: count }, (_, n) => {
    const paths = pathsOf(n, differ);
    return follow(ending.signal, async () => {
      pages += 1;
      await Promise.all(paths.map(ask));
    });
  });
  await sleep(2_000);
  Object.assign(reads, { calls: 0, searches: 0, underWayMost: 0, busyMs: 0, since: performance.now() });
  pages = 0;
  const startedAt = performance.now();
  await sleep(seconds * 1_000);
  const passedMs = performance.now() - startedAt;
  const perSecond = (n: number) => ((1_000 * n) / passedMs).toFixed(1);
  table.push([
    rate,
    count,
    count === 1 ? "" : differ ? "each its own" : "the same",
    perSecond(pages),
    perSecond(reads.calls),
    perSecond(reads.searches),
    `${((100 * reads.busyMs) / passedMs).toFixed(0)} %`,
    reads.underWayMost,
  ]);
  ending.abort();
  await Promise.all(dashboards);
  await sleep(500);
}

/** What the n-th dashboard asks after a hint. */
function pathsOf(n: number, differ: boolean): string[] {
  if (n % 2 === 1) return ["stats", "workers", "attention", "definitions"];
  const q = encodeURIComponent(differ ? `userId:${n}` : "status:completed");
  return [
    "stats",
    "workers",
    `tasks?q=${q}&limit=100&definitions=false&attributes=true`,
    `summary?by=status&budget=100ms&q=${q}`,
  ];
}

async function ask(path: string): Promise<void> {
  const headers = { "cache-control": "max-age=1" };
  const response = await handler(new Request(`http://localhost/api/${path}`, { headers }));
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 200)}`);
}

/** As a page does: a hint is followed at once, those of the next second together at its end. */
async function follow(signal: AbortSignal, refresh: () => Promise<void>): Promise<void> {
  const { body } = await handler(new Request("http://localhost/api/events", { signal }));
  const decoder = new TextDecoder();
  let resting = false;
  let again = false;
  const run = () => {
    if (signal.aborted) return;
    void refresh();
    resting = true;
    setTimeout(() => {
      resting = false;
      if (again) {
        again = false;
        run();
      }
    }, 1_000);
  };
  for await (const bytes of body!) {
    if (!decoder.decode(bytes).includes("changed")) continue;
    if (resting) again = true;
    else run();
  }
}

/** So many tasks a second are enqueued and run until it is told to stop. */
async function startLoad(rate: number): Promise<() => Promise<void>> {
  const busy = createDure({ database, retention: false, worker: { queues: ["bench"] } });
  const definition = busy.defineTask("bench-load", async () => undefined, {
    queue: "bench",
    attributes: { userId: (payload: { userId: number }) => payload.userId },
  });
  await busy.start();
  let n = 0;
  const timer = setInterval(() => {
    n += 1;
    const tasks = Array.from({ length: rate / loadsPerSecond }, (_, k) => ({
      payload: { userId: (n + k) % 100 },
    }));
    void definition.enqueueMany(tasks);
  }, 1_000 / loadsPerSecond);
  return async () => {
    clearInterval(timer);
    await busy.stop();
    await busy.close();
  };
}
