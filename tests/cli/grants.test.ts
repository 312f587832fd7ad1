import { afterAll, beforeAll, expect, test } from "vitest";
import { exitCodes } from "../../server/cli/exit-codes.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";

/** Each test starts a process. */
// Nobody listens there: the SQL is printed without asking a server.
const database = "postgres://dure:secret@127.0.0.1:1/app?schema=mail";
let workspace: Workspace;

beforeAll(async () => {
  await ensureBuilt();
  workspace = new Workspace();
}, 60_000);
afterAll(() => workspace.remove());

test("dure migrate --grants prints SQL for one role, quoted, and connects to nothing", async () => {
  const given = ["migrate", "--database", database, "--grants", 'web "app"', "--as", "reader"];
  const { code, stdout, stderr } = await workspace.dure(given);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toEqual([
    'REVOKE ALL ON ALL TABLES IN SCHEMA "mail" FROM "web ""app""";',
    'GRANT USAGE ON SCHEMA "mail" TO "web ""app""";',
    'GRANT SELECT ON ALL TABLES IN SCHEMA "mail" TO "web ""app""";',
  ]);
});

test("a worker's rights are more than a client's, and a kind that is unknown is refused", async () => {
  const grants = async (kind: string) =>
    (await workspace.json("migrate", "--database", database, "--grants", "web", "--as", kind))
      .statements as string[];
  const [worker, client] = await Promise.all([grants("worker"), grants("client")]);
  expect(worker.some((statement) => /UPDATE, DELETE ON "mail"\.tasks/.test(statement))).toBe(true);
  expect(client.some((statement) => /UPDATE, DELETE ON "mail"\.tasks/.test(statement))).toBe(false);
  const unknown = await workspace.dure([
    "migrate",
    "--database",
    database,
    "--grants",
    "web",
    "--as",
    "owner",
  ]);
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toMatch(/worker, client, reader|worker, client or reader/);
});

test("a file has no roles", async () => {
  const { code, stderr } = await workspace.dure(["migrate", "--database", "tasks.db", "--grants", "web"]);
  expect(code).toBe(exitCodes.INVALID_OPTION);
  expect(stderr).toContain("Only PostgreSQL has roles");
});
