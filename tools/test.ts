/**
 * `npm test`: every check, in the order that fails soonest: types, lint, build, then vitest with all the suites
 * (unit, contract, model, crash, command line, examples, docs, packaging). Ends with `N passed, N failed`, counted
 * from vitest's own report. Arguments go to vitest: `npm test -- tests/contract`.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";

const report = ".vitest-report.json";
const maxMinutes = 25;

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
const status = await runTests(
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
);
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, "utf8"));
if (numPendingTests > 0) console.log(`\n${numPendingTests} skipped, each for the reason its test gives`);
console.log(`\n${numPassedTests} passed, ${numFailedTests} failed`);
process.exit(status);

/** In a process group of its own: whatever a failed test left running ends with it, and keeps nobody waiting. */
async function runTests(...args: string[]): Promise<number> {
  const vitest = spawn("vitest", args, { stdio: ["ignore", "inherit", "inherit"], detached: true });
  const endAll = (signal: NodeJS.Signals) => {
    try {
      process.kill(-vitest.pid!, signal);
    } catch {
      // Nothing of the group is left.
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => endAll(signal));
  const overdue = setTimeout(() => {
    console.error(`\nThe tests have not ended within ${maxMinutes} minutes; what still runs is ended.`);
    endAll("SIGKILL");
  }, maxMinutes * 60_000);
  const code = await new Promise<number>((done) => vitest.on("exit", (code) => done(code ?? 1)));
  clearTimeout(overdue);
  endAll("SIGKILL");
  return code;
}
