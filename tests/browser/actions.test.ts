/** Every action and every key works, the list stays still while tasks come, and hostile texts stay texts. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildDashboard, openBrowser } from "./support/browser.ts";
import { hostileTexts, makeWorld } from "./support/fixture-data.ts";
import { type FixtureServer, startFixtureServer } from "./support/fixture-server.ts";

let browser: Browser;
let built: Awaited<ReturnType<typeof buildDashboard>>;
let server: FixtureServer;
let page: Page;

beforeAll(async () => {
  [browser, built] = await Promise.all([openBrowser(), buildDashboard()]);
}, 90_000);

beforeEach(async () => {
  server = await startFixtureServer({ world: makeWorld({ size: 900, now: Date.now() }), files: built.files });
  page = await browser.newPage({ locale: "en-US", viewport: { width: 1280, height: 800 } });
});

afterEach(async () => {
  await page?.close();
  await server?.close();
});

afterAll(async () => {
  await browser?.close();
  await built?.remove();
});

const rows = () => page.getByRole("row").filter({ has: page.getByRole("cell") });

async function openTasks(search = ""): Promise<void> {
  await page.goto(`${server.url}tasks${search}`);
  await rows().first().waitFor();
}

test("a failed task is retried after a question", async () => {
  await page.goto(`${server.url}tasks/0f3a00000011-receipt`);
  await page.getByRole("button", { name: "Retry" }).click();
  const dialog = page.getByRole("dialog", { name: "Retry 1 task?" });
  await dialog.getByRole("button", { name: "Retry" }).click();
  await page.getByText("1 task done").waitFor();
  await page.getByText("Why it waits").waitFor();
  await page.getByText("It is behind 812 other tasks of priority 0 or higher.").waitFor();
  expect(server.requests).toContain("POST tasks/0f3a00000011-receipt/retry");
});

test("leaving the question with Escape does nothing", async () => {
  await page.goto(`${server.url}tasks/0f3a00000011-receipt`);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(server.requests.some((request) => request.startsWith("DELETE"))).toBe(false);
});

test("a pending task is cancelled, a finished one run again, a failed one deleted", async () => {
  await act("0f3a00000000-receipt", "Cancel");
  await page.getByText("Cancelled").first().waitFor();
  await act("0f3a00000012-receipt", "Run again");
  await act("0f3a00000011-receipt", "Delete");
  await page.getByRole("heading", { name: "Tasks" }).waitFor();
  expect(server.requests).toEqual(
    expect.arrayContaining([
      "POST tasks/0f3a00000000-receipt/cancel",
      "POST tasks/0f3a00000012-receipt/run-again",
      "DELETE tasks/0f3a00000011-receipt",
    ]),
  );
});

async function act(id: string, action: string): Promise<void> {
  await page.goto(`${server.url}tasks/${id}`);
  await page.getByRole("button", { name: action, exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: action, exact: true }).click();
  await page.getByText("1 task done").waitFor();
}

test("a task that is due later is run now by a button, which another has not", async () => {
  const task = server.world.tasks.find(({ id }) => id === "0f3a00000001-receipt")!;
  task.dueAt = new Date(Date.now() + 3_600_000).toISOString();
  await page.goto(`${server.url}tasks/${task.id}`);
  const button = page.getByRole("button", { name: "Run now" });
  await button.click();
  await page.getByRole("status").getByText("It is due now.").waitFor();
  await button.waitFor({ state: "detached" });
  expect(Date.parse(task.dueAt)).toBeLessThanOrEqual(Date.now());
});

test("the priority of a pending task is edited", async () => {
  await page.goto(`${server.url}tasks/0f3a00000001-receipt`);
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Priority").fill("7");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("definition").filter({ hasText: /^7$/ }).waitFor();
});

test("selected tasks are retried together; those it does not fit are left out and counted", async () => {
  await openTasks("?q=resize-image");
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByText("100 selected").waitFor();
  const button = page.getByRole("button", { name: /^Retry \d+/ });
  const count = Number((await button.innerText()).replace(/\D/g, ""));
  await button.click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
  await page.getByText(`${count} tasks done`).waitFor();
  expect(server.requests.filter((request) => request.endsWith("/retry"))).toHaveLength(count);
});

test("an action under way is stopped by a button, and says how far it came", async () => {
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let deletions = 0;
  // The tenth and what is asked beside it are under way when it is stopped.
  await page.route("**/api/tasks/*", async (route) => {
    if (route.request().method() === "DELETE" && ++deletions >= 10) {
      asked.resolve();
      await answered.promise;
    }
    await route.continue();
  });
  await openTasks("?status=COMPLETED");
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await asked.promise;
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  answered.resolve();
  await page.getByText(/^\d+ of 100 done$/).waitFor();
  expect(server.requests.filter((request) => request.startsWith("DELETE")).length).toBeLessThan(20);
});

test("a task is enqueued from its definition; bad JSON and a refusal are told in place", async () => {
  await page.goto(`${server.url}definitions`);
  await page
    .getByRole("row", { name: /^send-receipt/ })
    .getByRole("link", { name: "Enqueue" })
    .click();
  const payload = page.getByLabel("Payload (JSON)");
  await payload.fill("{ url }");
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.getByText("This is not JSON").waitFor();
  await payload.fill('{ "refuse": true }');
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.getByText("refuse must be absent.").waitFor();
  await payload.fill('{ "url": "https://example.com/a.jpg" }');
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.waitForURL(/tasks\/made-\d+$/);
  await page.getByText("https://example.com/a.jpg").waitFor();
});

test("a definition with a schema has a form, which writes the JSON", async () => {
  await page.goto(`${server.url}definitions/resize-image/enqueue`);
  await page.getByLabel("url *").fill("https://example.com/b.jpg");
  await page.getByLabel("widthPx").fill("640");
  await page.getByLabel("format").selectOption("avif");
  await page.getByLabel("crop").fill('{ "x": 1');
  await page.getByText("This is not JSON").waitFor();
  await page.getByLabel("crop").fill('{ "x": 1 }');
  await page.getByRole("button", { name: "JSON" }).click();
  const written = JSON.parse(await page.getByLabel("Payload (JSON)").inputValue());
  expect(written).toEqual({ url: "https://example.com/b.jpg", widthPx: 640, format: "avif", crop: { x: 1 } });
  await page.getByRole("button", { name: "Form" }).click();
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.waitForURL(/tasks\/made-\d+$/);
});

test("a finished task is run again with changes", async () => {
  const asked = page.waitForResponse(/\/api\/audit/);
  await page.goto(`${server.url}tasks/0f3a00000010-receipt`);
  await (await asked).finished();
  // Nobody has changed it.
  await page.getByText("Created", { exact: true }).waitFor();
  expect(await page.getByText("Asked for").count()).toBe(0);
  await page.getByRole("button", { name: "Run with changes" }).click();
  const payload = page.getByLabel("Payload (JSON)");
  await payload.fill((await payload.inputValue()).replace("41010", "7"));
  await page.getByRole("button", { name: "Enqueue" }).click();
  await page.waitForURL(/tasks\/made-\d+$/);
  expect(server.world.tasks[0]!.payload).toMatchObject({ orderId: 7 });
});

test("a column of a payload path is added, kept, and taken away", async () => {
  await openTasks("?type=send-receipt");
  await page.getByText("Columns").click();
  await page.getByRole("textbox", { name: "Add a column by its path" }).fill("payload.email");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.reload();
  await rows().first().getByRole("cell", { name: "reader1@example.com", exact: true }).waitFor();
  await page.getByText("Columns").click();
  await page.getByRole("checkbox", { name: "payload.email" }).click();
  await page.getByRole("columnheader", { name: "payload.email" }).waitFor({ state: "detached" });
  // A phone has a choice of its own, which stands in a line of the card.
  await page.setViewportSize({ width: 390, height: 800 });
  await page.getByRole("checkbox", { name: "Queue" }).click();
  await rows().first().getByText("Queue default").waitFor();
  await page.getByRole("checkbox", { name: "Queue" }).click();
  await rows().first().getByText("Queue default").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.getByRole("checkbox", { name: "Queue" }).waitFor({ state: "detached" });
});

test("the box completes fields and values, searches on Enter, and shows what it could not read", async () => {
  await openTasks();
  const box = page.getByRole("combobox", { name: "Search tasks" });
  await box.pressSequentially("sta");
  await page.getByRole("option", { name: "status:" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: "status:failed" }).waitFor();
  await page.keyboard.press("Escape");
  await box.fill("ETIMEDOUT");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=ETIMEDOUT/);
  await rows().first().getByText("ETIMEDOUT").waitFor();
  await box.fill("statsu:failed");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText('Did you mean "status"?').waitFor();
  await page.goBack();
  await rows().first().getByText("ETIMEDOUT").waitFor();
  await expect.poll(() => box.inputValue()).toBe("ETIMEDOUT");
});

test("what is chosen takes the place of all that was typed, also of what was typed since it was offered", async () => {
  await openTasks();
  const box = page.getByRole("combobox", { name: "Search tasks" });
  await box.pressSequentially("st");
  await page.getByRole("option", { name: "status:" }).waitFor();
  const held = Promise.withResolvers<void>();
  await page.route("**/api/query/complete*", (route) => held.promise.then(() => route.continue()));
  await box.pressSequentially("at");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect.poll(() => box.inputValue()).toBe("status:");
  held.resolve();
  await page.getByRole("option", { name: "status:failed" }).waitFor();
});

test("the list pages by cursor to its end and holds only the rows in view", async () => {
  await openTasks();
  await expect
    .poll(
      async () => {
        await page.evaluate("document.querySelector('[role=region]').scrollTop = 1e9");
        return page.getByText("End of the list").count();
      },
      { timeout: 15_000 },
    )
    .toBe(1);
  await rows().last().getByText("nightly-report").waitFor();
  expect(await rows().count()).toBeLessThan(80);
  expect(await page.getByRole("table").getAttribute("aria-rowcount")).toBe(
    String(server.world.tasks.length + 1),
  );
});

test("new tasks are announced, not pushed in; showing them is the reader's choice", async () => {
  await openTasks();
  const first = await rows().first().innerText();
  server.addTask({ type: "send-receipt", payload: { orderId: 1 } });
  server.addTask({ type: "send-receipt", payload: { orderId: 2 } });
  await page.getByRole("button", { name: "2 new tasks: show" }).waitFor();
  expect((await rows().first().innerText()).split("\n")[1]).toBe(first.split("\n")[1]);
  await page.getByRole("button", { name: "2 new tasks: show" }).click();
  await rows().first().getByText("orderId: 2").waitFor();
});

test("the log of a running task is shown at its end, which stays in view until somebody scrolls away", async () => {
  const task = server.world.tasks.find(({ status }) => status === "RUNNING")!;
  const { logs } = server.world.attempts.get(task.id)!.at(-1)!;
  const say = (count: number) => {
    for (let left = count; left > 0; left -= 1)
      logs.push({ at: new Date().toISOString(), level: "info", message: `line ${logs.length}` });
  };
  say(60);
  await page.goto(`${server.url}tasks/${task.id}`);
  const log = page.getByRole("log");
  const isAtEnd = () =>
    log.evaluate((box) => box.scrollTop > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 2);
  await expect.poll(isAtEnd).toBe(true);
  say(5);
  await log.getByText("line 66", { exact: true }).waitFor();
  expect(await isAtEnd()).toBe(true);
  await log.evaluate((box) => box.scrollTo(0, 0));
  say(5);
  await log.getByText("line 71", { exact: true }).waitFor();
  expect(await log.evaluate((box) => box.scrollTop)).toBe(0);
});

test("j, k, Enter, x, / and g lead through the dashboard without a mouse", async () => {
  await openTasks("?status=FAILED&type=resize-image");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("x");
  await page.getByText("1 selected").waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/tasks\/0f3a/);
  const workers = page.getByRole("heading", { name: "Workers" });
  // On a busy machine the second may come too late for the first.
  await expect
    .poll(async () => {
      await page.keyboard.press("g");
      await page.keyboard.press("w");
      return workers.waitFor({ timeout: 3_000 }).then(
        () => true,
        () => false,
      );
    })
    .toBe(true);
  await page.keyboard.press("/");
  await page.waitForFunction("document.activeElement?.hasAttribute('data-search')");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByRole("checkbox").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  expect(page.url()).toMatch(/\/tasks$/);
});

const focused = () =>
  page.evaluate<string>(
    "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText",
  );
const focusedRow = () =>
  page.evaluate<string | undefined>(
    "document.activeElement.closest('[role=row]')?.getAttribute('aria-rowindex') ?? document.activeElement.id",
  );

test("the keyboard comes to a page that is opened, and back to the row that was left", async () => {
  await openTasks("?status=FAILED");
  for (const key of ["j", "j", "j", "Enter"]) await page.keyboard.press(key);
  await page.getByRole("button", { name: "Run with changes" }).waitFor();
  await expect.poll(focusedRow).toBe("content");
  await page.goBack();
  await expect.poll(focusedRow).toBe("4");
  await page.keyboard.press("j");
  expect(await focusedRow()).toBe("5");
  await page.getByRole("link", { name: "Workers" }).press("Enter");
  await page.getByRole("heading", { name: "Workers" }).waitFor();
  await expect.poll(focusedRow).toBe("content");
});

test("from the keyboard a selection grows, is acted on, and is cleared; no step loses the focus", async () => {
  await openTasks("?status=FAILED");
  for (const key of ["j", "x", "Shift+J", "Shift+J"]) await page.keyboard.press(key);
  await page.getByText("3 selected").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("3 selected").waitFor({ state: "detached" });
  expect(await focusedRow()).toBe("4");
  for (const key of ["Shift+K", "a", "ArrowRight", "ArrowLeft"]) await page.keyboard.press(key);
  expect(await focused()).toMatch(/^Retry/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Retry 2 tasks?" }).waitFor();
  expect(await focused()).toBe("Back");
  await page.keyboard.press("Enter");
  await expect.poll(focused).toMatch(/^Retry/);
  for (const key of ["Enter", "Tab", "Enter"]) await page.keyboard.press(key);
  await page.getByText("2 tasks done").waitFor();
  await expect.poll(focusedRow).toBe("content");
});

test("with Shift, the mouse selects all between two tasks", async () => {
  await openTasks();
  const boxes = rows().getByRole("checkbox");
  await boxes.nth(1).click();
  await boxes.nth(4).click({ modifiers: ["Shift"] });
  await page.getByText("4 selected").waitFor();
});

test("a server that asks for a token gets it, not by the address, and a wrong one is told", async () => {
  server.locked = true;
  await page.goto(`${server.url}workers`);
  await page.getByLabel("Token").waitFor();
  await page.keyboard.type("a-token");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("This token is not known here, or is over.").waitFor();
  expect(server.requests).toContain("POST session");
  expect(page.url()).toBe(`${server.url}workers`);
});

test.each([true, false])(
  "hostile ids, payloads and errors are text (content security policy: %s)",
  async (withPolicy) => {
    const own = await startFixtureServer({ world: server.world, files: built.files, withPolicy });
    const dialogs: string[] = [];
    page.on("dialog", (dialog) => dialogs.push(dialog.message()));
    for (const path of [
      "",
      "tasks?status=FAILED",
      "errors",
      ...hostileTexts.slice(0, 3).map((id) => `tasks/${encodeURIComponent(id)}`),
    ]) {
      await page.goto(own.url + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page
        .getByText(/hacked|<b>/)
        .locator("visible=true")
        .first()
        .waitFor();
    }
    expect(await page.evaluate("globalThis.hacked")).toBeUndefined();
    expect(await page.locator("main iframe, main img, main script, a[href^='javascript']").count()).toBe(0);
    expect(dialogs).toEqual([]);
    await own.close();
  },
);
