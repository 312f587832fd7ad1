/** F51: a pooler that hands out another session for every transaction stands between. */
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { channelOf } from "../../server/tasks/stores/postgres/announcing/notifier.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newWorker } from "../support/builders.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { poolers, type RunningPooler } from "../support/poolers.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 60_000 });

describe.each(poolers)("through $name", ({ missing, start }) => {
  let schema: TestSchema;
  let pooler: RunningPooler;
  let world: FaultWorld | undefined;

  beforeEach(async ({ skip }) => {
    if (missing) skip(missing);
    schema = await createTestSchema();
    pooler = await start(schema.url, { size: 3 });
  });
  afterEach(async () => {
    await world?.close();
    world = undefined;
    await pooler?.close();
    await schema?.drop();
  });

  test.each(["", "&prepare=off", "&listen=off", "&prepare=off&listen=off"])(
    "tasks are enqueued, run, cancelled, retried, searched and reaped (%s)",
    async (options) => {
      world = await FaultWorld.open({ url: `${pooler.url(schema.url)}${options}`, checkUrl: schema.url });
      const load = world.load();
      const takenBack = world.loseWorker();
      const { id } = await world.caller.enqueueTask("resize-image", {}, { delay: "1h" });
      world.acknowledged.add(id);
      expect((await world.caller.cancelTask(id)).requested).toBe(false);
      expect((await world.caller.retryTask(id)).status).toBe("PENDING");
      expect(await world.caller.searchTasks({ type: "resize-image" })).not.toEqual([]);
      await world.until("enough tasks", () => world!.acknowledged.size > 20);
      await takenBack;
      await load.end();
      expect([...world.refusals]).toEqual([]);
      await world.check();
    },
  );

  test("what a session is handed of its own notifications proves nothing", async () => {
    const listener = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    await listener.connect();
    await listener.query(`LISTEN "dure:${schema.name.replaceAll('"', '""')}"`);
    const check = new Promise<pg.Notification>((resolve) => listener.once("notification", resolve));
    const store = createPostgresStore({ url: pooler.url(schema.url) });
    try {
      await store.open();
      store.onChange(() => undefined);
      expect((await check).payload).toMatch(/check$/);
      await store.stats();
      expect(store.pace.pollMs).toBe(2_000);
    } finally {
      await store.close();
      await listener.end();
    }
  });

  test("a session that is handed on has no setting of a lease's connection, though a notification came through", async () => {
    const shared = await start(schema.url, { size: 1 });
    const direct = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    const store = createPostgresStore({ url: shared.url(schema.url) });
    await direct.connect();
    try {
      await store.open();
      ok(await store.registerWorker(newWorker()));
      let beats = 0;
      const onBeat = () => {
        beats += 1;
      };
      const waiting =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%renewLease%'";
      const lease = store.holdLease({
        workerId: "worker-1",
        leaseMs: 15_000,
        beatMs: 20,
        maxBlockMs: 60_000,
        onBeat,
      });
      // Before its first beat another connection renews the lease, and the one session answers them in turn.
      await expect.poll(() => beats).toBeGreaterThan(2);
      await direct.query(`BEGIN; LOCK TABLE ${schema.quoted}.workers`);
      await expect.poll(async () => (await schema.query(waiting)).length).toBe(1);
      // It is handed over with the answer to the beat.
      await schema.query("SELECT pg_notify($1, 'somebody tasks')", [channelOf(schema.name)]);
      await direct.query("COMMIT");
      await expect.poll(() => store.pace.pollMs).toBe(5_000);
      const before = beats;
      await expect.poll(() => beats).toBeGreaterThan(before + 2);
      await lease.release();
      expect(await settingOf(shared.url(schema.url), "plan_cache_mode")).toBe("auto");
    } finally {
      await direct.end();
      await store.close();
      await shared.close();
    }
  });

  test("who listens on a connection of its own hears of what is enqueued through it", async () => {
    const direct = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
    const store = createPostgresStore({ url: pooler.url(schema.url) });
    await direct.connect();
    try {
      await direct.query(`LISTEN "${channelOf(schema.name).replaceAll('"', '""')}"`);
      const heard: (string | undefined)[] = [];
      direct.on("notification", ({ payload }) => heard.push(payload));
      await store.open();
      ok(await store.enqueueTasks([newTask()]));
      // Maybe after an announcement of the same number: see announcements.ts.
      await expect.poll(() => heard.at(-1)).toMatch(/ tasks( \d+)?$/);
    } finally {
      await store.close();
      await direct.end();
    }
  });

  test("a task starts within a poll, notified or not", async () => {
    world = await FaultWorld.open({ url: pooler.url(schema.url), checkUrl: schema.url, workers: 1 });
    for (let round = 0; round < 2; round += 1) {
      const at = performance.now();
      const id = await world.enqueue();
      await world.until("its start", () => world!.startsOf(id!) > 0);
      // A poll is 2 s; the rest is for a machine that is busy.
      expect(performance.now() - at).toBeLessThan(4_000);
    }
    await world.check();
  });
});

async function settingOf(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url.replace(/\?.*/, "") });
  await client.connect();
  try {
    return (await client.query(`SELECT current_setting('${name}') AS setting`)).rows[0].setting;
  } finally {
    await client.end();
  }
}
