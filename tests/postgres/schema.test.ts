/** F38 to F40, F63 to F65: making the schema and bringing it up to date, and databases that cannot be worked with. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newDefinition, newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { createTestSchema, postgresUrl, queryPostgres, type TestSchema } from "../support/postgres.ts";
import { claimRequest, ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function makeSchema(): Promise<TestSchema> {
  const schema = await createTestSchema();
  closing.push(() => schema.drop());
  return schema;
}

function storeOf(url: string): TaskStore {
  const store = createPostgresStore({ url });
  closing.push(() => store.close());
  return store;
}

async function openStore(url: string): Promise<TaskStore> {
  const store = storeOf(url);
  await store.open();
  return store;
}

/** One more migration than there is, for a program of the next version. */
const nextMigration =
  "ALTER TABLE :schema.tasks ADD COLUMN colour text;\nCREATE TABLE :schema.colours (colour text);\n";

/** The server's code with a migration more, as the next version has it; answers the path of its store. */
function makeNextVersion(sql = nextMigration): string {
  const root = resolve(import.meta.dirname, "../..");
  const folder = mkdtempSync(join(tmpdir(), "dure-next-version-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, "server"), join(folder, "server"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "server/tasks/stores/postgres/migrations/0099_colours.sql"), sql);
  return folder;
}

describe("migrations", () => {
  test("twenty stores that open nothing at once make one schema, without an error", async () => {
    const schema = await makeSchema();
    const stores = await Promise.all(Array.from({ length: 20 }, () => openStore(schema.url)));
    await Promise.all(
      stores.map(async (store, place) => {
        ok(await store.registerWorker(newWorker(`worker-${place}`)));
        ok(await store.saveDefinitions([newDefinition()]));
        ok(await store.enqueueTasks([newTask()]));
      }),
    );
    expect(await stores[0]!.stats()).toMatchObject({ workers: { alive: 20 }, byType: [{ count: 20 }] });
    const applied = await schema.query("SELECT number FROM :schema.migrations ORDER BY 1");
    const { known } = await stores[0]!.schemaVersion();
    expect(applied.map(({ number }) => number)).toEqual(
      Array.from({ length: known }, (_, place) => place + 1),
    );
  });

  test("processes that are killed while they migrate leave all or nothing, and the next one goes on", async () => {
    const schema = await makeSchema();
    const root = resolve(import.meta.dirname, "../..");
    for (let round = 0; round < 8; round += 1) {
      const child = await startOpening(root, schema.url);
      await sleep(round * 5);
      child.kill("SIGKILL");
      await new Promise((done) => child.on("close", done));
      const tables = await queryPostgres(
        "SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'tasks'",
        [schema.name],
      );
      const isWhole = tables.length > 0;
      if (isWhole) expect(await schema.query("SELECT FROM :schema.migrations")).not.toEqual([]);
      if (isWhole) await schema.drop();
    }
    const opened = await openStore(schema.url);
    expect((await opened.checkHealth({ full: true })).filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a process that is killed half-way through a migration leaves nothing of it, and the next one makes it", async () => {
    const schema = await makeSchema();
    await openStore(schema.url);
    const before = await versionOf(schema);
    const next = makeNextVersion(
      `${nextMigration}SELECT pg_sleep(2);\nALTER TABLE :schema.colours ADD late text;\n`,
    );
    renumber(next, before);
    const child = await startOpening(next, schema.url);
    const asleep = async () =>
      (
        await queryPostgres(
          "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%dure:migration:%'",
        )
      ).length;
    await expect.poll(asleep).toBe(1);
    child.kill("SIGKILL");
    await new Promise((done) => child.on("close", done));
    // Its session ends with its statement, and does not go on to commit.
    await expect.poll(asleep).toBe(0);
    expect(await columnsNamed(schema, "colour")).toBe(0);
    expect(await versionOf(schema)).toBe(before);
    const after = await startOpening(next, schema.url);
    expect(await new Promise((done) => after.on("close", done))).toBe(0);
    expect(await columnsNamed(schema, "colour")).toBe(2);
    expect(await columnsNamed(schema, "late")).toBe(1);
  });

  test("a migration that fails half-way changes nothing", async () => {
    const schema = await makeSchema();
    await openStore(schema.url);
    const { known } = await storeOf(schema.url)
      .schemaVersion()
      .catch(() => ({ known: 0 }));
    const next = makeNextVersion(`${nextMigration}SELECT 1 / 0;\n`);
    renumber(next, await versionOf(schema));
    const { createPostgresStore: createNext } = await import(
      join(next, "server/tasks/stores/postgres/store.ts")
    );
    const store = createNext({ url: schema.url });
    await expect(store.open()).rejects.toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
    expect(await columnsNamed(schema, "colour")).toBe(0);
    expect(known).toBeLessThanOrEqual(await versionOf(schema));
    const again = await openStore(schema.url);
    ok(await again.enqueueTasks([newTask()]));
  });

  test("takes the time that it needs, and is waited for, whatever time the role gives a statement", async () => {
    const schema = await makeSchema();
    await openStore(schema.url);
    const next = makeNextVersion(`${nextMigration}SELECT pg_sleep(2);\n`);
    renumber(next, await versionOf(schema));
    const { createPostgresStore: createNext } = await import(
      join(next, "server/tasks/stores/postgres/store.ts")
    );
    const hasty = encodeURIComponent("-c statement_timeout=1s -c lock_timeout=500ms");
    const stores: TaskStore[] = [1, 2].map(() => createNext({ url: `${schema.url}&options=${hasty}` }));
    closing.push(() => Promise.all(stores.map((store) => store.close())));
    await Promise.all(stores.map((store) => store.open()));
    expect(await columnsNamed(schema, "colour")).toBe(2);
  });

  test("workers of one version go on while the next one migrates and works beside them", async () => {
    const schema = await makeSchema();
    const world = await FaultWorld.open({ url: schema.url });
    closing.push(() => world.close());
    const load = world.load();
    await sleep(300);
    const next = makeNextVersion();
    renumber(next, await versionOf(schema));
    const { createPostgresStore: createNext } = await import(
      join(next, "server/tasks/stores/postgres/store.ts")
    );
    const store: TaskStore = createNext({ url: schema.url });
    closing.push(() => store.close());
    await store.open();
    expect(await columnsNamed(schema, "colour")).toBe(2);
    ok(await store.registerWorker(newWorker("next")));
    const claimed = ok(await store.claimTasks(claimRequest({ workerId: "next", limit: 2 }))).claimed;
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "released", { workerId: "next" }))));
    ok(await store.stopWorker("next"));
    await world.workersGoOn();
    await load.end();
    expect([...world.refusals]).toEqual([]);
    expect(world.logged.filter((line) => /could not|failed/i.test(line))).toEqual([]);
    await world.check();
  });

  test("a program refuses a schema that a newer one made, and says what to do", async () => {
    const schema = await makeSchema();
    await (await openStore(schema.url)).close();
    await schema.query("INSERT INTO :schema.migrations (number, name) VALUES (99, '0099_colours.sql')");
    await expect(storeOf(schema.url).open()).rejects.toMatchObject({
      code: "DATABASE_VERSION",
      message: expect.stringMatching(/schema 99.*newer.*upgrade/s),
    });
    expect(await versionOf(schema)).toBe(99);
  });
});

describe("a database that cannot be worked with", () => {
  test("is refused when it isn't UTF-8", async () => {
    const name = `dure_latin_${process.pid}`;
    const [{ version }] = await queryPostgres(
      "SELECT current_setting('server_version_num')::integer AS version",
    );
    const provider = version < 150_000 ? "" : "LOCALE_PROVIDER libc";
    await queryPostgres(
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' ${provider}`,
    );
    closing.push(() => queryPostgres(`DROP DATABASE ${name} WITH (FORCE)`));
    const url = new URL(await postgresUrl());
    url.pathname = `/${name}`;
    await expect(storeOf(url.href).open()).rejects.toMatchObject({
      code: "DATABASE_UNSAFE",
      message: expect.stringMatching(/LATIN1.*UTF8/),
    });
  });

  test("is told apart: not there, no such user", async () => {
    const url = new URL(await postgresUrl());
    url.pathname = "/no_such_database";
    const opened = (it: URL) => storeOf(it.href).open();
    await expect(opened(url)).rejects.toMatchObject({
      code: "DATABASE_UNAVAILABLE",
      message: /no_such_database/,
    });
    url.pathname = "/postgres";
    url.username = "nobody_here";
    await expect(opened(url)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE", message: /nobody_here/ });
  });

  test("never has its password shown", async () => {
    const url = new URL(await postgresUrl());
    url.password = "open-sesame";
    url.pathname = "/no_such_database";
    const store = storeOf(url.href);
    const error = await store.open().catch((refused) => refused);
    const said = `${store.location} ${error.message} ${JSON.stringify(error.details)} ${error.stack}`;
    expect(said).not.toContain("open-sesame");
  });
});

describe("settings of the database that a store must not depend on", () => {
  test.each([
    "search_path = 'nowhere'",
    "standard_conforming_strings = off",
    "timezone = 'Antarctica/Troll'",
    "datestyle = 'German, DMY'",
    "intervalstyle = 'iso_8601'",
    "extra_float_digits = 0",
    "bytea_output = 'escape'",
    "enable_seqscan = off",
    "plan_cache_mode = force_generic_plan",
    "jit_above_cost = 0",
    "default_transaction_isolation = 'repeatable read'",
    "client_encoding = 'LATIN1'",
  ])("%s", async (setting) => {
    const schema = await makeSchema();
    const role = `dure_role_${process.pid}`;
    await queryPostgres(`CREATE ROLE ${role} LOGIN SUPERUSER`);
    closing.push(() => queryPostgres(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`));
    await queryPostgres(`ALTER ROLE ${role} SET ${setting}`);
    const url = new URL(schema.url);
    url.username = role;
    const store = await openStore(url.href);
    closing.push(() => store.close());
    ok(await store.registerWorker(newWorker()));
    const task = newTask({ payload: { text: "\u0000 \\ ' \" é 리포트 🖼" }, tags: ["é'\\"] });
    ok(await store.enqueueTasks([task, ...newTasks(3)]));
    const claimed = ok(await store.claimTasks(claimRequest())).claimed;
    expect(claimed).toHaveLength(4);
    ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
    expect(await store.getTask(task.id)).toMatchObject({
      payload: { text: "\u0000 \\ ' \" é 리포트 🖼" },
      tags: ["é'\\"],
      status: "COMPLETED",
    });
  });
});

describe("values out of range", () => {
  test("an instant that isn't one is refused by the table", async () => {
    const schema = await makeSchema();
    const store = await openStore(schema.url);
    ok(await store.enqueueTasks([newTask({ id: "a" })]));
    for (const wrong of ["9223372036854775807", "-9223372036854775808"]) {
      await expect(schema.query(`UPDATE :schema.tasks SET due_at = ${wrong}`)).rejects.toMatchObject({
        code: "23514",
      });
    }
    await expect(schema.query("UPDATE :schema.tasks SET due_at = 'infinity'::timestamptz")).rejects.toThrow();
  });

  test("numbers beyond 2^31, and as large as a number of JavaScript's can be, break nothing", async () => {
    const schema = await makeSchema();
    const store = await openStore(schema.url);
    ok(await store.registerWorker(newWorker()));
    const [{ sequence }] = await schema.query(
      `SELECT pg_get_serial_sequence('${schema.quoted.replaceAll("'", "''")}.tasks', 'seq') AS sequence`,
    );
    for (const from of ["3000000000", "9007199254740900"]) {
      await queryPostgres("SELECT setval($1::regclass, $2::bigint)", [sequence, from]);
      ok(await store.enqueueTasks(newTasks(10)));
      const claimed = ok(await store.claimTasks(claimRequest())).claimed;
      expect(claimed).toHaveLength(10);
      const settled = ok(await store.settleTasks(claimed.map((one) => settlementOf(one, "completed"))));
      expect(settled.every(({ kind }) => kind === "settled")).toBe(true);
    }
  });
});

/** A process of this or another version's code that opens a store, and ends with 0 when it is open; it is about to. */
async function startOpening(root: string, url: string): Promise<ChildProcess> {
  const store = join(root, "server/tasks/stores/postgres/store.ts");
  const program = `const { createPostgresStore } = await import(${JSON.stringify(store)});
    process.stdout.write("go");
    await createPostgresStore({ url: ${JSON.stringify(url)} }).open();
    process.exit(0);`;
  const flags = ["--input-type=module", "--eval", program];
  const child = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
  closing.push(() => child.kill("SIGKILL"));
  await new Promise((done) => child.stdout.once("data", done));
  return child;
}

async function versionOf(schema: TestSchema): Promise<number> {
  const [{ number }] = await schema.query("SELECT max(number) AS number FROM :schema.migrations");
  return number;
}

async function columnsNamed(schema: TestSchema, name: string): Promise<number> {
  const rows = await queryPostgres(
    "SELECT FROM information_schema.columns WHERE table_schema = $1 AND column_name = $2",
    [schema.name, name],
  );
  return rows.length;
}

/** The number of the next version's migration follows the newest there is. */
function renumber(folder: string, newest: number): void {
  const migrations = join(folder, "server/tasks/stores/postgres/migrations");
  const number = String(newest + 1).padStart(4, "0");
  cpSync(join(migrations, "0099_colours.sql"), join(migrations, `${number}_colours.sql`));
  rmSync(join(migrations, "0099_colours.sql"));
}
