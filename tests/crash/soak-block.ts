/** `npm run soak:block`: a handler that blocks its process for 60 s, at default settings, with another worker at hand. */
import assert from "node:assert/strict";
import { CrashWorld } from "../support/crash-world.ts";

const world = new CrashWorld();
try {
  await world.start();
  const beside = await world.enqueueAll(Array.from({ length: 9 }, () => ({ does: "wait", ms: 5_000 })));
  const { id } = await world.enqueue({ does: "block", ms: 60_000 });
  await world.started(id);
  await world.start();
  for (const task of [...beside, { id }]) {
    const { status } = await world.dure.waitForTask(task.id, { timeout: "90s" });
    assert.equal(status, "COMPLETED");
    assert.deepEqual(await world.outcomes(task.id), ["completed"]);
  }
  assert.equal(world.ledger.starts().length, 10);
  await world.check();
  console.log("Blocked for 60 s: nothing lost, nothing started twice.");
} finally {
  await world.remove();
}
