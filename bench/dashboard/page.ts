/** The built dashboard in a process of its own, and what a page of it holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CDPSession, Page } from "playwright-core";

/** `url` logs in, once. */
export async function startDashboard(database: string): Promise<{ server: ChildProcess; url: string }> {
  const main = fileURLToPath(new URL("../../dist/server/cli/main.js", import.meta.url));
  const server = spawn(
    process.execPath,
    [main, "dashboard", "--port", "0", "--database", database, "--json"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [first] = (await once(server.stdout, "data")) as [Buffer];
  return { server, url: /http:\/\/[^\s"]+/.exec(first.toString())![0] };
}

const sessions = new WeakMap<Page, CDPSession>();

/** After a collection of garbage. */
export async function memoryOf(page: Page): Promise<{ heapMb: number; nodes: number; listeners: number }> {
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page));
  sessions.set(page, session);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners: listeners } = await session.send("Memory.getDOMCounters");
  return { heapMb: usedSize / 1e6, nodes, listeners };
}
