/** The menu of saved searches: open one, save what is looked at, delete one, all by keyboard. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { orderOf, withoutOrder } from "../../web/order.ts";
import { queryOf } from "../../web/saved-query.ts";
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

const menu = () => page.locator("summary", { hasText: "Saved" });
const row = (name: string) => page.getByRole("listitem").filter({ hasText: name });

test("opening one asks for it by its name, in the place of what was looked at", async () => {
  await page.goto(`${server.url}tasks?status=FAILED&type=resize-image`);
  await menu().click();
  await row("failed-receipts").getByRole("button").first().click();
  await expect.poll(() => new URL(page.url()).search).toBe("?q=%40failed-receipts");
  await expect
    .poll(() => page.getByRole("combobox", { name: "Search tasks" }).inputValue())
    .toBe("@failed-receipts");
  expect(await page.locator("details[open]").count()).toBe(0);
});

test("what is looked at is saved whole, and shown in the list", async () => {
  await page.goto(`${server.url}tasks?q=tag%3Aa%20OR%20tag%3Ab&status=FAILED&sort=-duration`);
  await menu().click();
  await page.getByLabel("Name of this search").fill("slow failures");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Replace the space.").waitFor();
  await page.getByLabel("Name of this search").fill("slow-failures");
  await page.getByRole("button", { name: "Save this search" }).click();
  await page.getByText("Saved. Find it as @slow-failures.").waitFor();
  await row("slow-failures").waitFor();
  expect(server.world.searches[0]).toMatchObject({
    ...{ name: "slow-failures", query: "(tag:a OR tag:b) status:failed sort:-duration" },
  });
});

test("an alert is seen without opening the menu, and told with its count", async () => {
  await page.goto(`${server.url}tasks`);
  await page.getByRole("img", { name: "1 saved search is out of bounds" }).waitFor();
  await menu().click();
  await row("stuck-emails")
    .getByText(/^Alert: 134 since /)
    .waitFor();
  expect(await row("failed-receipts").getByText("Alert").count()).toBe(0);
});

test("deleting asks once more; leaving it takes that back", async () => {
  await page.goto(`${server.url}tasks`);
  await menu().click();
  const first = row("stuck-emails").getByRole("button", { name: "Delete the saved search stuck-emails" });
  const second = row("stuck-emails").getByRole("button", {
    name: "Yes, delete the saved search stuck-emails",
  });
  await first.click();
  await second.waitFor();
  await page.getByLabel("Name of this search").focus();
  await first.click();
  expect(server.requests.some((request) => request.startsWith("DELETE"))).toBe(false);
  await second.click();
  await page.getByText("The saved search stuck-emails is deleted.").waitFor();
  await expect.poll(() => row("stuck-emails").count()).toBe(0);
  expect(server.requests).toContain("DELETE searches/stuck-emails");
});

test("the keyboard reaches all of it, and Escape goes back to the menu", async () => {
  await page.goto(`${server.url}tasks`);
  await menu().focus();
  await page.keyboard.press("Enter");
  // What is not loaded yet the keyboard cannot reach.
  await row("failed-receipts").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Escape");
  expect(await page.locator("details[open]").count()).toBe(0);
  expect(await page.evaluate("document.activeElement.textContent")).toMatch(/^Saved/);
  await page.keyboard.press("Enter");
  await row("failed-receipts").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect.poll(() => new URL(page.url()).search).toBe("?q=%40failed-receipts");
});

test.each([
  [{}, ""],
  [{ q: " tag:a " }, "tag:a"],
  [{ q: "tag:a", status: "FAILED", type: "send-receipt" }, "tag:a status:failed type:send-receipt"],
  [{ q: "a OR b", type: 'odd "type"' }, '(a OR b) type:"odd \\"type\\""'],
  [{ q: "a OR b" }, "a OR b"],
  [{ sort: "createdAt" }, "sort:+created"],
  [{ q: "sort:due", sort: "-updatedAt" }, "sort:due"],
])("%j is saved as %j", (search, query) => {
  expect(queryOf(search)).toBe(query);
});

test.each([
  ["sort:due", "-dueAt", ""],
  ["tag:a sort:+updatedAt tag:b", "updatedAt", "tag:a tag:b"],
  ["sort:ID", "id", ""],
  ['"as sort:due says"', undefined, '"as sort:due says"'],
  ["payload.sort:due resort:id", undefined, "payload.sort:due resort:id"],
])("the order of %j is %j", (q, order, rest) => {
  expect([orderOf({ q }), withoutOrder(q)]).toEqual([order, rest]);
});
