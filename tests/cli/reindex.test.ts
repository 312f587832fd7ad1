/** `dure reindex` and what `dure stats` says of it, and `dure edit --query`, in this process on a database that nobody works on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure } from "../../server/dure.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-reindex-"));
const database = join(folder, "tasks.db");

beforeAll(async () => {
  const dure = createDure({ database });
  const receipt = dure.defineTask("send-receipt", async () => undefined);
  const orders = Array.from({ length: 1_200 }, (_, order) => ({
    payload: { order, note: `영수증 ${order}` },
  }));
  await receipt.enqueueMany(orders);
  await dure.close();
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
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

test("reindex indexes every text, stats says how many are left, --clear forgets them", async () => {
  expect((await run("stats")).stdout).toMatch(/texts to index +1,200 tasks/);
  expect((await run("reindex", "--yes")).stderr).toContain("1,200 texts indexed.");
  expect((await run("stats")).stdout).not.toContain("texts to index");
  expect((await run("search", '"영수증 1199"', "--explain")).stdout).toContain("index of texts");
  expect((await run("reindex", "--clear", "--yes")).stderr).toContain("is empty");
  expect((await run("stats")).stdout).toMatch(/texts to index +1,200 tasks/);
  expect(JSON.parse((await run("reindex", "--yes", "--json")).stdout)).toEqual({ indexed: 1_200 });
});

test("edit --query says how many first, and changes all that it finds", async () => {
  const some = ["edit", "--query", "payload.order:<20", "--priority", "7"];
  expect((await run(...some, "--dry-run")).stderr).toContain("20 tasks would be changed.");
  expect(JSON.parse((await run("search", "priority:7", "--json")).stdout).tasks).toEqual([]);
  expect((await run(...some, "--yes")).stderr).toContain("20 tasks changed.");
  expect((await run("search", "priority:7", "--count")).stdout.trim()).toBe("20");
  await run("edit", "--query", "priority:7", "--delay", "2h", "--yes");
  expect((await run("search", "due:>now priority:7", "--count")).stdout.trim()).toBe("20");
});
