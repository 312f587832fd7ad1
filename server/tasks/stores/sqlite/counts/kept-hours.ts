/**
 * What a reading thread has read of the counts by the hour, by lane: they lie in as many places as there are lanes, five thousand for a
 * day of sixty. The counts by lane and status tell which lanes have changed since, as in search/kept-heads.ts, and these are read anew.
 */
import type { Buckets } from "../../../core/store.ts";
import type { Whole } from "../../shared/hours.ts";
import type { Connection } from "../connection.ts";
import { latestChange, latestStep } from "../search/kept-heads.ts";
import type { Pair } from "../search/search-statements.ts";
import { keptSql, keptStates } from "./time-statements.ts";

/** Of fewer lanes they are read sooner than it is looked which are known; and of more hours, since all of these are gone through. */
const [keptLanesMin, keptHoursMax] = [8, 1_500];
/** A lane that was changed so shortly before the latest change of all is at work, and may change in that same instant once more. */
const stillMs = 10_000;
const hoursOfDay = 24;
const states = keptStates.length;
const placeOfState = Array.from({ length: 8 }, (_, state) => keptStates.indexOf(state as 0));
const allHours = 2 ** hoursOfDay - 1;
const noTasks: Day["tasks"] = new Int32Array(0);
/** Days of lanes, half a kilobyte each; beyond that all are read again, and none is kept of a question that has more. */
const daysMax = 10_000;

interface Day {
  /** A bit for each hour. */
  known: number;
  /** By hour and state. */
  tasks: Int32Array;
}

interface Lane {
  /** By status, how many tasks and when they were changed last. */
  readonly pairs: ReadonlyMap<number, Pair>;
  readonly days: Map<number, Day>;
}

type Lanes = Map<number, Lane>;

/** By the instant that is counted by. */
class KeptHours {
  #step: number | undefined;
  readonly #lanes: Record<Buckets["time"], Lanes> = { createdAt: new Map(), updatedAt: new Map() };

  of(time: Buckets["time"], step: number): Lanes {
    const all = Object.values(this.#lanes);
    const days = all.reduce((sum, lanes) => sum + daysIn(lanes), 0);
    if (step !== this.#step || days > daysMax) for (const lanes of all) lanes.clear();
    this.#step = step;
    return this.#lanes[time];
  }
}

function daysIn(lanes: Lanes): number {
  let sum = 0;
  for (const { days } of lanes.values()) sum += days.size;
  return sum;
}

/** Whether so many lanes and hours are of use to keep. */
export function areKept(lanes: number, { from, to }: Whole): boolean {
  const days = Math.ceil((to - from) / hoursOfDay) + 1;
  return lanes >= keptLanesMin && to - from <= keptHoursMax && lanes * days <= daysMax;
}

type Give = (lane: number, state: number, hour: number, tasks: number) => void;

/**
 * `atWork` are the lanes that it does not read: what is kept of them would be of no use a moment later.
 * @param pairs all of the lanes, whatever their status
 */
export function keptHours(
  connection: Connection,
  time: Buckets["time"],
  pairs: readonly Pair[],
): { read: (whole: Whole, give: Give) => void; atWork: number[] } {
  const kept = connection.lasting(
    "hours",
    () => new KeptHours(),
    () => true,
  );
  const known = kept.of(time, latestStep(connection));
  const since = latestChange(connection) - stillMs;
  const atWork = new Set(pairs.filter(({ changedAt }) => changedAt > since).map(({ lane }) => lane));
  const lanes = lanesOf(
    pairs.filter(({ lane }) => !atWork.has(lane)),
    known,
  );
  const read = (whole: Whole, give: Give) => {
    if (whole.from >= whole.to) return;
    const unread = [...lanes].filter(([, lane]) => !isKnown(lane, whole)).map(([lane]) => lane);
    for (const [number, json] of rowsOf(connection, time, unread, whole)) {
      const lane = lanes.get(number)!;
      take(lane, whole, JSON.parse(json) as [number[], number[]]);
      known.set(number, lane);
    }
    for (const [number, lane] of lanes) giveOf(number, lane, whole, give);
  };
  return { read, atWork: [...atWork] };
}

function rowsOf(
  connection: Connection,
  time: Buckets["time"],
  lanes: readonly number[],
  { from, to }: Whole,
): [lane: number, json: string][] {
  if (lanes.length === 0) return [];
  const statement = connection.prepare(keptSql.hour.each(time));
  return statement.all(JSON.stringify(lanes), from, to) as unknown as [number, string][];
}

/** Those that are known and were not changed since as they are, the others empty. */
function lanesOf(pairs: readonly Pair[], known: Lanes): Lanes {
  const byLane = new Map<number, Map<number, Pair>>();
  for (const pair of pairs) {
    const statuses = byLane.get(pair.lane);
    if (statuses) statuses.set(pair.status, pair);
    else byLane.set(pair.lane, new Map([[pair.status, pair]]));
  }
  return new Map(
    Array.from(byLane, ([number, pairs]) => {
      const lane = known.get(number);
      return [number, lane && isSame(lane.pairs, pairs) ? lane : { pairs, days: new Map() }];
    }),
  );
}

function isSame(before: Lane["pairs"], now: Lane["pairs"]): boolean {
  if (before.size !== now.size) return false;
  for (const [status, { tasks, changedAt }] of now) {
    const pair = before.get(status);
    if (pair?.tasks !== tasks || pair.changedAt !== changedAt) return false;
  }
  return true;
}

function isKnown(lane: Lane, whole: Whole): boolean {
  for (const [day, hours] of daysOf(whole))
    if (((lane.days.get(day)?.known ?? 0) & hours) !== hours) return false;
  return true;
}

function take(lane: Lane, whole: Whole, [places, counts]: [number[], number[]]): void {
  for (const [number, hours] of daysOf(whole)) dayOf(lane, number).known |= hours;
  let [latest, tasks] = [Number.NaN, noTasks];
  for (let index = 0; index < places.length; index += 1) {
    const hour = places[index]! >> 3;
    const day = Math.floor(hour / hoursOfDay);
    if (day !== latest) [latest, tasks] = [day, dayOf(lane, day).tasks];
    tasks[(hour - day * hoursOfDay) * states + placeOfState[places[index]! & 7]!] = counts[index]!;
  }
}

function giveOf(number: number, lane: Lane, { from, to }: Whole, give: Give): void {
  for (let hour = from; hour < to; ) {
    const day = Math.floor(hour / hoursOfDay);
    const { tasks } = dayOf(lane, day);
    for (const end = Math.min(to, (day + 1) * hoursOfDay); hour < end; hour += 1) {
      const first = (hour - day * hoursOfDay) * states;
      for (let state = 0; state < states; state += 1) {
        const count = tasks[first + state]!;
        if (count > 0) give(number, keptStates[state]!, hour, count);
      }
    }
  }
}

function dayOf(lane: Lane, day: number): Day {
  let found = lane.days.get(day);
  if (!found) {
    found = { known: 0, tasks: new Int32Array(hoursOfDay * states) };
    lane.days.set(day, found);
  }
  return found;
}

/** The days of whole hours, and which of their hours. */
function* daysOf({ from, to }: Whole): Generator<[day: number, hours: number]> {
  for (let day = Math.floor(from / hoursOfDay); day * hoursOfDay < to; day += 1) {
    const [first, end] = [Math.max(0, from - day * hoursOfDay), Math.min(hoursOfDay, to - day * hoursOfDay)];
    yield [day, (allHours >> (hoursOfDay - (end - first))) << first];
  }
}
