import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { type CrashDatabase, crashDatabases } from "../support/crash-databases.ts";
import { describeKills, killAtRandom, percentile } from "../support/crash-kills.ts";
import { CrashWorld } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 120_000 });

beforeAll(ensureBuilt, 60_000);

describe.each(crashDatabases)("on $name", ({ name, make, lease, recoveryMs, kills }) => {
  let database: CrashDatabase;
  let world: CrashWorld;

  beforeEach(async () => {
    database = await make();
    world = new CrashWorld(undefined, database.database);
  });
  afterEach(async () => {
    await world.remove();
    await database.remove();
  });

  test("random kills lose nothing, settle nothing twice, and delay a task by little", async () => {
    const report = await killAtRandom(world, { ...kills, lease });
    console.log(`${name}: ${describeKills(report)}`);
    expect(report.recoveryMs.length).toBeGreaterThan(kills.kills / 2);
    expect(percentile(report.recoveryMs, 0.99)).toBeLessThanOrEqual(recoveryMs);
    expect(report.doubleStarts).toBe(0);
  });
});
