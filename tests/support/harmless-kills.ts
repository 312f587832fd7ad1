/** The rule that random kills of worker processes are held to, on any database. */
import { expect } from "vitest";
import type { CrashDatabaseKind } from "./crash-databases.ts";
import { describeKills, killAtRandom, percentile } from "./crash-kills.ts";
import { CrashWorld } from "./crash-world.ts";

/** As many kills as the database has time for: every task is started again within its time, and none twice at once. */
export async function expectHarmlessKills(kind: CrashDatabaseKind): Promise<void> {
  const { name, make, lease, recoveryMs, kills } = kind;
  const database = await make();
  const world = new CrashWorld(undefined, database.database);
  try {
    const report = await killAtRandom(world, { ...kills, lease });
    console.log(`${name}: ${describeKills(report)}`);
    // Where processes start slowly, many are killed before they have a task.
    expect(report.recoveryMs.length).toBeGreaterThan(kills.kills / 4);
    expect(percentile(report.recoveryMs, 0.99)).toBeLessThanOrEqual(recoveryMs);
    expect(report.doubleStarts).toBe(0);
  } finally {
    await world.remove();
    await database.remove();
  }
}
