import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

const batchProgram = join(import.meta.dirname, "batch-program.ts");
let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(async () => {
  await world.check();
  await world.remove();
});

/** Starts a process that enqueues a batch, kills it at a random moment, and answers what it had printed. */
async function enqueueUntilKilled(type: string, count: number, killedWithinMs: number): Promise<string> {
  const child = spawn(process.execPath, [batchProgram, world.database, type, String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const closed = once(child, "close");
  await once(child.stdout, "data");
  await sleep(Math.random() * killedWithinMs);
  child.kill("SIGKILL");
  await closed;
  return printed;
}

/** How often each of them is there. */
function tally(words: Iterable<string | number>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

test("a batch whose process is killed while it enqueues is there whole or not at all", async () => {
  world = new CrashWorld();
  const count = 10_000;
  const sizes: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    const type = `report-${round}`;
    world.dure.defineTask(type, async () => {});
    const printed = await enqueueUntilKilled(type, count, 400);
    const size = await world.dure.countTasks({ type });
    expect([0, count]).toContain(size);
    if (printed.includes("acknowledged")) expect(size).toBe(count);
    sizes.push(size);
  }
  console.log("Batches after a kill:", tally(sizes));
});

test("a handler that ends as its time runs out has one outcome, the same in task and history", async () => {
  world = new CrashWorld({ "resize-image": { timeout: "100ms", abortGrace: "1ms" } });
  await world.start({ worker: { concurrency: 50 } });
  const tasks = await world.enqueueAll(
    Array.from({ length: 400 }, (_, n) => ({ does: "wait", ms: 96 + (n % 10) })),
  );
  const ended = await world.allEnded(tasks);
  for (const { id, status } of ended) {
    const outcome = status === "COMPLETED" ? "completed" : "timed-out";
    expect({ id, outcomes: await world.outcomes(id) }).toEqual({ id, outcomes: [outcome] });
  }
  console.log("Ended as time ran out:", tally(ended.map(({ status }) => status)));
});

test("a running task can be neither deleted, nor edited, nor retried from another process", async () => {
  world = new CrashWorld();
  await world.start();
  const { id } = await world.enqueue({ does: "heed" });
  await world.started(id);
  const conflict = expect.objectContaining({ code: "STATUS_CONFLICT" });
  await expect(world.dure.deleteTask(id)).rejects.toEqual(conflict);
  await expect(world.dure.editTask(id, { priority: 5 })).rejects.toEqual(conflict);
  await expect(world.dure.retryTask(id)).rejects.toEqual(conflict);
  await world.dure.cancelTask(id);
  expect((await world.ended(id)).status).toBe("COMPLETED");
  expect(world.ledger.starts(id)).toHaveLength(1);
});
