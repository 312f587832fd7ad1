import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { LoopDelay } from "./loop-delay.ts";

test("a loop that was held tells so once", async () => {
  const delay = new LoopDelay();
  delay.start();
  await pause(60);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  await pause(60);
  const heldMs = delay.takeMaxMs();
  expect(heldMs).toBeGreaterThan(150);
  expect(delay.takeMaxMs()).toBeLessThan(heldMs);
  delay.stop();
});
