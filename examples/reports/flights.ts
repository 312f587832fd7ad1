/** The data: 20,000 American flights of early 2001, and where the airports are. Real rows, read from their files. */
import { readFile } from "node:fs/promises";
import { csvParse } from "d3-dsv";

export interface Flight {
  /** Local time of departure, such as `2001/01/31 06:55`. */
  date: string;
  /** Minutes late at arrival; below zero is early. */
  delay: number;
  /** Miles. */
  distance: number;
  origin: string;
  destination: string;
}

export interface Airport {
  iata: string;
  name: string;
  city: string;
  state: string;
  latitude: number;
  longitude: number;
}

const dataFolder = new URL("../data/", import.meta.resolve("vega-datasets"));

export async function readFlights(): Promise<Flight[]> {
  return JSON.parse(await readFile(new URL("flights-20k.json", dataFolder), "utf8"));
}

/** By IATA code. */
export async function readAirports(): Promise<Map<string, Airport>> {
  const rows = csvParse(await readFile(new URL("airports.csv", dataFolder), "utf8"));
  const airports = rows.map((row) => ({
    iata: row.iata!,
    name: row.name!,
    city: row.city!,
    state: row.state!,
    latitude: Number(row.latitude),
    longitude: Number(row.longitude),
  }));
  return new Map(airports.map((airport) => [airport.iata, airport]));
}

/** Every airport that a flight leaves from or arrives at, the busiest first. */
export async function airportsInUse(): Promise<Airport[]> {
  const [flights, airports] = await Promise.all([readFlights(), readAirports()]);
  const uses = new Map<string, number>();
  for (const { origin, destination } of flights) {
    for (const iata of [origin, destination]) uses.set(iata, (uses.get(iata) ?? 0) + 1);
  }
  return [...uses]
    .sort(([a, usesOfA], [b, usesOfB]) => usesOfB - usesOfA || a.localeCompare(b))
    .flatMap(([iata]) => airports.get(iata) ?? []);
}
