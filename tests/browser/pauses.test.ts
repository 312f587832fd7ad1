/** Types are paused and resumed where they are counted; what waits says so. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildDashboard, openBrowser } from "./support/browser.ts";
import { makeWorld } from "./support/fixture-data.ts";
import { type FixtureServer, startFixtureServer } from "./support/fixture-server.ts";

let browser: Browser;
let built: Awaited<ReturnType<typeof buildDashboard>>;
let server: FixtureServer;
let page: Page;

beforeAll(async () => {
  [browser, built] = await Promise.all([openBrowser(), buildDashboard()]);
}, 90_000);
beforeEach(async () => {
  server = await startFixtureServer({ world: makeWorld({ size: 40, now: Date.now() }), files: built.files });
  page = await browser.newPage({ locale: "en-US", viewport: { width: 1280, height: 860 } });
});
afterEach(async () => {
  await page.close();
  await server.close();
});
afterAll(async () => {
  await browser?.close();
  await built?.remove();
});

test("a type is paused and resumed in the overview", async () => {
  await page.goto(server.url);
  await page.getByRole("button", { name: "Pause send-receipt" }).click();
  await page.getByText("send-receipt is paused. What runs goes on").waitFor();
  const row = page.getByRole("row").filter({ hasText: "send-receipt" });
  await row.getByText("paused", { exact: true }).waitFor();
  expect(server.world.pauses).toMatchObject([{ type: "send-receipt" }]);
  await page.getByRole("button", { name: "Resume send-receipt" }).click();
  await page.getByRole("button", { name: "Pause send-receipt" }).waitFor();
  expect(server.world.pauses).toEqual([]);
});

test("a paused queue stands above the types, with its reason, and is resumed there", async () => {
  server.world.pauses.push({
    queue: "reports",
    pausedAt: new Date().toISOString(),
    reason: "<b>month's end",
  });
  await page.goto(server.url);
  await page.getByText(/The queue reports is paused – Paused since .*: <b>month's end/).waitFor();
  await page.getByRole("button", { name: "Resume reports" }).click();
  await page.getByText("reports goes on.").waitFor();
});

test("a queue is paused where queues are counted, each count leading to its tasks", async () => {
  await page.goto(`${server.url}?period=hour`);
  await page.getByRole("navigation", { name: "Counts of" }).getByRole("link", { name: "Queue" }).click();
  await expect.poll(() => new URL(page.url()).search).toBe("?period=hour&by=queue");
  const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: /^reports/ }) });
  const count = server.world.tasks.filter(
    ({ queue, status }) => queue === "reports" && status === "COMPLETED",
  ).length;
  await row
    .getByRole("link", { name: String(count), exact: true })
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Pause reports" }).click();
  await row.getByText("paused", { exact: true }).waitFor();
  expect(server.world.pauses).toMatchObject([{ queue: "reports" }]);
  await row.getByRole("link", { name: "reports" }).click();
  await expect.poll(() => new URL(page.url()).search).toBe("?q=queue%3Areports");
});

test("a task says that its type is paused, in both languages", async () => {
  const task = server.world.tasks.find(({ status }) => status === "PENDING")!;
  server.world.pauses.push({ type: task.type, pausedAt: new Date().toISOString(), reason: "no mail server" });
  await page.goto(`${server.url}tasks/${encodeURIComponent(task.id)}`);
  await page.getByText(/is paused since .* \(no mail server\)\. It waits/).waitFor();
  const korean = await browser.newPage({ locale: "ko-KR" });
  await korean.goto(`${server.url}tasks/${encodeURIComponent(task.id)}`);
  await korean.getByText(/일시 중지되어 있습니다 \(no mail server\)/).waitFor();
  await korean.close();
});
