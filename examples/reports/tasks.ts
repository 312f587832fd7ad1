/** The two kinds of task: a report on an airport, and one on a state, which needs those of its airports. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createDure, NonRetryableError, RetryAfter } from "dure";
import * as v from "valibot";
import { readAirports, readFlights } from "./flights.ts";
import { writeWhole } from "./html.ts";
import { airportPage, statePage } from "./pages.ts";
import { type AirportSummary, delayStatistics } from "./statistics.ts";

export const databaseFile = process.env.REPORTS_DATABASE ?? ".dure/reports.db";
export const reportsFolder = "reports";

/** Milliseconds that each report takes longer, to have time to kill the program. */
const slowMs = Number(process.env.REPORTS_SLOW_MS ?? 0);

export const dure = createDure({ database: databaseFile, worker: { concurrency: 4 } });

const Iata = v.pipe(v.string(), v.regex(/^[A-Z0-9]{3}$/));

export const airportReport = dure.defineTask(
  "airport-report",
  async (task, { log, progress, signal }) => {
    const { iata } = task.payload;
    progress(0, 3, "reading");
    const [flights, airports] = await Promise.all([readFlights(), readAirports()]);
    const airport = airports.get(iata);
    if (!airport) throw new NonRetryableError(`${iata} is not in the list of airports.`);
    if (slowMs > 0) await pause(slowMs, undefined, { signal });

    progress(1, 3, "counting");
    const statistics = delayStatistics(iata, flights);
    log.info("counted", { departures: statistics.departures, destinations: statistics.destinations.length });

    progress(2, 3, "writing");
    signal.throwIfAborted();
    const { departures, averageDelay, lateShare } = statistics;
    const summary: AirportSummary = {
      iata,
      city: airport.city,
      state: airport.state,
      departures,
      averageDelay,
      lateShare,
    };
    await writeWhole(summaryFile(iata), JSON.stringify(summary));
    const file = join(reportsFolder, `airport-${iata}.html`);
    await writeWhole(file, airportPage(airport, statistics, airports));
    progress(3, 3, "done");
    return { file, departures };
  },
  {
    description: "Delays of the flights from one airport",
    payload: v.object({ iata: Iata }),
    maxAttempts: 3,
    timeout: "1m",
  },
);

export const stateReport = dure.defineTask(
  "state-report",
  async (task, { log }) => {
    const { state, airports } = task.payload;
    const waiting: string[] = [];
    const summaries: AirportSummary[] = [];
    for (const iata of airports) {
      const report = await dure.getTaskById(airportTaskId(iata));
      if (report?.status === "COMPLETED") summaries.push(await readSummary(iata));
      else if (report?.status !== "FAILED" && report?.status !== "CANCELLED") waiting.push(iata);
    }
    if (waiting.length > 0)
      throw new RetryAfter(
        "300ms",
        `${waiting.length} of its airports are not ready: ${waiting.join(", ")}.`,
      );
    if (summaries.length === 0) throw new NonRetryableError(`No airport of ${state} has a report.`);
    log.info("put together", { airports: summaries.length });
    const file = join(reportsFolder, `state-${state}.html`);
    await writeWhole(file, statePage(state, summaries, airports.length - summaries.length));
    return { file, airports: summaries.length };
  },
  {
    description: "The airports of one state, side by side",
    payload: v.object({ state: v.string(), airports: v.array(Iata) }),
    maxAttempts: 1_000,
  },
);

/** Tasks with ids of our own: the same id and payload again is the same task, so a second start adds nothing. */
export function airportTaskId(iata: string): string {
  return `airport-${iata}`;
}

export function stateTaskId(state: string): string {
  return `state-${state.replaceAll(" ", "-")}`;
}

export async function readSummary(iata: string): Promise<AirportSummary> {
  return JSON.parse(await readFile(summaryFile(iata), "utf8"));
}

export function hasSummary(iata: string): boolean {
  return existsSync(summaryFile(iata));
}

function summaryFile(iata: string): string {
  return join(reportsFolder, "data", `${iata}.json`);
}
