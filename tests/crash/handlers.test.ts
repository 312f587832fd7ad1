import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { CrashWorld } from "../support/crash-world.ts";
import { oddResultNames, oddThrows } from "./odd-values.ts";

vi.setConfig({ testTimeout: 60_000 });

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(async () => {
  await world.check();
  await world.remove();
});

/** The process goes on with the next task. */
async function expectAlive(pid: number): Promise<void> {
  const { id } = await world.enqueue({ does: "nothing" });
  expect((await world.ended(id)).status).toBe("COMPLETED");
  expect(world.ledger.starts(id)[0]!.pid).toBe(pid);
}

describe("a handler that does not end", () => {
  test("is timed out, its grace over, and its task retried beside it", async () => {
    world = new CrashWorld({
      "resize-image": { timeout: "150ms", abortGrace: "50ms", backoff: { first: "10ms" } },
    });
    const { pid } = await world.start();
    const { id } = await world.enqueue({ does: "never", calmFrom: 2 }, { maxAttempts: 2 });
    expect(await world.ended(id)).toMatchObject({ status: "COMPLETED", attempts: 2 });
    expect(await world.outcomes(id)).toEqual(["timed-out", "completed"]);
    await expectAlive(pid);
  });

  test("and ends too late counts for nothing", async () => {
    world = new CrashWorld({ "resize-image": { timeout: "100ms", abortGrace: "50ms" } });
    await world.start();
    const { id } = await world.enqueue({ does: "wait", ms: 400 });
    const task = await world.ended(id);
    expect(task).toMatchObject({ status: "FAILED", error: expect.stringContaining("timeout of 100 ms") });
    await world.until("the handler's end", () => world.ledger.of("end", id).length === 1);
    await world.until("a word about it", () => world.log().includes("what it ended with is dropped"));
    expect(await world.outcomes(id)).toEqual(["timed-out"]);
    expect((await world.task(id)).status).toBe("FAILED");
  });

  test("takes, in numbers, its worker out of service, and another one does the rest", async () => {
    world = new CrashWorld({ "resize-image": { timeout: "100ms", abortGrace: "20ms" } });
    const stuck = await world.start({ worker: { concurrency: 4 } });
    const tasks = await world.enqueueAll(Array.from({ length: 20 }, () => ({ does: "never" })));
    await world.until("an unhealthy worker", () => world.ledger.of("unhealthy").length === 1);
    const rest = await world.enqueueAll(Array.from({ length: 5 }, () => ({ does: "nothing" })));
    const other = await world.start({ worker: { concurrency: 20 } });
    await world.allEnded([...tasks, ...rest]);
    for (const { id } of rest) expect(world.ledger.starts(id)[0]!.pid).toBe(other.pid);
    const byStuck = world.ledger.starts().filter(({ pid }) => pid === stuck.pid);
    expect(byStuck.length).toBeLessThanOrEqual(11 + 4);
  });
});

describe("an error that nobody catches", () => {
  test.each(["stray-rejection", "stray-timer"] as const)(
    "(%s) fails the attempt it came from, and no other",
    async (does) => {
      world = new CrashWorld();
      const { pid } = await world.start();
      const beside = await world.enqueueAll(Array.from({ length: 5 }, () => ({ does: "wait", ms: 300 })));
      const { id } = await world.enqueue({ does, ms: 100 });
      expect(await world.ended(id)).toMatchObject({
        status: "FAILED",
        error: expect.stringMatching(/^nobody/),
      });
      for (const { status } of await world.allEnded(beside)) expect(status).toBe("COMPLETED");
      await expectAlive(pid);
    },
  );

  test("after the end of its attempt changes nothing, and is logged", async () => {
    world = new CrashWorld();
    const { pid } = await world.start();
    const { id } = await world.enqueue({ does: "late-timer", ms: 50 });
    expect((await world.ended(id)).status).toBe("COMPLETED");
    await world.until("a word about it", () => world.log().includes("its attempt was already over"));
    expect((await world.task(id)).status).toBe("COMPLETED");
    await expectAlive(pid);
  });
});

describe("what a handler throws or returns", () => {
  test("is kept as an error of at most 64 KiB, whatever was thrown", async () => {
    world = new CrashWorld();
    const { pid } = await world.start();
    const names = Object.keys(oddThrows);
    const tasks = await world.enqueueAll(names.map((what) => ({ does: "throw", what })));
    for (const [n, task] of (await world.allEnded(tasks)).entries()) {
      expect({ what: names[n], status: task.status }).toEqual({ what: names[n], status: "FAILED" });
      const [attempt] = await world.attempts(task.id);
      expect(attempt).toMatchObject({ outcome: "failed", error: { message: expect.any(String) } });
      const kept = JSON.stringify(attempt!.error);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(64 * 1024);
      expect(kept.isWellFormed()).toBe(true);
    }
    await expectAlive(pid);
  });

  test("fails the task at once, with the path, when it cannot be stored", async () => {
    world = new CrashWorld();
    const { pid } = await world.start();
    const tasks = await world.enqueueAll(
      oddResultNames.map((what) => ({ does: "return", what })),
      { maxAttempts: 3 },
    );
    for (const [n, task] of (await world.allEnded(tasks)).entries()) {
      const what = oddResultNames[n];
      expect({ what, status: task.status, attempts: task.attempts }).toEqual({
        what,
        status: "FAILED",
        attempts: 1,
      });
      const [attempt] = await world.attempts(task.id);
      expect(attempt!.error!.code).toBe(what === "100 MB" ? "VALUE_TOO_LARGE" : "VALUE_NOT_STORABLE");
      expect(attempt!.error!.message).toContain("result");
    }
    await expectAlive(pid);
  });
});

test("a handler that changes its payload changes it for nobody else", async () => {
  world = new CrashWorld({ "resize-image": { maxAttempts: 2, backoff: { first: "1ms" } } });
  await world.start();
  const { id } = await world.enqueue({ does: "spoil", what: "fresh" });
  expect(await world.ended(id)).toMatchObject({
    status: "FAILED",
    payload: { does: "spoil", what: "fresh" },
  });
  expect(await world.outcomes(id)).toEqual(["failed", "failed"]);
});

test("the store's threads die: the worker starts others, goes on, and says so; nothing is lost or settled twice", async () => {
  world = new CrashWorld();
  const settings = { worker: { lease: "1s" } };
  const [worker, other] = await Promise.all([world.start(settings), world.start(settings)]);
  const tasks = await world.enqueueAll(Array.from({ length: 150 }, (_, n) => ({ does: "wait", ms: n % 30 })));
  // The second death in a row is not mended at once, so that the other worker may find the first one dead.
  for (let deaths = 0; deaths < 2; deaths += 1) {
    const { id } = await world.enqueue({ does: "end-threads", calmFrom: 2 });
    await world.started(id);
    tasks.push(await world.ended(id));
  }
  for (const { status } of await world.allEnded(tasks)) expect(status).toBe("COMPLETED");
  other.stop();
  await other.ended;
  await expectAlive(worker.pid);
  await world.until("a word about it", () => /The thread that writes .+ has died/.test(world.log()));
});
