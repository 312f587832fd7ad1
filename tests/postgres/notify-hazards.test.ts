/** F52, F54, F55: what NOTIFY can do to a server, and that Dure neither causes it nor waits for it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { channelOf } from "../../server/tasks/stores/postgres/announcing/notifier.ts";
import { Database } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { serverFindings } from "../../server/tasks/stores/postgres/server-health.ts";
import { quoted } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTasks, newWorker } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { createTestSchema, queryPostgres } from "../support/postgres.ts";
import { PostgresServer } from "../support/postgres-server.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

test("while somebody's NOTIFY holds the lock that all of them take to commit, tasks are stored and run", async () => {
  // A commit that waits for a standby that isn't there keeps that lock, which is what the outages came from.
  const settings = { synchronous_standby_names: "nobody", synchronous_commit: "local" };
  const server = await PostgresServer.start({ settings });
  closing.push(() => server.remove());
  const world = await FaultWorld.open({ url: server.url() });
  closing.push(() => world.close());
  const holder = await connect(server.url());
  const held = holder
    .query("SET synchronous_commit = on; CREATE TABLE elsewhere (); NOTIFY elsewhere")
    .catch(() => undefined);
  await expect.poll(() => waitsFor(server, "SyncRep")).toBe(1);
  const first = world.starts;
  const at = performance.now();
  await Promise.all(Array.from({ length: 200 }, () => world.enqueue()));
  expect(performance.now() - at).toBeLessThan(5_000);
  await expect.poll(() => waitsFor(server, "object")).toBeGreaterThan(0);
  await enqueueOneByOne(server);
  await holdLease(server.url());
  await world.until("starts", () => world.starts > first, 5_000);
  await world.check();
  expect([...world.refusals]).toEqual([]);
  expect(await waitsFor(server, "SyncRep")).toBe(1);
  await server.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  await held;
  await holder.end();
});

/** Each is answered at once, while of the caller's connections two at most hang on a hint: one behind a task, and one alone. */
async function enqueueOneByOne(server: PostgresServer): Promise<void> {
  const url = new URL(server.url());
  url.searchParams.set("application_name", "alone");
  url.searchParams.set("schema", "alone");
  const store = createPostgresStore({ url: url.href });
  closing.push(() => store.close());
  await store.open();
  const hanging =
    "SELECT count(*)::integer AS hanging FROM pg_stat_activity WHERE wait_event = 'object' AND application_name = 'alone'";
  const seen: number[] = [];
  for (const task of newTasks(20)) {
    await store.enqueueTasks([task]);
    seen.push((await server.query(hanging))[0].hanging);
  }
  expect(Math.max(...seen)).toBeGreaterThan(0);
  expect(Math.max(...seen)).toBeLessThanOrEqual(2);
}

/** A worker that comes while nothing can be notified has its lease renewed all the same. */
async function holdLease(url: string): Promise<void> {
  const store = createPostgresStore({ url });
  closing.push(() => store.close());
  await store.open();
  await store.registerWorker(newWorker());
  let beats = 0;
  const lease = store.holdLease({
    workerId: "worker-1",
    leaseMs: 15_000,
    beatMs: 50,
    maxBlockMs: 60_000,
    onBeat: () => {
      beats += 1;
    },
  });
  lease.alive();
  await expect.poll(() => beats).toBeGreaterThan(0);
}

async function waitsFor(server: PostgresServer, event: string): Promise<number> {
  const text = "SELECT count(*)::integer AS waiting FROM pg_stat_activity WHERE wait_event = $1";
  return (await server.query(text, [event]))[0].waiting;
}

test("while the queue of notifications is full, tasks are stored and run", async ({ skip }) => {
  const [{ version }] = await queryPostgres(
    "SELECT current_setting('server_version_num')::integer AS version",
  );
  if (version < 170_000) skip("before PostgreSQL 17 that queue takes 8 GB to fill");
  const server = await PostgresServer.start({ settings: { max_notify_queue_pages: 64 } });
  closing.push(() => server.remove());
  const world = await FaultWorld.open({ url: server.url(), workers: 1 });
  closing.push(() => world.close());
  const [holder, flooder] = [await connect(server.url()), await connect(server.url())];
  closing.push(() => Promise.all([holder.end(), flooder.end()]));
  // Who listens and does not end a transaction keeps what was notified since.
  await holder.query("LISTEN elsewhere");
  await holder.query("BEGIN");
  const fill = "SELECT pg_notify('elsewhere', n || repeat('x', 7000)) FROM generate_series(1, 200) AS n";
  await expect(flooder.query(fill)).rejects.toMatchObject({ code: "54000" });
  for (let count = 0; count < 20; count += 1) await world.enqueue();
  expect([...world.refusals]).toEqual([]);
  await world.check();
  await expect(flooder.query("NOTIFY elsewhere, 'still'")).rejects.toMatchObject({ code: "54000" });
});

test("a notification is sent together with the statement that it tells of, not after its answer", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const store = createPostgresStore({ url: `${proxy.url(schema.url)}&prepare=off` });
  closing.push(() => store.close());
  await store.open();
  const [first, second] = newTasks(2);
  const told = () => proxy.statements(/dure:notify/).length;
  const heard: unknown[] = [];
  const holder = await connect(schema.url.replace(/\?.*/, ""));
  closing.push(() => holder.end());
  holder.on("notification", (message) => heard.push(message));
  await holder.query(`LISTEN ${quoted(channelOf(schema.name))}`);
  await store.enqueueTasks([first!]);
  // Its announcement, and what is sent behind it: while that is under way the next is told of by itself.
  await expect.poll(() => heard.length).toBe(2);
  expect(told()).toBe(1);
  await holder.query(`BEGIN; LOCK TABLE ${schema.quoted}.tasks`);
  const answer = store.enqueueTasks([second!]);
  await expect.poll(told).toBe(2);
  await holder.query("COMMIT");
  expect(await answer).toEqual({ kind: "ok", value: [null] });
});

test("a worker that is stopped under a flood of notifications is named by the doctor, holds up nobody, and goes on", async () => {
  const schema = await createTestSchema();
  closing.push(schema.drop);
  const world = await FaultWorld.open({ url: `${schema.url}&listen=off`, workers: 1 });
  closing.push(() => world.close());
  const stopped = await startWorker(schema.url);
  stopped.kill("SIGSTOP");
  const flooder = await connect(schema.url.split("?")[0]!);
  closing.push(() => flooder.end());
  // More than the buffers of a connection hold, so that its server process has to wait for its reader.
  const channel = channelOf(schema.name);
  await world.until("a listener that isn't read", async () => {
    await flooder.query("SELECT pg_notify($1, n || repeat('x', 7000)) FROM generate_series(1, 4000) AS n", [
      channel,
    ]);
    return (await unheard()).length > 0;
  });
  const before = world.starts;
  await Promise.all(Array.from({ length: 50 }, () => world.enqueue()));
  await world.until("starts by the other worker", () => world.starts > before);
  const database = new Database(parseLocation(schema.url));
  await database.open();
  closing.push(() => database.close());
  const held = (await serverFindings(database, 0, 0)).filter(({ check }) => check === "transactions");
  const [pid] = await unheard();
  expect(held.map(({ message }) => message)).toContainEqual(expect.stringContaining(`process ${pid},`));
  stopped.kill("SIGCONT");
  await world.until("the end of every task", async () => {
    const ended = await world.caller.countTasks({ status: "COMPLETED", definitions: false });
    return ended === world.acknowledged.size;
  });
  stopped.kill("SIGTERM");
  const [code] = await once(stopped, "exit");
  expect(code).toBe(0);
});

/** Processes of the server that wait for somebody to read what they were told. */
async function unheard(): Promise<number[]> {
  const text = `SELECT pid FROM pg_stat_activity WHERE wait_event = 'ClientWrite'`;
  return (await queryPostgres(text)).map(({ pid }) => pid);
}

async function startWorker(url: string): Promise<ChildProcess> {
  const program = join(import.meta.dirname, "../crash/paused-program.ts");
  const child = spawn(process.execPath, [program, url, "1s"], { stdio: ["pipe", "pipe", "inherit"] });
  closing.push(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return child;
}
