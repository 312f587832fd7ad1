/** `--background`: what a query finds is changed by a worker, as a task whose id is printed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure, type Dure } from "../../server/dure.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-background-"));
const database = join(folder, "tasks.db");
let dure: Dure;

beforeAll(async () => {
  dure = createDure({ database });
  dure.defineTask("send-receipt", async () => {
    throw new Error("mailbox full");
  });
  await dure.start();
  for (let order = 1; order <= 3; order++) {
    const { id } = await dure.enqueueTask("send-receipt", { order });
    await dure.waitForTask(id);
  }
});
afterAll(async () => {
  await dure.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

async function say(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += text;
      return true;
    });
  }
  await createProgram().parseAsync(["--database", database, ...args], { from: "user" });
  vi.restoreAllMocks();
  return said;
}

test("prints the id of the task that does it, and how to follow and to end it", async () => {
  const { stdout, stderr } = await say(
    "delete",
    "--query",
    "status:failed",
    "--yes",
    "--background",
    "--rate",
    "100",
  );
  const id = stdout.trim();
  expect(stderr).toContain(`dure cancel ${id}`);
  expect(stderr).not.toContain("No worker");
  const task = await dure.waitForTask(id, { timeout: "10s" });
  expect(task).toMatchObject({ type: "dure.act-on-tasks", result: { changed: 3 } });
  expect(task.payload).toMatchObject({ action: "delete", query: "status:failed", rate: 100 });
  expect(task.payload.by).toMatch(/.@./);
});

test("says when no worker is there to do it", async () => {
  await dure.enqueueTask("send-receipt", {}, { id: "later", delay: "1h" });
  await dure.stop();
  const { stdout, stderr } = await say("cancel", "--query", "status:pending", "--yes", "--background");
  expect(stderr).toContain("No worker is alive that could do it");
  await dure.start();
  expect((await dure.waitForTask(stdout.trim())).result).toMatchObject({ changed: 1 });
});

test.each([["cancel"], ["retry"], ["delete"], ["edit", "--priority", "5"]])(
  "an empty query is refused, with how to mean every task: %s",
  async (...action) => {
    for (const query of ["", "  "])
      await expect(say(...action, "--query", query, "--yes")).rejects.toThrow(/--query is empty.*type:\*/);
    const { stderr } = await say(...action, "--query", "type:*", "--dry-run");
    expect(stderr).toMatch(/tasks? would be/);
  },
);

test("an edit that contradicts itself is refused before anything is asked", async () => {
  const both = ["--delay", "1h", "--run-at", "2030-01-01"];
  await expect(say("edit", "--query", "type:*", ...both)).rejects.toThrow(
    "--run-at and --delay were both given",
  );
});

test("a query that finds nothing to do says why", async () => {
  const { stderr } = await say("retry", "--query", "widthPx:3", "--dry-run");
  expect(stderr).toContain('No definition declares an attribute "widthPx"');
  const { id } = await dure.enqueueTask("send-receipt", {}, { delay: "1h" });
  const said = await say("delete", "--query", `id:${id}`, "--dry-run");
  expect(said.stderr).toContain(
    "1 task fits, but the action 'delete' is for those that are COMPLETED, FAILED or",
  );
  const json = await say("delete", "--query", `id:${id}`, "--dry-run", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({ matched: 0, hint: expect.stringContaining("1 task fits") });
  await dure.cancelTask(id);
});

test("is for queries", async () => {
  await expect(say("retry", "some-id", "--background")).rejects.toThrow("--background is for --query.");
  await expect(say("retry", "status:failed", "tag:a", "--dry-run")).rejects.toThrow(
    "--dry-run is for --query. If that was one, write --query 'status:failed tag:a'.",
  );
  await expect(say("retry", "some-id", "--rate", "5")).rejects.toThrow("--rate is for --query.");
  await expect(say("retry", "--query", "x", "--rate", "fast")).rejects.toThrow("--rate is");
  await expect(say("retry", "--query", "x", "--rate", "0")).rejects.toThrow("--rate is");
});
