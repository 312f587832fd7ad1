/**
 * `npm run soak:random -- 20`: every test that draws random cases, that many times (10 unless told), each time with
 * another seed. Ends at the first failure and says how to meet it again.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { globSync, readFileSync } from "node:fs";

const rounds = Number(process.argv[2] ?? 10);
const files = globSync("{server,tests}/**/*.test.ts").filter((file) =>
  readFileSync(file, "utf8").includes('/support/fast-check.ts"'),
);

for (let round = 1; round <= rounds; round++) {
  const seed = String(randomInt(2 ** 31));
  console.log(`\nRound ${round} of ${rounds}, seed ${seed}`);
  const { status } = spawnSync("vitest", ["run", ...files], {
    stdio: "inherit",
    env: { ...process.env, DURE_SEED: seed },
  });
  if (status === 0) continue;
  console.error(`\nFailed with DURE_SEED=${seed}: DURE_SEED=${seed} npm test -- <the file that failed>`);
  process.exit(1);
}
console.log(`\n${rounds} rounds of ${files.length} files: nothing failed.`);
