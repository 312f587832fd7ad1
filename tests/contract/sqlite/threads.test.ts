/** A store whose threads die goes on with others. See tests/crash/handlers.test.ts for a worker whose threads die. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Beat, NewTask } from "../../../server/tasks/core/store.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newWorker } from "../../support/builders.ts";
import { countOf } from "../../support/found.ts";
import { endThreads, holdThreads, noteThreads, threadsSoFar } from "../../support/store-threads.ts";
import { ok } from "../../support/stores.ts";
import { TestClock } from "../../support/test-clock.ts";

let folder: string;
let path: string;

beforeAll(noteThreads);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-threads-"));
  path = join(folder, "tasks.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

async function openStore() {
  const store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  return store;
}

test("what a thread that died was asked is unknown or refused; another one answers what is asked next", async () => {
  const store = await openStore();
  ok(await store.enqueueTasks([newTask({ id: "before" })]));
  expect(await countOf(store.countTasks(newSearch()))).toBe(1);
  // They do no more from here on, which nobody knows yet.
  const ended = endThreads();
  const [written, read] = await Promise.allSettled([
    store.enqueueTasks([newTask({ id: "under-way" })]),
    store.countTasks(newSearch()),
  ]);
  expect(await ended).toBe(2);
  expect(written).toMatchObject({
    value: {
      kind: "unknown",
      cause: { code: "DATABASE_UNAVAILABLE", message: expect.stringContaining("The thread that writes") },
    },
  });
  expect(read).toMatchObject({
    reason: {
      code: "DATABASE_UNAVAILABLE",
      message: expect.stringMatching(/reads .+ has died\. Another one is started/),
    },
  });
  ok(await store.enqueueTasks([newTask({ id: "under-way-2" })]));
  expect(await store.getTask("before")).toMatchObject({ id: "before" });
  expect(await store.getTask("under-way-2")).toMatchObject({ id: "under-way-2" });
  await store.close();
});

test("what is asked while a search takes long is answered by another thread, and the search when it is done", async () => {
  const store = await openStore();
  ok(await store.enqueueTasks([newTask({ id: "short" })]));
  expect(await countOf(store.countTasks(newSearch()))).toBe(1);
  const first = threadsSoFar();
  const letGo = holdThreads();
  let isDone = false;
  const long = countOf(store.countTasks(newSearch())).finally(() => {
    isDone = true;
  });
  await sleep(150);
  expect(await store.getTask("short")).toMatchObject({ id: "short" });
  expect(await store.getTask("short")).toMatchObject({ id: "short" });
  expect(isDone).toBe(false);
  letGo();
  expect(await long).toBe(1);
  // What it has done since is seen by both.
  ok(await store.enqueueTasks([newTask({ id: "later" })]));
  // What is read to be indexed does not wait for a search at all, once there are two.
  const letGoAgain = holdThreads(first);
  const another = countOf(store.countTasks(newSearch()));
  await turn();
  expect(await store.readUnindexed({ limit: 10 })).toHaveLength(2);
  // Others do, but not for long.
  await sleep(30);
  expect(await store.getTask("short")).toMatchObject({ id: "short" });
  letGoAgain();
  expect(await another).toBe(2);
  expect(await countOf(store.countTasks(newSearch()))).toBe(2);
  await store.close();
});

test("a batch whose first part went to a thread that died is stored whole or not at all", async () => {
  const store = await openStore();
  async function* parts(): AsyncIterable<readonly NewTask[]> {
    yield [newTask({ id: "first" })];
    await turn();
    expect(await endThreads()).toBe(1);
    yield [newTask({ id: "second" })];
  }
  await expect(store.enqueueTasks(parts())).rejects.toThrow(/Nothing was enqueued; enqueue them again/);
  expect(await countOf(store.countTasks(newSearch()))).toBe(0);
  await store.close();
});

test("the next thread keeps the leases, tells of changes, and says once what happened", async () => {
  const store = await openStore();
  ok(await store.registerWorker(newWorker("w1")));
  const beats: Beat[] = [];
  let beaten = Promise.withResolvers<void>();
  const onBeat = (beat: Beat) => {
    beats.push(beat);
    beaten.resolve();
  };
  const lease = store.holdLease({ workerId: "w1", leaseMs: 30, beatMs: 10, maxBlockMs: 60_000, onBeat });
  let changed = Promise.withResolvers<void>();
  const unwatch = store.onChange(() => changed.resolve());
  await beaten.promise;
  beaten = Promise.withResolvers();
  beats.length = 0;
  await endThreads();
  await changed.promise;
  await beaten.promise;
  changed = Promise.withResolvers();
  ok(await store.enqueueTasks([newTask()]));
  await changed.promise;
  beaten = Promise.withResolvers();
  await beaten.promise;
  expect(beats.every(({ alive }) => alive)).toBe(true);
  expect(beats.filter(({ trouble }) => trouble?.includes("has died"))).toHaveLength(1);

  // No other process can take the worker for dead: its lock file is held again.
  const other = await openStore();
  expect(ok(await other.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 60_000 }))).toMatchObject({
    buried: [],
  });
  await other.close();
  unwatch();
  await lease.release();
  await store.close();
});

test("an answer that came while the process was at something long is heard before another thread is started", async () => {
  const store = await openStore();
  expect(await countOf(store.countTasks(newSearch()))).toBe(0);
  const block = (ms: number) => {
    for (const until = performance.now() + ms; performance.now() < until; );
  };
  const asked = [countOf(store.countTasks(newSearch()))];
  block(150);
  asked.push(countOf(store.countTasks(newSearch())));
  await turn();
  block(150);
  asked.push(countOf(store.countTasks(newSearch())));
  expect(await Promise.all(asked)).toEqual([0, 0, 0]);
  // The one that reads alone: nothing was written.
  expect(await endThreads()).toBe(1);
  await store.close();
});
