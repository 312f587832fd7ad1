import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { ledgerNow } from "../support/crash-ledger.ts";
import { CrashWorld, type WorkerProcess } from "../support/crash-world.ts";
import { createTestSchema, type TestSchema } from "../support/postgres.ts";

vi.setConfig({ testTimeout: 60_000 });

const minuteMs = 60_000;
const lease = "3s";

beforeAll(ensureBuilt, 60_000);

describe("on PostgreSQL, machines whose clocks are ten minutes fast and slow", () => {
  let schema: TestSchema;
  let world: CrashWorld;

  beforeEach(async () => {
    schema = await createTestSchema();
    world = new CrashWorld(
      { "resize-image": { maxAttempts: 3, backoff: { first: "400ms", jitter: "none" } } },
      schema.url,
    );
  });
  afterEach(async () => {
    await world.check();
    await world.remove();
    await schema.drop();
  });

  const startBoth = () =>
    Promise.all(
      [10 * minuteMs, -10 * minuteMs].map((jumpMs) =>
        world.start({ jumpMs, worker: { lease, concurrency: 4 } }),
      ),
    );

  test("start tasks when they are due by the database's clock, and take none from each other", async () => {
    await startBoth();
    const askedAt = ledgerNow();
    const soon = await world.enqueueAll(Array.from({ length: 8 }, () => ({ does: "wait", ms: 4_000 })));
    const later = await world.enqueueAll(
      Array.from({ length: 8 }, () => ({ does: "nothing" })),
      { delay: 1_500 },
    );
    await world.allEnded([...soon, ...later]);
    for (const { id } of soon) expect(world.ledger.starts(id)[0]!.at - askedAt).toBeLessThan(4_000);
    for (const { id } of later) expect(world.ledger.starts(id)[0]!.at - askedAt).toBeGreaterThan(1_400);
    expect(world.ledger.starts()).toHaveLength(16);
    expect(new Set(world.ledger.starts().map(({ pid }) => pid)).size).toBe(2);
  });

  test("give new tasks and retries their instants by the database's clock", async () => {
    await startBoth();
    const spreading = await world.enqueueAll(
      Array.from({ length: 8 }, () => ({ does: "spread", ms: 20, count: 2 })),
    );
    const failing = await world.enqueueAll(Array.from({ length: 8 }, () => ({ does: "fail" })));
    await world.allEnded([...spreading, ...failing]);
    await world.until("all that was spread", () => world.ledger.of("acknowledged").length === 16);
    await world.allEnded(world.ledger.of("acknowledged").map(({ taskId }) => ({ id: taskId })));
    for (const { createdAt, startedAt } of await world.dure.searchTasks({ definitions: false, limit: 100 })) {
      expect(Math.abs(Date.now() - createdAt.getTime())).toBeLessThan(20_000);
      expect(startedAt!.getTime()).toBeGreaterThanOrEqual(createdAt.getTime() - 250);
    }
    for (const { id } of failing) {
      const [first, second, third] = world.ledger.starts(id);
      expect(second!.at - first!.at).toBeGreaterThan(350);
      expect(third!.at - first!.at).toBeLessThan(15_000);
    }
  });

  test("are found dead by the others all the same, and by clocks that jump meanwhile", async () => {
    const workers = await startBoth();
    const tasks = await world.enqueueAll(Array.from({ length: 6 }, () => ({ does: "never", calmFrom: 2 })));
    for (const { id } of tasks) await world.started(id);
    // The other one has slots left for what it takes over.
    const startsOf = ({ pid }: WorkerProcess) => world.ledger.starts().filter((start) => start.pid === pid);
    const [dying, other] = workers.toSorted((a, b) => startsOf(b).length - startsOf(a).length);
    await other!.jump(-30 * minuteMs);
    const killedAt = ledgerNow();
    dying!.kill();
    const lost = startsOf(dying!);
    for (const { taskId } of lost) await world.started(taskId, 2);
    expect(ledgerNow() - killedAt).toBeLessThan(8_000);
    other!.kill();
    await world.start({ jumpMs: 10 * minuteMs, worker: { lease } });
    await world.allEnded(tasks);
  });
});
