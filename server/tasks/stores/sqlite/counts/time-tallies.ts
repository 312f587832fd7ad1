/**
 * Counts by lane, state and time, on the writing thread: gathered through a transaction, written once before it commits. A
 * task counts in the hour and the minute in which it was created; one that has ended counts by its latest change too. A task
 * that is claimed or comes back stays where it is counted, so only new, ended and deleted ones cost anything. With them goes
 * in which hours brief tasks were created; see brief-hours.ts.
 */
import { allLanes, stateOf } from "../../shared/hours.ts";
import { hourOfMinute, minuteOf } from "../../shared/kept-counts.ts";
import type { Connection } from "../connection.ts";
import { type BriefChanges, BriefHours } from "./brief-hours.ts";
import { hourSql, minuteSql } from "./time-statements.ts";

/** By `lane * 8 + state`, then by stretch of time. */
type Changes = Map<number, Map<number, Change>>;
type Change = readonly [tasks: number, changed: number];

/** What a step of a transaction may take back. */
export interface TimeChanges {
  counts: ReadonlyMap<number, ReadonlyMap<number, Change>>;
  brief: BriefChanges;
}

export class TimeTally {
  readonly #connection: Connection;
  /** By the minute. */
  #changes: Changes = new Map();
  readonly #brief: BriefHours;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#brief = new BriefHours(connection);
  }

  /** As `moveMinute`, for one task, with instants. */
  move(
    lane: number,
    from: number,
    to: number,
    createdAt: number,
    changedAt: number,
    briefs?: readonly number[],
  ): void {
    this.moveMinute(lane, from, to, minuteOf(createdAt), minuteOf(changedAt), 1, briefs);
  }

  /**
   * `from` or `to` is 0 for a task that was not there before or is not any more. `created` is the minute of creation;
   * `changed` that of the change by which the tasks ended, of use where they have ended before or after; `briefs` how long
   * those ran that end now and were brief.
   */
  moveMinute(
    lane: number,
    from: number,
    to: number,
    created: number,
    changed: number,
    tasks: number,
    briefs: readonly number[] = [],
  ): void {
    const isOpen = from === 1 || from === 2;
    if (isOpen && (to === 1 || to === 2)) return;
    if (from !== 0) this.#count(lane * 8 + stateOf(from), created, changed, -tasks);
    if (to !== 0) this.#count(lane * 8 + stateOf(to), created, changed, tasks);
    if (to >= 3) this.#brief.add(lane * 8 + to, created, briefs);
  }

  write(): void {
    const hours: Changes = new Map();
    for (const [key, minutes] of withAllLanes(this.#changes)) {
      for (const [minute, change] of minutes) {
        this.#write(minuteSql, key, minute, change);
        add(hours, key, hourOfMinute(minute), change);
      }
    }
    for (const [key, changes] of hours) {
      for (const [hour, change] of changes) this.#write(hourSql, key, hour, change);
    }
    this.#changes.clear();
    this.#brief.write();
  }

  forget(): void {
    this.#changes.clear();
    this.#brief.forget();
  }

  save(): TimeChanges {
    return { counts: copyOf(this.#changes), brief: this.#brief.save() };
  }

  restore({ counts, brief }: TimeChanges): void {
    this.#changes = copyOf(counts);
    this.#brief.restore(brief);
  }

  #count(key: number, created: number, changed: number, tasks: number): void {
    // No task was changed before it was created, whatever the clock says.
    const ended = Math.max(created, changed);
    const hasEnded = key % 8 !== 0;
    add(this.#changes, key, created, [tasks, hasEnded && ended === created ? tasks : 0]);
    if (hasEnded && ended !== created) add(this.#changes, key, ended, [0, tasks]);
  }

  #write(sql: typeof hourSql, key: number, at: number, [tasks, changed]: Change): void {
    if (tasks === 0 && changed === 0) return;
    const [lane, state] = [Math.floor(key / 8), key % 8];
    const place = [lane, state, at] as const;
    if (tasks >= 0 && changed >= 0) {
      this.#connection.prepare(sql.add).run(tasks, changed, ...place);
      return;
    }
    const row = this.#connection.prepare(sql.take).get(tasks, changed, ...place) as
      | [number, number]
      | undefined;
    if (row?.[0] !== 0 || row[1] !== 0) return;
    this.#connection.prepare(sql.delete).run(...place);
    if (sql === hourSql && lane !== allLanes && state !== 0) this.#brief.delete(lane, state, at);
  }
}

function withAllLanes(changes: Changes): Changes {
  const all: Changes = new Map(changes);
  for (const [key, minutes] of changes) {
    for (const [minute, change] of minutes) add(all, allLanes * 8 + (key % 8), minute, change);
  }
  return all;
}

function add(changes: Changes, key: number, at: number, change: Change): void {
  let times = changes.get(key);
  if (!times) {
    times = new Map();
    changes.set(key, times);
  }
  const sum = times.get(at);
  times.set(at, sum ? [sum[0] + change[0], sum[1] + change[1]] : change);
}

function copyOf(changes: TimeChanges["counts"]): Changes {
  return new Map(Array.from(changes, ([key, times]) => [key, new Map(times)]));
}
