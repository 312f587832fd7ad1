/** `npm run soak:kills -- 2000`: worker processes killed at random, for as long as wanted; 1,000 kills unless told. */
import { describeKills, killAtRandom, percentile } from "../support/crash-kills.ts";
import { CrashWorld } from "../support/crash-world.ts";

const kills = Number(process.argv[2] ?? 1_000);
const world = new CrashWorld();
try {
  const report = await killAtRandom(world, { kills, workers: 4, everyMs: 170 });
  console.log(describeKills(report));
  if (report.doubleStarts > 0) {
    console.error("Tasks were started while the process that ran them was alive.");
    process.exitCode = 1;
  }
  if (percentile(report.recoveryMs, 0.99) > 2_000) {
    console.error("The 99th percentile is above two seconds.");
    process.exitCode = 1;
  }
} finally {
  await world.remove();
}
