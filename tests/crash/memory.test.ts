/** Handlers that take more than there is: memory, until the process dies of it, and tasks, thousands at a time. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import type { WorkerProcess } from "../support/crash-world.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 120_000 });

const littleMemory = { nodeFlags: ["--max-old-space-size=64"] };

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(() => world.remove());

describe("a handler that takes all memory", () => {
  test("ends its process, and the task is taken over with the reason", async () => {
    world = new CrashWorld();
    const dying = await world.start(littleMemory);
    const { id } = await world.enqueue({ does: "hoard", calmFrom: 2 });
    const { code, signal } = await dying.ended;
    expect(code === 0, `code ${code}, signal ${signal}`).toBe(false);
    expect(dying.said).toContain("heap out of memory");
    await world.start();
    expect(await world.ended(id)).toMatchObject({ status: "COMPLETED", crashes: 1, attempts: 1 });
    const [lost] = await world.attempts(id);
    expect(lost).toMatchObject({
      outcome: "lost",
      error: { message: expect.stringContaining("process gone") },
    });
    await world.check();
  });

  test("is FAILED after three crashes; the 30 tasks beside it are completed", async () => {
    world = new CrashWorld({ "resize-image": {}, "nightly-report": {} });
    const hoarder = await world.enqueue({ does: "hoard", count: 31 }, { type: "nightly-report" });
    const innocents = await world.enqueueAll(
      Array.from({ length: 30 }, () => ({ does: "wait", ms: 3_000, calmFrom: 3 })),
    );
    const crashed = await world.supervise(hoarder.id, { worker: { concurrency: 40 }, ...littleMemory });
    expect(crashed.length).toBeLessThanOrEqual(4);
    expect(await world.task(hoarder.id)).toMatchObject({ status: "FAILED", crashes: 3, attempts: 0 });
    expect((await world.task(hoarder.id)).error).toContain("crash budget");
    for (const { status, crashes } of await world.allEnded(innocents)) {
      expect(status).toBe("COMPLETED");
      expect(crashes).toBeLessThanOrEqual(2);
    }
    await world.check();
  });
});

describe("a task that enqueues others", () => {
  const children = 5_000;

  test(`makes ${children} of them, which all run once, within bounded memory`, async () => {
    world = new CrashWorld();
    const workers = [await world.start(), await world.start()];
    const { id } = await world.enqueue({ does: "fan-out", count: children });
    await allCompleted(children + 1);
    expect((await world.task(id)).result).toBe(children);
    expect(startedOnce()).toBe(children + 1);
    expectModest(workers);
    await world.check();
  });

  test(`and is killed half-way makes the rest of ${children} on its next claim, none twice`, async () => {
    world = new CrashWorld();
    const dying = await world.start();
    const { id } = await world.enqueue({ does: "fan-out", count: children });
    await world.until("3,000 tasks", async () => (await world.dure.countTasks()) >= 3_000);
    dying.kill();
    await dying.ended;
    const made = await world.dure.countTasks();
    expect(made).toBeLessThan(children);
    const next = await world.start();
    await allCompleted(children + 1);
    expect(await world.task(id)).toMatchObject({ result: children, crashes: 1 });
    expectModest([next]);
    await world.check();
  });

  test("each the next one goes on through kills, 300 deep, without a gap or a branch", async () => {
    world = new CrashWorld();
    const links = 300;
    let worker = await world.start();
    await world.enqueue({ does: "chain", ms: 5, count: links }, { id: `link-${links}` });
    for (const share of [0.25, 0.5, 0.75]) {
      await world.until("more links", async () => (await world.dure.countTasks()) >= links * share);
      worker.kill();
      await worker.ended;
      worker = await world.start();
    }
    await allCompleted(links);
    expect(new Set(world.ledger.starts().map(({ taskId }) => taskId)).size).toBe(links);
    await world.check();
  });

  function allCompleted(count: number): Promise<void> {
    const status = "COMPLETED";
    return world.until(
      `${count} completed tasks and no other`,
      async () =>
        (await world.dure.countTasks({ status })) === count && (await world.dure.countTasks()) === count,
      90_000,
    );
  }

  /** How many tasks were started; none may have been started twice. */
  function startedOnce(): number {
    const starts = world.ledger.starts();
    expect(new Set(starts.map(({ taskId }) => taskId)).size).toBe(starts.length);
    return starts.length;
  }

  function expectModest(workers: readonly WorkerProcess[]): void {
    for (const { peakMemoryMb = 0 } of workers) expect(peakMemoryMb).toBeLessThan(250);
  }
});
