import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { poolers } from "../support/poolers.ts";
import { createTestSchema, postgresUrl } from "../support/postgres.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function connectTo(url: string, config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...config });
  client.on("error", () => undefined);
  await client.connect();
  closing.push(() => client.end().catch(() => undefined));
  return client;
}

async function makeTable(): Promise<string> {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  await schema.query("CREATE SCHEMA :schema");
  await schema.query("CREATE TABLE :schema.kept (it int)");
  return `${schema.quoted}.kept`;
}

describe("the proxy that fails on demand", () => {
  async function startProxy(): Promise<{ proxy: CuttingProxy; client: pg.Client }> {
    const proxy = await CuttingProxy.start(await postgresUrl());
    closing.push(() => proxy.close());
    return { proxy, client: await connectTo(proxy.url(await postgresUrl())) };
  }

  test("loses the answer to a commit that was done", async () => {
    const { proxy, client } = await startProxy();
    const table = await makeTable();
    const lost = proxy.loseAnswer(/^COMMIT/);
    await client.query("BEGIN");
    await client.query(`INSERT INTO ${table} VALUES (1)`);
    await expect(client.query("COMMIT")).rejects.toThrow();
    expect(await lost).toBe("COMMIT");
    const again = await connectTo(proxy.url(await postgresUrl()));
    expect((await again.query(`SELECT * FROM ${table}`)).rows).toEqual([{ it: 1 }]);
  });

  test("knows prepared statements, and can lose one before the server sees it", async () => {
    const { proxy, client } = await startProxy();
    const table = await makeTable();
    const insert = { name: "insert", text: `INSERT INTO ${table} VALUES ($1)` };
    void proxy.loseAnswer(/INSERT INTO/, { nth: 2, forward: false });
    await client.query({ ...insert, values: [1] });
    await expect(client.query({ ...insert, values: [2] })).rejects.toThrow();
    const again = await connectTo(proxy.url(await postgresUrl()));
    expect((await again.query(`SELECT * FROM ${table}`)).rows).toEqual([{ it: 1 }]);
  });

  test("falls silent, refuses, and heals", async () => {
    const { proxy, client } = await startProxy();
    proxy.silence();
    const silent = { text: "SELECT 1", query_timeout: 100 };
    await expect(client.query(silent)).rejects.toThrow(/timeout/);
    proxy.refuses = true;
    await expect(connectTo(proxy.url(await postgresUrl()))).rejects.toThrow();
    proxy.heal();
    const again = await connectTo(proxy.url(await postgresUrl()));
    expect((await again.query("SELECT 1 AS it")).rows).toEqual([{ it: 1 }]);
  });
});

describe.each(poolers)("$name", ({ name, missing, start }) => {
  beforeEach(({ skip }) => {
    if (missing) skip(missing);
  });

  async function startPooler(): Promise<(config?: pg.ClientConfig) => Promise<pg.Client>> {
    const url = await postgresUrl();
    const pooler = await start(url, { size: 2 });
    closing.push(() => pooler.close());
    return (config) => connectTo(pooler.url(url), config);
  }

  test("keeps a transaction on one connection", async () => {
    const client = await (await startPooler())();
    const pid = async () => (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
    await client.query("BEGIN");
    expect(await pid()).toBe(await pid());
    await client.query("COMMIT");
  });

  test("takes turns between connections, so that prepared statements are not there", async ({ skip }) => {
    if (name === "PgBouncer") skip("PgBouncer does so only under load");
    const client = await (await startPooler())();
    const named = { name: "one", text: "SELECT $1::int AS it", values: [1] };
    await client.query(named);
    await expect(client.query(named)).rejects.toMatchObject({ code: "26000" });
  });

  test("loses what a session would hear", async () => {
    const join = await startPooler();
    const [client, other] = [await join(), await join()];
    const heard: unknown[] = [];
    client.on("notification", (message) => heard.push(message));
    await client.query("LISTEN heard");
    await other.query("NOTIFY heard");
    await new Promise((done) => setTimeout(done, 50));
    expect(heard).toEqual([]);
  });

  test("serves more clients than it has connections", async () => {
    const join = await startPooler();
    const clients = await Promise.all(Array.from({ length: 10 }, () => join()));
    const answers = await Promise.all(
      clients.map((client, it) => client.query("SELECT $1::int AS it, pg_sleep(0.01)", [it])),
    );
    expect(answers.map(({ rows }) => rows[0].it)).toEqual(clients.map((_, it) => it));
  });

  test("refuses start parameters that it does not know", async () => {
    const join = await startPooler();
    await expect(join({ statement_timeout: 1_000 })).rejects.toThrow(/unsupported startup/);
  });
});
