import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { LoopDelay } from "./loop-delay.ts";

test("a loop that was held tells so once", async () => {
  const delay = new LoopDelay();
  delay.start();
  await pause(250);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await pause(250);
  const heldMs = delay.takeMaxMs();
  expect(heldMs).toBeGreaterThan(150);
  expect(delay.takeMaxMs()).toBeLessThan(heldMs);
  delay.stop();
});
