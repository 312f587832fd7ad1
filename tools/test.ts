/**
 * `npm test`: every check, in the order that fails soonest: types, lint, build, then vitest with all the suites
 * (unit, contract, model, crash, command line, examples, docs, packaging). Ends with `N passed, N failed`, counted
 * from vitest's own reports, which are left together in .vitest-report.json. Arguments go to vitest: `npm test -- tests/contract`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import chromium from "@sparticuz/chromium";
import { useMemoryFolder } from "./memory-folder.ts";
import { bundleSourceThreads } from "./thread-bundles.ts";

const report = ".vitest-report.json";
const maxMinutes = 35;

/**
 * Vitest runs the groups of vitest.config.ts one after another. What hardly computes runs here one file at a time beside
 * what does, so that its waits cost nothing; what wants the machine for itself comes last.
 */
const turns = [
  ["--project=checks", "--project=units"],
  ["--project=waits", "--maxWorkers=1"],
];
const last = ["--project=crash"];

function run(command: string, ...args: string[]): void {
  console.log(`\n> ${command} ${args.join(" ")}`);
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

run("tsc", "--noEmit");
run("tsc", "-p", "tsconfig.web.json");
run("biome", "check", "--error-on-warnings", ".");
run("node", "tools/build.ts");
process.env.DURE_TEST_THREADS = JSON.stringify(await bundleSourceThreads());
process.env.DURE_TEST_DASHBOARD = resolve("dist/web");

const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => endAll(signal));
const overdue = setTimeout(() => {
  console.error(`\nThe tests have not ended within ${maxMinutes} minutes; what still runs is ended.`);
  endAll("SIGKILL");
}, maxMinutes * 60_000);
process.on("exit", () => endAll("SIGKILL"));
useMemoryFolder();
// It unpacks itself at the first call; a second one at the same time would start what is still being written.
await chromium.executablePath();
const reports = [...(await Promise.all(turns.map(runTests))), await runTests(last)];
clearTimeout(overdue);

const whole = together(reports.map((each) => each.report));
const { numPassedTests, numFailedTests, numPendingTests } = whole;
for (const name of failuresOf(whole)) console.log(`failed: ${name}`);
if (numPendingTests > 0) console.log(`\n${numPendingTests} skipped, each for the reason its test gives`);
console.log(`\n${numPassedTests} passed, ${numFailedTests} failed`);
if (numPassedTests + numFailedTests === 0) process.exit(1);
process.exit(reports.find(({ status }) => status !== 0)?.status ?? 0);

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  startTime: number;
  success: boolean;
  testResults: {
    name: string;
    status: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

/** In a process group of its own: whatever a failed test left running ends with it, and keeps nobody waiting. */
async function runTests(options: readonly string[]): Promise<{ status: number; report: Report }> {
  const file = report.replace("report", `report-${options[0]!.split("=")[1]}`);
  rmSync(file, { force: true });
  const args = ["run", "--passWithNoTests", "--reporter=default", "--reporter=json"];
  const vitest = spawn(
    "vitest",
    [...args, `--outputFile.json=${file}`, ...options, ...process.argv.slice(2)],
    {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    },
  );
  running.add(vitest);
  const status = await new Promise<number>((done) => vitest.on("exit", (code) => done(code ?? 1)));
  end(vitest, "SIGKILL");
  running.delete(vitest);
  const written = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  return { status, report: written };
}

function endAll(signal: NodeJS.Signals): void {
  for (const vitest of running) end(vitest, signal);
}

function end(vitest: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-vitest.pid!, signal);
  } catch {
    // Nothing of the group is left.
  }
}

/** By file and name, since what vitest says of them may be far above; a file that could not be run by itself. */
function failuresOf({ testResults }: Report): string[] {
  return testResults
    .filter(({ status }) => status === "failed")
    .flatMap(({ name, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === "failed");
      const file = relative(process.cwd(), name);
      return failed.length > 0 ? failed.map(({ fullName }) => `${file}: ${fullName}`) : [file];
    });
}

/** One report of them all, and written down. */
function together(reports: readonly Report[]): Report {
  const sum = (count: (each: Report) => number) => reports.reduce((all, each) => all + count(each), 0);
  const whole: Report = {
    numPassedTests: sum((each) => each.numPassedTests),
    numFailedTests: sum((each) => each.numFailedTests),
    numPendingTests: sum((each) => each.numPendingTests),
    startTime: Math.min(...reports.map(({ startTime }) => startTime)),
    success: reports.every(({ success }) => success),
    testResults: reports.flatMap(({ testResults }) => testResults),
  };
  writeFileSync(report, JSON.stringify(whole));
  return whole;
}
