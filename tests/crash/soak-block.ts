/**
 * `npm run soak:block -- 60`: a handler that blocks its process for so many seconds (60 unless told), at default settings,
 * with another worker at hand. A minute and a lease is what a worker may be blocked for.
 */
import assert from "node:assert/strict";
import { CrashWorld } from "../support/crash-world.ts";

const seconds = Number(process.argv[2] ?? 60);
const world = new CrashWorld();
try {
  await world.start();
  const beside = await world.enqueueAll(Array.from({ length: 9 }, () => ({ does: "wait", ms: 5_000 })));
  const { id } = await world.enqueue({ does: "block", ms: seconds * 1_000 });
  await world.started(id);
  await world.start();
  for (const task of [...beside, { id }]) {
    const { status } = await world.dure.waitForTask(task.id, { timeout: seconds * 1_000 + 30_000 });
    assert.equal(status, "COMPLETED");
    assert.deepEqual(await world.outcomes(task.id), ["completed"]);
  }
  assert.equal(world.ledger.starts().length, 10);
  await world.check();
  console.log(`Blocked for ${seconds} s: nothing lost, nothing started twice.`);
} finally {
  await world.remove();
}
