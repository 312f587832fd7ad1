/**
 * Counts by lane, state and time, on the writing thread: gathered through a transaction, written once before it commits. A
 * task counts in the hour and the minute in which it was created; one that has ended counts by its latest change too. A task
 * that is claimed or comes back stays where it is counted, so only new, ended and deleted ones cost anything. With the counts
 * by creation it is kept between which durations those that have ended lie; that is widened, and never narrowed.
 */
import { allLanes, stateOf } from "../../shared/hours.ts";
import { hourOfMinute, minuteOf } from "../../shared/kept-counts.ts";
import type { Connection } from "../connection.ts";
import { hourSql, minuteSql } from "./time-statements.ts";

/** By `lane * 8 + state`, then by stretch of time. */
type Changes = Map<number, Map<number, Change>>;
type Change = readonly [tasks: number, changed: number, runs: Runs | undefined];
export type TimeChanges = ReadonlyMap<number, ReadonlyMap<number, Change>>;

/** How long tasks ran that have ended and had started, in milliseconds: no less and no longer than these. */
export interface Runs {
  shortest: number;
  longest: number;
}

/** Of one task, as its row says it. */
export function runOf(startedAt: number | null | undefined, completedAt: number): Runs | undefined {
  if (startedAt === null || startedAt === undefined) return undefined;
  const duration = completedAt - startedAt;
  return { shortest: duration, longest: duration };
}

export class TimeTally {
  readonly #connection: Connection;
  /** By the minute. */
  #changes: Changes = new Map();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** As `moveMinute`, for one task, with instants. */
  move(lane: number, from: number, to: number, createdAt: number, changedAt: number, run?: Runs): void {
    this.moveMinute(lane, from, to, minuteOf(createdAt), minuteOf(changedAt), 1, run);
  }

  /**
   * `from` or `to` is 0 for a task that was not there before or is not any more. `created` is the minute of creation;
   * `changed` that of the change by which the tasks ended, of use where they have ended before or after; `runs` of tasks that
   * end now, and had started.
   */
  moveMinute(
    lane: number,
    from: number,
    to: number,
    created: number,
    changed: number,
    tasks: number,
    runs?: Runs,
  ): void {
    const isOpen = from === 1 || from === 2;
    if (isOpen && (to === 1 || to === 2)) return;
    if (from !== 0) this.#count(lane * 8 + stateOf(from), created, changed, -tasks);
    if (to !== 0) this.#count(lane * 8 + stateOf(to), created, changed, tasks, to >= 3 ? runs : undefined);
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
  }

  forget(): void {
    this.#changes.clear();
  }

  save(): TimeChanges {
    return copyOf(this.#changes);
  }

  restore(saved: TimeChanges): void {
    this.#changes = copyOf(saved);
  }

  #count(key: number, created: number, changed: number, tasks: number, runs?: Runs): void {
    // No task was changed before it was created, whatever the clock says.
    const ended = Math.max(created, changed);
    const hasEnded = key % 8 !== 0;
    add(this.#changes, key, created, [tasks, hasEnded && ended === created ? tasks : 0, runs]);
    if (hasEnded && ended !== created) add(this.#changes, key, ended, [0, tasks, undefined]);
  }

  #write(sql: typeof hourSql, key: number, at: number, [tasks, changed, runs]: Change): void {
    if (tasks === 0 && changed === 0 && !runs) return;
    const place = [Math.floor(key / 8), key % 8, at] as const;
    const change = [tasks, changed, runs?.shortest ?? null, runs?.longest ?? null] as const;
    if (tasks >= 0 && changed >= 0 && tasks + changed > 0) {
      this.#connection.prepare(sql.add).run(...change, ...place);
      return;
    }
    const row = this.#connection.prepare(sql.take).get(...change, ...place) as [number, number] | undefined;
    if (row?.[0] === 0 && row[1] === 0) this.#connection.prepare(sql.delete).run(...place);
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
  times.set(at, sum ? [sum[0] + change[0], sum[1] + change[1], both(sum[2], change[2])] : change);
}

function both(some: Runs | undefined, others: Runs | undefined): Runs | undefined {
  if (!some || !others) return some ?? others;
  return {
    shortest: Math.min(some.shortest, others.shortest),
    longest: Math.max(some.longest, others.longest),
  };
}

function copyOf(changes: TimeChanges): Changes {
  return new Map(Array.from(changes, ([key, times]) => [key, new Map(times)]));
}
