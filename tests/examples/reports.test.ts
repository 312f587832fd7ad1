/** The main job: real reports, killed half-way and taken up again without repeating anything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { createDure } from "../../server/index.ts";
import { runExample, temporaryFolder } from "../support/examples.ts";

const program = "reports/main.js";

test("it writes a page for every report, linked from the index, and says what failed and why", async () => {
  const { ended, folder } = runExample(program);
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/airport-ADQ +ADQ has arrivals only/);
  expect(stdout).toMatch(/npx dure show airport-\w+ --database/);
  const pages = readdirSync(join(folder, "reports")).filter((file) => file.endsWith(".html"));
  expect(pages.length).toBeGreaterThan(250);
  for (const page of pages) checkPage(join(folder, "reports"), page);
  expect(readdirSync(join(folder, "reports")).filter((file) => file.endsWith(".part"))).toEqual([]);
  const again = await runExample(program, { folder }).ended;
  expect(again.stdout).toMatch(/^All 276 reports were made before\.$/m);
}, 60_000);

test("killed half-way it finishes what was left and repeats nothing that was done", async () => {
  const folder = temporaryFolder();
  const given = ["--most", "40"];
  const first = runExample(program, { folder, arguments: given, env: { REPORTS_SLOW_MS: "150" } });
  await until(() => countPages(folder) >= 10);
  first.process.kill("SIGKILL");
  await first.ended;
  const before = await attemptsByTask(folder);
  const written = pageTimes(folder);
  const second = await runExample(program, { folder, arguments: given }).ended;
  expect(second.code).toBe(0);
  expect(second.stdout).toMatch(/^Resuming: \d+ of \d+ reports already done\.$/m);
  const after = await attemptsByTask(folder);
  for (const [id, { status, attempts }] of before) {
    if (status === "COMPLETED") expect({ id, ...after.get(id) }).toEqual({ id, status, attempts });
  }
  expect([...after.values()].filter(({ status }) => status !== "COMPLETED" && status !== "FAILED")).toEqual(
    [],
  );
  for (const [page, time] of written) {
    const id = page.replace(".html", "");
    if (before.get(id)?.status === "COMPLETED")
      expect([page, pageTimes(folder).get(page)]).toEqual([page, time]);
  }
}, 60_000);

test("a stopped run ends with the signal's code and leaves nothing running", async () => {
  const { process: child, folder, ended } = runExample(program, { env: { REPORTS_SLOW_MS: "100" } });
  await until(() => countPages(folder) >= 3);
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
  const statuses = [...(await attemptsByTask(folder)).values()].map(({ status }) => status);
  expect(statuses).not.toContain("RUNNING");
  expect(statuses).toContain("PENDING");
}, 60_000);

test("npm run dev serves the dashboard while its worker runs, and ends both at once", async () => {
  const folder = temporaryFolder();
  const child = spawn(process.execPath, [resolve("examples/reports/dev.ts"), "0"], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1", REPORTS_DATABASE: ".dure/live.db" },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (said += text));
  await until(() => countPages(folder) >= 3 && /Dashboard: \S+\s/.test(said));
  const url = new URL(/Dashboard: (\S+)/.exec(said)![1]!);
  expect((await fetch(new URL("/healthz", url))).status).toBe(200);
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([0, null]);
  const statuses = [...(await attemptsByTask(folder, "live.db")).values()].map(({ status }) => status);
  expect(statuses).not.toContain("RUNNING");
}, 60_000);

function checkPage(folder: string, page: string): void {
  const html = readFileSync(join(folder, page), "utf8");
  for (const tag of ["html", "body", "main", "table", "tr", "td", "svg", "figure", "p", "dl", "span", "a"]) {
    const opened = html.match(new RegExp(`<${tag}[ >]`, "g"))?.length ?? 0;
    expect([page, tag, html.match(new RegExp(`</${tag}>`, "g"))?.length ?? 0]).toEqual([page, tag, opened]);
  }
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
  for (const [, link] of html.matchAll(/href="([^"]+)"/g))
    expect([page, link, existsSync(join(folder, link!))]).toEqual([page, link, true]);
}

async function attemptsByTask(
  folder: string,
  name = "reports.db",
): Promise<Map<string, { status: string; attempts: number }>> {
  const dure = createDure({ database: join(folder, ".dure", name) });
  const tasks = await dure.searchTasks({ limit: 1_000, definitions: false });
  const entries = await Promise.all(
    tasks.map(
      async ({ id, status }) => [id, { status, attempts: (await dure.listAttempts(id)).length }] as const,
    ),
  );
  await dure.close();
  return new Map(entries);
}

function countPages(folder: string): number {
  return pageTimes(folder).size;
}

function pageTimes(folder: string): Map<string, number> {
  const reports = join(folder, "reports");
  if (!existsSync(reports)) return new Map();
  const pages = readdirSync(reports).filter((file) => file.startsWith("airport-") && file.endsWith(".html"));
  return new Map(pages.map((page) => [page, statSync(join(reports, page)).mtimeMs]));
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error("It did not come to that within 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
