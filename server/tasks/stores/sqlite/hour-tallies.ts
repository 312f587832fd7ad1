/**
 * Counts by lane, state and hour of creation, on the writing thread: gathered through a transaction, written once before it
 * commits. A task that is claimed or comes back stays where it is counted, so only new, ended and deleted ones cost anything.
 */
import { allLanes, hourOf, stateOf } from "../hours.ts";
import type { Connection } from "./connection.ts";
import { tallySql as sql } from "./hour-statements.ts";

/** By `lane * 8 + state`, then by hour. */
export type HourChanges = ReadonlyMap<number, ReadonlyMap<number, number>>;

export class HourTally {
  readonly #connection: Connection;
  readonly #changes = new Map<number, Map<number, number>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** `from` or `to` is 0 for a task that was not there before or is not any more. */
  move(lane: number, from: number, to: number, createdAt: number): void {
    this.moveHour(lane, from, to, hourOf(createdAt), 1);
  }

  moveHour(lane: number, from: number, to: number, hour: number, tasks: number): void {
    const isOpen = from === 1 || from === 2;
    if (isOpen && (to === 1 || to === 2)) return;
    if (from !== 0) this.#add(lane * 8 + stateOf(from), hour, -tasks);
    if (to !== 0) this.#add(lane * 8 + stateOf(to), hour, tasks);
  }

  write(): void {
    for (const [key, hours] of this.#changes) {
      const lane = Math.floor(key / 8);
      for (const [hour, change] of hours) if (change !== 0) this.#write(lane, key % 8, hour, change);
    }
    this.#changes.clear();
  }

  forget(): void {
    this.#changes.clear();
  }

  save(): HourChanges {
    return new Map(Array.from(this.#changes, ([key, hours]) => [key, new Map(hours)]));
  }

  restore(saved: HourChanges): void {
    this.#changes.clear();
    for (const [key, hours] of saved) this.#changes.set(key, new Map(hours));
  }

  #add(key: number, hour: number, change: number): void {
    this.#addTo(key, hour, change);
    this.#addTo(allLanes * 8 + (key % 8), hour, change);
  }

  #addTo(key: number, hour: number, change: number): void {
    let hours = this.#changes.get(key);
    if (!hours) {
      hours = new Map();
      this.#changes.set(key, hours);
    }
    hours.set(hour, (hours.get(hour) ?? 0) + change);
  }

  #write(lane: number, state: number, hour: number, change: number): void {
    if (change > 0) {
      this.#connection.prepare(sql.addToHour).run(change, lane, state, hour);
      return;
    }
    const row = this.#connection.prepare(sql.takeFromHour).get(change, lane, state, hour) as
      | [number]
      | undefined;
    if (row?.[0] === 0) this.#connection.prepare(sql.deleteHour).run(lane, state, hour);
  }
}
