import { afterEach, expect, test } from "vitest";
import { createTestSchema, postgresUrl, queryPostgres } from "../support/postgres.ts";
import { PostgresServer } from "../support/postgres-server.ts";

const servers: PostgresServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.remove();
});

async function startServer(): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  servers.push(server);
  return server;
}

test("the tests share a server of PostgreSQL 14 or later, and each has a schema that needs quoting", async () => {
  expect(await postgresUrl()).toMatch(/^postgres(ql)?:/);
  const [{ version }] = await queryPostgres("SELECT current_setting('server_version_num')::int AS version");
  expect(version).toBeGreaterThanOrEqual(140_000);
  const schema = await createTestSchema();
  expect(new URL(schema.url).searchParams.get("schema")).toBe(schema.name);
  await schema.query("CREATE SCHEMA :schema");
  await schema.query("CREATE TABLE :schema.tasks (id int)");
  await schema.drop();
  expect(await queryPostgres("SELECT FROM pg_namespace WHERE nspname = $1", [schema.name])).toEqual([]);
});

test("a server that is killed recovers what it had committed", async () => {
  const server = await startServer();
  await server.query("CREATE TABLE kept AS SELECT 1 AS it");
  await server.kill();
  await server.start();
  expect(await server.query("SELECT * FROM kept")).toEqual([{ it: 1 }]);
});

test("a standby follows, refuses writes, and takes them once promoted", async () => {
  const server = await startServer();
  const standby = await server.createStandby();
  servers.push(standby);
  await server.query("CREATE TABLE kept AS SELECT 1 AS it");
  await server.caughtUp(standby);
  await expect(standby.query("DELETE FROM kept")).rejects.toMatchObject({ code: "25006" });
  await server.kill();
  await standby.promote();
  await standby.query("INSERT INTO kept VALUES (2)");
  expect(await standby.query("SELECT * FROM kept")).toHaveLength(2);
});
