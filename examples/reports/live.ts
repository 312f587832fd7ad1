/** The worker of `npm run dev`: all reports first, then one of an airport by chance every two seconds. */
import { airportsInUse } from "./flights.ts";
import { airportReport, dure } from "./tasks.ts";

const everyMs = 2_000;

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.abort());

const airports = await airportsInUse();
await airportReport.enqueueMany(airports.map(({ iata }) => ({ id: `first-${iata}`, payload: { iata } })));
await dure.start();
while (!stopped.signal.aborted) {
  const { iata } = airports[Math.floor(Math.random() * airports.length)]!;
  await airportReport.enqueue({ iata });
  await dure.instance.clock.sleep(everyMs, stopped.signal).catch(() => undefined);
}
await dure.close();
