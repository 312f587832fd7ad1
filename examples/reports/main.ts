/**
 * The main job: a report on every American airport in real flight data, one task each, and one on every state.
 * Kill it half-way and start it again: it finishes what was left and repeats nothing that was done.
 *
 *   npm start                       all reports
 *   npm start -- --most 20          those of the 20 busiest airports
 *   npm start -- --fresh            from the beginning
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { type Airport, airportsInUse } from "./flights.ts";
import { writeWhole } from "./html.ts";
import { indexPage } from "./pages.ts";
import { printSummary } from "./summary.ts";
import {
  airportReport,
  airportTaskId,
  databaseFile,
  dure,
  hasSummary,
  readSummary,
  reportsFolder,
  stateReport,
  stateTaskId,
} from "./tasks.ts";

const { values } = parseArgs({ options: { fresh: { type: "boolean" }, most: { type: "string" } } });
if (values.fresh) removeEverything();
const stopped = stopOnSignal();

const airports = (await airportsInUse()).slice(0, Number(values.most ?? 1_000));
const tasks = await enqueueReports(airports);
const before = tasks.filter(isEnded).length;
if (before === tasks.length) {
  console.log(`All ${tasks.length} reports were made before.`);
} else {
  if (before > 0) console.log(`Resuming: ${before} of ${tasks.length} reports already done.`);
  await dure.start();
  await Promise.race([watch(tasks.length), stopped]);
  await dure.stop();
}
await writeIndex(airports);
await printSummary();
await dure.close();

/** Enqueueing again what is stored already answers the stored task, so this is the same at every start. */
async function enqueueReports(chosen: readonly Airport[]) {
  const states = Map.groupBy(chosen, (airport) => airport.state);
  return [
    ...(await stateReport.enqueueMany(
      [...states].map(([state, members]) => ({
        id: stateTaskId(state),
        payload: { state, airports: members.map(({ iata }) => iata) },
      })),
    )),
    ...(await airportReport.enqueueMany(
      chosen.map(({ iata }) => ({ id: airportTaskId(iata), payload: { iata } })),
    )),
  ];
}

function isEnded({ status }: { status: string }): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "CANCELLED";
}

/** Shows how far it is until every task has ended. */
async function watch(total: number): Promise<void> {
  const bar = new cliProgress.SingleBar(
    { format: "{bar} {value}/{total} reports  {failed} failed", noTTYOutput: false, hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  const terminal = process.stderr.isTTY;
  if (terminal) bar.start(total, 0, { failed: 0 });
  for (let said = -1, ended = 0; ended < total; ) {
    const [failed, completed, cancelled] = await Promise.all([
      dure.countTasks({ status: "FAILED" }),
      dure.countTasks({ status: "COMPLETED" }),
      dure.countTasks({ status: "CANCELLED" }),
    ]);
    ended = failed + completed + cancelled;
    if (terminal) bar.update(ended, { failed });
    else if (Math.floor(ended / 50) > said) {
      said = Math.floor(ended / 50);
      console.log(`${ended} of ${total} reports, ${failed} failed`);
    }
    if (ended < total) await dure.instance.clock.sleep(100);
  }
  bar.stop();
}

async function writeIndex(chosen: readonly Airport[]): Promise<void> {
  const done = chosen.filter(({ iata }) => hasSummary(iata));
  const summaries = await Promise.all(done.map(({ iata }) => readSummary(iata)));
  const states = [...new Set(chosen.map(({ state }) => state))].sort();
  const written = states.filter((state) => existsSync(join(reportsFolder, `state-${state}.html`)));
  await writeWhole(join(reportsFolder, "index.html"), indexPage(summaries, written));
}

/** Ctrl-C lets running reports finish; what is left waits for the next start. */
function stopOnSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        console.error("\nStopping; start it again to finish what is left.");
        process.exitCode = signal === "SIGINT" ? 130 : 143;
        resolve();
      });
    }
  });
}

function removeEverything(): void {
  for (const suffix of ["", "-wal", "-shm", "-workers"])
    rmSync(databaseFile + suffix, { recursive: true, force: true });
  rmSync(reportsFolder, { recursive: true, force: true });
}
