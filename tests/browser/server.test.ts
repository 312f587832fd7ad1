/** The dashboard as it is built, on the real server and a real database. */
import { createServer, type Server } from "node:http";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createDure, type Dure } from "../../server/dure.ts";
import { type Listening, listen } from "../../server/http.ts";
import { openBrowser } from "./support/browser.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const hostile = `<img src=x onerror="document.title='owned'">`;
const token = "a-token-for-tests-only";
let browser: Browser;
let dure: Dure;
let server: Listening;
let page: Page;
const trouble: string[] = [];

beforeAll(async () => {
  browser = await openBrowser();
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask(
    "send-receipt",
    async ({ payload }) => {
      if (payload.order % 3 === 0) throw new Error(`mailbox ${payload.order} is full ${hostile}`);
      return { sent: true };
    },
    {
      attributes: {
        order: ({ order }: { order: number }) => order,
        shop: ({ order }: { order: number }) => (order < 5 ? "north" : "south"),
      },
    },
  );
  dure.defineTask("resize-image", async ({ payload }) => payload, {
    payload: z.object({
      url: z.url().describe("Where the picture is"),
      widthPx: z.number().int().default(640),
    }),
  });
  await dure.start();
  for (let order = 1; order <= 12; order++) {
    await dure.enqueueTask("send-receipt", { order, note: hostile }, { id: `order-${order}` });
    await dure.waitForTask(`order-${order}`);
  }
  await dure.stop();
  await dure.enqueueTask("send-receipt", { order: 13 }, { id: "order-13", delay: "1h" });
  server = await listen(dure, { port: 0, token });
}, 60_000);

beforeEach(async () => {
  trouble.length = 0;
  page = await browser.newPage({ locale: "en-US", viewport: { width: 1280, height: 800 } });
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(error.message));
  await page.goto(server.link());
});

afterEach(() => page.close());

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await dure?.close();
});

const at = (path: string) => `http://127.0.0.1:${server.port}/${path}`;
const rows = () => page.getByRole("row").filter({ has: page.getByRole("cell") });

test("the printed address logs in and forgets the token", async () => {
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  expect(page.url()).toBe(at(""));
  expect(trouble).toEqual([]);
});

test("the page and its files are sent compressed to whom wants that, below 200 kB for the first view", async () => {
  let bytes = 0;
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(at("tasks"));
  await page.goto(at(""));
  await page.locator("canvas").first().waitFor();
  bytes = 0;
  await page.reload();
  await page.locator("canvas").first().waitFor();
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(200_000);
  const encodingFor = async (accepted: string) =>
    (await fetch(at("tasks"), { headers: { "accept-encoding": accepted } })).headers.get("content-encoding");
  expect(await encodingFor("br, gzip;q=0.5")).toBe("gzip");
  expect(await encodingFor("gzip;q=0, br")).toBe(null);
  expect(await encodingFor("identity")).toBe(null);
});

test("every view shows what the database has", async () => {
  await page.goto(at("tasks"));
  await expect.poll(() => rows().count()).toBe(13);
  await page.goto(at("errors"));
  await page.getByText("mailbox", { exact: false }).first().waitFor();
  await page.goto(at("workers"));
  await page.getByRole("heading", { name: "Workers" }).waitFor();
  await page.goto(at("definitions"));
  await page.getByText("send-receipt").first().waitFor();
  await page.goto(at("tasks/order-3"));
  await page.getByText("mailbox 3 is full", { exact: false }).first().waitFor();
  expect(await page.title()).not.toBe("owned");
  expect(trouble).toEqual([]);
});

test("the query box searches, and says where a query is wrong", async () => {
  await page.goto(at("tasks"));
  const box = page.getByRole("combobox").first();
  await box.fill("status:failed payload.order:>5");
  await box.press("Enter");
  await expect.poll(() => rows().count()).toBe(3);
  await box.fill("statsu:failed");
  await box.press("Enter");
  await page.getByText("did you mean", { exact: false }).first().waitFor();
});

test("the Korean pages say nothing in English but what the tasks hold", async () => {
  const context = await browser.newContext({ locale: "ko-KR", viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  await page.goto(server.link());
  const [failed] = await dure.searchTasks({ status: "FAILED", definitions: false, limit: 1 });
  const data = JSON.stringify([await dure.searchTasks({ limit: 100 }), await dure.listDefinitions()]);
  const views = {
    "": "최근 24시간",
    tasks: "집계",
    "tasks?q=statsu%3Afailed": "번째 글자부터 읽을 수 없습니다",
    "tasks?q=nobody-has-this": "검색에 맞는 태스크가 없습니다",
    [`tasks/${failed!.id}`]: "다시 실행",
    "tasks/gone": "이런 태스크가 없습니다",
    errors: "마지막",
    workers: "워커",
    definitions: "시도",
    "definitions/resize-image/enqueue": "등록",
  };
  for (const [path, text] of Object.entries(views)) {
    await page.goto(at(path));
    await page.getByText(text).locator("visible=true").first().waitFor();
    expect(await englishOn(page, data), path).toEqual([]);
  }
  await page.getByRole("textbox", { name: "url *" }).fill("no address");
  await page.getByRole("button", { name: "등록", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "형식에 맞지 않습니다" }).waitFor();
  await page.goto(at("tasks"));
  await page.getByRole("combobox").first().pressSequentially("s");
  await page.getByRole("option").first().waitFor();
  expect(await englishOn(page, data)).toEqual([]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.getByRole("checkbox", { name: "불러온 태스크 모두 선택" }).check();
  await page.getByRole("button", { name: "키보드 단축키" }).click();
  await page.getByRole("dialog").waitFor();
  expect(await englishOn(page, data)).toEqual([]);
  await context.close();
});

/** Two words of English in a row, wherever a person reads or hears them, that no task has. Code and queries are in no language. */
async function englishOn(page: Page, data: string): Promise<string[]> {
  const texts: string[] = await page.evaluate(`(() => {
    const found = [];
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      if (!nodes.currentNode.parentElement.closest("script, noscript, style, code, pre, kbd")) found.push(nodes.currentNode.data);
    }
    for (const element of document.querySelectorAll("*"))
      for (const name of ["aria-label", "title", "placeholder", "alt"])
        if (element.hasAttribute(name)) found.push(element.getAttribute(name));
    return found;
  })()`);
  const prose = (text: string) => text.replaceAll(hostile, "").replaceAll(/mailbox \d+ is full|\S+:\S*/g, "");
  const english = texts.filter((text) => /[A-Za-z]{2,} [a-z]{2,}/.test(prose(text)));
  return english.filter((text) => !data.includes(JSON.stringify(text.trim()).slice(1, -1)));
}

/** What a task is enqueued with beside its payload. */
const more = {
  "Run at": "2031-05-06T07:08",
  Priority: "7",
  Queue: "slow",
  Tags: "vip, summer",
  "Idempotency key": "a.png",
  Id: "picture-1",
};

test("a definition with a schema has a form, whose answers the same schema checks", async () => {
  await page.goto(at("definitions/resize-image/enqueue"));
  const url = page.getByRole("textbox", { name: "url *" });
  await url.fill("no address");
  await page.getByText("Where the picture is").waitFor();
  await page.getByRole("spinbutton", { name: "widthPx" }).fill("320");
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.getByRole("alert").filter({ hasText: "payload.url" }).waitFor();
  await url.fill("https://example.com/a.png");
  await page.getByText("More: when").click();
  for (const [name, value] of Object.entries(more)) await page.getByLabel(name, { exact: true }).fill(value);
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.waitForURL(/\/tasks\/picture-1$/);
  const task = await dure.getTaskById("picture-1");
  expect(task).toMatchObject({
    payload: { url: "https://example.com/a.png", widthPx: 320 },
    ...{ priority: 7, queue: "slow", tags: ["vip", "summer"], idempotencyKey: "a.png" },
    dueAt: new Date("2031-05-06T07:08:00"),
  });
  await dure.cancelTask("picture-1");
  await dure.deleteTask("picture-1");
});

test("what another has changed meanwhile is not changed by an old page", async () => {
  await page.goto(at("tasks/order-6"));
  await page.getByRole("button", { name: "Retry" }).waitFor();
  await page.route("**/api/events", (route) => route.abort());
  await page.route("**/api/tasks/order-6", (route) => route.abort());
  await dure.retryTask("order-6");
  await dure.cancelTask("order-6");
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await page.getByText("was changed since it was read").waitFor();
  expect((await dure.getTaskById("order-6"))?.status).toBe("CANCELLED");
});

test("errors that say the same have a trend, and are retried together", async () => {
  await page.goto(at("errors"));
  await page
    .getByRole("img", { name: /^\d+ since/ })
    .first()
    .waitFor();
  await page.getByRole("button", { name: /^Retry all that failed with: mailbox/ }).click();
  const dialog = page.getByRole("dialog", { name: /^Retry \d tasks\?$/ });
  await dialog.getByText("order-9").waitFor();
  await dialog.getByRole("button", { name: "Back" }).click();
  expect((await dure.getTaskById("order-9"))?.status).toBe("FAILED");
});

test("what needs attention leads to the search behind it", async () => {
  await page.goto(at(""));
  await page.getByRole("link", { name: /^send-receipt has \d tasks that failed/ }).click();
  await page
    .getByRole("searchbox")
    .or(page.getByRole("combobox", { name: "Search tasks" }))
    .first()
    .waitFor();
  expect(new URL(page.url()).searchParams.get("q")).toBe("status:failed type:send-receipt updated:>24h");
  await page.getByRole("link", { name: "order-9" }).or(page.getByText("mailbox 9 is full")).first().waitFor();
});

test("facets count a search by type, queue and attribute, and narrow it; an attribute is a column", async () => {
  await page.goto(at("tasks?type=send-receipt"));
  await page.getByText("Facets").click();
  const shops = page.getByRole("region", { name: "shop" });
  await expect.poll(() => shops.getByRole("link").allInnerTexts()).toEqual(["south\n9", "north\n4"]);
  // Each task has an order of its own.
  await expect.poll(() => page.getByRole("region", { name: "order" }).count()).toBe(0);
  await shops.getByRole("link", { name: "north" }).click();
  await expect.poll(() => new URL(page.url()).searchParams.get("q")).toBe("shop:north");
  await expect.poll(() => rows().count()).toBe(4);
  await page.getByText("Facets").click();
  await page.getByText("Columns").click();
  await page.getByRole("checkbox", { name: "order", exact: true }).check();
  await page.getByRole("columnheader", { name: "order" }).waitFor();
  await expect.poll(() => page.getByRole("cell", { name: "3", exact: true }).count()).toBe(1);
  await page.getByRole("checkbox", { name: "order", exact: true }).uncheck();
});

test("a failed task is retried", async () => {
  await page.goto(at("tasks/order-9"));
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await expect.poll(async () => (await dure.getTaskById("order-9"))?.status).toBe("PENDING");
});

test("all that a search finds is cancelled by a worker, beyond what is loaded", async () => {
  for (let order = 100; order < 250; order++) {
    await dure.enqueueTask("send-receipt", { order, note: "bulk" }, { delay: "1h", tags: ["bulk"] });
  }
  await page.goto(at("tasks?q=tag:bulk"));
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: "Select all 150 that this search finds" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel 150 tasks?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page
    .getByRole("dialog", { name: "Cancelling 150 tasks" })
    .getByText("It waits for a free worker.", { exact: false })
    .waitFor();
  await dure.start();
  await page.getByText("150 tasks done").waitFor();
  await dure.stop();
  expect(await dure.countTasks({ status: "CANCELLED", tag: "bulk" })).toBe(150);
  expect(trouble).toEqual([]);
});

test("a task that somebody stopped shows that, and no fault", async () => {
  const began = Promise.withResolvers<void>();
  dure.defineTask("long-report", async (_task, { signal }) => {
    began.resolve();
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const { id } = await dure.enqueueTask("long-report", {});
  await dure.start();
  await began.promise;
  await dure.cancelTask(id);
  await dure.waitForTask(id).catch(() => undefined);
  await dure.stop();
  await page.goto(at(`tasks/${id}`));
  await page.getByRole("button", { name: "Run again" }).waitFor();
  await page.getByText("Attempt 1").waitFor();
  expect((await dure.getTaskById(id))?.status).toBe("CANCELLED");
  expect(await page.getByText("AbortReason").count()).toBe(0);
});

test.each([
  { locale: "en-US", colorScheme: "light", width: 1280, button: "Log out", title: "You are logged out" },
  { locale: "ko-KR", colorScheme: "dark", width: 390, button: "로그아웃", title: "로그아웃했습니다" },
] as const)("whoever logs in by the token logs out by a button, from the keyboard: $locale", async (by) => {
  const { locale, colorScheme, width, title } = by;
  const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 800 } });
  const reader = await context.newPage();
  await reader.goto(server.link());
  const button = reader.getByRole("button", { name: by.button });
  await button.waitFor();
  const isThere = () => button.evaluate((element) => element === element.ownerDocument.activeElement);
  for (let pressed = 0; pressed < 20 && !(await isThere()); pressed++) await reader.keyboard.press("Tab");
  await reader.keyboard.press("Enter");
  await reader.getByRole("heading", { name: title }).waitFor();
  expect(await reader.getByRole("navigation").count()).toBe(0);
  expect(await reader.evaluate(() => fetch("api/session").then(({ status }) => status))).toBe(401);
  await reader.goto(at("tasks"));
  await reader.locator("input[type=password]").fill(token);
  await reader.keyboard.press("Enter");
  await expect.poll(() => reader.getByRole("row").count()).toBeGreaterThan(1);
  expect(reader.url()).toBe(at("tasks"));
  await context.close();
});

test("a page of another origin reads nothing and changes nothing, logged in or not", async () => {
  const other: Server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>other</title><p>other");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  await page.goto(`http://127.0.0.1:${port}/`);
  const target = at("api/tasks/order-13");
  const met = await page.evaluate(async (address) => {
    const attempt = (init: RequestInit, path = "") =>
      fetch(address + path, { credentials: "include", ...init }).then(
        async (answer) => `${answer.type} ${answer.status} ${await answer.text()}`,
        () => "refused",
      );
    const json = { "content-type": "application/json" };
    return [
      await attempt({}),
      await attempt({ mode: "no-cors" }),
      await attempt({ method: "POST", body: "{}", headers: json }, "/cancel"),
      await attempt({ method: "POST", body: "{}", mode: "no-cors" }, "/cancel"),
      await attempt({ method: "DELETE" }),
    ];
  }, target);
  other.close();
  for (const answer of met) expect(answer).not.toMatch(/send-receipt|order/);
  expect((await dure.getTaskById("order-13"))?.status).toBe("PENDING");
});
