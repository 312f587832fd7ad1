import { DureError } from "dure";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { ledgerNow } from "../support/crash-ledger.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
afterEach(async () => {
  await world.check();
  await world.remove();
});

type Answer = "cancelled" | "requested" | "finished";

async function cancel(id: string): Promise<Answer> {
  try {
    return (await world.dure.cancelTask(id)).requested ? "requested" : "cancelled";
  } catch (error) {
    if (error instanceof DureError && error.code === "STATUS_CONFLICT") return "finished";
    throw error;
  }
}

test("what a cancel answered holds, in a thousand races with claims of another process", async () => {
  world = new CrashWorld();
  await world.start({ worker: { concurrency: 8 } });
  const answers = new Map<string, Answer>();
  const race = async () => {
    const { id } = await world.enqueue({ does: "wait", ms: Math.random() * 4 });
    await new Promise((done) => setTimeout(done, Math.random() * 30));
    answers.set(id, await cancel(id));
  };
  for (let round = 0; round < 50; round += 1) await Promise.all(Array.from({ length: 20 }, race));
  await world.allEnded(Array.from(answers.keys(), (id) => ({ id })));
  const seen: Record<Answer, number> = { cancelled: 0, requested: 0, finished: 0 };
  for (const [id, answer] of answers) {
    seen[answer] += 1;
    const { status } = await world.task(id);
    if (answer === "cancelled")
      expect({ status, starts: world.ledger.starts(id) }).toEqual({ status: "CANCELLED", starts: [] });
    if (answer === "requested") expect(["CANCELLED", "COMPLETED"]).toContain(status);
    if (answer === "finished") expect(status).toBe("COMPLETED");
  }
  console.log("A thousand cancels:", seen);
  expect(Math.min(seen.cancelled, seen.requested + seen.finished)).toBeGreaterThan(20);
});

test("a running task in another process has its signal aborted within a second", async () => {
  world = new CrashWorld();
  await world.start();
  for (let round = 0; round < 5; round += 1) {
    const { id } = await world.enqueue({ does: "obey" }, { maxAttempts: 5 });
    await world.started(id);
    const askedAt = ledgerNow();
    expect(await cancel(id)).toBe("requested");
    expect(await world.ended(id)).toMatchObject({ status: "CANCELLED", attempts: 1 });
    expect(world.ledger.of("aborted cancelled", id)[0]!.at - askedAt).toBeLessThan(1_000);
    expect(await world.outcomes(id)).toEqual(["cancelled"]);
  }
});

test("a success that comes first wins, and says so", async () => {
  world = new CrashWorld();
  await world.start();
  const { id } = await world.enqueue({ does: "heed" });
  await world.started(id);
  expect(await cancel(id)).toBe("requested");
  expect((await world.ended(id)).status).toBe("COMPLETED");
  expect(await world.outcomes(id)).toEqual(["completed"]);
  expect(await cancel(id)).toBe("finished");
});

test("a task whose worker dies after the request is CANCELLED, not run again", async () => {
  world = new CrashWorld();
  const dying = await world.start();
  const { id } = await world.enqueue({ does: "never" });
  await world.started(id);
  await world.pause(dying);
  expect(await cancel(id)).toBe("requested");
  dying.kill();
  await world.start();
  expect((await world.ended(id)).status).toBe("CANCELLED");
  expect(world.ledger.starts(id)).toHaveLength(1);
  expect(await world.outcomes(id)).toEqual(["lost"]);
});

test("a handler that is deaf to the request ends with its grace, and is not retried", async () => {
  world = new CrashWorld({ "resize-image": { abortGrace: "100ms", maxAttempts: 3 } });
  await world.start();
  const { id } = await world.enqueue({ does: "never" });
  await world.started(id);
  await cancel(id);
  expect((await world.ended(id)).status).toBe("CANCELLED");
  expect(world.ledger.starts(id)).toHaveLength(1);
});
