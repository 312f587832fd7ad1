/** F50 to F55: a notification is a hint; nothing but haste depends on it. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultWorld } from "../support/fault-world.ts";
import type { TestSchema } from "../support/postgres.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";

vi.setConfig({ testTimeout: 60_000 });

let schema: TestSchema;
let proxy: CuttingProxy;
let world: FaultWorld;
const clients: pg.Client[] = [];

beforeEach(async () => {
  schema = await takeTestSchema();
  proxy = await CuttingProxy.start(schema.url);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  proxy.heal();
  await world.close();
  await proxy.close();
  await schema.drop();
});

const open = (options: Partial<Parameters<typeof FaultWorld.open>[0]> = {}) =>
  FaultWorld.open({ url: proxy.url(schema.url), checkUrl: schema.url, workers: 1, ...options });

/** From the enqueue of a task to its start, in milliseconds. */
async function startDelay(): Promise<number> {
  const at = performance.now();
  const id = await world.enqueue();
  await world.until("its start", () => world.startsOf(id!) > 0);
  return performance.now() - at;
}

test("without a single notification work is found within a poll", async () => {
  world = await open();
  proxy.dropsNotifications = true;
  for (let round = 0; round < 3; round += 1) {
    // A poll is 5 s as long as they are taken to arrive; the rest is for a machine that is busy.
    expect(await startDelay()).toBeLessThan(7_000);
    await sleep(200 * Math.random());
  }
  expect(proxy.dropped).toBeGreaterThanOrEqual(3);
  await world.check();
});

test("a listener that is cut off listens again", async () => {
  world = await open();
  await world.until("a listener", () => proxy.cut(/LISTEN/) > 0);
  await world.until("it listens again", () => proxy.silence(/LISTEN/) > 0, 15_000);
  await world.check();
});

test("a listener that falls silent is found out within fifteen seconds", async () => {
  world = await open();
  await world.until("a listener", () => proxy.silence(/LISTEN/) > 0);
  const at = performance.now();
  const { accepted } = proxy;
  await world.until("a new connection", () => proxy.accepted > accepted && proxy.cut(/LISTEN/) > 0, 25_000);
  // The rest is for a machine that is busy.
  expect(performance.now() - at).toBeLessThan(18_000);
  await world.check();
});

test("what is notified is small, says little, and is said seldom", async () => {
  const queue = "long".repeat(30);
  world = await open({ worker: { queues: ["default", queue] } });
  const listener = new pg.Client({ connectionString: schema.url.replace(/\?.*/, "") });
  await listener.connect();
  clients.push(listener);
  const heard: pg.Notification[] = [];
  listener.on("notification", (message) => heard.push(message));
  const channels = new Set<string>();
  for (const text of await listenedTo()) channels.add(text);
  for (const channel of channels) await listener.query(`LISTEN ${channel}`);
  const at = performance.now();
  const load = world.load({ callers: 8, pauseMs: 1 });
  const { id } = await world.caller.enqueueTask("resize-image", {}, { queue });
  world.acknowledged.add(id);
  await sleep(1_000);
  await load.end();
  const seconds = (performance.now() - at) / 1_000;
  expect(heard.length).toBeGreaterThan(0);
  // Fifty at once and thirty a second of each process, however much is stored; and as many announcements.
  const kindOf = (payload: string) => payload.replace(/ (?!soon).*/, "").replace(/ soon.*/, " soon");
  const bySender = Map.groupBy(heard, ({ payload = "" }) => kindOf(payload));
  for (const said of bySender.values()) expect(said.length).toBeLessThanOrEqual(51 + 30 * seconds);
  for (const { payload = "" } of heard) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(64);
  await world.check();

  /** The channels that the worker listens to, as its statements name them. */
  async function listenedTo(): Promise<string[]> {
    let found: string[] = [];
    await world.until("a LISTEN", () => {
      found = proxy.statements(/LISTEN/).map((text) => /LISTEN\s+("(?:[^"]|"")+"|\w+)/.exec(text)?.[1] ?? "");
      return found.length > 0;
    });
    return found.filter((channel) => channel !== "");
  }
});
