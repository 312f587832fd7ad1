/**
 * Brief tasks, on the writing thread: in which hours of creation tasks were created that ran for so many milliseconds. They are most
 * of what a busy worker runs, and have no entry in the index of durations. Gathered through a transaction, written once before it
 * commits; a duration that an hour has already costs a look. What is kept says where to look, so it may be of tasks that are gone.
 */
import { hourOfMinute } from "../../shared/kept-counts.ts";
import type { Connection } from "../connection.ts";

/** Tasks that ran for less, and whose clock did not go back, are brief. The index of the others has it as a number. */
export const briefMs = 64;

/** By `lane * 8 + status`: `hour * briefMs + duration`. */
export type BriefChanges = ReadonlyMap<number, ReadonlySet<number>>;

const none: readonly number[] = [];

/** How long a task ran that ends, where it was brief. */
export function briefOf(startedAt: number | null | undefined, endedAt: number): readonly number[] {
  if (startedAt === null || startedAt === undefined) return none;
  const duration = endedAt - startedAt;
  return duration >= 0 && duration < briefMs ? [duration] : none;
}

const durations = Array.from({ length: briefMs }, (_, duration) => duration).join(", ");

const sql = {
  insert:
    "/* dure:insertBriefHour */ INSERT OR IGNORE INTO brief_hours (lane, status, duration, hour) VALUES (?, ?, ?, ?)",
  delete: `/* dure:deleteBriefHour */ DELETE FROM brief_hours
    WHERE lane = ? AND status = ? AND duration IN (${durations}) AND hour = ?`,
} as const;

export class BriefHours {
  readonly #connection: Connection;
  #changes = new Map<number, Set<number>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @param key `lane * 8 + status` */
  add(key: number, createdMinute: number, briefs: readonly number[]): void {
    if (briefs.length === 0) return;
    let places = this.#changes.get(key);
    if (!places) {
      places = new Set();
      this.#changes.set(key, places);
    }
    const first = hourOfMinute(createdMinute) * briefMs;
    for (const duration of briefs) places.add(first + duration);
  }

  /** The hour has no tasks of the lane and status any more. */
  delete(lane: number, status: number, hour: number): void {
    this.#connection.prepare(sql.delete).run(lane, status, hour);
  }

  write(): void {
    for (const [key, places] of this.#changes) {
      for (const place of places) {
        const hour = Math.floor(place / briefMs);
        this.#connection.prepare(sql.insert).run(Math.floor(key / 8), key % 8, place - hour * briefMs, hour);
      }
    }
    this.#changes.clear();
  }

  forget(): void {
    this.#changes.clear();
  }

  save(): BriefChanges {
    return copyOf(this.#changes);
  }

  restore(saved: BriefChanges): void {
    this.#changes = copyOf(saved);
  }
}

function copyOf(changes: BriefChanges): Map<number, Set<number>> {
  return new Map(Array.from(changes, ([key, places]) => [key, new Set(places)]));
}
