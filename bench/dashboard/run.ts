/**
 * npm run bench:dashboard: how soon each view shows its data in Chromium while tasks run, how smoothly the task list
 * scrolls, and whether the page's memory stays flat.
 *
 *   npm run bench:dashboard -- --tasks 1_000_000 --changes 36_000 --scroll 20
 *   npm run bench:dashboard -- tasks.db             a file that search/fill.ts has filled
 *
 * A trace tells the frames that were drawn and how long the page's main thread was busy for each. Without a graphics card
 * Chromium draws by the processor, which takes most of a frame here; the busy time is what the page itself needs of the
 * 16.7 ms. Then tasks are enqueued and run while the page follows; hour.ts does so by the clock.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import type { Browser, Page } from "playwright-core";
import { openBrowser } from "../../tests/browser/support/browser.ts";
import { filledFile } from "../search/fill.ts";
import { percentile } from "../support/numbers.ts";
import { createDure } from "../support/product.ts";
import { memoryOf, startDashboard } from "./page.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: "string", default: "1_000_000" },
    changes: { type: "string", default: "36_000" },
    scroll: { type: "string", default: "20" },
  },
});
const countOf = (text: string) => Number(text.replaceAll("_", ""));
const batch = 20;
const stepPx = 40;
const traced = [
  "devtools.timeline",
  "disabled-by-default-devtools.timeline",
  "disabled-by-default-devtools.timeline.frame",
];

/** Where each view is, and what is there once its data is. */
const views: readonly [name: string, path: string, shows: string][] = [
  ["overview", "", "main tbody tr"],
  ["tasks", "tasks", "[role=row] a[href*='/tasks/']"],
  [
    "tasks, a query",
    `tasks?q=${encodeURIComponent('status:failed "ETIMEDOUT"')}`,
    "[role=row] a[href*='/tasks/']",
  ],
  ["task", "tasks/:id", "main h1"],
  ["errors", "errors", "main tbody tr"],
  ["workers", "workers", "main tbody tr"],
  ["definitions", "definitions", "main tbody tr"],
  ["audit log", "audit", "main form"],
];
const rounds = 15;

const database = positionals[0] ?? (await filledFile(countOf(values.tasks), "history", false));
const { server, url } = await startDashboard(database);
const browser = await openBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: "en-US" });
  await page.goto(url);
  await firstViews(page);
  await scroll(browser, page);
  await follow(page);
} finally {
  await browser.close();
  server.kill();
}

/** From an address to the data of its view, nothing kept by the browser, while two hundred tasks a second run. */
async function firstViews(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const stopLoad = await startLoad();
  await openTasks(page, "status:failed");
  const task = await page.locator("[role=row] a[href*='/tasks/']").first().getAttribute("href");
  const table = new Table({ head: ["its data is shown after", "p50 ms", "most ms"], style: { head: [] } });
  for (const [name, path, shows] of views) {
    const url = new URL(path === "tasks/:id" ? task! : `/${path}`, page.url()).href;
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const startedAt = performance.now();
      await page.goto(url, { waitUntil: "commit" });
      await page.locator(shows).first().waitFor();
      times.push(performance.now() - startedAt);
    }
    table.push([name, percentile(times, 50).toFixed(0), Math.max(...times).toFixed(0)]);
  }
  await stopLoad();
  await session.send("Network.setCacheDisabled", { cacheDisabled: false });
  console.log(table.toString());
}

/** Tasks come and are run until it is told to stop. */
async function startLoad(): Promise<() => Promise<void>> {
  const { enqueue, end } = await startWorker();
  const timer = setInterval(() => void enqueue(10), 50);
  return async () => {
    clearInterval(timer);
    await end();
  };
}

async function startWorker() {
  const dure = createDure({ database, retention: false, worker: { queues: ["bench"] } });
  const definition = dure.defineTask("bench-load", async () => undefined, { queue: "bench" });
  await dure.start();
  return {
    enqueue: (count: number) =>
      definition.enqueueMany(Array.from({ length: count }, () => ({ payload: null }))),
    end: async () => {
      await dure.stop();
      await dure.close();
    },
  };
}

async function openTasks(page: Page, query: string): Promise<void> {
  await page.goto(new URL(`tasks?q=${encodeURIComponent(query)}`, page.url()).href);
  await page.getByRole("row").nth(1).waitFor();
}

async function scroll(browser: Browser, page: Page): Promise<void> {
  await openTasks(page, "");
  await browser.startTracing(page, { categories: traced });
  const scrolledPx: number = await page.evaluate(scrollSteadily(countOf(values.scroll) * 1_000));
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Event[] };
  const frames = traceEvents.filter(({ name }) => name === "DrawFrame").map(({ ts }) => ts / 1_000);
  const gaps = frames.slice(1).map((at, index) => at - frames[index]!);
  const thread = traceEvents.find(({ name }) => name === "FireAnimationFrame")!.tid;
  const tasks = traceEvents
    .filter(({ name, tid, dur }) => name === "RunTask" && tid === thread && dur !== undefined)
    .map(({ dur }) => dur! / 1_000);
  const share = (ms: number) =>
    `${((100 * gaps.filter((gap) => gap > ms).length) / gaps.length).toFixed(1)} %`;
  const table = new Table({ head: ["scrolling the list", ""], style: { head: [] } });
  table.push(
    ["scrolled", `${Math.round(scrolledPx).toLocaleString("en")} px in ${values.scroll} s`],
    ["frames a second", (1_000 / percentile(gaps, 50)).toFixed(1)],
    ["frames later than 25 ms", share(25)],
    ["frames later than 50 ms", share(50)],
    [
      "main thread busy per frame",
      `${(tasks.reduce((sum, ms) => sum + ms, 0) / frames.length).toFixed(1)} ms`,
    ],
    ["longest task of the main thread", `${Math.max(...tasks).toFixed(1)} ms`],
  );
  console.log(table.toString());
}

interface Event {
  name: string;
  tid: number;
  /** Microseconds. */
  ts: number;
  dur?: number;
}

/** Runs in the page: so many pixels a frame, on through the pages that follow. Tells how far it came. */
function scrollSteadily(ms: number): string {
  return `new Promise((resolve) => {
    const scroller = document.querySelector("[class*=scroller]");
    const from = scroller.scrollTop;
    const endAt = performance.now() + ${ms};
    const step = () => {
      scroller.scrollTop += ${stepPx};
      if (performance.now() < endAt) requestAnimationFrame(step);
      else resolve(scroller.scrollTop - from);
    };
    requestAnimationFrame(step);
  })`;
}

async function follow(page: Page): Promise<void> {
  await openTasks(page, "");
  const { enqueue, end } = await startWorker();
  const table = new Table({ head: ["changes", "JS heap", "DOM nodes", "listeners"], style: { head: [] } });
  const changes = countOf(values.changes);
  const heaps: number[] = [];
  for (let done = 0; done < changes; ) {
    const until = done + changes / 4;
    for (; done < until; done += batch) {
      await enqueue(batch);
      await sleep(50);
    }
    const { heapMb, nodes, listeners } = await memoryOf(page);
    heaps.push(heapMb);
    table.push([done.toLocaleString("en"), `${heapMb.toFixed(1)} MB`, nodes, listeners]);
  }
  console.log(table.toString());
  console.log(
    `From the first quarter to the last the heap grew by ${(heaps.at(-1)! - heaps[0]!).toFixed(1)} MB.`,
  );
  await end();
}
