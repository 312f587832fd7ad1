/** Every view opens: in both languages, wide and on a phone, and in both themes, with nothing that axe objects to. */
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDashboard, openBrowser } from "./support/browser.ts";
import { makeWorld } from "./support/fixture-data.ts";
import { type FixtureServer, startFixtureServer } from "./support/fixture-server.ts";
import { contrastViolations, violations, wideElements } from "./support/looks.ts";

let browser: Browser;
let built: Awaited<ReturnType<typeof buildDashboard>>;
let server: FixtureServer;

beforeAll(async () => {
  [browser, built] = await Promise.all([openBrowser(), buildDashboard()]);
  server = await startFixtureServer({ world: makeWorld({ size: 400, now: Date.now() }), files: built.files });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await built?.remove();
});

const views = [
  { path: "", en: "Overview", ko: "개요" },
  { path: "tasks", en: "Tasks", ko: "태스크" },
  { path: "tasks?status=FAILED", en: "Tasks", ko: "태스크" },
  { path: "tasks/0f3a00000011-receipt", en: "nightly-report", ko: "nightly-report" },
  { path: "tasks/0f3a00000001-receipt", en: "send-receipt", ko: "send-receipt" },
  { path: "errors", en: "Errors", ko: "오류" },
  { path: "workers", en: "Workers", ko: "워커" },
  { path: "definitions", en: "Definitions", ko: "정의" },
  { path: "definitions/resize-image/enqueue", en: "Enqueue resize-image", ko: "resize-image 등록" },
] as const;

const widths = [
  { name: "wide", width: 1440 },
  { name: "phone", width: 390 },
];

describe.each(widths)("$name", ({ width }) => {
  test("every view shows its heading in both languages and fits, and axe finds nothing", async () => {
    const isWide = width > 1_000;
    const { page, complaints } = await openPage({
      viewport: { width, height: 860 },
      ...({ colorScheme: "light", locale: "en-US" } as const),
    });
    for (const { path, en, ko } of views) {
      await page.goto(server.url + path);
      await shows(page, en);
      await looksGood(page, `${path} in English`);
      // A theme changes the contrast alone, whatever the language and the width.
      if (isWide) await contrastsInTheDark(page, path);
      await page.getByRole("button", { name: "한국어" }).click();
      await shows(page, ko);
      if (isWide) await looksGood(page, `${path} in Korean`);
      else expect(await wideElements(page), path).toBe(0);
      await page.getByRole("button", { name: "English" }).click();
    }
    await compareAttempts(page);
    await looksGood(page, "attempts compared");
    if (isWide) await contrastsInTheDark(page, "attempts compared");
    expect(complaints).toEqual([]);
    await page.context().close();
  }, 90_000);
});

async function shows(page: Page, name: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  await page.waitForLoadState("load");
}

async function looksGood(page: Page, message: string): Promise<void> {
  expect(await wideElements(page), message).toBe(0);
  expect(await violations(page), message).toEqual([]);
}

async function contrastsInTheDark(page: Page, message: string): Promise<void> {
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await contrastViolations(page), `${message}, dark`).toEqual([]);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Opens a failed task, and what its second attempt changed against its first. */
async function compareAttempts(page: Page): Promise<void> {
  const failed = server.world.tasks.find(({ id, status }) => status === "FAILED" && id.startsWith("0f3a"))!;
  await page.goto(`${server.url}tasks/${failed.id}`);
  const attempts = page.getByRole("button", { name: /^(Attempt|시도) 2/ });
  await attempts.click();
  await page.getByText(/^(Compare with attempt 1|1번째 시도와 비교)$/).click();
  const removed = page.getByRole("deletion").filter({ hasText: "pictures.ts:40:5" });
  const added = page.getByRole("insertion").filter({ hasText: "resize-image.ts:18:11" });
  await Promise.all([removed.waitFor(), added.waitFor()]);
  await page.getByText(/^(Compare with attempt 2|2번째 시도와 비교)$/).click();
  await page.getByText(/^(The error is the same, stack included|스택까지 같은 오류입니다)\.$/).waitFor();
}

test("an unknown address and an unknown task say so and show the way on", async () => {
  const { page } = await openPage({ locale: "en-US" });
  await page.goto(`${server.url}nowhere/at/all`);
  await page.getByText("There is nothing at this address").waitFor();
  await page.getByRole("link", { name: "Go to the overview" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  expect(page.url()).toBe(server.url);
  await page.goto(`${server.url}tasks/gone`);
  await page.getByText("There is no such task").waitFor();
  await page.goto(`${server.url}definitions/gone/enqueue`);
  await page.getByText("No definition “gone” is known").waitFor();
  expect(await page.getByRole("button", { name: "Enqueue" }).count()).toBe(0);
  await page.context().close();
});

test("an empty store says what to do first", async () => {
  const empty = { ...makeWorld({ size: 0, now: Date.now() }), tasks: [], workers: [], definitions: [] };
  const own = await startFixtureServer({ world: empty, files: built.files, basePath: "/" });
  const { page } = await openPage({ locale: "en-US" });
  const first = {
    "": "Nothing here yet",
    tasks: "No tasks yet",
    workers: "No worker has run yet",
    definitions: "No definition is known yet",
  };
  for (const [path, text] of Object.entries(first)) {
    await page.goto(own.url + path);
    await page.getByText(text).waitFor();
    await page.getByRole("button", { name: "Copy the code" }).waitFor();
    expect(await violations(page), path).toEqual([]);
  }
  await page.goto(`${own.url}errors`);
  await page.getByText("No task has failed").waitFor();
  await page.context().close();
  await own.close();
});

test("a page that hears of no change any more says so, and that it does again", async () => {
  const { page } = await openPage({ locale: "en-US", viewport: { width: 390, height: 800 } });
  await page.route("**/api/events", (route) => route.abort());
  await page.goto(`${server.url}tasks`);
  const lost = page.getByText("There is no live connection: what you see may be old.");
  await lost.waitFor({ timeout: 15_000 });
  expect(await violations(page)).toEqual([]);
  expect(await wideElements(page)).toBe(0);
  await page.unroute("**/api/events");
  await lost.waitFor({ state: "detached", timeout: 15_000 });
  await page.context().close();
});

test("on a phone the status that is chosen is in view", async () => {
  const { page } = await openPage({ locale: "en-US", viewport: { width: 390, height: 800 } });
  await page.goto(`${server.url}tasks?status=CANCELLED`);
  const chosen = page
    .getByRole("navigation", { name: "Status" })
    .getByRole("link", { name: /^Cancelled \d/ });
  await chosen.waitFor();
  const rightEdge = async () => {
    const { x, width } = (await chosen.boundingBox())!;
    return x + width;
  };
  await expect.poll(rightEdge).toBeLessThanOrEqual(390);
  await page.context().close();
});

test("names as long as they may be fit a phone and a small window", async () => {
  const world = makeWorld({ size: 12, now: Date.now() });
  const [type, queue] = ["t".repeat(128), "q".repeat(128)];
  const long = {
    type,
    queue,
    tags: ["g".repeat(128)],
    workerId: "w".repeat(64),
    idempotencyKey: "k".repeat(200),
  };
  for (const task of world.tasks) Object.assign(task, long);
  for (const definition of world.definitions) Object.assign(definition, { id: type, queue, tags: long.tags });
  for (const worker of world.workers) Object.assign(worker, { id: long.workerId, name: type, types: [type] });
  const own = await startFixtureServer({ world, files: built.files, basePath: "/" });
  for (const width of [390, 1_000]) {
    const { page } = await openPage({ viewport: { width, height: 860 }, locale: "en-US" });
    for (const path of ["", "tasks", `tasks/${world.tasks[0]!.id}`, "errors", "workers", "definitions"]) {
      await page.goto(own.url + path);
      await page.locator("main").getByText(type).locator("visible=true").first().waitFor();
      if (path === "") await page.locator("canvas").first().waitFor();
      expect(await wideElements(page), `${path} at ${width}`).toBe(0);
    }
    await page.context().close();
  }
  await own.close();
});

test("a payload of objects is told by what they hold", async () => {
  const world = makeWorld({ size: 12, now: Date.now() });
  const payload = { user: { id: 7, plan: { name: "free" } }, list: [1], none: {}, note: "x" };
  for (const task of world.tasks) Object.assign(task, { payload, status: "COMPLETED" });
  const own = await startFixtureServer({ world, files: built.files, basePath: "/" });
  const { page } = await openPage({ locale: "en-US" });
  await page.goto(`${own.url}tasks`);
  await page
    .getByText("user.id: 7 · user.plan.name: free · list: [1] · none: {} · note: x")
    .first()
    .waitFor();
  await page.context().close();
  await own.close();
});

test("a search that has found nothing so far and a time in which nothing ended say so", async () => {
  const { page } = await openPage({ locale: "en-US" });
  const found = { tasks: [], nextCursor: "on", complete: false, searchedBackTo: new Date().toISOString() };
  await page.route("**/api/tasks?*", (route) => route.fulfill({ json: found }));
  await page.route("**/api/history*", (route) => route.fulfill({ json: { buckets: [] } }));
  await page.goto(`${server.url}tasks?q=payload.nothing%3A42`);
  await page.getByText("None was found so far").waitFor();
  expect(await page.getByRole("table").count()).toBe(0);
  await page.goto(server.url);
  await page.getByText("Nothing ended in this time").waitFor();
  await page.context().close();
});

test("types stand in the order in which people count", async () => {
  const world = makeWorld({ size: 12, now: Date.now() });
  const ids = ["type-10", "type-2", "type-1"];
  world.definitions.splice(3);
  for (const [index, definition] of world.definitions.entries()) definition.id = ids[index]!;
  for (const [index, task] of world.tasks.entries()) task.type = ids[index % 3]!;
  const own = await startFixtureServer({ world, files: built.files, basePath: "/" });
  const { page } = await openPage({ locale: "en-US" });
  for (const path of ["definitions", ""]) {
    await page.goto(own.url + path);
    const names = page.getByRole("rowheader").getByRole("link", { name: /^type-/ });
    await expect
      .poll(() => names.allTextContents(), { message: path })
      .toEqual(["type-1", "type-2", "type-10"]);
  }
  await page.context().close();
  await own.close();
});

test("theme and language are the reader's choice and outlive the page", async () => {
  const { page } = await openPage({ locale: "en-US", colorScheme: "light" });
  await page.goto(server.url);
  await page.getByRole("button", { name: "System theme" }).click();
  await page.getByRole("button", { name: "Light theme" }).click();
  await page.getByRole("button", { name: "한국어" }).click();
  await page.reload();
  await page.getByRole("button", { name: "어두운 테마" }).waitFor();
  const [lang, scheme] = (await page.evaluate(
    "[document.documentElement.lang, getComputedStyle(document.documentElement).colorScheme]",
  )) as [string, string];
  expect([lang, scheme]).toEqual(["ko", "dark"]);
  await page.context().close();
});

test("the first view is below 200 kB compressed and asks nothing of another origin", async () => {
  const { page } = await openPage({ locale: "en-US" });
  const sizes: Promise<number>[] = [];
  const foreign: string[] = [];
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("response", (response) => {
    if (new URL(response.url()).origin !== new URL(server.url).origin) foreign.push(response.url());
    else if (!response.url().includes("/api/")) sizes.push(compressedSize(response.body()));
  });
  await page.goto(server.url);
  await page.getByRole("heading", { name: "Tasks ended" }).waitFor();
  await page.locator("canvas").first().waitFor();
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  expect(total).toBeLessThan(200_000);
  expect(foreign).toEqual([]);
  // What draws the charts is there before their numbers are.
  const history = asked.findIndex((url) => url.includes("/api/history"));
  expect(asked.slice(history).filter((url) => url.endsWith(".js"))).toEqual([]);
  await page.context().close();
});

test("what is too much to be counted is told as an estimate", async () => {
  const { page } = await openPage({ locale: "en-US" });
  const groups = [
    { status: "FAILED", count: 90 },
    { status: "PENDING", count: 10 },
  ];
  const summary = { groups, total: { count: 314_159, errorMax: 9 }, complete: false, sampled: 100 };
  await page.route("**/api/summary*", (route) => route.fulfill({ json: summary }));
  await page.goto(`${server.url}tasks?q=words`);
  await expect
    .poll(() => page.getByRole("navigation", { name: "Status" }).getByRole("link").allInnerTexts())
    .toEqual(["All\n≈ 314.2K", "Pending\n≈ 31.4K", "Running", "Completed", "Failed\n≈ 282.7K", "Cancelled"]);
  await page.context().close();
});

test("the history is of the period and type that the address says, and its table says what its charts show", async () => {
  const { page, complaints } = await openPage({ locale: "en-US" });
  // As a browser under LANG=C.
  await page.addInitScript(
    "Object.defineProperty(navigator, 'language', { value: 'en-US@posix', configurable: true })",
  );
  await page.goto(server.url);
  const rows = page.getByRole("table", { name: /with their wait and run times/ }).getByRole("row");
  await expect.poll(() => rows.count()).toBe(1 + 24);
  await page.getByRole("link", { name: "1h", exact: true }).click();
  await expect.poll(() => rows.count()).toBe(1 + 60);
  await page.getByRole("combobox", { name: "Type" }).selectOption("send-receipt");
  await expect.poll(() => new URL(page.url()).search).toBe("?period=hour&type=send-receipt");
  await page.reload();
  await expect.poll(() => rows.count()).toBe(1 + 60);
  await expect.poll(() => page.getByRole("combobox", { name: "Type" }).inputValue()).toBe("send-receipt");
  const texts = await rows.allTextContents();
  expect(texts.filter((text) => /\d(ms|s)$/.test(text)).length).toBeGreaterThan(10);
  await page.locator("canvas").first().waitFor();
  expect(complaints).toEqual([]);
  await page.context().close();
});

async function compressedSize(body: Promise<Buffer>): Promise<number> {
  return gzipSync(await body).length;
}

async function openPage(options: BrowserContextOptions): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return { page, complaints };
}
