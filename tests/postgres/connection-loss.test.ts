/** F44, F45, F49: the server or the network goes away under load, for a moment or for good. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { PostgresServer } from "../support/postgres-server.ts";

vi.setConfig({ testTimeout: 60_000 });

let server: PostgresServer;
let world: FaultWorld | undefined;
let proxy: CuttingProxy | undefined;

beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server.remove());
afterEach(async () => {
  proxy?.heal();
  await world?.close();
  await proxy?.close();
  world = proxy = undefined;
  await server.query("DROP SCHEMA IF EXISTS dure CASCADE");
});

test("backends that are terminated again and again cost no task, and no error that isn't ours", async () => {
  world = await FaultWorld.open({ url: server.url() });
  const load = world.load();
  let terminated = 0;
  for (let round = 0; round < 8; round += 1) {
    await sleep(150 + 200 * Math.random());
    terminated += await server.terminateBackends();
  }
  await world.until("enough tasks", () => world!.acknowledged.size > 100);
  await load.end();
  expect(terminated).toBeGreaterThan(20);
  await world.workersGoOn();
  await world.check();
});

test.each(["fast", "immediate", "kill"] as const)(
  "a server that is restarted under load (%s) costs no acknowledged task",
  async (how) => {
    world = await FaultWorld.open({ url: server.url() });
    const load = world.load();
    for (let round = 0; round < 3; round += 1) {
      await sleep(300 + 300 * Math.random());
      if (how === "kill") await server.kill();
      else await server.stop(how);
      await sleep(200 * Math.random());
      await server.start();
    }
    await sleep(300);
    await load.end();
    await world.workersGoOn();
    await world.check();
  },
);

test("a server that is away for longer than a call waits is told to the caller, and workers go on when it is back", async () => {
  world = await FaultWorld.open({ url: server.url(), workers: 1 });
  await server.stop("immediate");
  const asked = performance.now();
  expect(await world.enqueue()).toBeUndefined();
  expect([...world.refusals.keys()]).toEqual(["DATABASE_UNAVAILABLE"]);
  expect(performance.now() - asked, "a caller waits some seconds at most").toBeLessThan(10_000);
  const loggedMeanwhile = world.logged.length;
  await sleep(1_000);
  expect(world.logged.length - loggedMeanwhile, "lines logged in a second").toBeLessThan(20);
  await server.start();
  expect(await world.workersGoOn()).toBeLessThan(8_000);
  await world.check();
});

test("a network that cuts every connection and refuses new ones for a moment costs nothing", async () => {
  proxy = await CuttingProxy.start(server.url());
  world = await FaultWorld.open({ url: proxy.url(server.url()), checkUrl: server.url() });
  const load = world.load();
  for (let round = 0; round < 5; round += 1) {
    await sleep(200 + 200 * Math.random());
    proxy.refuses = true;
    expect(proxy.cut()).toBeGreaterThan(0);
    await sleep(200 * Math.random());
    proxy.heal();
  }
  await load.end();
  await world.workersGoOn();
  await world.check();
});

test("a slow network slows, and loses nothing", async () => {
  proxy = await CuttingProxy.start(server.url());
  world = await FaultWorld.open({ url: proxy.url(server.url()), checkUrl: server.url(), workers: 1 });
  proxy.delayMs = 100;
  const load = world.load();
  await sleep(1_000);
  await world.until("enough starts", () => world!.starts > 2);
  await load.end();
  await world.check();
});

test("connections that fall silent without a word are found out, and workers go on", async () => {
  proxy = await CuttingProxy.start(server.url());
  world = await FaultWorld.open({ url: proxy.url(server.url()), checkUrl: server.url() });
  const load = world.load();
  await sleep(500);
  expect(proxy.silence()).toBeGreaterThan(3);
  // Fifteen seconds until the last of them is found out, since a statement may begin on one while another is waited for.
  const tookMs = await world.workersGoOn(20_000);
  await load.end();
  console.log(`Half-open connections: workers went on after ${Math.round(tookMs)} ms`);
  await world.check();
});
