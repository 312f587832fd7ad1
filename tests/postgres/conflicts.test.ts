/** F56 to F58, F67, F68: other sessions that hold rows, locks and snapshots, and our own that must not. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { FaultWorld } from "../support/fault-world.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { claimRequest, ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

let schema: TestSchema;
let world: FaultWorld;
const clients: pg.Client[] = [];
const stores: TaskStore[] = [];

beforeEach(async () => {
  schema = await takeTestSchema();
  world = await FaultWorld.open({ url: schema.url });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  for (const store of stores.splice(0)) await store.close();
  await world.close();
  await schema.drop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
  client.on("error", () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

async function openStore(url: string): Promise<TaskStore> {
  const store = createPostgresStore({ url });
  stores.push(store);
  await store.open();
  return store;
}

/** Whether such a statement waits for somebody's lock. */
async function isWaiting(statement: string): Promise<boolean> {
  const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
  return (await schema.query(text, [`%dure:${statement} %`])).length > 0;
}

test("transactions that lock tasks in every order cost a retry at most, never an error", async () => {
  const load = world.load({ callers: 4, pauseMs: 2 });
  const end = performance.now() + 1_500;
  const lockers = Array.from({ length: 3 }, async (_, place) => {
    const client = await connect();
    let deadlocks = 0;
    while (performance.now() < end) {
      const order = place % 2 === 0 ? "id" : "id DESC";
      try {
        await client.query("BEGIN");
        const { rows } = await client.query(
          `SELECT id FROM ${schema.quoted}.tasks WHERE status <= 2 ORDER BY ${order} LIMIT 20`,
        );
        for (const { id } of rows)
          await client.query(`UPDATE ${schema.quoted}.tasks SET description = 'seen' WHERE id = $1`, [id]);
        await client.query("COMMIT");
      } catch (error) {
        expect((error as { code: string }).code).toBe("40P01");
        deadlocks += 1;
        await client.query("ROLLBACK");
      }
      await sleep(5);
    }
    return deadlocks;
  });
  const sweeping = (async () => {
    while (performance.now() < end) {
      await world.caller.prune();
      await sleep(20);
    }
  })();
  const deadlocks = await Promise.all(lockers);
  await sweeping;
  await world.until("enough tasks", () => world.acknowledged.size > 50);
  await load.end();
  console.log(`Deadlocks that the others met: ${deadlocks.reduce((sum, count) => sum + count, 0)}`);
  expect([...world.refusals]).toEqual([]);
  expect(world.logged.filter((line) => /deadlock|40P01|40001/.test(line))).toEqual([]);
  await world.check();
});

test("what the server ends to break a deadlock is done again", async () => {
  // Of two who wait for each other, the server ends the one that has waited for this long.
  const store = await openStore(`${schema.url}&options=${encodeURIComponent("-c deadlock_timeout=500ms")}`);
  ok(await store.registerWorker({ ...newWorker(), types: ["send-receipt"] }));
  ok(await store.enqueueTasks(newTasks(2, { type: "send-receipt" })));
  const claimed = ok(await store.claimTasks(claimRequest({ types: ["send-receipt"] }))).claimed;
  const other = await connect();
  await other.query("SET deadlock_timeout = '20s'; BEGIN");
  const lock = (place: number) =>
    other.query(`UPDATE ${schema.quoted}.tasks SET tags = tags WHERE id = $1`, [claimed[place]!.task.id]);
  await lock(1);
  const settled = store.settleTasks(claimed.map((one) => settlementOf(one, "completed")));
  await world.until("the settlement waits", () => isWaiting("settleCompleted"));
  await lock(0);
  await other.query("COMMIT");
  expect(ok(await settled).map(({ kind }) => kind)).toEqual(["settled", "settled"]);
});

test("a task whose row somebody holds waits alone; the others run", async () => {
  const holder = await connect();
  const { id } = await world.caller.enqueueTask("resize-image", {}, { delay: 400 });
  world.acknowledged.add(id);
  await holder.query("BEGIN");
  await holder.query(`SELECT FROM ${schema.quoted}.tasks WHERE id = $1 FOR UPDATE`, [id]);
  await sleep(500);
  for (let count = 0; count < 30; count += 1) await world.enqueue();
  await world.until(
    "the end of the others",
    async () => (await world.caller.countTasks({ status: "PENDING" })) === 1,
  );
  expect(world.startsOf(id)).toBe(0);
  await holder.query("COMMIT");
  await world.check();
});

test("a transaction that stays open elsewhere holds up nothing", async () => {
  const holder = await connect();
  await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await holder.query(`SELECT count(*) FROM ${schema.quoted}.tasks`);
  const load = world.load();
  await sleep(800);
  await load.end();
  await world.check();
});

test("no session of ours holds a transaction open", async () => {
  const load = world.load({ callers: 8, pauseMs: 1 });
  let seen = 0;
  const idle: unknown[] = [];
  const long: unknown[] = [];
  for (let look = 0; look < 150; look += 1) {
    const rows = await schema.query(
      `SELECT state, left(query, 200) AS query, clock_timestamp() - xact_start > '2s' AS is_long,
          clock_timestamp() - state_change > '1500ms' AS is_stuck
        FROM pg_stat_activity WHERE application_name LIKE 'dure%' AND xact_start IS NOT NULL`,
    );
    seen += rows.length;
    long.push(...rows.filter(({ is_long }) => is_long));
    idle.push(...rows.filter(({ state, is_stuck }) => state?.startsWith("idle in transaction") && is_stuck));
    await sleep(20);
  }
  await load.end();
  expect({ idle, long }).toEqual({ idle: [], long: [] });
  expect(seen, "transactions of ours").toBeGreaterThan(0);
  await world.check();
});

test("pruning takes only what has ended and was not brought back meanwhile, beside a load", async () => {
  const load = world.load();
  const store = await openStore(schema.url);
  const definition = world.caller.defineTask("send-receipt", async () => {});
  const [back, old] = await definition.enqueueMany([1, 2].map((payload) => ({ payload, delay: "1h" })));
  for (const { id } of [back!, old!]) await world.caller.cancelTask(id);
  // The retry has begun, and is not committed when the pruning meets its task.
  const holder = await connect();
  await holder.query("BEGIN");
  await holder.query(`SELECT FROM ${schema.quoted}.tasks WHERE id = $1 FOR UPDATE`, [back!.id]);
  const retried = world.caller.retryTask(back!.id);
  await world.until("the retry waits", () => isWaiting("lockTask"));
  const pruned = store.pruneTasks({ status: "CANCELLED", limit: 10 });
  await world.until("the end of the other", async () => !(await store.getTask(old!.id)));
  await holder.query("COMMIT");
  await retried;
  expect(ok(await pruned)).toBe(1);
  expect(ok(await store.pruneTasks({ status: "CANCELLED", limit: 10 }))).toBe(0);
  await world.caller.prune();
  expect(await store.getTask(back!.id)).toMatchObject({ status: "PENDING" });
  await load.end();
  await world.caller.cancelTask(back!.id);
  world.acknowledged.add(back!.id);
  await world.check();
});
