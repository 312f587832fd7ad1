/** The list of tasks while it searches on, in another order, with texts of another direction, and while counts are awaited. */
import { setTimeout } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { buildDashboard, openBrowser } from "./support/browser.ts";
import { makeWorld } from "./support/fixture-data.ts";
import { type FixtureServer, startFixtureServer } from "./support/fixture-server.ts";

let browser: Browser;
let built: Awaited<ReturnType<typeof buildDashboard>>;
let server: FixtureServer;
let page: Page;

beforeAll(async () => {
  [browser, built] = await Promise.all([openBrowser(), buildDashboard()]);
  server = await startFixtureServer({ world: makeWorld({ size: 60, now: Date.now() }), files: built.files });
}, 90_000);

afterEach(() => page.context().close());

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await built?.remove();
});

test("searches on, page after page, until one has tasks; the second click ends it", async () => {
  await open();
  const asked = await unfinishedPages({ emptyPages: 4 });
  await page.goto(`${server.url}tasks?q=payload.rows:7`);
  await page.getByText("None was found so far").waitFor();
  await page.getByRole("button", { name: "Search on" }).click();
  await page.getByRole("link", { name: "found-at-last" }).waitFor();
  expect(asked()).toEqual([null, "1", "2", "3"]);
  // More of it is only for who asks again.
  await page.getByRole("button", { name: "Search on" }).waitFor();
  await page.waitForTimeout(300);
  expect(asked()).toHaveLength(4);
});

test("searching on is stopped", async () => {
  await open();
  const asked = await unfinishedPages({ emptyPages: 1_000, tookMs: 100 });
  await page.goto(`${server.url}tasks?q=payload.rows:8`);
  await page.getByRole("button", { name: "Search on" }).click();
  await page.getByText("Searching on until one is found").waitFor();
  await expect.poll(() => asked().length).toBeGreaterThan(3);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("None was found so far").waitFor();
  await page.waitForTimeout(300);
  const stoppedAt = asked().length;
  await page.waitForTimeout(500);
  expect(asked()).toHaveLength(stoppedAt);
});

test("a page that failed is asked for again by whoever searches on", async () => {
  await open();
  const asked = await unfinishedPages({ emptyPages: 4, failing: "2" });
  await page.goto(`${server.url}tasks?q=payload.rows:6`);
  await page.getByRole("button", { name: "Search on" }).click();
  await expect.poll(asked).toEqual([null, "1", "2"]);
  await page.getByRole("status").getByText("Not now.").waitFor();
  await page.getByRole("button", { name: "Search on" }).click();
  await page.getByRole("link", { name: "found-at-last" }).waitFor();
  expect(asked()).toEqual([null, "1", "2", "2", "3"]);
});

test("where the next page of a list did not come, it says so, and tries again when asked", async () => {
  await open();
  let isBusy = true;
  await page.route("**/api/tasks?*", async (route) => {
    const cursor = new URL(route.request().url()).searchParams.get("cursor");
    if (cursor && isBusy)
      return route.fulfill({ status: 409, json: { code: "FORBIDDEN", message: "It is busy." } });
    const task = { ...server.world.tasks[0]!, id: `of-${cursor}`, type: cursor ? "found-at-last" : "first" };
    await route.fulfill({
      json: { tasks: [task], complete: true, ...(!cursor && { nextCursor: "1" }) },
    });
  });
  await page.goto(`${server.url}tasks`);
  await page.getByRole("link", { name: "first" }).waitFor();
  await page.getByRole("status").getByText("It is busy.").waitFor();
  isBusy = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("link", { name: "found-at-last" }).waitFor();
  expect(await page.getByText("It is busy.").count()).toBe(0);
});

test("a search that takes long is not asked again at each change", async () => {
  await open();
  const asked = await unfinishedPages({ emptyPages: 1_000, tookMs: 700 });
  await page.goto(`${server.url}tasks?q=payload.rows:9`);
  await page.getByText("None was found so far").waitFor();
  for (let change = 0; change < 12; change += 1) {
    server.addTask({ type: "send-receipt" });
    await page.waitForTimeout(350);
  }
  expect(asked().length).toBeLessThanOrEqual(2);
});

test.each([
  ["tasks?sort=-priority", "Priority"],
  ["tasks?sort=dueAt", "Due"],
  ["tasks?sort=-updatedAt", "Updated"],
  [`tasks?q=${encodeURIComponent("status:failed sort:-priority")}`, "Priority"],
])("%s shows the column it goes by, for as long as it does", async (path, column) => {
  await open();
  await page.route("**/api/tasks?*", (route) =>
    route.fulfill({ json: { tasks: server.world.tasks.slice(0, 20), complete: true } }),
  );
  await page.goto(server.url + path);
  await page.getByRole("columnheader", { name: column, exact: true }).waitFor();
  await page.getByText("Columns").click();
  const choice = page.getByRole("checkbox", { name: column, exact: true });
  expect([await choice.isChecked(), await choice.isDisabled()]).toEqual([true, true]);
  await page.goto(`${server.url}tasks`);
  await page.getByRole("columnheader", { name: "Created", exact: true }).waitFor();
  expect(await page.getByRole("columnheader", { name: column, exact: true }).count()).toBe(0);
});

test("the order that a query says is the one that is shown as chosen, and another choice takes its place", async () => {
  await open();
  const order = page.getByRole("combobox", { name: "Sort by" });
  const shown = () => order.locator("option:checked").textContent();
  const asked: string[] = [];
  await page.route("**/api/tasks?*", (route) => {
    asked.push(new URL(route.request().url()).search);
    return route.fulfill({ json: { tasks: server.world.tasks.slice(0, 20), complete: true } });
  });
  await page.goto(`${server.url}tasks?sort=dueAt&q=${encodeURIComponent("status:failed sort:priority")}`);
  await page.getByRole("columnheader", { name: "Priority", exact: true }).waitFor();
  expect(await shown()).toBe("Priority");
  await order.selectOption("Longest");
  await expect.poll(() => new URL(page.url()).searchParams.get("q")).toBe("status:failed");
  expect(new URL(page.url()).searchParams.get("sort")).toBe("-duration");
  await expect.poll(() => asked.at(-1)).toMatch(/sort=duration&order=desc/);
  expect(asked.filter((search) => search.includes("sort=dueAt"))).toEqual([]);
  await page.goto(`${server.url}tasks?q=${encodeURIComponent("sort:+started")}`);
  await expect.poll(shown).toBe("sort:+started");
});

test("on a phone the order's value stands in the card", async () => {
  await open({ viewport: { width: 390, height: 844 } });
  await page.goto(`${server.url}tasks?sort=-priority`);
  await page
    .getByText(/^Priority 10$/)
    .first()
    .waitFor();
});

test("a text from right to left begins at its beginning, and keeps to itself", async () => {
  await open();
  const error = "تعذر الاتصال بالخادم smtp.example.com:25 بعد 3 محاولات ".repeat(8);
  server.addTask({ id: "rtl", type: "تقرير", status: "FAILED", error, payload: { اسم: "محمد", order: 7 } });
  await page.goto(`${server.url}tasks?q=تقرير`);
  const shown = page.locator("[role=row] span", { hasText: "تعذر" }).last();
  await shown.waitFor();
  expect(await directionOf(shown)).toBe("rtl");
  await page.goto(`${server.url}tasks/rtl`);
  expect(await directionOf(page.getByText("تعذر").first())).toBe("rtl");
  expect(await directionOf(page.getByText("محمد").first())).toBe("rtl");
  expect(await directionOf(page.getByText("order", { exact: true }))).toBe("ltr");
});

test("on a phone nothing moves when the first tasks come", async () => {
  await open({ viewport: { width: 390, height: 844 } });
  await slow("**/api/tasks?*");
  await page.goto(`${server.url}tasks`);
  await page.getByText("Loading").waitFor();
  const before = await places("main h1, [data-search]");
  await page.getByText("Read at").waitFor();
  expect(await places("main h1, [data-search]")).toEqual(before);
});

test("the statuses stay where they are while another search is counted", async () => {
  await open();
  await page.goto(`${server.url}tasks`);
  await countOf("Failed");
  const before = await places();
  await slow("**/api/summary?*");
  await page.locator("[data-search]").fill("resize-image");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=resize-image/);
  expect(await places()).toEqual(before);
});

function slow(path: string): Promise<unknown> {
  return page.route(path, async (route) => {
    await setTimeout(700);
    await route.continue().catch(() => undefined);
  });
}

function places(selector = "nav[aria-label=Status] a"): Promise<string[]> {
  return page.locator(selector).evaluateAll(placesOf);
}

async function open(options: BrowserContextOptions = {}): Promise<void> {
  const context = await browser.newContext({ locale: "en-US", ...options });
  page = await context.newPage();
}

/**
 * Of `payload.rows:…`, all pages run out of time, and the last of so many has a task; the one behind `failing` is refused at
 * first. Answers which were asked for.
 */
async function unfinishedPages({
  emptyPages,
  tookMs = 0,
  failing,
}: {
  emptyPages: number;
  tookMs?: number;
  failing?: string;
}) {
  const asked: (string | null)[] = [];
  await page.route(
    (url) => url.pathname.endsWith("/api/tasks") && url.search.includes("payload.rows"),
    async (route) => {
      const cursor = new URL(route.request().url()).searchParams.get("cursor");
      asked.push(cursor);
      if (cursor === failing && asked.filter((one) => one === failing).length === 1)
        return route.fulfill({ status: 403, json: { code: "FORBIDDEN", message: "Not now." } });
      const at = Number(cursor ?? 0) + 1;
      const task = { ...server.world.tasks[0]!, id: "found", type: "found-at-last" };
      await setTimeout(tookMs);
      const body = {
        tasks: at < emptyPages ? [] : [task],
        complete: false,
        nextCursor: String(at),
        searchedBackTo: new Date(Date.now() - at * 3_600_000).toISOString(),
      };
      await route.fulfill({ json: body }).catch(() => undefined);
    },
  );
  return () => asked;
}

function directionOf(text: ReturnType<Page["locator"]>): Promise<string> {
  return text.evaluate((element) => (element.matches(":dir(rtl)") ? "rtl" : "ltr"));
}

interface Placed {
  getBoundingClientRect(): { x: number; y: number; width: number };
}

function placesOf(elements: Placed[]): string[] {
  return elements.map((element) => {
    const { x, y, width } = element.getBoundingClientRect();
    return [x, y, width].map(Math.round).join(" ");
  });
}

async function countOf(status: string): Promise<void> {
  const link = page.getByRole("navigation", { name: "Status" }).getByRole("link", { name: status });
  await expect.poll(() => link.textContent()).toMatch(/\d/);
}
