/** The alert of a saved search, made, changed, seen and taken away in the dashboard, on the real server. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import type { Caller, Role } from "../../server/http/auth.ts";
import { createHttpHandler } from "../../server/http.ts";
import { ruleOf, spanMs, textsOf } from "../../web/alert-rule.ts";
import { en } from "../../web/i18n/en.ts";
import { openBrowser } from "./support/browser.ts";
import { violations, wideElements } from "./support/looks.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let browser: Browser;
let dure: Dure;
let server: Server;
let role: Role;
let payloads: boolean;
let page: Page;

beforeAll(async () => {
  browser = await openBrowser();
}, 60_000);
beforeEach(async () => {
  [role, payloads] = ["operator", true];
  dure = createDure({ database: ":memory:", logger: silent });
  for (const type of ["send-receipt", "call-somebody", "all-clear"])
    dure.defineTask(type, async () => undefined);
  await dure.saveSearch("stuck-emails", { query: "type:send-receipt status:pending", description: "Stuck" });
  const handler = createHttpHandler(dure, {
    authorize: (): Caller => ({ role, payloads, name: "anna" }),
  });
  server = createServer(getRequestListener(handler)).listen(0, "127.0.0.1");
  await once(server, "listening");
  page = await open({ locale: "en-US", viewport: { width: 1280, height: 860 } });
});
afterEach(async () => {
  await page.context().close();
  server.closeAllConnections();
  server.close();
  await dure.close();
});
afterAll(() => browser?.close());

const secret = { team: "mail", apiKey: "hunter2" };
const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/tasks`;
const menu = () => page.locator("summary", { hasText: /^(Saved|저장한 검색)/ });
const dialog = () => page.getByRole("dialog");
const rule = async () => (await dure.listSearches())[0]!.alert;

async function open(options: Parameters<Browser["newContext"]>[0]): Promise<Page> {
  return (await browser.newContext(options)).newPage();
}

async function openDialog(bell: string): Promise<void> {
  await page.goto(address());
  await menu().click();
  await page.getByRole("button", { name: bell }).click();
  await dialog().waitFor();
}

test("an alert is made where the search is saved, from the keyboard, and is in the audit log", async () => {
  await page.goto(address());
  await menu().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Add an alert to stuck-emails" }).waitFor();
  for (const key of ["Tab", "Tab", "Enter"]) await page.keyboard.press(key);
  await dialog().getByText("Running workers count this search every 30 seconds.").waitFor();
  const over = dialog().getByLabel("More than");
  await expect
    .poll(() => over.evaluate((element) => element === element.ownerDocument.activeElement))
    .toBe(true);
  await page.keyboard.type("100");
  await dialog().getByLabel("For", { exact: true }).fill("10");
  await dialog().getByLabel("Task to enqueue then").selectOption("call-somebody");
  await dialog().getByLabel("Payload (JSON)").fill('{ "team": "mail" }');
  await dialog().getByText("When it is back in bounds").click();
  await dialog().getByLabel("Task to enqueue when it is back").selectOption("all-clear");
  expect(await violations(page)).toEqual([]);
  await over.press("Enter");
  await page.getByText("The alert of stuck-emails is saved.").waitFor();
  await dialog().waitFor({ state: "detached" });
  await expect.poll(() => page.evaluate("document.activeElement.textContent")).toMatch(/^Saved/);
  expect(await rule()).toEqual({
    ...{ over: 100, for: "10m", enqueue: { type: "call-somebody", payload: { team: "mail" } } },
    recovered: { type: "all-clear" },
  });
  expect((await dure.listSearches())[0]).toMatchObject({ description: "Stuck" });
  await menu().click();
  await page.getByText("Alert over 100 for 10m → call-somebody").waitFor();
  const [record] = (await dure.readAudit({ target: "stuck-emails" })).records;
  expect(record).toMatchObject({
    ...{ action: "save-search", who: "anna", via: "dashboard" },
    after: { alert: { over: 100, for: "10m", enqueue: "call-somebody", recovered: "all-clear" } },
  });
});

test("each error stands at its field, which has the focus; nothing is sent until all are right", async () => {
  await openDialog("Add an alert to stuck-emails");
  const save = dialog().getByRole("button", { name: "Save" });
  const problems = () => dialog().getByRole("alert").allInnerTexts();
  await save.click();
  expect(await problems()).toEqual(["Give one bound at least", "Choose what to enqueue"]);
  expect(await page.evaluate("document.activeElement.getAttribute('aria-invalid')")).toBe("true");
  await dialog().getByLabel("More than").fill("x");
  await dialog().getByLabel("Fewer than").fill("0");
  await dialog().getByLabel("For", { exact: true }).fill("99999");
  await dialog().getByLabel("Task to enqueue then").selectOption("call-somebody");
  await dialog().getByLabel("Payload (JSON)").fill("[1]");
  await save.click();
  expect(await problems()).toEqual([
    ...["A whole number from 0 on", "A whole number from 1 on", "A number, of 30 days at most"],
    "It must be an object, { … }",
  ]);
  await dialog().getByLabel("More than").fill("3");
  await dialog().getByLabel("Fewer than").fill("9");
  await dialog().getByLabel("For", { exact: true }).fill("0");
  await dialog().getByLabel("Payload (JSON)").fill('{ "token": "[redacted]" }');
  await save.click();
  expect(await problems()).toEqual(["It would always be out of bounds; make this the smaller"]);
  expect(await rule()).toBeUndefined();
  await dialog().getByLabel("Fewer than").fill("");
  await save.click();
  await dialog().getByRole("alert").getByText("alert.enqueue.payload.token is hidden").waitFor();
  await dialog().getByLabel("Payload (JSON)").fill("");
  await page.route("**/api/searches/*", (route) =>
    route.fulfill({
      status: 404,
      json: { code: "TASK_NOT_DEFINED", message: "No such task.", details: { id: "call-somebody" } },
    }),
  );
  await save.click();
  await dialog().getByRole("alert").getByText("No such task.").waitFor();
  expect(await dialog().getByLabel("Task to enqueue then").getAttribute("aria-invalid")).toBe("true");
  await page.unroute("**/api/searches/*");
  await save.click();
  await dialog().waitFor({ state: "detached" });
  expect(await rule()).toEqual({ over: 3, enqueue: { type: "call-somebody" } });
});

test("what an alert has found is told; a change of it keeps what was hidden; it is taken away at the second press", async () => {
  for (const order of [1, 2]) await dure.enqueueTask("send-receipt", { order }, { delay: "1h" });
  await dure.saveSearch("stuck-emails", {
    ...{ query: "type:send-receipt status:pending" },
    alert: { over: 1, enqueue: { type: "call-somebody", payload: secret } },
  });
  await openDialog("Alert of stuck-emails");
  await dialog().getByText("Nobody has looked yet").waitFor();
  await dure.start();
  await expect.poll(() => dure.countTasks({ type: "call-somebody", definitions: false })).toBe(1);
  await dure.stop();
  await openDialog("Alert of stuck-emails");
  await expect
    .poll(() => dialog().locator("dl").innerText())
    .toMatch(/Last count\s+2\s+Looked at\s+.+\s+Out of bounds since\s+.+\s+Last went off\s+/);
  expect(await violations(page)).toEqual([]);
  expect(await dialog().getByLabel("Payload (JSON)").inputValue()).toContain('"apiKey": "[redacted]"');
  await dialog().getByLabel("More than").fill("7");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().waitFor({ state: "detached" });
  expect(await rule()).toEqual({ over: 7, enqueue: { type: "call-somebody", payload: secret } });
  await openDialog("Alert of stuck-emails");
  await dialog().getByRole("button", { name: "Remove the alert" }).click();
  expect(await rule()).toBeDefined();
  await dialog().getByRole("button", { name: "Yes, remove it" }).click();
  await page.getByText("stuck-emails has no alert any more.").waitFor();
  expect(await rule()).toBeUndefined();
});

test("an alert that went off leads to its tasks", async () => {
  await dure.saveSearch("stuck-emails", {
    ...{ query: "type:send-receipt status:pending" },
    alert: { under: 1, enqueue: { type: "call-somebody" } },
  });
  await dure.start();
  await expect.poll(() => dure.countTasks({ type: "call-somebody", status: "COMPLETED" })).toBe(1);
  await dure.stop();
  await page.goto(new URL("/", address()).href);
  await page.getByRole("link", { name: "The saved search stuck-emails is out of bounds: 0 tasks" }).click();
  await page.waitForURL(/\?q=%40stuck-emails$/);
  await openDialog("Alert of stuck-emails");
  await dialog().getByRole("link", { name: "The tasks that it enqueued" }).click();
  await page
    .getByRole("row")
    .filter({ hasText: /Completed.*call-somebody/s })
    .waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
});

test("a viewer sees the rule and may change nothing of it; who sees no payloads keeps them by leaving them", async () => {
  await dure.saveSearch("stuck-emails", {
    ...{ query: "status:pending" },
    alert: { over: 1, enqueue: { type: "call-somebody", payload: secret } },
  });
  role = "viewer";
  await openDialog("Alert of stuck-emails");
  await dialog().getByLabel("Payload (JSON)").waitFor();
  for (const label of ["More than", "For", "Task to enqueue then", "Payload (JSON)"])
    expect(await dialog().getByLabel(label, { exact: true }).isDisabled()).toBe(true);
  for (const name of ["Save", "Remove the alert"]) {
    await dialog().getByRole("button", { name }).click({ force: true });
    await page.getByText("This needs the role operator; yours is viewer.").first().waitFor();
  }
  expect(await rule()).toMatchObject({ over: 1 });
  [role, payloads] = ["operator", false];
  await openDialog("Alert of stuck-emails");
  await dialog().getByText("Payload: Your access does not show this").first().waitFor();
  await dialog().getByLabel("More than").fill("2");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().waitFor({ state: "detached" });
  expect(await rule()).toEqual({ over: 2, enqueue: { type: "call-somebody", payload: secret } });
});

test("in Korean and dark on a phone it fits, and axe finds nothing", async () => {
  await page.context().close();
  page = await open({ locale: "ko-KR", colorScheme: "dark", viewport: { width: 390, height: 700 } });
  await openDialog("stuck-emails에 알림 추가");
  await dialog().getByRole("button", { name: "저장" }).click();
  await dialog().getByText("기준을 하나 이상 정하세요").waitFor();
  await dialog().getByLabel("그때 등록할 태스크").selectOption("call-somebody");
  await dialog().getByText("기준 안으로 돌아왔을 때").click();
  expect(await violations(page)).toEqual([]);
  expect(await wideElements(page)).toBe(0);
  expect(await dialog().evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  await dialog().getByLabel("초과").fill("5");
  await dialog().getByRole("button", { name: "저장" }).click();
  await page.getByText("stuck-emails 알림을 저장했습니다.").waitFor();
  expect(await rule()).toEqual({ over: 5, for: "5m", enqueue: { type: "call-somebody" } });
});

test.each([
  { over: 1, enqueue: { type: "a" } },
  { over: 5, under: 2, for: "90s", enqueue: { type: "a", payload: { b: [1] } } },
  { under: 1, for: "30d", enqueue: { type: "a" }, recovered: { type: "b", payload: { c: 1 } } },
])("%j is read from the form as it was", (alert) => {
  expect(ruleOf(textsOf(alert), en)).toEqual({ rule: alert });
});

test.each([
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["1w 2d", 777_600_000],
  ["250ms", 250],
  [250, 250],
  [undefined, 0],
])("%j is as long as the server takes it for", (span, ms) => {
  expect(spanMs(span)).toBe(ms);
  expect(spanMs((ruleOf(textsOf({ over: 1, for: span, enqueue: { type: "a" } }), en) as any).rule.for)).toBe(
    ms,
  );
});
