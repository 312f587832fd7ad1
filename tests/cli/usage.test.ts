import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitCodes } from "../../server/cli/exit-codes.ts";
import { createProgram } from "../../server/cli/program.ts";
import { errorCodes } from "../../server/tasks/core/errors.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";

let workspace: Workspace;

beforeAll(async () => {
  await ensureBuilt();
  workspace = new Workspace();
  workspace.write("empty.js", "");
}, 60_000);
afterAll(() => workspace.remove());

describe("help", () => {
  const names = createProgram().commands.map((command) => command.name());

  test.each(names)("%s has a description and examples that fit 80 columns", async (name) => {
    const { code, stdout, stderr } = await workspace.dure([name, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: dure /);
    const examples = stdout.split("Examples:\n")[1] ?? "";
    expect(examples).toContain(`dure ${name}`);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(stdout).toContain("--database <database>");
  });

  test("no command at all prints the help, and so does help <command>", async () => {
    const bare = await workspace.dure([]);
    expect(bare.code).toBe(0);
    for (const name of names) expect(bare.stdout).toContain(`  ${name} `);
    expect((await workspace.dure(["help", "show"])).stdout).toMatch(/^Usage: dure show/);
  });

  test("--version prints the version alone", async () => {
    expect((await workspace.dure(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("what cannot be understood is answered with the nearest, and exits 2", () => {
  test.each([
    ["an unknown command", ["serch"], "Did you mean search?"],
    ["an unknown option", ["search", "--statu", "failed"], "Did you mean --status?"],
    ["an unknown status", ["search", "--status", "faild"], 'Did you mean "FAILED"?'],
    ["an unknown sort field", ["search", "--sort-by", "created"], 'Did you mean "createdAt"?'],
    ["an unknown order", ["search", "--sort-order", "descending"], "asc, desc"],
    ["a missing argument", ["show"], `Missing required argument 'id'. See "dure show --help".`],
    ["one argument too many", ["stats", "now"], "Too many arguments"],
    ["a number that is none", ["search", "--limit", "many"], "whole number"],
    [
      "a number out of its range",
      ["search", "--limit", "-1"],
      '--limit is "-1"; it must be a whole number from 1 to 10,000.',
    ],
    ["a port that is none", ["dev", "--dir", ".", "--port", "99999"], '--port is "99999"'],
    ["no concurrency", ["worker", "empty.js", "-c", "0"], '--concurrency is "0"'],
    ["an unknown shell", ["completion", "bsh"], 'Did you mean "bash"'],
    ["a date that is none", ["search", "--created-from", "2026-02-30"], "no date"],
    ["a duration that is none", ["search", "--since", "2 hours"], "no duration"],
    ["two starts of one range", ["search", "--since", "2h", "--created-from", "2026-01-01"], "one of them"],
    ["a payload that is no JSON", ["enqueue", "resize-image", "{widthPx:640}"], "is not JSON"],
    ["a key that stands twice", ["enqueue", "resize-image", '{"a":1,"a":2}'], 'The key "a" stands twice'],
    ["an edit of nothing", ["edit", "picture-1"], "Nothing to change"],
    ["a wait without waiting", ["enqueue", "resize-image", "--wait-timeout", "1s"], "without --wait"],
    ["a size that is none", ["prune", "--max-size", "2"], "such as 2MB"],
    ["a rule of no status", ["prune", "--retention", "faild=1d"], 'Did you mean "failed"?'],
    ["a rule without limits", ["worker", "empty.js", "--retention", "failed"], "[type:]status=limits"],
    ["a file that is not there", ["run", "program.ts"], "There is no file program.ts"],
    ["no modules", ["worker"], "There is no folder server/tasks"],
  ])("%s", async (_name, args, words) => {
    const { code, stdout, stderr } = await workspace.dure(args);
    expect(stderr).toContain(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: /);
  });

  test("with --json the error is JSON on stderr", async () => {
    const { code, stderr } = await workspace.dure(["search", "--status", "faild", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("FAILED"),
    });
  });
});

describe("a database that is not there", () => {
  test.each([
    ["search"],
    ["stats"],
    ["workers"],
    ["definitions"],
    ["show", "x"],
    ["cancel", "x"],
    ["retry", "x"],
    ["delete", "x", "--yes"],
    ["edit", "x", "--priority", "1"],
    ["archive", "--to", "archive"],
    ["prune", "--yes"],
    ["enqueue", "resize-image"],
  ])("%s says so and does not make it", async (...args) => {
    const { code, stdout, stderr } = await workspace.dure([...args, "--database", "absent.db"]);
    expect({ code, stdout }).toEqual({ code: exitCodes.DATABASE_UNAVAILABLE, stdout: "" });
    expect(stderr).toContain(`There is no database at ${join(workspace.folder, "absent.db")}`);
    expect(stderr).toContain("--database");
    expect(existsSync(join(workspace.folder, "absent.db"))).toBe(false);
  });

  test("doctor finds it missing", async () => {
    const { code, stdout } = await workspace.dure(["doctor", "--database", "absent.db"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error {4}database {2}There is no database at /);
  });

  test.each(["postgres:app", "host=db.example.com dbname=app password=canary"])(
    "%s is no file, and a password in it is not shown",
    async (database) => {
      const { code, stdout, stderr } = await workspace.dure(["search", "--database", database]);
      expect({ code, stdout }).toEqual({ code: exitCodes.INVALID_OPTION, stdout: "" });
      expect(stderr).toContain("Write postgres://user:password@host:5432/database");
      expect(stderr).not.toContain("canary");
    },
  );

  test("DURE_DATABASE names it too, and --database goes before it", async () => {
    const env = { DURE_DATABASE: "from-env.db" };
    expect((await workspace.dure(["stats"], { env })).stderr).toContain("from-env.db");
    expect((await workspace.dure(["stats", "-d", "flag.db"], { env })).stderr).toContain("flag.db");
  });
});

test("every code has an exit code of its own, apart from those of shells and supervisors", () => {
  const numbers = Object.values(exitCodes);
  expect(Object.keys(exitCodes).sort()).toEqual(Object.keys(errorCodes).sort());
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const number of numbers) expect(number === 2 || (number >= 10 && number <= 63)).toBe(true);
});
