/** F46: the server that took writes takes none any more, and another one does. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { FaultWorld } from "../support/fault-world.ts";
import { PostgresServer } from "../support/postgres-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const servers: PostgresServer[] = [];
let world: FaultWorld | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
  for (const server of servers.splice(0)) await server.remove();
});

async function startPair(): Promise<{ primary: PostgresServer; standby: PostgresServer; url: string }> {
  // With a synchronous standby nothing that was acknowledged is lost with the primary.
  const primary = await PostgresServer.start();
  servers.push(primary);
  const standby = await primary.createStandby();
  servers.push(standby);
  await primary.set({ synchronous_standby_names: "*" });
  return {
    primary,
    standby,
    url: `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`,
  };
}

test.each(["first", "second"] as const)(
  "with two hosts, the one that takes writes is found when it is the %s",
  async (place) => {
    const { primary, standby, url } = await startPair();
    const reversed = `postgres://postgres@127.0.0.1:${standby.port},127.0.0.1:${primary.port}/postgres`;
    world = await FaultWorld.open({ url: place === "first" ? url : reversed, workers: 1 });
    for (let count = 0; count < 10; count += 1) expect(await world.enqueue()).toBeDefined();
    await world.check();
  },
);

test("when the primary dies and its standby is promoted, workers and callers go over to it by themselves", async () => {
  const { primary, standby, url } = await startPair();
  world = await FaultWorld.open({ url, checkUrl: url });
  const load = world.load();
  await sleep(600);
  await primary.kill();
  await sleep(300);
  await standby.promote();
  const promotedAt = performance.now();
  await world.workersGoOn();
  console.log(
    `Failover: workers went on ${Math.round(performance.now() - promotedAt)} ms after the promotion`,
  );
  expect(performance.now() - promotedAt).toBeLessThan(10_000);
  await sleep(300);
  await world.until("enough tasks", () => world!.acknowledged.size > 50);
  await load.end();
  await world.check();
});

test("a primary that comes back as a standby is left for the one that takes writes", async () => {
  const { primary, standby, url } = await startPair();
  world = await FaultWorld.open({ url, workers: 1 });
  await primary.set({ synchronous_standby_names: "" });
  await primary.caughtUp(standby);
  await primary.stop();
  await standby.promote();
  await primary.becomeStandbyOf(standby);
  await world.workersGoOn();
  for (let count = 0; count < 10; count += 1) expect(await world.enqueue()).toBeDefined();
  await world.check();
});

test("a server set to read only is told as such; workers wait without haste and go on when it writes again", async () => {
  const server = await PostgresServer.start();
  servers.push(server);
  world = await FaultWorld.open({ url: server.url(), workers: 1 });
  for (let round = 0; round < 2; round += 1) {
    await server.set({ default_transaction_read_only: "on" });
    expect(await world.enqueue()).toBeUndefined();
    expect([...world.refusals.keys()]).toEqual(["DATABASE_READ_ONLY"]);
    expect(await world.caller.countTasks({ definitions: false })).toBe(world.acknowledged.size);
    const before = await statementsOf(server);
    await sleep(1_000);
    expect((await statementsOf(server)) - before, "statements in a second").toBeLessThan(150);
    // What sets it back must not be read only itself.
    await server.set({ default_transaction_read_only: "off" });
    expect(await world.workersGoOn()).toBeLessThan(8_000);
  }
  await world.check();
});

async function statementsOf(server: PostgresServer): Promise<number> {
  const [{ count }] = await server.query(
    "SELECT sum(xact_commit + xact_rollback)::int AS count FROM pg_stat_database",
  );
  return count;
}
