/**
 * `npm run soak:postgres -- 10`: for so many minutes (5 unless told) backends are terminated, connections cut, silenced
 * and slowed, answers lost, and the server restarted and killed, under load. Nothing may be lost.
 */
import { spawnSync } from "node:child_process";

const { status } = spawnSync("vitest", ["run", "tests/postgres/soak-faults.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, DURE_SOAK_MINUTES: process.argv[2] ?? "5" },
});
process.exit(status ?? 1);
