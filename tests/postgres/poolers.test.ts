/** F51: a pooler that hands out another session for every transaction stands between. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { poolers, type RunningPooler } from "../support/poolers.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

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
      await sleep(500);
      const { id } = await world.caller.enqueueTask("resize-image", {}, { delay: "1h" });
      world.acknowledged.add(id);
      expect((await world.caller.cancelTask(id)).requested).toBe(false);
      expect((await world.caller.retryTask(id)).status).toBe("PENDING");
      expect(await world.caller.searchTasks({ type: "resize-image" })).not.toEqual([]);
      await world.until("enough tasks", () => world!.acknowledged.size > 20);
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
