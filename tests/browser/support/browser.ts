/** Builds the dashboard once and opens it in a real Chromium. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { type Browser, chromium as launcher } from "playwright-core";
import { build } from "vite";

const webFolder = join(import.meta.dirname, "../../../web");

/** Builds web/ into a folder of its own; `remove` deletes it. In `npm test`, which has just built it, that is taken. */
export async function buildDashboard(): Promise<{ files: string; remove: () => Promise<void> }> {
  const built = process.env.DURE_TEST_DASHBOARD;
  if (built) return { files: built, remove: async () => undefined };
  const files = await mkdtemp(join(tmpdir(), "dure-web-"));
  await build({
    root: webFolder,
    configFile: join(webFolder, "vite.config.ts"),
    logLevel: "warn",
    build: { outDir: files, emptyOutDir: true },
  });
  return { files, remove: () => rm(files, { recursive: true, force: true }) };
}

export async function openBrowser(): Promise<Browser> {
  return launcher.launch({
    executablePath: await chromium.executablePath(),
    args: ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--hide-scrollbars"],
    headless: true,
  });
}
