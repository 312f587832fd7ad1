/** The three kinds of page: an airport, a state, the index. */
import { barChart, isMainland, routeMap } from "./charts.ts";
import type { Airport } from "./flights.ts";
import { escapeHtml, facts, minutes, page, percent, table } from "./html.ts";
import { type AirportSummary, type DelayStatistics, lateMinutes, mean } from "./statistics.ts";

const topDestinations = 12;

export function airportPage(
  airport: Airport,
  statistics: DelayStatistics,
  airports: ReadonlyMap<string, Airport>,
): string {
  const routes = statistics.destinations.flatMap(({ label, flights }) => {
    const to = airports.get(label);
    return to ? [{ to, flights }] : [];
  });
  const hours = statistics.byHour.map(({ label, flights, averageDelay }) => ({
    label,
    value: averageDelay,
    title:
      flights === 0
        ? `${label}:00: no departure`
        : `${label}:00: ${minutes(averageDelay)} late on average, ${flights} flights`,
  }));
  const classes = statistics.histogram.map(({ label, flights }) => ({
    label,
    value: flights,
    title: `${label} minutes: ${flights} flights`,
  }));
  return page(
    `${airport.city} (${airport.iata})`,
    `${airport.name}, ${airport.state}. Departures from January to March 2001.`,
    [
      facts([
        ["Departures", String(statistics.departures)],
        ["Average delay", minutes(statistics.averageDelay)],
        ["Median delay", minutes(statistics.medianDelay)],
        ["Spread", `± ${minutes(statistics.spread)}`],
        [`${lateMinutes} min late or more`, percent(statistics.lateShare)],
      ]),
      "<h2>When to leave</h2>",
      barChart("Average delay by hour of departure, in minutes", hours),
      "<h2>How late</h2>",
      barChart("Departures by delay in minutes", classes),
      "<h2>Where to</h2>",
      isMainland(airport) ? routeMap(`Destinations from ${airport.city}`, airport, routes) : "",
      `<p class="lead">The ${Math.min(topDestinations, statistics.destinations.length)} most flown of ${statistics.destinations.length} destinations.</p>`,
      table(
        ["Destination", "Flights", "Average delay"],
        statistics.destinations
          .slice(0, topDestinations)
          .map((group) => [
            escapeHtml(airports.get(group.label)?.city ?? group.label),
            String(group.flights),
            delayCell(group.averageDelay),
          ]),
      ),
      `<p><a href="index.html">All reports</a> · <a href="state-${escapeHtml(airport.state)}.html">${escapeHtml(airport.state)}</a></p>`,
    ],
  );
}

export function statePage(state: string, airports: readonly AirportSummary[], without: number): string {
  const departures = airports.reduce((sum, airport) => sum + airport.departures, 0);
  const byDelay = [...airports].sort((a, b) => b.averageDelay - a.averageDelay);
  const bars = byDelay.slice(0, 24).map((airport) => ({
    label: airport.iata,
    value: airport.averageDelay,
    title: `${airport.city}: ${minutes(airport.averageDelay)}`,
  }));
  const left = without === 0 ? "" : ` ${without} of its airports have too few departures for a report.`;
  return page(`Airports of ${state}`, `January to March 2001.${left}`, [
    facts([
      ["Airports", String(airports.length)],
      ["Departures", String(departures)],
      ["Average delay", minutes(mean(airports.map((airport) => airport.averageDelay)))],
    ]),
    barChart("Average delay by airport, in minutes", bars),
    "<h2>The airports</h2>",
    airportTable(airports),
    `<p><a href="index.html">All reports</a></p>`,
  ]);
}

export function indexPage(airports: readonly AirportSummary[], states: readonly string[]): string {
  const links = states.map((state) => `<a href="state-${escapeHtml(state)}.html">${escapeHtml(state)}</a>`);
  const departures = airports.reduce((sum, airport) => sum + airport.departures, 0);
  return page("Late in 2001", "Delays of American flights from January to March 2001, airport by airport.", [
    facts([
      ["Airports", String(airports.length)],
      ["Departures", departures.toLocaleString("en")],
      ["States", String(states.length)],
    ]),
    "<h2>By state</h2>",
    `<p>${links.join(" · ")}</p>`,
    "<h2>By airport</h2>",
    airportTable(airports),
  ]);
}

function airportTable(airports: readonly AirportSummary[]): string {
  const rows = [...airports].sort((a, b) => b.departures - a.departures || a.iata.localeCompare(b.iata));
  return table(
    ["Airport", "Departures", "Average delay", "Late"],
    rows.map((airport) => [
      `<a href="airport-${escapeHtml(airport.iata)}.html">${escapeHtml(airport.city)} (${escapeHtml(airport.iata)})</a>`,
      String(airport.departures),
      delayCell(airport.averageDelay),
      percent(airport.lateShare),
    ]),
  );
}

function delayCell(delay: number): string {
  return delay >= lateMinutes ? `<span class="late">${minutes(delay)}</span>` : minutes(delay);
}
