import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { describeKills, killAtRandom, percentile } from "../support/crash-kills.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 120_000 });

let world: CrashWorld;

beforeAll(ensureBuilt, 60_000);
beforeEach(() => {
  world = new CrashWorld();
});
afterEach(() => world.remove());

test("two hundred kills lose nothing, settle nothing twice, and delay a task by two seconds at most", async () => {
  const report = await killAtRandom(world, { kills: 200, workers: 4, everyMs: 170 });
  console.log(describeKills(report));
  expect(report.recoveryMs.length).toBeGreaterThan(100);
  expect(percentile(report.recoveryMs, 0.99)).toBeLessThanOrEqual(2_000);
  expect(report.doubleStarts).toBe(0);
});
