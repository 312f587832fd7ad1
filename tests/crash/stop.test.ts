import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import type { WorkerProcess } from "../support/crash-world.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 120_000 });

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(async () => {
  await world.check();
  await world.remove();
});

/** What is RUNNING. */
const running = () => world.dure.countTasks({ status: "RUNNING" });

/** How many tasks the process said that it gave back. */
function givenBack(worker: WorkerProcess): number {
  const line = world.ledger
    .lines()
    .find(({ event, pid }) => event.startsWith("stopped") && pid === worker.pid);
  return Number(line?.event.split(" ")[1]);
}

/** Handlers that the process started after it was told to stop. */
function startedTooLate(worker: WorkerProcess): number {
  const mine = world.ledger.lines().filter(({ pid }) => pid === worker.pid);
  const stopping = mine.findIndex(({ event }) => event === "stopping");
  return mine.slice(stopping).filter(({ event }) => event === "start").length;
}

test("SIGTERM at any moment under load ends with exit code 0, starts nothing more, and leaves nothing RUNNING", async () => {
  world = new CrashWorld();
  const tasks = await world.enqueueAll(
    Array.from({ length: 1_500 }, (_, n) => ({ does: "wait", ms: n % 40 })),
  );
  for (let round = 0; round < 8; round += 1) {
    const worker = await world.start({ worker: { concurrency: 20, stopGrace: "2s" } });
    await new Promise((done) => setTimeout(done, Math.random() * 60));
    worker.stop();
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    expect(await running()).toBe(0);
    expect(startedTooLate(worker)).toBe(0);
  }
  await world.start({ worker: { concurrency: 100 } });
  for (const { status, attempts } of await world.allEnded(tasks)) {
    expect({ status, attempts }).toEqual({ status: "COMPLETED", attempts: 1 });
  }
  const outcomes = new Set((await Promise.all(tasks.map(({ id }) => world.outcomes(id)))).flat());
  expect([...outcomes].filter((outcome) => outcome !== "completed" && outcome !== "released")).toEqual([]);
});

test("what does not end within the grace period is given back uncharged, and the count is told", async () => {
  world = new CrashWorld();
  const worker = await world.start({ worker: { concurrency: 30, stopGrace: "600ms" } });
  const deaf = await world.enqueueAll(Array.from({ length: 6 }, () => ({ does: "never", calmFrom: 2 })));
  const obedient = await world.enqueueAll(Array.from({ length: 6 }, () => ({ does: "obey", calmFrom: 2 })));
  const quick = await world.enqueueAll(Array.from({ length: 6 }, () => ({ does: "wait", ms: 200 })));
  for (const { id } of [...deaf, ...obedient, ...quick]) await world.started(id);
  const asked = performance.now();
  worker.stop();
  expect((await worker.ended).code).toBe(0);
  expect(performance.now() - asked).toBeLessThan(600 + 1_000);
  expect(givenBack(worker)).toBe(6);
  for (const { id } of quick) expect(await world.outcomes(id)).toEqual(["completed"]);
  for (const { id } of [...deaf, ...obedient]) {
    expect(await world.task(id)).toMatchObject({ status: "PENDING", attempts: 0, crashes: 0 });
    expect(await world.outcomes(id)).toEqual(["released"]);
  }
  for (const { id } of obedient) expect(world.ledger.of("aborted shutdown", id)).toHaveLength(1);
  await world.start();
  for (const { status } of await world.allEnded([...deaf, ...obedient])) expect(status).toBe("COMPLETED");
});

test("a second signal gives everything back at once", async () => {
  world = new CrashWorld();
  const worker = await world.start({ worker: { stopGrace: "1h" } });
  const tasks = await world.enqueueAll(Array.from({ length: 5 }, () => ({ does: "never" })));
  for (const { id } of tasks) await world.started(id);
  worker.stop();
  await world.until("the first signal", () => world.ledger.of("stopping").length === 1);
  const asked = performance.now();
  worker.stop();
  expect((await worker.ended).code).toBe(0);
  expect(performance.now() - asked).toBeLessThan(4_000);
  expect(givenBack(worker)).toBe(5);
  for (const { id } of tasks) expect(await world.outcomes(id)).toEqual(["released"]);
});

test("a hundred handlers that end while the worker stops are all on record", async () => {
  world = new CrashWorld();
  const worker = await world.start({ worker: { concurrency: 100 } });
  const tasks = await world.enqueueAll(
    Array.from({ length: 100 }, (_, n) => ({ does: "wait", ms: 300 + (n % 10) })),
  );
  for (const { id } of tasks) await world.started(id);
  worker.stop();
  expect((await worker.ended).code).toBe(0);
  for (const { id } of tasks) expect(await world.outcomes(id)).toEqual(["completed"]);
});
