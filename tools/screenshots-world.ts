/**
 * The tasks that the pictures show, and the dashboard on them: the main job's reports, which are in the database
 * already, and an hour of a shop's tasks. A worker really runs each; only the clock of this process goes faster,
 * from an hour ago to now. Prints the dashboard's address when all is there, and stays until it is told to stop.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { createDure } from "dure";
import { listen } from "dure/http";

const minutes = 60;
const perMinute = 60;
const minuteMs = 60_000;

const machineNow = Date.now;
let behindMs = minutes * minuteMs;
Date.now = () => machineNow() - behindMs;

/** Numbers between 0 and 1 that look like chance and are the same at every run. */
let state = 17;
function chance(): number {
  state = (state * 16_807) % 2_147_483_647;
  return state / 2_147_483_647;
}

const dure = createDure({
  database: ".dure/reports.db",
  worker: { concurrency: 12, name: "app-1" },
});
const resizeImage = dure.defineTask<{ url: string; widthPx: number }>(
  "resize-image",
  async ({ payload, attempts }, { log }) => {
    log.info("reading", { url: payload.url });
    await pause(4 + chance() * 60);
    if (payload.widthPx > 2_000)
      throw new RangeError(`${payload.widthPx} pixels are wanted; the picture has 1,800`);
    if (chance() < 0.05) throw new Error(`connect ETIMEDOUT 10.0.0.7:443 (attempt ${attempts})`);
    return { widthPx: payload.widthPx, bytes: Math.round(payload.widthPx * 91.3) };
  },
  {
    description: "Makes a smaller copy of a picture",
    maxAttempts: 3,
    backoff: { first: "1m", factor: 1 },
    attributes: { width: ({ widthPx }) => widthPx },
  },
);
const sendReceipt = dure.defineTask<{ order: number; email: string }>(
  "send-receipt",
  async ({ payload }, { log }) => {
    log.info("connected", { server: "smtp.shop.example", ms: Math.round(chance() * 40) });
    await pause(8 + chance() * 30);
    log.info("addressed", { order: payload.order });
    if (payload.order % 41 === 0) {
      throw new Error(`The mailbox of order ${payload.order} is full`, {
        cause: new Error("552 5.2.2 mailbox full"),
      });
    }
    return { messageId: `${payload.order}@shop.example` };
  },
  {
    description: "Mails a receipt",
    maxAttempts: 2,
    backoff: { first: "2m", factor: 1 },
    queue: "mail",
  },
);
const nightlyReport = dure.defineTask<{ month: string; sections: string[] }>(
  "nightly-report",
  async (_task, { progress, signal }) => {
    for (let page = 1; page <= 240; page += 1) {
      progress(page, 240, "writing pages");
      await pause(1_000, undefined, { signal });
    }
  },
  { description: "Sums up the shop's day", timeout: "10m", queue: "reports" },
);

await dure.start();
for (let order = 41_000; behindMs > 0; behindMs = Math.max(0, behindMs - minuteMs)) {
  const busy = perMinute * (1 + 0.6 * Math.sin(behindMs / (9 * minuteMs)));
  const pictures = Array.from({ length: Math.round(busy * chance()) }, () => {
    const widthPx = chance() < 0.02 ? 2_400 : [320, 640, 1_280][Math.floor(chance() * 3)]!;
    return { payload: { url: `https://shop.example/p/${Math.floor(chance() * 9_000)}.jpg`, widthPx } };
  });
  const receipts = Array.from({ length: Math.round(busy / 2) }, () => {
    order += 1;
    return { payload: { order, email: `reader${order}@example.com` } };
  });
  await resizeImage.enqueueMany(pictures);
  await sendReceipt.enqueueMany(receipts);
  await settled();
}
for (const month of ["2026-09", "2026-10"])
  await nightlyReport.enqueue({ month, sections: ["sales", "returns"] }, { tags: ["finance"] });
await nightlyReport.enqueue({ month: "2026-11", sections: ["sales"] }, { delay: "9h", tags: ["finance"] });
await until(async () => (await dure.countTasks({ status: "RUNNING" })) === 2);
await until(isHistoryWhole);

// Each picture logs in anew.
const token = randomUUID();
const listening = await listen(dure, { port: 0, token });
console.log(new URL(`/?token=${token}`, listening.url).href);
await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await listening.close();
await dure.stop({ now: true });
await dure.close();

/** Until nothing is due or runs; what waits for its next attempt waits for a later minute. */
function settled(): Promise<void> {
  return until(async () => {
    const { byType, oldestDueMs } = await dure.stats();
    return (
      oldestDueMs === undefined && !byType.some(({ status, count }) => status === "RUNNING" && count > 0)
    );
  });
}

/** The worker writes it every few seconds. */
async function isHistoryWhole(): Promise<boolean> {
  const types = ["resize-image", "send-receipt"];
  const start = new Date(Date.now() - 2 * minutes * minuteMs);
  const buckets = await dure.readHistory({ bucket: "minute", start, types });
  const kept = buckets.reduce((sum, { completed, failed }) => sum + completed + failed, 0);
  return kept >= (await dure.countTasks({ type: types, status: ["COMPLETED", "FAILED"] }));
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await pause(20);
}
