/** F56 to F58, F67, F68: other sessions that hold rows, locks and snapshots, and our own that must not. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FaultWorld } from "../support/fault-world.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

vi.setConfig({ testTimeout: 60_000 });

let schema: TestSchema;
let world: FaultWorld;
const clients: pg.Client[] = [];

beforeEach(async () => {
  schema = await createTestSchema();
  world = await FaultWorld.open({ url: schema.url });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
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
  const idle: unknown[] = [];
  const long: unknown[] = [];
  for (let look = 0; look < 150; look += 1) {
    const rows = await schema.query(
      `SELECT state, left(query, 200) AS query, clock_timestamp() - xact_start > '2s' AS is_long,
          clock_timestamp() - state_change > '1500ms' AS is_stuck
        FROM pg_stat_activity WHERE application_name LIKE 'dure%' AND xact_start IS NOT NULL`,
    );
    long.push(...rows.filter(({ is_long }) => is_long));
    idle.push(...rows.filter(({ state, is_stuck }) => state?.startsWith("idle in transaction") && is_stuck));
    await sleep(20);
  }
  await load.end();
  expect({ idle, long }).toEqual({ idle: [], long: [] });
  await world.check();
});

test("pruning takes only what has ended and was not brought back meanwhile, beside a load", async () => {
  const load = world.load();
  await world.until(
    "a hundred ends",
    async () => (await world.caller.countTasks({ status: "COMPLETED" })) > 100,
  );
  const failing = world.caller.defineTask("send-receipt", async () => {});
  const { id } = await failing.enqueue({}, { delay: "1h" });
  await world.caller.cancelTask(id);
  await schema.query(
    "UPDATE :schema.tasks SET updated_at = 1, completed_at = 1, created_at = 1 WHERE id = $1",
    [id],
  );
  const [, pruned] = await Promise.allSettled([world.caller.retryTask(id), world.caller.prune()]);
  expect(pruned.status).toBe("fulfilled");
  const left = await world.caller.getTaskById(id);
  if (left) expect(["PENDING", "CANCELLED"]).toContain(left.status);
  await load.end();
  if (left?.status === "PENDING") await world.caller.cancelTask(id);
  await world.until(
    "the end of all",
    async () =>
      (await world.caller.countTasks({ type: "resize-image", status: ["PENDING", "RUNNING"] })) === 0,
  );
  for (const taskId of world.acknowledged) expect(await world.caller.getTaskById(taskId)).toBeDefined();
});
