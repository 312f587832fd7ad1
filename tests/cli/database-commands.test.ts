/** The commands that look after a database. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { program } from "../support/small-world.ts";

let workspace: Workspace;

/** A database with a picture that was resized and a receipt that failed. */
beforeAll(async () => {
  await ensureBuilt();
  workspace = new Workspace();
  workspace.write("program.ts", program);
  const { code, stderr } = await workspace.dure(["run", "program.ts"]);
  if (code !== 1) throw new Error(`dure run exited ${code}: ${stderr}`);
}, 60_000);
afterAll(() => workspace.remove());

describe("looking after the database", () => {
  test("stats --history shows what ended when, and what of it is asked for", async () => {
    const { stdout } = await workspace.dure(["stats", "--history", "--by-type"]);
    expect(stdout).toMatch(
      /^from +type +completed +failed +cancelled +retried +per second +failed % +wait p50 /,
    );
    expect(stdout).toMatch(/\d\d:00 UTC +send-receipt +– +1 /);
    const [bucket] = await workspace.json("stats", "--history", "--since", "30d", "--type", "resize-image");
    expect(bucket).toMatchObject({ completed: 1, failed: 0, runMs: { max: expect.any(Number) } });
    const unknown = await workspace.dure(["stats", "--history", "--type", "resize-imgae"]);
    expect(unknown.stderr).toContain(
      'No task "resize-imgae" is defined in this database. Did you mean "resize-image"?',
    );
    expect(unknown.code).not.toBe(0);
    const alone = await workspace.dure(["stats", "--since", "1h"]);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("--since is of the history")]);
    const tooOld = await workspace.dure(["stats", "--history", "--since", "9d", "--bucket", "minute"]);
    expect(tooOld.stderr).toContain('Ask with bucket: "hour"');
  });

  test("stats counts by type and status", async () => {
    const { stdout } = await workspace.dure(["stats"]);
    expect(stdout.split("\n")[0]).toMatch(/^type +queue +pending +running +completed +failed +cancelled$/);
    expect(stdout).toMatch(/^send-receipt +default +– +– +– +1 +–$/m);
    expect((await workspace.json("stats")).byType).toContainEqual({
      type: "resize-image",
      queue: "default",
      status: "COMPLETED",
      count: 1,
    });
  });

  test("definitions and workers list what is known", async () => {
    expect((await workspace.json("definitions")).map(({ id }: { id: string }) => id).sort()).toEqual([
      "nightly-report",
      "resize-image",
      "send-receipt",
    ]);
    expect((await workspace.dure(["definitions"])).stdout).toContain("Makes three sizes of a picture");
    expect((await workspace.dure(["workers"])).stderr).toContain("No worker is alive.");
    expect(await workspace.json("workers", "--all")).toMatchObject([{ state: "stopped" }]);
  });

  test("doctor finds a healthy database healthy, and a damaged one not", async () => {
    expect((await workspace.dure(["doctor", "--full"])).code).toBe(0);
    for (const { level, check, message } of await workspace.json("doctor")) {
      expect(["ok", "warning"]).toContain(level);
      expect(check && message).toBeTruthy();
    }
    workspace.write(
      "damaged.db",
      "not a database at all, but long enough to have a header of some kind".repeat(20),
    );
    const { code, stdout } = await workspace.dure(["doctor", "--database", "damaged.db"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error /);
  });

  test("doctor says how to save a damaged file, and what it says does so", async () => {
    const path = join(workspace.folder, ".dure/tasks.db");
    const sound = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
    const pages = sound.prepare("SELECT pageno FROM dbstat WHERE name = 'tasks'").all();
    const { tasks } = sound.prepare("SELECT count(*) AS tasks FROM tasks").get()!;
    sound.close();
    const bytes = readFileSync(path);
    for (const { pageno } of pages) bytes.fill(0x55, (Number(pageno) - 1) * 4_096, Number(pageno) * 4_096);
    writeFileSync(join(workspace.folder, "damaged.db"), bytes);
    const found = await workspace.dure(["doctor", "--full", "--database", "damaged.db"]);
    expect(found.code).toBe(1);
    const step = "dure recover --from damaged.db --to damaged.db.recovered";
    expect(found.stdout.replaceAll(/\s+/g, " ")).toContain(step);
    const told = await workspace.dure(step.split(" ").slice(1));
    expect(told).toMatchObject({ code: 1, stderr: expect.stringContaining("damaged.db is as it was") });
    expect(told.stdout).toContain(`0 tasks recovered into damaged.db.recovered\n${tasks} tasks lost: `);
    const again = await workspace.dure(step.split(" ").slice(1));
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("is there already") });
  });

  test("migrate makes a database and says its schema", async () => {
    const { stored, known } = await workspace.json("migrate", "--database", "new/tasks.db");
    expect(stored).toBe(known);
    expect((await workspace.dure(["migrate", "--database", "new/tasks.db"])).stdout).toBe(
      `new/tasks.db  schema ${stored} of ${known}\n`,
    );
    const named = await workspace.dure(["migrate", "--database", "new/tasks.db", "--app", "shop"]);
    expect(named.stdout).toBe(`new/tasks.db  schema ${stored} of ${known}  app shop\n`);
    const other = { env: { DURE_APP: "blog" } };
    expect(await workspace.dure(["stats", "--database", "new/tasks.db"], other)).toMatchObject({ code: 59 });
  });

  test("times are the same whatever the locale and time zone of the process that writes or reads them (F153)", async () => {
    const odd = { env: { TZ: ":bad", LANG: "C", LC_ALL: "tlh" } };
    const given = [
      "enqueue",
      "resize-image",
      "{}",
      "--database",
      "new/tasks.db",
      "--run-at",
      "2026-12-24T18:00:00Z",
      "--json",
    ];
    await workspace.dure(["run", "program.ts", "--database", "new/tasks.db"]);
    const { stdout, stderr } = await workspace.dure(given, odd);
    expect(stdout, stderr).toContain('"2026-12-24T18:00:00.000Z"');
    const { id } = JSON.parse(stdout);
    const shown = ["show", id, "--database", "new/tasks.db", "--json"];
    const [here, there] = await Promise.all([
      workspace.dure(shown, odd),
      workspace.dure(shown, { env: { TZ: "Asia/Seoul" } }),
    ]);
    expect(here.stdout).toBe(there.stdout);
    expect(JSON.parse(here.stdout)).toMatchObject({ dueAt: "2026-12-24T18:00:00.000Z" });
  });

  test("archive moves finished tasks to files; prune counts first, then deletes", async () => {
    await workspace.dure(["run", "program.ts", "--database", "old.db"]);
    const nothing = await workspace.dure(["archive", "--to", "archive", "--database", "old.db"]);
    expect(nothing).toMatchObject({ code: 0, stdout: "0 tasks moved\n" });
    expect(
      (await workspace.dure(["prune", "--failed", "0s", "--dry-run", "--database", "old.db"])).stdout,
    ).toBe("1 task past retention\n");
    const keep = ["prune", "--keep", "0", "--dry-run", "--database", "old.db"];
    expect((await workspace.dure(keep)).stdout).toBe("2 tasks past retention\n");
    const pastRetention = async (...args: string[]) =>
      (await workspace.json("prune", "--dry-run", "--database", "old.db", ...args)).wouldDelete;
    expect(await pastRetention("--max-size", "1B")).toBe(2);
    expect(await pastRetention("--max-size", "1MB")).toBe(0);
    expect(await pastRetention("--retention", "failed=0")).toBe(1);
    expect(await pastRetention("--retention", "all=1B", "--retention", "resize-*:completed=forever")).toBe(1);
    const unknown = await workspace.dure([
      "prune",
      "--retention",
      "resize-imgae:all=0",
      "--yes",
      "--database",
      "old.db",
    ]);
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean "resize-image"?'),
    });
    expect(await workspace.json("prune", "--failed", "0s", "--yes", "--database", "old.db")).toEqual({
      deleted: 1,
    });
    const moved = await workspace.dure([
      "archive",
      "--to",
      "archive",
      "--before",
      "0s",
      "--database",
      "old.db",
    ]);
    expect(moved.stdout).toBe("1 task moved to archive\n");
    const file = readdirSync(join(workspace.folder, "archive")).find((name) => name.endsWith(".gz"));
    const line = gunzipSync(readFileSync(join(workspace.folder, "archive", file!))).toString("utf8");
    expect(JSON.parse(line)).toMatchObject({ id: "picture-1", status: "COMPLETED" });
    expect((await workspace.json("search", "--no-definitions", "--database", "old.db")).total).toBe(0);
    const inArchive = (...words: string[]) => workspace.json(...words, "--archive", "archive");
    expect((await inArchive("search", "status:completed")).tasks).toMatchObject([{ id: "picture-1" }]);
    expect(await inArchive("search", "--count")).toMatchObject({ total: 1, complete: true, damaged: [] });
    expect(await inArchive("show", "picture-1")).toMatchObject({ id: "picture-1", history: [{ number: 1 }] });
    const printed = await workspace.dure(["show", "picture-1", "--archive", "archive"]);
    expect(printed.stdout).toContain("attempts");
    expect(await workspace.dure(["show", "nobody", "--archive", "archive"])).toMatchObject({ stdout: "" });
    const counted = await workspace.dure(["search", "--archive", "archive", "--by", "status"]);
    expect(counted.stdout).toMatch(/status +count\nCOMPLETED +1\n/);
    expect(counted.stderr).toContain("1 task.\n1 of 1 file read.");
  });
});
