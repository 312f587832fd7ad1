/** Lanes and tallies, as the writing thread keeps them: numbers for (type, queue) pairs, and exact counts. */
import type { Connection } from "./connection.ts";
import { type TimeChanges, TimeTally } from "./counts/time-tallies.ts";
import { beforeAll } from "./instants.ts";
import { sql } from "./statements.ts";

/** What a reader of rows needs to know of a lane. */
export type LaneName = [lane: number, type: string, queue: string, description: string | null];

export class Lanes {
  readonly #connection: Connection;
  readonly #byName = new Map<string, number>();
  readonly #matching = new Map<string, WorkerLanes>();
  /** Of lanes up to `#queuesUpTo`; empty until it is asked for. */
  readonly #byQueue = new Map<string, number[]>();
  #queuesUpTo = -1;
  /** What `#matching` was made from: the newest lane, and what was paused. */
  #matchedUpTo = -1;
  #matchedPauses: string | null = null;
  /** Tasks of one call are mostly of one lane. */
  #latest: { type: string; queue: string; ownIds: boolean; lane: number } | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The lane's number; made when it is new. Call inside a write transaction. */
  of(type: string, queue: string, ownIds: boolean): number {
    const latest = this.#latest;
    if (latest && latest.type === type && latest.queue === queue && latest.ownIds === ownIds)
      return latest.lane;
    const lane = this.#find(type, queue, ownIds);
    this.#latest = { type, queue, ownIds, lane };
    return lane;
  }

  /**
   * The lanes that a worker of these types and queues takes from: those of which neither is paused. The same object as
   * long as it only gains lanes.
   */
  matching(types: readonly string[], queues: readonly string[] | undefined): WorkerLanes {
    const row = this.#connection.prepare(sql.lanesAndPauses).get();
    const [newest, pauses] = row as unknown as [number, string | null];
    if (newest < this.#matchedUpTo || pauses !== this.#matchedPauses) this.#matching.clear();
    else if (newest > this.#matchedUpTo) this.#addNewer();
    this.#matchedUpTo = newest;
    this.#matchedPauses = pauses;
    const key = JSON.stringify([types, queues]);
    let lanes = this.#matching.get(key);
    if (!lanes) {
      lanes = new WorkerLanes(types, queues, pauses);
      const rows = this.#connection.prepare(sql.lanesOfTypes).all(JSON.stringify(types));
      lanes.add(rows as unknown as NamedLane[]);
      this.#matching.set(key, lanes);
    }
    return lanes;
  }

  /** The lanes of a queue, whatever their types. Call inside a write transaction. */
  ofQueue(queue: string): readonly number[] {
    const newer = this.#connection.prepare(sql.lanesAfter).all(this.#queuesUpTo) as unknown as NamedLane[];
    for (const [lane, , name] of newer) {
      this.#queuesUpTo = lane;
      const lanes = this.#byQueue.get(name);
      if (lanes) lanes.push(lane);
      else this.#byQueue.set(name, [lane]);
    }
    return this.#byQueue.get(queue) ?? [];
  }

  #addNewer(): void {
    if (this.#matching.size === 0) return;
    const rows = this.#connection.prepare(sql.lanesAfter).all(this.#matchedUpTo);
    for (const lanes of this.#matching.values()) lanes.add(rows as unknown as NamedLane[]);
  }

  /** A rolled-back transaction may have taken new lanes with it. */
  forget(): void {
    this.#latest = undefined;
    this.#byName.clear();
    this.#matching.clear();
    this.#matchedUpTo = -1;
    this.#byQueue.clear();
    this.#queuesUpTo = -1;
  }

  #find(type: string, queue: string, ownIds: boolean): number {
    const name = `${type} ${queue} ${ownIds ? 1 : 0}`;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const own = ownIds ? 1 : 0;
    const found = this.#connection.prepare(sql.findLane).get(type, queue, own) as [number] | undefined;
    const lane = (found ??
      (this.#connection.prepare(sql.insertLane).get(type, queue, own) as unknown as [number]))[0];
    this.#byName.set(name, lane);
    return lane;
  }
}

type NamedLane = [lane: number, type: string, queue: string];

/** The lanes that a worker takes from, in ascending order. */
export class WorkerLanes {
  readonly #types: ReadonlySet<string>;
  readonly #queues: ReadonlySet<string> | undefined;
  readonly #paused: ReadonlySet<string>;
  readonly #lanes: number[] = [];
  readonly #members = new Set<number>();

  constructor(types: readonly string[], queues: readonly string[] | undefined, pauses: string | null) {
    this.#types = new Set(types);
    this.#queues = queues && new Set(queues);
    this.#paused = new Set(pauses?.split("\n"));
  }

  get all(): readonly number[] {
    return this.#lanes;
  }

  has(lane: number): boolean {
    return this.#members.has(lane);
  }

  /** Adds those that fit. */
  add(lanes: readonly NamedLane[]): void {
    for (const [lane, type, queue] of lanes) {
      if (!this.#types.has(type) || (this.#queues && !this.#queues.has(queue))) continue;
      if (this.#paused.has(`type ${type}`) || this.#paused.has(`queue ${queue}`)) continue;
      this.#lanes.push(lane);
      this.#members.add(lane);
    }
  }
}

/** What a step of a transaction may take back. */
export interface SavedTally {
  /** By `lane * 8 + status`. */
  changes: ReadonlyMap<number, number>;
  times: TimeChanges;
}

/** Changes of the counts, gathered through a transaction and written once before it commits. */
export class Tally {
  readonly #connection: Connection;
  readonly times: TimeTally;
  readonly #changes = new Map<number, number>();
  /** Lanes in which tasks became PENDING or took another place, until it is cleared. */
  readonly readied = new Set<number>();
  /** From when on tasks came to a status: their texts have changed. */
  readonly #changedAts = new Map<number, number>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.times = new TimeTally(connection);
  }

  /**
   * `from` or `to` is 0 for a task that was not there before or is not any more. `at` is when, for tasks whose text may be
   * another now; those that are new need none.
   */
  move(lane: number, from: number, to: number, tasks = 1, at?: number): void {
    if (from !== 0) this.#add(lane * 8 + from, -tasks);
    if (to === 0) return;
    const key = lane * 8 + to;
    this.#add(key, tasks);
    if (to === 1) this.readied.add(lane);
    if (at !== undefined) this.changed(lane, to, at);
  }

  /** How many tasks of the lane are PENDING, by what is counted so far. */
  waiting(lane: number): number {
    const row = this.#connection.prepare(sql.waitingOfLane).get(lane) as unknown as [number] | undefined;
    return (row?.[0] ?? 0) + (this.#changes.get(lane * 8 + 1) ?? 0);
  }

  /** Tasks of this status, whose text may be another now. */
  changed(lane: number, status: number, at: number): void {
    const key = lane * 8 + status;
    this.touch(lane, status);
    if (status === 1) this.readied.add(lane);
    this.#changedAts.set(key, Math.min(at, this.#changedAts.get(key) ?? at));
  }

  /** Tasks of this status, which have not come to it now. */
  touch(lane: number, status: number): void {
    this.#add(lane * 8 + status, 0);
  }

  /** @param at the latest instant of the transaction's changes, for those who follow changes; new tasks need none */
  write(at = beforeAll): void {
    for (const [key, change] of this.#changes) {
      const lane = Math.floor(key / 8);
      const updated = this.#connection.prepare(sql.addToTally).run(change, lane, key % 8, at);
      if (updated.changes === 0 && change !== 0)
        this.#connection.prepare(sql.insertTally).run(lane, key % 8, change, at);
    }
    for (const [key, at] of this.#changedAts) {
      this.#connection.prepare(sql.noteUnindexed).run(at, Math.floor(key / 8), key % 8);
    }
    this.times.write();
    this.#changes.clear();
    this.#changedAts.clear();
  }

  forget(): void {
    this.times.forget();
    this.#changes.clear();
    this.#changedAts.clear();
  }

  /** The changes so far, so that a step that fails can take its own back. */
  save(): SavedTally {
    return { changes: new Map(this.#changes), times: this.times.save() };
  }

  restore({ changes, times }: SavedTally): void {
    this.times.restore(times);
    this.#changes.clear();
    for (const [key, change] of changes) this.#changes.set(key, change);
  }

  #add(key: number, change: number): void {
    this.#changes.set(key, (this.#changes.get(key) ?? 0) + change);
  }
}
