/** What a viewer and an operator find in the dashboard: buttons that say why they may not be pressed, and do nothing. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import type { Caller, Role } from "../../server/http/auth.ts";
import { createHttpHandler } from "../../server/http.ts";
import { openBrowser } from "./support/browser.ts";
import { violations, wideElements } from "./support/looks.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let browser: Browser;
let dure: Dure;
let server: Server;
let role: Role | null;
let payloads = true;
let page: Page;
const changes: string[] = [];

beforeAll(async () => {
  browser = await openBrowser();
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async () => {
    throw new Error("mailbox full");
  });
  await dure.enqueueTask("send-receipt", { order: 1 }, { id: "order-1" });
  await dure.start();
  await dure.waitForTask("order-1");
  await dure.stop();
  await dure.enqueueTask("send-receipt", { order: 2 }, { id: "order-2", delay: "1h" });
  const handler = createHttpHandler(dure, {
    authorize: (): Caller | null => role && { role, payloads },
    onAudit: ({ method, path, status }) => changes.push(`${method} ${path} ${status}`),
  });
  server = createServer(getRequestListener(handler)).listen(0, "127.0.0.1");
  await once(server, "listening");
}, 60_000);

beforeEach(async () => {
  changes.length = 0;
  payloads = true;
  page = await browser.newPage({ locale: "en-US", viewport: { width: 1280, height: 800 } });
});
afterEach(() => page.close());

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await dure?.close();
});

/** In a list a number may follow the name: how many it is for. */
const button = (name: string) => page.getByRole("button", { name: new RegExp(`^${name}(?: \\d+)?$`) });
const open = (path: string) =>
  page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`);
const isDimmed = (name: string) => expect.poll(() => button(name).getAttribute("aria-disabled")).toBe("true");

test("whom the server around it does not know is sent there, and asked for no token", async () => {
  role = null;
  await open("tasks");
  await page.getByRole("heading", { name: "You are not let in here" }).waitFor();
  expect(await page.getByLabel("Token").count()).toBe(0);
  role = "viewer";
  await button("Try again").click();
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).waitFor();
});

test("a viewer sees what could be done, is told the role it needs, and nothing happens", async () => {
  role = "viewer";
  await open("tasks/order-1");
  for (const name of ["Retry", "Run again", "Run with changes", "Delete"]) await isDimmed(name);
  await button("Retry").focus();
  await page.keyboard.press("Enter");
  await page.getByText("This needs the role operator; yours is viewer.").waitFor();
  await button("Delete").click({ force: true });
  await page.getByText("This needs the role admin; yours is viewer.").waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  await open("definitions/send-receipt/enqueue");
  await isDimmed("Enqueue");
  await button("Enqueue").click({ force: true });
  await page.getByText("This needs the role operator; yours is viewer.").waitFor();
  await open("tasks/order-2");
  for (const name of ["Cancel", "Edit"]) await isDimmed(name);
  expect(changes).toEqual([]);
});

test("an operator may all but delete, one task or many", async () => {
  role = "operator";
  await open("tasks/order-1");
  await isDimmed("Delete");
  expect(await button("Retry").getAttribute("aria-disabled")).toBeNull();
  await open("tasks");
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await isDimmed("Delete");
  await button("Retry").click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await expect.poll(() => changes).toEqual(["POST /api/tasks/order-1/retry 200"]);
});

test("an admin is refused nothing", async () => {
  role = "admin";
  const told = page.waitForResponse(/\/api\/session$/);
  await open("tasks/order-2");
  await button("Cancel").waitFor();
  await (await told).finished();
  expect(await page.locator("[aria-disabled]").count()).toBe(0);
});

test("who may not see payloads is shown none, is told why, and may search by what is left", async () => {
  role = "operator";
  payloads = false;
  await open("tasks/order-1");
  const hidden = page.getByText("Your access does not show this");
  await hidden.first().waitFor();
  expect(await page.getByText("[hidden]").count()).toBeGreaterThan(0);
  expect(await page.getByText("mailbox full").count()).toBe(0);
  await page.getByText("Logs: Your access does not show this").waitFor();
  await open("errors");
  await page.getByText("This needs the right to see payloads.", { exact: false }).waitFor();
  await open(`tasks?q=${encodeURIComponent("error:mailbox")}`);
  await page.getByText("This needs the right to see payloads.", { exact: false }).waitFor();
  await open(`tasks?q=${encodeURIComponent("type:send-receipt")}`);
  await page.getByRole("row").filter({ hasText: "send-receipt" }).first().waitFor();
  await page.getByText("Columns").click();
  expect(await page.getByRole("checkbox", { name: "Status" }).count()).toBe(1);
  expect(await page.getByRole("textbox", { name: "Add a column by its path" }).count()).toBe(0);
});

test("the audit log shows who changed what, as text, to those who may see it", async () => {
  const hostile = '<img src=x onerror="document.title = 1">';
  await dure.pause({ queue: "mail" }, { by: hostile, reason: hostile });
  await dure.editTask("order-2", { priority: 5, by: "anna" });
  role = "viewer";
  await open("audit");
  await page.getByText("This needs the role operator; yours is viewer.").waitFor();
  role = "operator";
  await page.reload();
  const rows = page.locator("tbody tr");
  await rows.filter({ hasText: hostile }).first().waitFor();
  expect(await page.title()).toBe("Audit log · Dure");
  await page.getByLabel("Who").fill("anna");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\?who=anna$/);
  await expect.poll(() => rows.count()).toBe(1);
  expect(await rows.innerText()).toMatch(/anna\s+Edit\s+order-2\s+status PENDING, priority 0 → 5\s+code/);
  expect(await violations(page)).toEqual([]);
  await page.getByLabel("Action").selectOption("delete");
  await page.getByText("Nothing of the kind is in the audit log").waitFor();
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goBack();
  await rows.first().waitFor();
  expect(await wideElements(page)).toBe(0);
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "order-2" }).click();
  await page.waitForURL(/tasks\/order-2$/);
  const line = page.getByRole("link", { name: "Edit · anna · code" });
  await line.waitFor();
  await dure.actOnTasks({ query: "id:order-2" }, "edit", { edit: { priority: 6 }, by: "kim" });
  await page.getByRole("link", { name: "Edit · kim · code" }).click();
  await page.waitForURL(/\/audit\?target=order-2$/);
  await expect.poll(() => rows.count()).toBe(2);
  role = "viewer";
  await open("tasks/order-2");
  await page.getByText("Priority").waitFor();
  expect(await page.getByText("kim", { exact: false }).count()).toBe(0);
});
