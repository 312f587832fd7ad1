/** Whatever stands in a task, in its errors and logs, and in what people are called and write, is text in every view. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { type Listening, listen } from "../../server/http.ts";
import { openBrowser } from "./support/browser.ts";
import { hostileTexts } from "./support/hostile-texts.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
/** A tree shows this many branches at once. */
const branchesShown = 12;
const perTask = branchesShown * branchesShown;
const tagsMax = 20;
/** Without what only a payload, an error or a log line may hold. */
const oneLine = hostileTexts.filter((text) => !/\p{Cc}/u.test(text));
/** A description takes a thousand characters. */
const savedTexts = Array.from({ length: 60 }, (_, index) => oneLine.slice(index * 8, index * 8 + 8));
let browser: Browser;
let dure: Dure;
let server: Listening;
const portions: string[][] = [];

beforeAll(async () => {
  browser = await openBrowser();
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask(
    "send-receipt",
    async ({ payload }: { payload: { said: string[] } }, { log }) => {
      for (const text of payload.said) log.info(text, { [text]: text });
      const error = new Error(payload.said.join("\n"), { cause: new TypeError(payload.said[0]) });
      error.name = payload.said[1]!;
      error.stack = `${error.name}: ${payload.said[2]}\n    at ${payload.said[3]} (${payload.said[4]}:1:2)`;
      throw error;
    },
    {
      description: hostileTexts[3]!,
      attributes: { said: ({ said }: { said: string[] }) => said.slice(0, 20) },
    },
  );
  for (let start = 0; start < hostileTexts.length; start += perTask)
    portions.push(hostileTexts.slice(start, start + perTask));
  await dure.start();
  for (const [index, texts] of portions.entries()) {
    const groups = Array.from({ length: Math.ceil(texts.length / branchesShown) }, (_, group) =>
      texts.slice(group * branchesShown, (group + 1) * branchesShown),
    );
    const payload = {
      ...Object.fromEntries(groups.slice(1).map((group, number) => [`group-${number}`, toObject(group)])),
      said: groups[0],
    };
    const fit = oneLine.filter((text) => text.length <= 128);
    await dure.enqueueTask("send-receipt", payload, {
      id: `javascript:hacked-${index}`,
      tags: fit.slice(index * tagsMax, (index + 1) * tagsMax),
      idempotencyKey: oneLine[index * 33]!,
      description: oneLine.slice(index * 5, index * 5 + 5).join(" "),
    });
    await dure.waitForTask(`javascript:hacked-${index}`);
  }
  await dure.stop();
  for (const [index, texts] of savedTexts.entries())
    await dure.saveSearch(`javascript:saved-${index}`, {
      query: `error:${JSON.stringify(texts[0])}`,
      description: texts.join(" "),
    });
  for (const who of oneLine.slice(0, 40)) await dure.pause({ queue: "mail" }, { by: who, reason: who });
  await dure.saveSearch("javascript:alert", { query: `error:${JSON.stringify(oneLine[0])}` });
  server = await listen(dure, { port: 0 });
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await dure?.close();
});

const toObject = (texts: readonly string[]) => Object.fromEntries(texts.map((text) => [text, text]));
const lineOf = (text: string) => text.replaceAll(/\s+/g, " ").trim();

/** Nothing of a text has become an element, an attribute that runs, or an address. */
const madeOfTexts = `[...document.querySelectorAll("*")].flatMap((element) => [
  ...[...element.attributes].filter(({ name }) => name.startsWith("on")).map(({ name }) => element.tagName + " " + name),
  ...["href", "src", "action", "data", "srcdoc"].map((name) => element.getAttribute(name)).filter((value) => /^\\s*(javascript|data):/i.test(value ?? "")),
  ...(element.closest("main") && /^(script|style|iframe|object|embed|img|video|audio|source|base|link|meta|math|animate)$/i.test(element.tagName) ? [element.tagName] : []),
])`;

test("there are more than 500 of them, each another", () => {
  expect(hostileTexts.length).toBeGreaterThan(500);
  expect(new Set(hostileTexts).size).toBe(hostileTexts.length);
});

test.each([true, false])(
  "hostile texts are text in every view (content security policy: %s)",
  {
    timeout: 60_000,
  },
  async (withPolicy) => {
    const context = await browser.newContext({ locale: "en-US", bypassCSP: !withPolicy });
    const page = await context.newPage();
    const trouble: string[] = [];
    page.on("dialog", (dialog) => {
      trouble.push(`dialog ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`http://127.0.0.1:${server.port}/`))
        trouble.push(`asked ${request.url()}`);
    });
    page.on("pageerror", ({ message }) => trouble.push(message));
    await page.goto(server.link());
    const seen = async () => lineOf(await page.evaluate<string>("document.body.textContent"));
    const look = async (path: string, shown: readonly string[]) => {
      await page.goto(`http://127.0.0.1:${server.port}/${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await expect.poll(async () => (await seen()).includes(lineOf(shown.at(-1) ?? ""))).toBe(true);
      const all = await seen();
      expect(shown.filter((text) => !all.includes(lineOf(text)))).toEqual([]);
      expect(await page.evaluate(madeOfTexts)).toEqual([]);
    };
    for (const [index, texts] of portions.entries())
      await look(`tasks/${encodeURIComponent(`javascript:hacked-${index}`)}`, texts);
    await look(`tasks?q=${encodeURIComponent(`error:${JSON.stringify(hostileTexts[0])}`)}`, [
      hostileTexts[0]!,
    ]);
    await look("errors", []);
    await look("audit", oneLine.slice(0, 40));
    await look("definitions", [hostileTexts[3]!]);
    await look("definitions/send-receipt/enqueue", ["send-receipt"]);
    await look("workers", []);
    await look("", []);
    await page.goto(`http://127.0.0.1:${server.port}/tasks`);
    await page.locator("summary", { hasText: "Saved" }).click();
    const rows = page.getByRole("listitem").filter({ hasText: "javascript:saved-" });
    await expect.poll(() => rows.count()).toBe(savedTexts.length);
    const menu = (await rows.allTextContents()).join(" ");
    expect(savedTexts.filter(([text]) => !menu.includes(JSON.stringify(text)))).toEqual([]);
    const titles = (
      await rows.locator("[title]").evaluateAll((found) => found.map(({ title }) => title))
    ).join(" ");
    expect(savedTexts.flat().filter((text) => !titles.includes(text))).toEqual([]);
    expect(await page.evaluate(madeOfTexts)).toEqual([]);
    await page.mouse.move(400, 400);
    expect(await page.evaluate("globalThis.hacked")).toBeUndefined();
    expect(trouble).toEqual([]);
    await context.close();
  },
);
