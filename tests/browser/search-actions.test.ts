/** Actions on all that a search finds: how they are asked for, begun, followed and stopped. */
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

test("all that a search finds is retried at once, beyond what is loaded", async () => {
  const failed = server.world.tasks.filter(
    ({ status, type }) => status === "FAILED" && type === "resize-image",
  ).length;
  for (let index = 0; index < 150; index += 1) {
    server.addTask({
      id: `more-${index}`,
      type: "resize-image",
      status: "FAILED",
      error: "connect ETIMEDOUT",
    });
  }
  await openTasks("?type=resize-image&status=FAILED");
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: `Select all ${failed + 150} that this search finds` }).click();
  await page.getByRole("button", { name: "Retry" }).click();
  const dialog = page.getByRole("dialog", { name: `Retry ${failed + 150} tasks?` });
  await expect.poll(() => dialog.getByRole("listitem").count()).toBe(5);
  await dialog.getByRole("button", { name: "Retry" }).click();
  await page.getByText(`${failed + 150} tasks done`).waitFor();
  expect(server.requests.filter((request) => request === "POST actions")).toHaveLength(2);
  expect(server.requests.some((request) => request.endsWith("/retry"))).toBe(false);
  expect(
    server.world.tasks.filter(({ id, status }) => id.startsWith("more-") && status !== "PENDING"),
  ).toEqual([]);
});

test("beforehand it is told that an attribute waits to be filled in", async () => {
  await openTasks("?status=COMPLETED");
  await page.route("**/api/actions", (route) =>
    route.fulfill({ json: { count: 3, sample: [], unfilled: 12_000 } }),
  );
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page
    .getByRole("dialog", { name: "Delete 3 tasks?" })
    .getByText("About 12,000 tasks wait for an attribute to be filled in")
    .waitFor();
});

test("beforehand it is told why there is nothing to do", async () => {
  await openTasks("?status=COMPLETED");
  const hint = "12 tasks fit, but the action 'delete' is for those that are COMPLETED, FAILED or CANCELLED.";
  await page.route("**/api/actions", (route) => route.fulfill({ json: { count: 0, sample: [], hint } }));
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete 0 tasks?" });
  await dialog.getByText(hint).waitFor();
  expect(await dialog.getByRole("button", { name: "Delete" }).isDisabled()).toBe(true);
});

test("an action on a whole search is stopped by a button, or goes on when its dialog is closed", async () => {
  await openTasks("?status=COMPLETED");
  const total = server.world.tasks.filter(({ status }) => status === "COMPLETED").length;
  for (const end of ["Stop", "Escape"]) {
    await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
    await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("link", { name: "Open that task" }).waitFor();
    await page.getByRole("heading", { name: /^Deleting \d+ tasks$/ }).waitFor();
    if (end === "Stop") {
      await dialog.getByRole("button", { name: "Stop" }).click();
      await page.getByText(new RegExp(`^\\d+ of ${total} done$`)).waitFor();
      expect(server.requests).toContain("POST tasks/action-1/cancel");
    } else await page.keyboard.press(end);
    await dialog.waitFor({ state: "detached" });
  }
  expect(server.requests).not.toContain("POST tasks/action-2/cancel");
});

test("what was asked to stop says so until it has", async () => {
  await openTasks("?status=COMPLETED");
  await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
  await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Delete" }).click();
  const asked = Promise.withResolvers<void>();
  await page.route("**/cancel", (route) => asked.promise.then(() => route.continue()));
  await dialog.getByRole("button", { name: "Stop" }).click();
  await dialog.getByText("Asked to stop").waitFor();
  asked.resolve();
  await dialog.waitFor({ state: "detached" });
});

test("pressing twice what starts an action does not stop it, by keyboard or mouse", async () => {
  await openTasks("?status=COMPLETED");
  for (const by of ["keyboard", "mouse"]) {
    await page.getByRole("checkbox", { name: "Select all loaded tasks" }).check();
    await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog");
    const starting = dialog.getByRole("button", { name: "Delete" });
    // Behind the dry run, which it waits for and which makes the dialog higher.
    await dialog.getByRole("listitem").first().waitFor();
    await expect.poll(() => starting.isEnabled()).toBe(true);
    const reached = () => dialog.getByRole("progressbar").getAttribute("value");
    const { x, y, width, height } = (await starting.boundingBox())!;
    const press = async () => {
      if (by === "keyboard") await page.keyboard.press("Enter");
      else await page.mouse.click(x + width / 2, y + height / 2);
    };
    await starting.focus();
    await press();
    await dialog.getByRole("button", { name: "Stop" }).waitFor();
    await press();
    if (by === "mouse") await dialog.waitFor({ state: "detached" });
    else await expect.poll(reached).not.toBe("0");
    expect(server.requests.filter((request) => request.endsWith("/cancel"))).toEqual([]);
    await page.keyboard.press("Escape");
    await page.reload();
    await rows().first().waitFor();
  }
});

test("on a phone all that is loaded is selected from the bar, and then all that the search finds", async () => {
  await page.setViewportSize({ width: 390, height: 800 });
  await openTasks("?status=COMPLETED");
  await rows().first().getByRole("checkbox").check();
  await page.getByRole("button", { name: "Select the 100 loaded" }).click();
  await page.getByText("100 selected").waitFor();
  expect(await page.getByRole("button", { name: /^Select the/ }).count()).toBe(0);
  await page.getByRole("button", { name: /^Select all \d+ that/ }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog", { name: /^Delete \d+ tasks\?$/ }).waitFor();
});
