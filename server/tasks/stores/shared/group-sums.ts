/** What a summary adds up: which group each (lane, status) pair counts for, and the sums of the groups by time. */
import type { Buckets, CountedGroup, CountKey, TaskCounts } from "../../core/store.ts";

type Named = Required<CountedGroup>;

/** The groups of the pairs by these keys, and the number of each pair's, by its place. */
export function groupsBy(
  pairs: readonly Named[],
  by: readonly CountKey[],
): { groups: CountedGroup[]; numbers: number[] } {
  const groups: CountedGroup[] = [];
  const known = new Map<string, number>();
  const numbers = pairs.map((pair) => {
    // No name has a line break.
    const name = by.map((key) => pair[key]).join("\n");
    const number = known.get(name) ?? groups.push(Object.fromEntries(by.map((key) => [key, pair[key]]))) - 1;
    known.set(name, number);
    return number;
  });
  return { groups, numbers };
}

/** So many sums lie in the table, 2 MB at most. */
const tableMax = 262_144;
/** The first table has room for so many groups and stretches, 16 kB: one that is made larger time and again is thrown away as often. */
const firstGroups = 64;
const firstStretches = 32;

/** By group and the start of each stretch of time; all at 0 without stretches. */
export class GroupSums {
  readonly #buckets: Buckets | undefined;
  readonly #bucketMs: number;
  readonly #groupsExpected: number;
  /** A row for each stretch from `#first` on, in it the groups: counts mostly come a stretch of all groups after another. */
  #table = new Float64Array(0);
  #first = 0;
  #stretches = 0;
  /** Room in a row. */
  #groups = 0;
  /** The instant of the latest count, and which stretch since 1970 has it. */
  #latest = Number.NaN;
  #ofLatest = 0;
  /** By group and which stretch since 1970 it is, what lies too far from the others; from then on the table stays as it is. */
  readonly #beyond = new Map<number, Map<number, number>>();

  /** @param groupsExpected the first table has room for so many */
  constructor(buckets?: Buckets, groupsExpected = firstGroups) {
    this.#buckets = buckets;
    this.#groupsExpected = groupsExpected;
    this.#bucketMs = buckets?.bucketMs ?? 0;
  }

  add(group: number, instant: number, tasks: number): void {
    if (instant !== this.#latest) this.#see(instant);
    const place = this.#ofLatest - this.#first;
    if (group < this.#groups && place >= 0 && place < this.#stretches)
      this.#table[place * this.#groups + group]! += tasks;
    else if (this.#makeRoom(group, this.#ofLatest))
      this.#table[(this.#ofLatest - this.#first) * this.#groups + group]! += tasks;
    else this.#addBeyond(group, this.#ofLatest, tasks);
  }

  #see(instant: number): void {
    this.#latest = instant;
    this.#ofLatest = this.#bucketMs === 0 ? 0 : Math.floor(instant / this.#bucketMs);
  }

  /** Twice as much at least, for what comes next. Answers whether it fits in the table then. */
  #makeRoom(group: number, stretch: number): boolean {
    const isEmpty = this.#stretches === 0;
    const [from, to] = isEmpty ? [stretch, stretch] : [this.#first, this.#first + this.#stretches];
    const first = stretch < from ? Math.min(stretch, from - this.#stretches) : from;
    const least = this.#bucketMs === 0 ? 1 : firstStretches;
    const end = stretch < to ? to : Math.max(stretch + 1, to + this.#stretches);
    const stretches = Math.max(least, end - first);
    const groups =
      group < this.#groups ? this.#groups : Math.max(this.#groupsExpected, group + 1, 2 * this.#groups);
    if (this.#beyond.size > 0 || groups * stretches > tableMax) return false;
    const table = new Float64Array(groups * stretches);
    for (let place = 0; place < this.#stretches; place += 1) {
      const row = this.#table.subarray(place * this.#groups, (place + 1) * this.#groups);
      table.set(row, (place + from - first) * groups);
    }
    [this.#table, this.#groups, this.#first, this.#stretches] = [table, groups, first, stretches];
    return true;
  }

  #addBeyond(group: number, stretch: number, tasks: number): void {
    const sums = this.#beyond.get(group) ?? new Map<number, number>();
    this.#beyond.set(group, sums);
    sums.set(stretch, (sums.get(stretch) ?? 0) + tasks);
  }

  of(group: number): [at: number, tasks: number][] {
    const sums: [at: number, tasks: number][] = [];
    for (let place = 0; group < this.#groups && place < this.#stretches; place += 1) {
      const tasks = this.#table[place * this.#groups + group]!;
      if (tasks > 0) sums.push([(this.#first + place) * this.#bucketMs, tasks]);
    }
    for (const [stretch, tasks] of this.#beyond.get(group) ?? [])
      if (tasks > 0) sums.push([stretch * this.#bucketMs, tasks]);
    return sums;
  }

  /** Of fewer groups, each the sum of some. @param groups which of them, by the number here */
  addedUp(groups: readonly number[]): GroupSums {
    const sums = new GroupSums(this.#buckets);
    // The same stretches, place by place.
    [sums.#first, sums.#stretches] = [this.#first, this.#stretches];
    sums.#groups = groups.reduce((most, group) => Math.max(most, group + 1), 0);
    sums.#table = new Float64Array(sums.#groups * this.#stretches);
    const count = Math.min(groups.length, this.#groups);
    for (let place = 0; place < this.#stretches; place += 1) {
      const [from, to] = [place * this.#groups, place * sums.#groups];
      for (let own = 0; own < count; own += 1) sums.#table[to + groups[own]!]! += this.#table[from + own]!;
    }
    // Behind all of these, since they may take a larger table.
    for (const [own, ofOwn] of this.#beyond)
      for (const [stretch, tasks] of ofOwn) sums.add(groups[own]!, stretch * this.#bucketMs, tasks);
    return sums;
  }

  counts(groups: readonly CountedGroup[]): TaskCounts {
    return { groups, cells: this.cells() };
  }

  /** Those of `TaskCounts`, a stretch after another. */
  cells(): Float64Array {
    const cells = new Float64Array(3 * this.#count());
    let next = 0;
    for (let place = 0; place < this.#stretches; place += 1)
      for (let group = 0; group < this.#groups; group += 1) {
        const tasks = this.#table[place * this.#groups + group]!;
        if (tasks <= 0) continue;
        cells[next] = group;
        cells[next + 1] = (this.#first + place) * this.#bucketMs;
        cells[next + 2] = tasks;
        next += 3;
      }
    for (const [group, ofGroup] of this.#beyond)
      for (const [stretch, tasks] of ofGroup)
        if (tasks > 0) {
          cells.set([group, stretch * this.#bucketMs, tasks], next);
          next += 3;
        }
    return cells;
  }

  /** How many of the sums are of tasks. */
  #count(): number {
    let count = 0;
    for (let place = 0; place < this.#table.length; place += 1) if (this.#table[place]! > 0) count += 1;
    for (const ofGroup of this.#beyond.values())
      for (const tasks of ofGroup.values()) if (tasks > 0) count += 1;
    return count;
  }
}
