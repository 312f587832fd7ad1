/** A task is told of before it is stored, so that a claim waits for its commit: see announcements.ts. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { News, TaskStore } from "../../server/tasks/core/store.ts";
import { channelOf } from "../../server/tasks/stores/postgres/announcing/notifier.ts";
import { quoted } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newWorker } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { claimRequest, ok } from "../support/stores.ts";

// A server of their own, since whoever notifies much keeps an announcement waiting, which gives up soon.
let server: PostgresServer;
let databases = 0;
let url: string;

const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server.remove());
beforeEach(async () => {
  url = await server.createDatabase(`announced_${++databases}`);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(url: string): Promise<TaskStore> {
  const store = createPostgresStore({ url });
  await store.open();
  closing.push(() => store.close());
  return store;
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  closing.push(() => client.end());
  await client.connect();
  return client;
}

const lockOf = `SELECT granted FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
  AND (classid::bigint << 32) + objid::bigint = $1::bigint`;

/** Hears what is notified. */
async function listen(): Promise<string[]> {
  const heard: string[] = [];
  const listener = await connect();
  listener.on("notification", ({ payload = "" }) => heard.push(payload.split(" ").slice(1).join(" ")));
  await listener.query(`LISTEN ${quoted(channelOf("dure"))}`);
  return heard;
}

/** A worker that has claimed in vain, and what it is told from then on. */
async function idleWorker(url: string): Promise<{ store: TaskStore; told: (News | undefined)[] }> {
  const store = await open(url);
  ok(await store.registerWorker(newWorker()));
  const told: (News | undefined)[] = [];
  store.onChange((news) => told.push(news));
  await expect.poll(() => store.pace.pollMs, { timeout: 15_000 }).toBe(5_000);
  expect(ok(await store.claimTasks(claimRequest({ waitMs: 1_000 }))).claimed).toEqual([]);
  told.length = 0;
  return { store, told };
}

test("an insert is announced, holds the lock it was announced by until its end, and is told of again", async () => {
  const heard = await listen();
  const store = await open(url);
  ok(await store.enqueueTasks([newTask()]));
  await expect.poll(() => heard).toHaveLength(2);
  heard.length = 0;
  // Its key is taken by a transaction that is open, so the insert has to wait for that.
  const holder = await connect();
  await holder.query(`BEGIN; CREATE TEMPORARY TABLE one AS SELECT * FROM dure.tasks;
    UPDATE one SET id = 'other', idempotency = 'resize-image key'; ALTER TABLE one DROP COLUMN seq`);
  const { rows } = await holder.query(
    "SELECT string_agg(quote_ident(attname), ', ') AS names FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum > 0 AND NOT attisdropped",
  );
  await holder.query(`INSERT INTO dure.tasks (${rows[0].names}) SELECT ${rows[0].names} FROM one`);
  const answer = store.enqueueTasks([newTask({ idempotencyKey: "key" })]);
  await expect.poll(() => heard).toEqual([expect.stringMatching(/^soon \d+$/)]);
  const number = heard[0]!.split(" ")[1];
  await expect.poll(() => server.query(lockOf, [number])).toEqual([{ granted: true }]);
  await holder.query("ROLLBACK");
  expect(await answer).toEqual({ kind: "ok", value: [null] });
  expect(await server.query(lockOf, [number])).toEqual([]);
  await expect.poll(() => heard).toEqual([`soon ${number}`, `tasks ${number}`]);
});

test("tasks that come together, or are not due yet, are not announced", async () => {
  const heard = await listen();
  const store = await open(url);
  ok(await store.enqueueTasks([newTask(), newTask()]));
  await expect.poll(() => heard).toEqual(["tasks"]);
  ok(await store.enqueueTasks([newTask({ dueAt: Date.now() + 3_600_000 })]));
  await expect.poll(() => heard).toEqual(["tasks", "tasks"]);
});

test("a worker that hears of a task before it is stored waits for that, and claims it once", async () => {
  const proxy = await CuttingProxy.start(url);
  closing.push(() => proxy.close());
  const { store, told } = await idleWorker(`${proxy.url(url)}?prepare=off`);
  const claimed: string[] = [];
  const claim = async () => {
    const answer = ok(await store.claimTasks(claimRequest({ waitMs: 1_000 })));
    for (const { task } of answer.claimed) claimed.push(task.id);
  };
  const claims: Promise<void>[] = [];
  store.onChange((news) => {
    if (news === "soon" || news === "tasks") claims.push(claim());
  });
  const other = await open(url);
  const task = newTask();
  ok(await other.enqueueTasks([task]));
  // Whether it waited is a matter of milliseconds; it is claimed in any case.
  await expect.poll(() => told).toEqual(["soon", expect.stringMatching(/^(tasks|stored)$/)]);
  await Promise.all(claims);
  expect(claimed).toEqual([task.id]);
  // In the order of each connection.
  const sent = proxy
    .statements(/dure:(awaitInsert|claimFirstTasks)/)
    .map((text) => /dure:(\w+)/.exec(text)![1]);
  expect(sent[sent.indexOf("awaitInsert") + 1]).toBe("claimFirstTasks");
});

test("an insert that does not end is given up, and the claim brings what else there is", async () => {
  const { store, told } = await idleWorker(url);
  const holder = await connect();
  await holder.query("BEGIN; SELECT pg_advisory_xact_lock(4503599627370497)");
  const other = await open(`${url}?listen=off`);
  const task = newTask();
  ok(await other.enqueueTasks([task]));
  const teller = await connect();
  const notify = (payload: string) => teller.query("SELECT pg_notify($1, $2)", [channelOf("dure"), payload]);
  await notify("elsewhere soon 4503599627370497");
  await expect.poll(() => told).toEqual(["soon"]);
  const { claimed } = ok(await store.claimTasks(claimRequest({ waitMs: 1_000 })));
  expect(claimed.map((one) => one.task.id)).toEqual([task.id]);
  // And nothing is waited for now.
  await notify("elsewhere soon 4503599627370498");
  await notify("elsewhere tasks 4503599627370497");
  await expect.poll(() => told).toEqual(["soon", "tasks"]);
});

/** A server that forgets what nobody waited for, when it is killed; and who listens to what is sent to it. */
async function startForgetful(): Promise<{ server: PostgresServer; proxy: CuttingProxy; store: TaskStore }> {
  const server = await PostgresServer.start({ settings: { wal_writer_delay: "10s" } });
  closing.push(() => server.remove());
  const proxy = await CuttingProxy.start(server.url());
  closing.push(() => proxy.close());
  const store = await open(`${proxy.url(server.url())}?prepare=off`);
  return { server, proxy, store };
}

async function hasAfterKill(server: PostgresServer, id: string): Promise<boolean> {
  await server.kill();
  await server.start();
  return (await server.query("SELECT id FROM dure.tasks WHERE id = $1", [id])).length === 1;
}

test.each([{}, { idempotencyKey: "key" }])(
  "what was announced %j is on the disk when that is said",
  async (given) => {
    const { server, proxy, store } = await startForgetful();
    const task = newTask(given);
    ok(await store.enqueueTasks([task]));
    expect(proxy.statements(/dure:insertAnnouncedTask/)).toHaveLength(1);
    expect(await hasAfterKill(server, task.id)).toBe(true);
  },
);

test("a task that is seen before it is on the disk is not said to be stored when its connection is lost", async () => {
  const { server, proxy, store } = await startForgetful();
  const task = newTask();
  const lost = proxy.loseAnswer(/dure:onDisk/, { forward: false });
  ok(await store.enqueueTasks([task]));
  await lost;
  // It is stored again, and found by its id unless the lost one took it along in one piece on the way to the server.
  expect(proxy.statements(/dure:insertNewTask/)).toHaveLength(1);
  expect(await hasAfterKill(server, task.id)).toBe(true);
});
