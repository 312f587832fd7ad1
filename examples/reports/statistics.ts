/** From flights to figures. Pure functions; what the data cannot answer is an error with the reason. */
import { NonRetryableError } from "dure";
import type { Flight } from "./flights.ts";

/** A flight counts as late from here on, as airlines count it. */
export const lateMinutes = 15;

export interface Group {
  label: string;
  flights: number;
  averageDelay: number;
}

/** What a state's report needs of an airport's. */
export interface AirportSummary {
  iata: string;
  city: string;
  state: string;
  departures: number;
  averageDelay: number;
  lateShare: number;
}

export interface DelayStatistics {
  departures: number;
  averageDelay: number;
  /** Sample standard deviation, in minutes. */
  spread: number;
  medianDelay: number;
  /** 0 to 1. */
  lateShare: number;
  /** 24 groups. */
  byHour: Group[];
  /** Flights per class of delay. */
  histogram: { label: string; flights: number }[];
  /** The most flown destinations first. */
  destinations: Group[];
}

/** @throws NonRetryableError when there are too few departures: no later attempt will find more */
export function delayStatistics(iata: string, flights: readonly Flight[]): DelayStatistics {
  const departures = flights.filter((flight) => flight.origin === iata);
  if (departures.length === 0)
    throw new NonRetryableError(`${iata} has arrivals only: no departure to report on.`);
  if (departures.length === 1)
    throw new NonRetryableError(`${iata} has a single departure: it has no spread of delays.`);
  const delays = departures.map(({ delay }) => delay).sort((a, b) => a - b);
  const averageDelay = mean(delays);
  return {
    departures: departures.length,
    averageDelay,
    spread: Math.sqrt(
      delays.reduce((sum, delay) => sum + (delay - averageDelay) ** 2, 0) / (delays.length - 1),
    ),
    medianDelay: delays[Math.floor(delays.length / 2)]!,
    lateShare: delays.filter((delay) => delay >= lateMinutes).length / delays.length,
    byHour: byHour(departures),
    histogram: histogram(delays),
    destinations: groupBy(departures, (flight) => flight.destination),
  };
}

function byHour(flights: readonly Flight[]): Group[] {
  const groups = new Map(groupBy(flights, hourOf).map((group) => [group.label, group]));
  return Array.from({ length: 24 }, (_, hour) => {
    const label = String(hour).padStart(2, "0");
    return groups.get(label) ?? { label, flights: 0, averageDelay: 0 };
  });
}

function hourOf({ date }: Flight): string {
  return date.slice(11, 13);
}

function histogram(delays: readonly number[]): { label: string; flights: number }[] {
  const bounds = [-Infinity, -15, 0, 15, 30, 60, 120, Infinity];
  const labels = ["15+ early", "1–15 early", "0–14 late", "15–29", "30–59", "60–119", "120+"];
  return labels.map((label, index) => ({
    label,
    flights: delays.filter((delay) => delay >= bounds[index]! && delay < bounds[index + 1]!).length,
  }));
}

function groupBy(flights: readonly Flight[], labelOf: (flight: Flight) => string): Group[] {
  const delays = new Map<string, number[]>();
  for (const flight of flights) {
    const label = labelOf(flight);
    const group = delays.get(label);
    if (group) group.push(flight.delay);
    else delays.set(label, [flight.delay]);
  }
  return [...delays]
    .map(([label, group]) => ({ label, flights: group.length, averageDelay: mean(group) }))
    .sort((a, b) => b.flights - a.flights || a.label.localeCompare(b.label));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
