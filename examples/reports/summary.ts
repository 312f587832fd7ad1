/** What the run came to: a table, the failures with their causes, where the reports are, what to type next. */
import { relative, resolve } from "node:path";
import Table from "cli-table3";
import type { Task } from "dure";
import pc from "picocolors";
import { airportReport, databaseFile, dure, reportsFolder, stateReport } from "./tasks.ts";

const shownFailures = 6;

export async function printSummary(): Promise<void> {
  await printCounts();
  const failed = await dure.searchTasks({ status: "FAILED", limit: 1_000, sortBy: "id", sortOrder: "asc" });
  printFailures(failed);
  const index = relative(process.cwd(), resolve(reportsFolder, "index.html"));
  console.log(`\nReports   ${pc.bold(index)}`);
  console.log(`
Find any of these tasks again:
  npx dure stats --database ${databaseFile}
  npx dure search --status FAILED --database ${databaseFile}
  npx dure dashboard --database ${databaseFile}
  npx dure show ${failed[0]?.id ?? "airport-DFW"} --database ${databaseFile}
Begin anew:
  npm start -- --fresh`);
}

async function printCounts(): Promise<void> {
  const table = new Table({
    head: ["type", "completed", "failed", "tasks retried", "run time, median"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const { id } of [airportReport, stateReport]) {
    const completed = await dure.searchTasks({
      type: id,
      status: "COMPLETED",
      limit: 1_000,
      definitions: false,
    });
    const failed = await dure.countTasks({ type: id, status: "FAILED" });
    const retried = completed.filter((task) => task.attempts > 1).length;
    table.push([id, completed.length, failed, retried, `${medianRunMs(completed)} ms`]);
  }
  console.log(`\n${table.toString()}`);
}

function medianRunMs(tasks: readonly Task[]): number {
  const times = tasks
    .map((task) => task.completedAt!.getTime() - task.startedAt!.getTime())
    .sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? 0;
}

function printFailures(failed: readonly Task[]): void {
  if (failed.length === 0) return;
  console.log(`\n${pc.red(`${failed.length} reports cannot be made:`)}`);
  for (const task of failed.slice(0, shownFailures)) console.log(`  ${task.id.padEnd(12)} ${task.error}`);
  if (failed.length > shownFailures) console.log(`  … and ${failed.length - shownFailures} more`);
}
