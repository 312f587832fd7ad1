/** The thread that renews leases and listens: what becomes of its connection, of the main thread, and of what is notified. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Beat, LeaseRequest, News, TaskStore } from "../../server/tasks/core/store.ts";
import { LeaseLink } from "../../server/tasks/stores/postgres/leases/lease-link.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { newTask, newWorker } from "../support/builders.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import type { TestSchema } from "../support/postgres.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { takeTestSchema } from "../support/spare-schemas.ts";
import { endThreads, holdMessages, noteThreads } from "../support/store-threads.ts";
import { ok } from "../support/stores.ts";

const closing: (() => Promise<unknown>)[] = [];
let schema: TestSchema;

beforeEach(async () => {
  schema = await takeTestSchema();
  closing.push(schema.drop);
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

/** Registers worker-1, holds its lease, and counts its beats. */
async function hold(store: TaskStore, request: Partial<LeaseRequest> = {}) {
  await store.registerWorker(newWorker());
  const beats: Beat[] = [];
  const lease = store.holdLease({
    workerId: "worker-1",
    leaseMs: 15_000,
    beatMs: 50,
    maxBlockMs: 60_000,
    onBeat: (beat) => beats.push(beat),
    ...request,
  });
  lease.alive();
  await expect.poll(() => beats.length).toBeGreaterThan(0);
  return { beats, lease };
}

async function renewals(store: TaskStore): Promise<number> {
  return (await store.listWorkers()).find(({ id }) => id === "worker-1")!.renewals;
}

function blockMainThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a main thread that is blocked keeps its leases", async () => {
  const store = await open(schema.url);
  await hold(store);
  const before = await renewals(store);
  blockMainThread(1_000);
  expect(await renewals(store)).toBeGreaterThan(before + 8);
});

test("a main thread that is blocked for too long loses them", async () => {
  const store = await open(schema.url);
  await hold(store, { maxBlockMs: 200 });
  const before = await renewals(store);
  blockMainThread(1_500);
  expect(await renewals(store)).toBeLessThan(before + 8);
});

test("a lease is renewed on the pool until its thread beats, and again when that has died", async () => {
  const store = await open(schema.url);
  ok(await store.registerWorker(newWorker()));
  noteThreads();
  const link = new LeaseLink(schema.url, "own", { changed: () => undefined, prove: () => undefined });
  closing.push(() => link.close());
  const go = holdMessages();
  const [beats, onPool]: [Beat[], Beat[]] = [[], []];
  const lease = link.hold(
    {
      workerId: "worker-1",
      leaseMs: 15_000,
      beatMs: 20,
      maxBlockMs: 60_000,
      onBeat: (one) => beats.push(one),
    },
    async () => {
      onPool.push({ alive: true, owned: [] });
      return onPool.at(-1)!;
    },
  );
  lease.alive();
  await expect.poll(() => onPool.length).toBeGreaterThan(2);
  expect(beats).toEqual([]);
  const threadAlone = async () => {
    const before = beats.length;
    await expect.poll(() => beats.length).toBeGreaterThan(before);
    const [own, pools] = [beats.length, onPool.length];
    await expect.poll(() => beats.length).toBeGreaterThan(own + 5);
    expect(onPool).toHaveLength(pools);
  };
  go();
  await threadAlone();
  const before = onPool.length;
  expect(await endThreads()).toBe(1);
  await expect.poll(() => onPool.length).toBeGreaterThan(before + 2);
  await threadAlone();
});

test("beats go on after a restart of the server", async () => {
  const server = await PostgresServer.start();
  closing.push(() => server.remove());
  const store = await open(server.url());
  const { beats } = await hold(store);
  await server.restart("immediate");
  const before = beats.length;
  await expect.poll(() => beats.length).toBeGreaterThan(before + 3);
  expect(beats.at(-1)).toMatchObject({ alive: true });
});

test("beats go on, well within a lease, when the connection falls silent", async () => {
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const { beats } = await hold(await open(proxy.url(schema.url)));
  await expect.poll(() => proxy.silence(/LISTEN/)).toBe(1);
  await sleep(50);
  const before = beats.length;
  const began = performance.now();
  await expect.poll(() => beats.length, { timeout: 14_000 }).toBeGreaterThan(before);
  expect(performance.now() - began).toBeLessThan(8_000);
});

test("a store that only listens finds out as well, and hears again", async () => {
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const [listener, other] = [await open(proxy.url(schema.url)), await open(schema.url)];
  const heard: (News | undefined)[] = [];
  listener.onChange((news) => heard.push(news));
  // A connection that fell silent before it listened would never be told of.
  await expect.poll(() => heard).toEqual([undefined]);
  await expect.poll(() => listener.pace.pollMs).toBe(5_000);
  await expect.poll(() => proxy.silence(/LISTEN/)).toBe(1);
  // Within 15 s of silence, when it is given up and when it is replaced; the rest is for a machine that is busy.
  await expect
    .poll(() => heard, { timeout: 25_000, interval: 100 })
    .toEqual([undefined, undefined, undefined]);
  heard.length = 0;
  ok(await other.enqueueTasks([newTask()]));
  await expect.poll(() => heard).toContain("tasks");
});

test("what another process does is heard by its kind, and what this one does once", async () => {
  const [store, other] = [await open(schema.url), await open(schema.url)];
  const heard: (News | undefined)[] = [];
  store.onChange((news) => heard.push(news));
  await expect.poll(() => heard).toEqual([undefined]);
  ok(await other.enqueueTasks([newTask({ id: "a" })]));
  await expect.poll(() => heard).toEqual([undefined, "tasks"]);
  ok(await store.cancelTask("a"));
  await sleep(100);
  expect(heard).toEqual([undefined, "tasks", "ends"]);
});

test("tasks are looked for more seldom while notifications are seen to arrive", async () => {
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const store = await open(proxy.url(schema.url));
  const heard: (News | undefined)[] = [];
  expect(store.pace.pollMs).toBe(2_000);
  store.onChange((news) => heard.push(news));
  await expect.poll(() => store.pace.pollMs).toBe(5_000);
  heard.length = 0;
  proxy.refuses = true;
  proxy.cut(/LISTEN/);
  // Whoever waits for the next look is told to look now.
  await expect.poll(() => heard).toEqual([undefined]);
  expect(store.pace.pollMs).toBe(2_000);
});

test("with listen=off nothing is listened to or notified, and leases are renewed", async () => {
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const store = await open(`${proxy.url(schema.url)}&listen=off`);
  store.onChange(() => undefined);
  await hold(store);
  ok(await store.enqueueTasks([newTask()]));
  await sleep(100);
  expect(proxy.statements(/LISTEN|notify/i)).toEqual([]);
  expect(
    (await store.checkHealth({ full: false })).find(({ check }) => check === "notifications")?.level,
  ).toBe("ok");
});

test("that notifications do not arrive is told by the doctor", async () => {
  const proxy = await CuttingProxy.start(schema.url);
  closing.push(() => proxy.close());
  const store = await open(proxy.url(schema.url));
  const finding = async () =>
    (await store.checkHealth({ full: false })).find(({ check }) => check === "notifications");
  expect(await finding()).toMatchObject({ level: "ok" });
  proxy.dropsNotifications = true;
  expect(await finding()).toMatchObject({ level: "warning", next: expect.stringContaining("listen=off") });
});
