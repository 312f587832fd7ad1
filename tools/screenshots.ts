/**
 * `npm run screenshots`: the pictures of the dashboard in docs/images, taken in a real Chromium of real tasks: the
 * reports of the main job, and those that screenshots-world.ts runs. Takes about a minute.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as launcher, type Page } from "playwright-core";

const images = resolve("docs/images");
const size = { width: 1_280, height: 800 };
const bytesMax = 200_000;

type Theme = "light" | "dark";

interface Picture {
  name: string;
  theme: Theme;
  /** Goes to what is shown. */
  open(page: Page, base: URL): Promise<unknown>;
  /** Is there when all is. */
  shows: string;
}

const failedReceipts = "tasks?type=send-receipt&status=FAILED";
const pictures: Picture[] = [
  { name: "overview", theme: "light", open: at("?period=hour"), shows: "canvas" },
  { name: "overview-dark", theme: "dark", open: at("?period=hour"), shows: "canvas" },
  {
    name: "tasks",
    theme: "light",
    open: at("tasks?q=type:resize-image+attempts:>1"),
    shows: "main a[href*='/tasks/']",
  },
  { name: "task-dark", theme: "dark", open: firstOf(failedReceipts), shows: "main >> text=mailbox" },
  { name: "errors", theme: "light", open: at("errors"), shows: "main >> text=mailbox" },
];

const folder = mkdtempSync(join(tmpdir(), "dure-pictures-"));
try {
  const made = spawnSync(process.execPath, [resolve("dist/examples/reports/main.js")], { cwd: folder });
  if (made.status !== 0) throw new Error(`The main job failed: ${made.stderr}`);
  const world = spawn(process.execPath, [resolve("tools/screenshots-world.ts")], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [said] = (await once(world.stdout, "data")) as [Buffer];
    await takeAll(said.toString().trim());
  } finally {
    world.kill("SIGTERM");
    await once(world, "exit");
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function takeAll(url: string): Promise<void> {
  mkdirSync(images, { recursive: true });
  const browser = await launcher.launch({
    executablePath: await chromium.executablePath(),
    args: ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--hide-scrollbars"],
  });
  for (const picture of pictures) await take(browser, url, picture);
  await browser.close();
}

async function take(browser: Browser, url: string, { name, theme, open, shows }: Picture): Promise<void> {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: theme,
    reducedMotion: "reduce",
    locale: "en-GB",
  });
  const page = await context.newPage();
  await page.goto(url);
  await open(page, new URL("/", url));
  await page.locator(shows).first().waitFor({ timeout: 10_000 });
  await page.waitForTimeout(1_000);
  const path = join(images, `${name}.png`);
  await page.screenshot({ path });
  const { size: bytes } = statSync(path);
  console.log(`${path}  ${Math.round(bytes / 1_000)} kB`);
  if (bytes > bytesMax) throw new Error(`${path} has ${bytes} bytes; at most ${bytesMax} are wanted.`);
  await context.close();
}

function at(path: string): Picture["open"] {
  return (page, base) => page.goto(new URL(path, base).href);
}

/** The first task of a list. */
function firstOf(path: string): Picture["open"] {
  return async (page, base) => {
    await page.goto(new URL(path, base).href);
    await page.locator("main a[href*='/tasks/']").first().click();
  };
}
