/** `dure searches` in this process: saving, listing and deleting, and `@name` in `dure search`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure } from "../../server/dure.ts";

let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dure-searches-"));
  const dure = createDure({ database: join(folder, "tasks.db") });
  for (const type of ["send-receipt", "page"]) dure.defineTask(type, async () => undefined);
  for (const order of [1, 2, 3])
    await dure.enqueueTask("send-receipt", { order }, { id: `receipt-${order}` });
  await dure.close();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += text;
      return true;
    });
  }
  try {
    await createProgram().parseAsync(["--database", join(folder, "tasks.db"), ...args], { from: "user" });
  } finally {
    vi.restoreAllMocks();
  }
  return said;
}

const document = async (...args: string[]) => JSON.parse((await run(...args, "--json")).stdout);

test("a search that was saved is found by its name, listed, and gone once deleted", async () => {
  const { stdout, stderr } = await run("searches", "save", "late", "type:send-receipt payload.order:>1");
  expect([stdout, stderr]).toEqual(["@late\n", "Saved.\n"]);
  const found = await document("search", "@late", "sort:+created", "--no-definitions");
  expect(found.tasks.map(({ id }: { id: string }) => id)).toEqual(["receipt-2", "receipt-3"]);
  expect((await run("search", "@late -payload.order:2", "--count")).stdout).toBe("1\n");
  expect(await document("searches")).toMatchObject([
    { name: "late", query: "type:send-receipt payload.order:>1" },
  ]);
  expect((await run("searches", "delete", "late")).stderr).toBe("Deleted the saved search late.\n");
  expect(await document("searches")).toEqual([]);
  expect((await run("searches")).stderr).toMatch(/No search is saved yet/);
});

test("an alert's payloads are given as JSON, and stay for the same type when they are left out", async () => {
  const save = (...options: string[]) =>
    document("searches", "save", "late", "status:pending", "--alert-over", "9", ...options);
  const given = [
    "--payload",
    '{"team":"mail"}',
    "--recovered",
    "page",
    "--recovered-payload",
    '{"is":"over"}',
  ];
  const tasks = {
    enqueue: { type: "page", payload: { team: "mail" } },
    recovered: { type: "page", payload: { is: "over" } },
  };
  expect((await save("--enqueue", "page", ...given)).alert).toEqual({ over: 9, ...tasks });
  expect((await save("--enqueue", "page", "--for", "5m", "--recovered", "page")).alert).toEqual({
    ...{ over: 9, for: "5m" },
    ...tasks,
  });
  const { alert } = await save(
    "--enqueue",
    "send-receipt",
    "--recovered",
    "page",
    "--recovered-payload",
    "{}",
  );
  expect(alert).toMatchObject({
    enqueue: { type: "send-receipt" },
    recovered: { type: "page", payload: {} },
  });
  expect(alert.enqueue).not.toHaveProperty("payload");
});

test.each([
  [["--payload", "{team"], /^--payload .*is not JSON/],
  [["--payload", "[1]"], /must be an object/],
  [["--recovered-payload", "{}"], /--recovered <type>/],
])("%j is refused", async (options, message) => {
  const saving = run(
    "searches",
    "save",
    "late",
    "status:failed",
    "--alert-over",
    "9",
    "--enqueue",
    "page",
    ...options,
  );
  await expect(saving).rejects.toThrow(message);
  expect(await document("searches")).toEqual([]);
});

test("an alert is saved with its bounds, stays when the query changes, and goes with --no-alert", async () => {
  const alert = [
    "--alert-over",
    "100",
    "--alert-under",
    "2",
    "--for",
    "5m",
    "--enqueue",
    "page",
    "--recovered",
    "page",
  ];
  const { stderr } = await run(
    "searches",
    "save",
    "late",
    "status:pending",
    "--description",
    "Call Kim",
    ...alert,
  );
  expect(stderr).toBe("Saved, with an alert over 100 or under 2 for 5m → page.\n");
  const rule = {
    ...{ over: 100, under: 2, for: "5m" },
    ...{ enqueue: { type: "page" }, recovered: { type: "page" } },
  };
  expect(await document("searches", "save", "late", "status:failed")).toMatchObject({
    ...{ query: "status:failed", description: "Call Kim", alert: rule },
  });
  const { stdout } = await run("searches", "list", "late");
  expect(stdout).toMatch(
    /^name +query +alert +count +description\nlate +status:failed +over 100 or under 2 for 5m → page +not looked at yet +Call Kim\n$/,
  );
  const without = await document(
    "searches",
    "save",
    "late",
    "status:failed",
    "--no-alert",
    "--description",
    "",
  );
  expect(without).not.toHaveProperty("alert");
  expect(without).not.toHaveProperty("description");
});

test("an alert that is over says when it last went off", async () => {
  const alert = ["--alert-over", "9", "--enqueue", "page"];
  await run("searches", "save", "late", "status:pending", ...alert);
  const [checkedAt, lastEnqueuedAt] = [Date.now() - 5_000, Date.now() - 2 * 3_600_000];
  const file = new DatabaseSync(join(folder, "tasks.db"), { timeout: 10_000 });
  file
    .prepare("UPDATE saved_searches SET alert_state = ?")
    .run(JSON.stringify({ checkedAt, count: 3, lastEnqueuedAt }));
  file.close();
  expect((await run("searches")).stdout).toMatch(/3, \d+s ago, alerted last 2h ago/);
});

test.each([
  [["remove", "late"], /The action is "remove"; it must be one of list, save, delete/],
  [["save"], /needs the name of a search/],
  [["save", "late"], /needs a query/],
  [["save", "late", "tag:a", "--enqueue", "page"], /needs a bound/],
  [["save", "late", "tag:a", "--alert-over", "5"], /--enqueue <type>/],
  [["save", "late", "tag:a", "--alert-over", "x", "--enqueue", "page"], /whole number/],
  [["save", "late", "tag:a", "--alert-over", "5", "--enqueue", "pgae"], /Did you mean "page"/],
  [["save", "late", "statsu:failed"], /did you mean "status"/],
  [["list", "nobody"], /No search is saved as "nobody"/],
  [["delete", "nobody"], /No search is saved as "nobody"/],
])("dure searches %s is refused", async (args, problem) => {
  await expect(run("searches", ...args)).rejects.toThrow(problem);
});
