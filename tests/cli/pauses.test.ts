/** `dure pause` and `dure resume` in this process, and how `dure stats` and `dure show` tell of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure } from "../../server/dure.ts";

let folder: string;
let database: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-pauses-"));
  database = join(folder, "tasks.db");
  const dure = createDure({ database });
  const receipt = dure.defineTask("send-receipt", async () => "sent", { queue: "mail" });
  await receipt.enqueue({ order: 17 }, { id: "receipt-17" });
  await dure.close();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function dure(...args: string[]): Promise<{ stdout: string; stderr: string }> {
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
const json = async (...args: string[]) => JSON.parse((await dure("--json", ...args)).stdout);

test("a type is paused, told wherever one looks, and resumed", async () => {
  const { stdout, stderr } = await dure("pause", "--type", "send-receipt", "--reason", "no mail server");
  expect(stdout).toMatch(/^type send-receipt is paused since [-0-9 :]+ \(no mail server\)\n$/);
  expect(stderr).toContain("1 task waits in it.");
  expect((await dure("pause")).stdout).toMatch(/type +send-receipt .*no mail server/);
  expect((await dure("stats")).stdout).toMatch(
    /paused +type send-receipt is paused since .*\(no mail server\)/,
  );
  const shown = (await dure("show", "receipt-17")).stdout.replace(/\s+/g, " ");
  expect(shown).toMatch(/waits Type "send-receipt" is paused since \S+ \(no mail server\)\./);
  expect((await dure("resume", "--type", "send-receipt")).stderr).toContain("is no longer paused");
  expect((await dure("resume", "--type", "send-receipt")).stderr).toContain("was not paused");
  expect((await dure("pause")).stderr).toContain("Nothing is paused.");
});

test("the audit log says who changed what from the command line, and terminals obey none of it", async () => {
  const before = Date.now();
  await dure("pause", "--queue", "mail", "--reason", "no mail server");
  await dure("edit", "receipt-17", "--priority", "3");
  await dure("cancel", "receipt-17");
  await dure("cancel", "--query", "id:receipt-17", "--yes");
  await dure("retry", "--query", "id:receipt-17", "--yes");
  await dure("enqueue", "send-receipt", "--from", "receipt-17", "--id", "receipt-18");
  const other = createDure({ database });
  await other.deleteSearch("none").catch(() => undefined);
  await other.editTask("receipt-18", {
    priority: 1,
    by: { who: "eve\u001b[2J", after: { why: "\u001b]8;;x" } },
  });
  await other.close();
  const { stdout } = await dure("audit");
  expect(stdout).not.toMatch(/\u001b/);
  expect(stdout).toMatch(/\S+@\S+ +cli +pause +queue +mail +reason no mail server/);
  expect(stdout).toMatch(/edit +task +receipt-17 .*priority 0 → 3/);
  const { records } = await json("audit");
  expect(records.map(({ action, target }: any) => `${action} ${target}`)).toEqual([
    ...["edit receipt-18", "run-again receipt-18", "end-action id:receipt-17", "start-action id:receipt-17"],
    ...["cancel receipt-17", "edit receipt-17", "pause mail"],
  ]);
  expect(records[1].after).toEqual({ from: "receipt-17" });
  expect(Date.parse(records.at(-1).at)).toBeGreaterThanOrEqual(before);
  const first = await json("audit", "receipt-17", "--action", "edit", "--action", "cancel", "--limit", "1");
  expect(first.records.map(({ action }: any) => action)).toEqual(["cancel"]);
  const next = await dure("audit", "receipt-17", "--via", "cli", "--cursor", first.nextCursor);
  expect(next.stdout).toMatch(/edit/);
  expect((await dure("audit", "--who", "nobody")).stderr).toContain("Nothing of the kind");
});

test("with --json each is one document", async () => {
  const paused = await json("pause", "--queue", "mail");
  expect(paused).toEqual({ queue: "mail", pausedAt: expect.any(String) });
  expect(await json("pause")).toEqual([paused]);
  expect((await json("stats")).pauses).toEqual([paused]);
  expect(await json("resume", "--queue", "mail")).toEqual({ queue: "mail", resumed: true });
});

test.each([
  [["resume"], /needs what to resume: --type <type> or --queue <queue>/],
  [["pause", "--type", "send-receipt", "--queue", "mail"], /two things/],
  [["pause", "--reason", "no mail"], /--reason is of a pause/],
  [["pause", "--type", "send-reciept"], /Did you mean "send-receipt"/],
])("dure %j is refused", async (args, message) => {
  await expect(dure(...args)).rejects.toThrow(message);
});
