import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { type CrashDatabase, crashDatabases } from "../support/crash-databases.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

/** The shortest there is. */
const settings = { worker: { lease: "1s" } };

beforeAll(ensureBuilt, 60_000);

describe.each(crashDatabases)("on $name", ({ name, make }) => {
  let world: CrashWorld;
  let database: CrashDatabase;

  beforeEach(async () => {
    database = await make();
  });
  afterEach(async () => {
    await world.remove();
    await database.remove();
  });

  describe("a worker that was paused for longer than its lease", () => {
    test("cannot settle what was taken from it, whichever comes first on waking: its handler's end or its heartbeat", async () => {
      world = new CrashWorld(undefined, database.database);
      const other = await world.start(settings);
      for (let round = 0; round < 2; round += 1) {
        await world.pause(other);
        const paused = await Promise.all([
          world.start(settings),
          world.start(settings),
          world.start(settings),
        ]);
        // On waking the first kind ends by itself, the second when it is told that its lease is lost.
        const tasks = await world.enqueueAll(
          Array.from({ length: 24 }, (_, n) =>
            n % 2 === 0 ? { does: "wait", ms: 2_000, calmFrom: 2 } : { does: "heed", calmFrom: 2 },
          ),
        );
        for (const { id } of tasks) await world.started(id, 1);
        for (const worker of paused) await world.pause(worker);
        other.resume();
        for (const task of await world.allEnded(tasks)) expect(task.status).toBe("COMPLETED");
        for (const worker of paused) worker.resume();
        await world.until("every late outcome", async () => {
          const first = await Promise.all(tasks.map(async ({ id }) => (await world.attempts(id))[0]!));
          return first.every(({ outcome, lateOutcome }) => outcome === "lost" && lateOutcome === "completed");
        });
        for (const [n, { id }] of tasks.entries()) {
          expect(await world.outcomes(id)).toEqual(["lost", "completed"]);
          expect((await world.task(id)).result).toBe("calm");
          if (n % 2 === 1) expect(world.ledger.of("aborted lease-lost", id)).toHaveLength(1);
        }
        for (const worker of paused) worker.kill();
        await Promise.all(paused.map(({ ended }) => ended));
      }
      await world.check();
    });

    test("keeps nothing by its heartbeat, and goes on as another worker", async () => {
      world = new CrashWorld(undefined, database.database);
      const paused = await world.start(settings);
      const { id } = await world.enqueue({ does: "never", calmFrom: 3 });
      await world.started(id, 1);
      const [before] = await world.dure.listWorkers();
      await world.pause(paused);
      const other = await world.start(settings);
      await world.started(id, 2);
      paused.resume();
      await world.until("a new incarnation of the paused worker", async () => {
        const records = await world.dure.listWorkers();
        return records.filter((record) => record.pid === paused.pid && record.state === "alive").length === 1;
      });
      const dead = (await world.dure.listWorkers()).find((record) => record.id === before!.id)!;
      expect(dead).toMatchObject({ state: "dead", running: 0 });
      expect((await world.task(id)).workerId).not.toBe(before!.id);
      expect(await world.outcomes(id)).toEqual(["lost", undefined]);
      other.kill();
      await world.ended(id);
      expect(world.ledger.starts(id).map(({ pid }) => pid)).toEqual([paused.pid, other.pid, paused.pid]);
      await world.check();
    });

    test("cannot settle a task that an operator has retried since", async () => {
      world = new CrashWorld(undefined, database.database);
      const paused = await world.start(settings);
      const { id } = await world.enqueue({ does: "obey", calmFrom: 3 });
      await world.started(id, 1);
      await world.pause(paused);
      await world.start(settings);
      await world.started(id, 2);
      await world.dure.cancelTask(id);
      expect((await world.ended(id)).status).toBe("CANCELLED");
      await world.dure.retryTask(id);
      expect(await world.ended(id)).toMatchObject({ status: "COMPLETED", result: "calm" });
      paused.resume();
      await world.until(
        "a late outcome",
        async () => (await world.attempts(id))[0]!.lateOutcome === "failed",
      );
      expect(await world.outcomes(id)).toEqual(["lost", "cancelled", "completed"]);
      expect((await world.task(id)).status).toBe("COMPLETED");
      await world.check();
    });
  });

  test("workers that were all paused for three leases go on with what they had and with what is new", async () => {
    world = new CrashWorld(undefined, database.database);
    const workers = await Promise.all([world.start(settings), world.start(settings)]);
    const tasks = await world.enqueueAll(
      Array.from({ length: 16 }, () => ({ does: "wait", ms: 500 })),
      { maxAttempts: 3 },
    );
    for (const { id } of tasks) await world.started(id);
    for (const worker of workers) await world.pause(worker);
    await new Promise((done) => setTimeout(done, 3_000));
    for (const worker of workers) worker.resume();
    const later = await world.enqueueAll(Array.from({ length: 16 }, () => ({ does: "nothing" })));
    for (const { status } of await world.allEnded([...tasks, ...later])) expect(status).toBe("COMPLETED");
    await world.check();
  });

  describe("a handler that blocks its process", () => {
    test("for five leases loses nothing and doubles nothing, and neither do the tasks beside it", async () => {
      world = new CrashWorld(undefined, database.database);
      await world.start(settings);
      const beside = await world.enqueueAll(Array.from({ length: 9 }, () => ({ does: "wait", ms: 1_500 })));
      const { id } = await world.enqueue({ does: "block", ms: 5_000 });
      await world.started(id);
      await world.start(settings);
      await world.allEnded([...beside, { id }]);
      for (const task of [...beside, { id }]) expect(await world.outcomes(task.id)).toEqual(["completed"]);
      expect(world.ledger.starts()).toHaveLength(10);
      await world.check();
    });

    test("and one that lasts longer than the lease are no reason to start anything twice", async () => {
      world = new CrashWorld(undefined, database.database);
      await Promise.all([world.start(settings), world.start(settings)]);
      const tasks = await world.enqueueAll(Array.from({ length: 8 }, () => ({ does: "wait", ms: 3_500 })));
      await world.allEnded(tasks);
      expect(world.ledger.starts()).toHaveLength(8);
      await world.check();
    });

    test("for ever loses its tasks to another worker", async () => {
      world = new CrashWorld(undefined, database.database);
      const blocked = await world.start({ ...settings, maxBlockMs: 1_500 });
      const beside = await world.enqueue({ does: "never", calmFrom: 2 });
      const { id } = await world.enqueue({ does: "block", calmFrom: 2 });
      await world.started(id);
      await world.start(settings);
      await world.allEnded([beside, { id }]);
      expect(await world.outcomes(id)).toEqual(["lost", "completed"]);
      expect(await world.outcomes(beside.id)).toEqual(["lost", "completed"]);
      expect((await world.attempts(id))[0]!.error!.message).toContain("no heartbeat");
      expect(world.ledger.starts(id).map(({ pid }) => pid === blocked.pid)).toEqual([true, false]);
      expect(blocked.said).toContain("the main thread has been blocked for 2 seconds");
      await world.check();
    });

    // No store has a part in it.
    test.runIf(name === "SQLite")("for ever ends its process, where that was asked for", async () => {
      world = new CrashWorld(undefined, database.database);
      const blocked = await world.start({
        ...settings,
        worker: { ...settings.worker, exitAfterBlock: "1s" },
      });
      const { id } = await world.enqueue({ does: "block", calmFrom: 2 });
      expect(await blocked.ended).toEqual({ code: null, signal: "SIGKILL" });
      expect(blocked.said).toContain("blocked for 1 seconds; the process ends itself");
      await world.start(settings);
      await world.ended(id);
      expect(await world.outcomes(id)).toEqual(["lost", "completed"]);
      await world.check();
    });
  });
});
