/**
 * npm run soak:dashboard -- 60: pages stay open for so many minutes by the clock while tasks end all the time, and one walks
 * through the views like a reader. Says what each page holds after a collection of garbage: its heap, its DOM nodes, its
 * listeners. Fails when the last third of the time holds more than the second; in the first, caches fill.
 *
 * Every page is of a browser context of its own, so that its heap is its alone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Table from "cli-table3";
import type { Browser, Page } from "playwright-core";
import { openBrowser } from "../../tests/browser/support/browser.ts";
import { fill } from "../search/fill.ts";
import { temporaryFolder } from "../support/data.ts";
import { median } from "../support/numbers.ts";
import { createDure } from "../support/product.ts";
import { memoryOf, startDashboard } from "./page.ts";

const minutes = Number(process.argv[2] ?? 60);
const samples = 15;
const walked = "walked through";
/** How long the walk stays in a view. */
const restMs = 3_000;
const tasksPerTick = 5;
const tickMs = 250;
/** What a third of the time may hold more than the one before it: a share, and what chance adds. */
const growthMax = { share: 0.1, heapMb: 1, nodes: 300, listeners: 30 };

const database = join(temporaryFolder("hour"), "tasks.db");
await fill(database, 50_000, "history", false);
const { server, url } = await startDashboard(database);
const worker = await startWorker();
const browser = await openBrowser();
try {
  const pages = await openPages(browser, new URL(url));
  const held = await watch(pages);
  for (const [name, samplesOf] of held) checkFlat(name, samplesOf);
} finally {
  await browser.close();
  await worker.stop();
  server.kill();
}

type Memory = Awaited<ReturnType<typeof memoryOf>>;

async function openPages(browser: Browser, url: URL): Promise<Map<string, Page>> {
  const paths: readonly [name: string, path: string][] = [
    ["overview", "?period=hour"],
    ["tasks", "tasks"],
    ["failed tasks", `tasks?q=${encodeURIComponent("status:failed")}`],
    ["a running task", `tasks/${worker.longest}`],
    ["errors", "errors"],
    ["workers", "workers"],
    [walked, "tasks"],
  ];
  const storageState = await loggedIn(browser, url);
  const pages = new Map<string, Page>();
  for (const [name, path] of paths) {
    const page = await (await browser.newContext({ storageState, locale: "en-US" })).newPage();
    await page.goto(new URL(path, url.origin).href);
    await page.getByText("Live", { exact: true }).waitFor();
    pages.set(name, page);
  }
  return pages;
}

/** The address of a server logs in once. */
async function loggedIn(browser: Browser, url: URL) {
  const context = await browser.newContext();
  await (await context.newPage()).goto(url.href);
  const state = await context.storageState();
  await context.close();
  return state;
}

/** Some twenty tasks a second, every fifth of which fails, and one that runs and logs as long as this does. */
async function startWorker() {
  const dure = createDure({ database, retention: false, worker: { queues: ["hour"], concurrency: 20 } });
  const ending = new AbortController();
  const resize = dure.defineTask<{ n: number }>(
    "resize-image",
    async ({ payload: { n } }, { log }) => {
      log.info("resizing", { widthPx: n });
      if (n % 5 === 0) throw new Error(`connect ETIMEDOUT 10.0.0.${n % 200}:443`);
      return { widthPx: n };
    },
    { queue: "hour" },
  );
  const report = dure.defineTask(
    "nightly-report",
    async (_task, { log, progress }) => {
      for (let n = 0; !ending.signal.aborted; n += 1) {
        progress(n % 100, 100);
        log.info("one more page", { page: n });
        // The thousand lines that an attempt keeps are there after some minutes; until then its page grows with them.
        await sleep(tickMs);
      }
    },
    { queue: "hour", timeout: "1d" },
  );
  await dure.start();
  const { id } = await report.enqueue(null);
  let n = 0;
  const timer = setInterval(() => {
    void resize.enqueueMany(Array.from({ length: tasksPerTick }, (_, k) => ({ payload: { n: n + k } })));
    n += tasksPerTick;
  }, tickMs);
  return {
    longest: id,
    ended: () => n,
    stop: async () => {
      clearInterval(timer);
      ending.abort();
      await dure.stop();
      await dure.close();
    },
  };
}

/** From view to view by their links, into a task and back: half a minute, whose end is where it began. */
async function walk(page: Page): Promise<void> {
  for (const name of ["Overview", "Errors", "Workers", "Definitions", "Audit log", "Tasks"]) {
    await page.getByRole("navigation").first().getByRole("link", { name, exact: true }).click();
    await sleep(restMs);
  }
  await page.locator("[role=row] a[href*='/tasks/']").first().click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await sleep(restMs);
  await page.goBack();
  await page.locator("[role=row] a[href*='/tasks/']").first().waitFor();
  await sleep(restMs);
}

async function watch(pages: ReadonlyMap<string, Page>): Promise<Map<string, Memory[]>> {
  const held = new Map<string, Memory[]>([...pages].map(([name]) => [name, []]));
  const startedAt = performance.now();
  for (let n = 1; n <= samples; n += 1) {
    const until = startedAt + (n * minutes * 60_000) / samples;
    do await walk(pages.get(walked)!);
    while (performance.now() < until);
    const table = new Table({ head: ["page", "JS heap", "DOM nodes", "listeners"], style: { head: [] } });
    for (const [name, page] of pages) {
      const memory = await memoryOf(page);
      held.get(name)!.push(memory);
      table.push([name, `${memory.heapMb.toFixed(2)} MB`, memory.nodes, memory.listeners]);
    }
    const passed = (performance.now() - startedAt) / 60_000;
    console.log(`After ${passed.toFixed(0)} minutes and ${worker.ended().toLocaleString("en")} tasks:`);
    console.log(table.toString());
  }
  return held;
}

function checkFlat(name: string, held: readonly Memory[]): void {
  const third = Math.floor(held.length / 3);
  for (const what of ["heapMb", "nodes", "listeners"] as const) {
    const of = (from: number) => median(held.slice(from, from + third).map((memory) => memory[what]));
    const [before, after] = [of(third), of(2 * third)];
    console.log(
      `${name}, ${what}: ${before.toFixed(1)} in the second third, ${after.toFixed(1)} in the last.`,
    );
    assert.ok(after <= before * (1 + growthMax.share) + growthMax[what], `${name}: ${what} has grown.`);
  }
}
