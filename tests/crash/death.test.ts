import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { ledgerNow } from "../support/crash-ledger.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(() => world.remove());

describe("a worker that is killed", () => {
  test("has its attempts recorded as lost, uncharged, with the reason", async () => {
    world = new CrashWorld();
    const dying = await world.start();
    const { id } = await world.enqueue({ does: "never", calmFrom: 2 });
    await world.started(id);
    const killedAt = ledgerNow();
    dying.kill();
    await world.start();
    const task = await world.ended(id);
    expect(task).toMatchObject({ status: "COMPLETED", attempts: 1, crashes: 1, result: "calm" });
    const [lost, completed] = await world.attempts(id);
    expect(lost).toMatchObject({
      outcome: "lost",
      fence: 1,
      error: { message: expect.stringContaining("process gone") },
    });
    expect(completed).toMatchObject({ outcome: "completed", fence: 2, number: 1 });
    expect(lost!.endedAt!.getTime()).toBeGreaterThanOrEqual(Math.floor(killedAt));
    await world.check();
  });

  test("leaves its tasks to the next worker, which starts them at once, however late it comes", async () => {
    world = new CrashWorld();
    const workers = await Promise.all([world.start(), world.start(), world.start()]);
    const tasks = await world.enqueueAll(Array.from({ length: 9 }, () => ({ does: "never", calmFrom: 2 })));
    for (const { id } of tasks) await world.started(id);
    for (const worker of workers) worker.kill();
    await Promise.all(workers.map(({ ended }) => ended));
    const next = await world.start();
    const readyAt = world.ledger.of("ready").find(({ pid }) => pid === next.pid)!.at;
    await world.allEnded(tasks);
    const again = world.ledger.starts().filter(({ fence }) => fence === 2);
    expect(again).toHaveLength(9);
    for (const { at } of again) expect(at - readyAt).toBeLessThan(2_000);
    await world.check();
  });

  test("has all its tasks started again at once, however long they last", async () => {
    world = new CrashWorld();
    const settings = { worker: { concurrency: 20 } };
    const dying = await world.start(settings);
    const tasks = await world.enqueueAll(Array.from({ length: 20 }, () => ({ does: "wait", ms: 4_000 })));
    for (const { id } of tasks) await world.started(id);
    const other = await world.start(settings);
    const killedAt = ledgerNow();
    dying.kill();
    await world.until("every second start", () => world.ledger.starts().length === 40);
    for (const { at, pid } of world.ledger.starts().slice(20)) {
      expect(pid).toBe(other.pid);
      expect(at - killedAt).toBeLessThan(2_000);
    }
    await world.allEnded(tasks);
    await world.check();
  });

  test("is told from one of the same name that takes its place", async () => {
    world = new CrashWorld();
    const settings = { worker: { name: "web-1" } };
    const dying = await world.start(settings);
    const { id } = await world.enqueue({ does: "never", calmFrom: 2 });
    await world.started(id);
    dying.kill();
    await dying.ended;
    await world.start(settings);
    await world.ended(id);
    const records = await world.dure.listWorkers();
    expect(records.map(({ name, state }) => [name, state])).toEqual([
      ["web-1", "alive"],
      ["web-1", "dead"],
    ]);
    expect(new Set(records.map((record) => record.id)).size).toBe(2);
    await world.check();
  });

  test("does not hold up an idempotency key of its tasks", async () => {
    world = new CrashWorld();
    const dying = await world.start();
    const deed = { does: "never", calmFrom: 2 } as const;
    const { id } = await world.enqueue(deed, { idempotencyKey: "order-17" });
    await world.started(id);
    dying.kill();
    const same = await world.enqueue(deed, { idempotencyKey: "order-17" });
    expect(same.id).toBe(id);
    await world.start();
    expect((await world.ended(id)).status).toBe("COMPLETED");
    await world.check();
  });

  test("while it stops in good order leaves nothing behind", async () => {
    world = new CrashWorld();
    const tasks = await world.enqueueAll(
      Array.from({ length: 150 }, (_, n) => ({ does: "wait", ms: 20 + (n % 7) * 10 })),
    );
    const settings = { worker: { concurrency: 8, stopGrace: 400 } };
    for (let round = 0; round < 5; round += 1) {
      const worker = await world.start(settings);
      const before = world.ledger.starts().length;
      await world.until("a start", () => world.ledger.starts().length > before);
      worker.stop();
      await new Promise((done) => setTimeout(done, Math.random() * 100));
      worker.kill();
      await worker.ended;
    }
    await world.start(settings);
    const ended = await world.allEnded(tasks);
    for (const { status, crashes = 0 } of ended) {
      if (status !== "COMPLETED") expect(crashes).toBe(3);
    }
    await world.check();
  });
});

describe("a task that ends its process", () => {
  test("is FAILED after three crashes, and takes none of the 99 tasks beside it along", async () => {
    world = new CrashWorld({ "resize-image": {}, "nightly-report": {} });
    const pill = await world.enqueue({ does: "abort-process", count: 100 }, { type: "nightly-report" });
    const innocents = await world.enqueueAll(
      Array.from({ length: 99 }, () => ({ does: "wait", ms: 2_000, calmFrom: 3 })),
    );
    const crashed = await world.supervise(pill.id, { worker: { concurrency: 100 } });
    expect(crashed.length).toBeLessThanOrEqual(4);
    expect(await world.task(pill.id)).toMatchObject({ status: "FAILED", crashes: 3, attempts: 0 });
    expect((await world.task(pill.id)).error).toContain("crash budget");
    expect(await world.outcomes(pill.id)).toEqual(["lost", "lost", "lost"]);
    for (const { status, crashes } of await world.allEnded(innocents)) {
      expect(status).toBe("COMPLETED");
      expect(crashes).toBeLessThanOrEqual(2);
    }
    await world.check();
  });

  test("by process.exit counts as a crash", async () => {
    world = new CrashWorld();
    const { id } = await world.enqueue({ does: "exit-process" });
    const crashed = await world.supervise(id);
    expect(crashed).toHaveLength(3);
    expect(await world.outcomes(id)).toEqual(["lost", "lost", "lost"]);
    expect((await world.task(id)).status).toBe("FAILED");
    await world.check();
  });

  test("is never started again with rerunAfterCrash: false", async () => {
    world = new CrashWorld({
      "resize-image": {},
      "send-receipt": { rerunAfterCrash: false, maxAttempts: 5 },
    });
    const dying = await world.start();
    const { id } = await world.enqueue({ does: "never" }, { type: "send-receipt" });
    await world.started(id);
    dying.kill();
    await world.start();
    const task = await world.ended(id);
    expect(task).toMatchObject({ status: "FAILED", crashes: 1 });
    expect(task.error).toContain("rerunAfterCrash");
    expect(world.ledger.starts(id)).toHaveLength(1);
    await world.check();
  });
});

describe("a database that many processes open", () => {
  test("is made once when twelve workers start on nothing", async () => {
    world = new CrashWorld();
    const workers = Array.from({ length: 12 }, () => world.spawn());
    await Promise.all(workers.map((worker) => worker.ready()));
    await world.enqueue({ does: "nothing" });
    await world.allEnded([...world.acknowledged].map((id) => ({ id })));
    expect((await world.dure.stats()).workers.alive).toBe(12);
    await world.check();
  });

  test("can be opened after a kill at any moment of its making", async () => {
    world = new CrashWorld();
    for (let round = 0; round < 12; round += 1) {
      const worker = world.spawn();
      await new Promise((done) => setTimeout(done, 100 + round * 25));
      worker.kill();
      await worker.ended;
    }
    await world.start();
    const { id } = await world.enqueue({ does: "nothing" });
    expect((await world.ended(id)).status).toBe("COMPLETED");
    await world.check();
  });
});

test("a type that no worker defines waits, unclaimed", async () => {
  world = new CrashWorld({ "resize-image": {}, "nightly-report": {} });
  await world.start({ definitions: { "resize-image": {} } });
  const unknown = await world.enqueue({ does: "nothing" }, { type: "nightly-report", priority: 10 });
  const known = await world.enqueue({ does: "nothing" });
  expect((await world.ended(known.id)).status).toBe("COMPLETED");
  expect(await world.task(unknown.id)).toMatchObject({ status: "PENDING", attempts: 0 });
  const findings = await world.dure.checkHealth();
  expect(findings.find(({ check }) => check === "backlog")?.message).toContain("nightly-report");
  await world.start();
  expect((await world.ended(unknown.id)).status).toBe("COMPLETED");
  await world.check();
});
