/**
 * `npm run soak:searches -- --minutes 15 --store PostgreSQL`: random searches of tasks that lived, of larger worlds than the
 * checks have and each with another seed, for so long; `--seed 5` begins with that one. Goes on after a difference, and says
 * how to meet each again.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { minutes: { type: "string" }, store: { type: "string" }, seed: { type: "string" } },
});
const times = "4";
const endsAt = Date.now() + Number(values.minutes ?? 15) * 60_000;
const failed: string[] = [];
let seed = Number(values.seed ?? randomInt(2 ** 31));
let rounds = 0;
while (Date.now() < endsAt) {
  const which = [
    "tests/model/searches.test.ts",
    "--project",
    "checks",
    ...(values.store ? ["-t", values.store] : []),
  ];
  const env = { ...process.env, DURE_SEED: String(seed), DURE_SEARCHES: times, NO_COLOR: "1" };
  const { status, stdout } = spawnSync("vitest", ["run", ...which], { env, encoding: "utf8" });
  rounds += 1;
  if (status !== 0) {
    const [, said = stdout] = /\nAssertionError: ([^\n]*)\n/.exec(stdout) ?? [];
    failed.push(`DURE_SEED=${seed} DURE_SEARCHES=${times} npx vitest run ${which.join(" ")}`);
    console.error(`\nSeed ${seed}: ${said}\n${failed.at(-1)}`);
  }
  seed += 1;
}
console.log(`\n${rounds} worlds, up to seed ${seed - 1}: ${failed.length} differed.`);
process.exit(failed.length > 0 ? 1 : 0);
