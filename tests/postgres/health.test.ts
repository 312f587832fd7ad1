/** What `dure doctor` finds on a server, and what it says to do. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { grantsFor } from "../../server/dure-grants.ts";
import type { HealthFinding } from "../../server/tasks/core/store.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { prepareSchema } from "../../server/tasks/stores/postgres/schema.ts";
import { serverFindings } from "../../server/tasks/stores/postgres/server-health.ts";
import { createTestSchema, queryPostgres, type TestSchema } from "../support/postgres.ts";

let schema: TestSchema;
let database: Database;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  schema = await createTestSchema();
  database = await open(schema.url);
  await prepareSchema(database);
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await schema.drop();
});

async function open(url: string): Promise<Database> {
  const opened = new Database(parseLocation(url));
  await opened.open();
  closing.push(() => opened.close());
  return opened;
}

async function find(check: string, from = database, ...rest: number[]): Promise<HealthFinding[]> {
  const [skewMs = 0, openMsMax] = rest;
  return (await serverFindings(from, skewMs, openMsMax)).filter((finding) => finding.check === check);
}

test("a transaction that is held open is named, with what ends it", async () => {
  const client = new pg.Client({ connectionString: schema.url.split("?")[0], application_name: "billing" });
  await client.connect();
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await client.query("SELECT 1");
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    const [finding] = (await find("transactions", database, 0, 0)).filter(({ message }) =>
      /billing/.test(message),
    );
    expect(finding).toMatchObject({
      level: "warning",
      message: expect.stringMatching(new RegExp(`billing .*process ${rows[0].pid}, idle in transaction`)),
      next: expect.stringContaining(`pg_terminate_backend(${rows[0].pid})`),
    });
  } finally {
    await client.end();
  }
  const forLong = await find("transactions");
  expect(forLong.filter(({ message }) => /billing/.test(message))).toEqual([]);
});

test("autovacuum that was turned off for a table is a warning that names it", async () => {
  expect(await find("vacuum")).toMatchObject([{ level: "ok" }]);
  await schema.query("ALTER TABLE :schema.tasks SET (autovacuum_enabled = off)");
  expect(await find("vacuum")).toMatchObject([
    { level: "warning", message: /off for tasks/, next: "Turn it on." },
  ]);
  await schema.query("ALTER TABLE :schema.tasks RESET (autovacuum_enabled)");
});

test("a clock that is more than five seconds off is a warning", async () => {
  expect(await find("clock", database, -5_000)).toMatchObject([{ level: "ok" }]);
  expect(await find("clock", database, 6_000)).toMatchObject([{ level: "warning", message: /6 s behind/ }]);
  expect(await find("clock", database, -6_000)).toMatchObject([{ level: "warning", message: /6 s ahead/ }]);
});

test("a server that acknowledges before the disk has it is a warning", async () => {
  const [{ setting }] = await queryPostgres("SELECT current_setting('fsync') AS setting");
  const level = setting === "off" ? "warning" : "ok";
  expect(await find("server")).toMatchObject([{ level }]);
});

test("what the user may do is told, and that a reader cannot see others' transactions", async () => {
  const says: Record<string, RegExp> = { worker: /run tasks/, client: /run none/, reader: /change none/ };
  for (const kind of ["worker", "client", "reader"] as const) {
    const role = `dure_health_${kind}_${process.pid}`;
    await queryPostgres(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    closing.push(async () => {
      await queryPostgres(`DROP OWNED BY ${role}`);
      await queryPostgres(`DROP ROLE ${role}`);
    });
    for (const statement of grantsFor(schema.url, role, kind)) await queryPostgres(statement);
    const url = new URL(schema.url);
    url.username = role;
    url.password = "secret";
    const own = await open(url.href);
    expect(await find("rights", own)).toMatchObject([{ level: "ok", message: says[kind] }]);
    expect(await find("transactions", own)).toMatchObject([{ level: "ok", next: /pg_read_all_stats/ }]);
  }
});
