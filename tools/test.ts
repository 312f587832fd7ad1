/**
 * `npm test`: every check, in the order that fails soonest: types, lint, build, then vitest with all the suites
 * (unit, contract, model, crash, command line, examples, docs, packaging). Ends with `N passed, N failed`, counted
 * from vitest's own report. Arguments go to vitest: `npm test -- tests/contract`.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";

const report = ".vitest-report.json";

function run(command: string, ...args: string[]): void {
  console.log(`\n> ${command} ${args.join(" ")}`);
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

run("tsc", "--noEmit");
run("tsc", "-p", "tsconfig.web.json");
run("biome", "check", "--error-on-warnings", ".");
run("node", "tools/build.ts");

rmSync(report, { force: true });
const tests = spawnSync(
  "vitest",
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { stdio: "inherit" },
);
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
if (numPendingTests > 0) console.log(`\n${numPendingTests} skipped, each for the reason its test gives`);
console.log(`\n${numPassedTests} passed, ${numFailedTests} failed`);
process.exit(tests.status ?? 1);
