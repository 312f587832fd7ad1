import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { percentile } from "../support/crash-kills.ts";
import { ledgerNow } from "../support/crash-ledger.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

const hourMs = 3_600_000;
let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(async () => {
  await world.check();
  await world.remove();
});

test("a task that one process enqueues starts in another within 25 ms at the median", async () => {
  world = new CrashWorld();
  await world.start();
  const asked = new Map<string, number>();
  for (let count = 0; count < 200; count += 1) {
    const at = ledgerNow();
    const { id } = await world.enqueue({ does: "nothing" });
    asked.set(id, at);
    await world.until("its start", () => world.ledger.starts(id).length > 0);
    await new Promise((done) => setTimeout(done, Math.random() * 10));
  }
  const delays = world.ledger.starts().map(({ taskId, at }) => at - asked.get(taskId)!);
  delays.sort((a, b) => a - b);
  console.log(
    `From enqueue to start: ${delays[100]!.toFixed(1)} ms (median), ${percentile(delays, 0.99).toFixed(1)} ms (99 %)`,
  );
  expect(delays[100]).toBeLessThanOrEqual(25);
});

test("a task that is due a moment later by the worker's clock than by the caller's starts at that moment", async () => {
  world = new CrashWorld();
  const worker = await world.start();
  await world.dure.stats();
  await worker.jump(-40);
  const delays: number[] = [];
  for (let count = 0; count < 12; count += 1) {
    const at = ledgerNow();
    const { id } = await world.enqueue({ does: "nothing" });
    await world.started(id);
    delays.push(world.ledger.starts(id)[0]!.at - at);
  }
  delays.sort((a, b) => a - b);
  // One may meet a busy machine.
  expect(delays.at(-2)).toBeLessThan(200);
});

test("a task due in sixty years waits, and costs nothing meanwhile", async () => {
  world = new CrashWorld();
  const worker = await world.start();
  const far = await world.enqueue(
    { does: "nothing" },
    { runAt: new Date(Date.now() + 60 * 365 * 24 * hourMs) },
  );
  const month = await world.enqueue({ does: "nothing" }, { delay: "30d" });
  const soon = await world.enqueue({ does: "nothing" }, { delay: 300 });
  expect((await world.ended(soon.id)).status).toBe("COMPLETED");
  for (const { id } of [far, month])
    expect(await world.task(id)).toMatchObject({ status: "PENDING", attempts: 0 });
  expect(world.ledger.starts()).toHaveLength(1);
  worker.stop();
  expect((await worker.ended).code).toBe(0);
});

test.each([hourMs, -hourMs])(
  "a clock set by %i ms takes no task from its worker, and delays no recovery",
  async (jumpMs) => {
    world = new CrashWorld();
    const settings = { worker: { lease: "1s" } };
    const [first, second] = await Promise.all([world.start(settings), world.start(settings)]);
    const tasks = await world.enqueueAll(Array.from({ length: 16 }, () => ({ does: "wait", ms: 2_200 })));
    for (const { id } of tasks) await world.started(id);
    await first.jump(jumpMs);
    await world.allEnded(tasks);
    await second.jump(jumpMs);
    expect(world.ledger.starts()).toHaveLength(16);
    for (const { id } of tasks) expect(await world.outcomes(id)).toEqual(["completed"]);
    // An hour back, what is due now by this process's clock would be due in an hour by theirs.
    const dueBefore = new Date(Date.now() - 2 * hourMs);
    const lost = await world.enqueue({ does: "never", calmFrom: 2 }, { runAt: dueBefore });
    await world.started(lost.id);
    const owner = world.ledger.starts(lost.id)[0]!.pid === first.pid ? first : second;
    const killedAt = ledgerNow();
    owner.kill();
    await world.started(lost.id, 2);
    expect(world.ledger.starts(lost.id)[1]!.at - killedAt).toBeLessThan(2_000);
    await world.ended(lost.id);
  },
);

test("retries of tasks that failed together spread over the whole wait", async () => {
  world = new CrashWorld({ "resize-image": { maxAttempts: 2, backoff: { first: "1h" } } });
  await world.start({ worker: { concurrency: 100 } });
  const tasks = await world.enqueueAll(Array.from({ length: 400 }, () => ({ does: "fail" })));
  await world.until(
    "a failure of each",
    async () =>
      (await world.dure.countTasks({ status: "PENDING" })) === 400 && world.ledger.of("end").length === 400,
  );
  const waits = await Promise.all(
    tasks.map(async ({ id }) => {
      const { dueAt, updatedAt } = await world.task(id);
      return (dueAt!.getTime() - updatedAt.getTime()) / hourMs;
    }),
  );
  waits.sort((a, b) => a - b);
  expect(percentile(waits, 0.9) - percentile(waits, 0.1)).toBeGreaterThan(0.64);
  expect(waits.at(-1)).toBeLessThanOrEqual(1);
});
