/** F60 to F62: what an administrator, other programs and a full disk allow. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ClaimedTask } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { createTestSchema } from "../support/postgres.ts";
import { giveTo, postgresBinaries } from "../support/postgres-binaries.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { noteBeats } from "../support/store-threads.ts";
import { claimRequest, ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startServer(...options: Parameters<typeof PostgresServer.start>): Promise<PostgresServer> {
  const server = await PostgresServer.start(...options);
  closing.push(() => server.remove());
  return server;
}

async function openWorld(...options: Parameters<typeof FaultWorld.open>): Promise<FaultWorld> {
  const world = await FaultWorld.open(...options);
  closing.push(() => world.close());
  return world;
}

describe("time-outs that the role is given", () => {
  test.each([
    ["statement_timeout", "1s"],
    ["lock_timeout", "200ms"],
    ["idle_in_transaction_session_timeout", "100ms"],
    ["transaction_isolation", "serializable"],
  ])("%s = %s: tasks are enqueued, run, reaped and searched", async (setting, value) => {
    const server = await startServer();
    await server.query("CREATE ROLE app LOGIN");
    const url = `${await server.createDatabase("tasks", "OWNER app")}?schema=dure`.replace(
      "postgres@",
      "app@",
    );
    const name = setting === "transaction_isolation" ? "default_transaction_isolation" : setting;
    await server.query(`ALTER ROLE app SET ${name} = '${value}'`);
    const world = await openWorld({ url });
    const load = world.load();
    await Promise.all([sleep(800), world.loseWorker()]);
    await world.until("enough tasks", () => world.acknowledged.size > 20);
    await load.end();
    expect([...world.refusals]).toEqual([]);
    expect(await world.caller.searchTasks({ status: "COMPLETED" })).not.toEqual([]);
    await world.check();
  });
});

test("what the server does not do in the time that it has is asked for in parts: claims, ends, taking back, deleting", async () => {
  const schema = await createTestSchema();
  closing.push(() => schema.drop());
  const store = createPostgresStore({
    url: `${schema.url}&options=${encodeURIComponent("-c statement_timeout=400ms")}`,
  });
  closing.push(() => store.close());
  await store.open();
  ok(await store.registerWorker(newWorker()));
  const count = 60;
  ok(await store.enqueueTasks(newTasks(count * 2)));
  // Each row takes as long as on a server that has much to do: all of them more than twice as long as a statement may.
  await schema.query(`CREATE FUNCTION :schema.linger() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.01); RETURN coalesce(NEW, OLD); END $$;
    CREATE TRIGGER linger BEFORE UPDATE OR DELETE ON :schema.tasks FOR EACH ROW EXECUTE FUNCTION :schema.linger()`);
  const claim = async () => {
    const claimed: ClaimedTask[] = [];
    while (claimed.length < count)
      claimed.push(...ok(await store.claimTasks(claimRequest({ limit: count - claimed.length }))).claimed);
    return claimed;
  };
  const settled = ok(await store.settleTasks((await claim()).map((one) => settlementOf(one, "completed"))));
  expect(settled.map(({ kind }) => kind)).toEqual(Array(count).fill("settled"));

  await claim();
  const [worker] = await store.listWorkers();
  const suspects = [{ workerId: "worker-1", renewals: worker!.renewals }];
  const reaped = ok(await store.reapWorkers({ suspects, crashBudget: 3, cancelGraceMs: 10_000 }));
  expect(reaped).toMatchObject({ buried: ["worker-1"], tasks: { length: count } });
  const lost = await schema.query(
    "SELECT DISTINCT error->>'message' AS message FROM (SELECT error::json FROM :schema.attempts) AS of",
  );
  expect(lost).toEqual([{ message: "The worker died while it ran this task: no heartbeat." }]);

  expect(ok(await store.pruneTasks({ status: "COMPLETED", limit: count }))).toBe(count);
  expect(await store.checkHealth({ full: true })).toContainEqual(
    expect.objectContaining({ check: "counts", level: "ok" }),
  );
});

describe("connections", () => {
  test("when none is left, the caller is told, workers wait, and go on when there are some", async () => {
    const server = await startServer({
      settings: { max_connections: 30, superuser_reserved_connections: 3 },
    });
    await server.query("CREATE ROLE app LOGIN");
    const url = (await server.createDatabase("tasks", "OWNER app")).replace("postgres@", "app@");
    const world = await openWorld({ url: `${url}?pool_size=4`, workers: 1 });
    const hogs: pg.Client[] = [];
    await world.until("a refusal", async () => {
      await server.terminateBackends("application_name = 'dure'");
      hogs.push(...(await takeAll(url)));
      await world.enqueue();
      return world.refusals.size > 0;
    });
    expect([...world.refusals.keys()]).toEqual(["DATABASE_UNAVAILABLE"]);
    for (const hog of hogs) await hog.end();
    expect(await world.workersGoOn()).toBeLessThan(10_000);
    await world.check();
  });

  test("a pool that the application keeps busy costs no worker its lease", async () => {
    const schema = await createTestSchema();
    closing.push(() => schema.drop());
    const beaten = noteBeats();
    const world = await openWorld({ url: `${schema.url}&pool_size=2`, worker: { lease: "2s" } });
    await world.until("threads that renew both leases", () => beaten.size === 2);
    world.workMs = 2_000;
    for (let count = 0; count < 10; count += 1) await world.enqueue();
    await world.until("every start", () => [...world.acknowledged].every((id) => world.startsOf(id) > 0));
    const holder = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    await holder.connect();
    closing.push(() => holder.end());
    await holder.query(`BEGIN; LOCK TABLE ${schema.quoted}.definitions`);
    // What the application asks of one hangs, and with it every connection of its pool; the other one looks on. No worker asks this.
    const asked = [1, 2, 3].map(() => world.workers[0]!.listDefinitions());
    const hanging = `SELECT FROM pg_stat_activity WHERE wait_event = 'relation'
      AND starts_with(query, '/* dure:listDefinitions */') AND strpos(query, $1) > 0`;
    await world.until(
      "all that hangs",
      async () => (await schema.query(hanging, [schema.quoted])).length === 2,
    );
    await sleep(5_000);
    await holder.query("COMMIT");
    await Promise.all(asked);
    world.workMs = 1;
    await world.check();
    expect((await world.caller.stats()).workers).toMatchObject({ alive: 2, dead: 0 });
    expect(world.logged.filter((line) => /taken for dead|Took back/.test(line))).toEqual([]);
  });
});

test("a full disk is told to the caller, and when there is room again workers go on", async ({ skip }) => {
  const disk = mkdtempSync(join(tmpdir(), "dure-full-disk-"));
  closing.push(() => rmSync(disk, { recursive: true, force: true }));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=60m", "tmpfs", disk], { stdio: "pipe" });
  } catch {
    skip("only root may mount a small disk");
  }
  closing.push(() => execFileSync("umount", ["-l", disk]));
  giveTo(disk, postgresBinaries().user);
  const server = await startServer();
  await server.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
  const url = await server.createDatabase("tasks", "TABLESPACE small");
  const world = await openWorld({ url });
  await world.enqueue();
  const ballast = fillUp(disk);
  await world.until("a refusal", async () => {
    await world.enqueue({ filling: "x".repeat(200_000) });
    return world.refusals.size > 0;
  });
  expect([...world.refusals.keys()]).toEqual(["DATABASE_FULL"]);
  rmSync(ballast);
  expect(await world.workersGoOn()).toBeLessThan(10_000);
  await world.check();
});

/** Takes every connection that the server still gives. */
async function takeAll(url: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    try {
      await client.connect();
      taken.push(client);
    } catch (error) {
      expect(error).toMatchObject({ code: "53300" });
      return taken;
    }
  }
}

/** Takes every block of a disk by a file, which is answered. */
function fillUp(folder: string): string {
  const path = join(folder, "ballast");
  const file = openSync(path, "w");
  try {
    for (const block = Buffer.alloc(64 * 1024); ; ) writeSync(file, block);
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  } finally {
    closeSync(file);
  }
  return path;
}
