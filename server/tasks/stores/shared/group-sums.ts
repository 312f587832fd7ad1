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
  /** A row for each group, in it the stretches from `#first` on: a place is found many times sooner than a number in a map. */
  #table = new Float64Array(0);
  #groups = 0;
  #first = 0;
  #width = 0;
  /** By group and which stretch since 1970 it is, what lies too far from the others; from then on the table stays as it is. */
  readonly #beyond = new Map<number, Map<number, number>>();

  constructor(buckets?: Buckets) {
    this.#buckets = buckets;
    this.#bucketMs = buckets?.bucketMs ?? 0;
  }

  add(group: number, instant: number, tasks: number): void {
    const stretch = this.#bucketMs === 0 ? 0 : Math.floor(instant / this.#bucketMs);
    const place = stretch - this.#first;
    if (group < this.#groups && place >= 0 && place < this.#width)
      this.#table[group * this.#width + place]! += tasks;
    else if (this.#makeRoom(group, stretch))
      this.#table[group * this.#width + stretch - this.#first]! += tasks;
    else this.#addBeyond(group, stretch, tasks);
  }

  /** Twice as much at least, for what comes next. Answers whether it fits in the table then. */
  #makeRoom(group: number, stretch: number): boolean {
    const isEmpty = this.#width === 0;
    const [from, to] = isEmpty ? [stretch, stretch] : [this.#first, this.#first + this.#width];
    const first = stretch < from ? Math.min(stretch, from - this.#width) : from;
    const least = this.#bucketMs === 0 ? 1 : firstStretches;
    const width = Math.max(least, (stretch < to ? to : Math.max(stretch + 1, to + this.#width)) - first);
    const groups = group < this.#groups ? this.#groups : Math.max(firstGroups, group + 1, 2 * this.#groups);
    if (this.#beyond.size > 0 || groups * width > tableMax) return false;
    const table = new Float64Array(groups * width);
    for (let own = 0; own < this.#groups; own += 1) {
      const row = this.#table.subarray(own * this.#width, (own + 1) * this.#width);
      table.set(row, own * width + from - first);
    }
    [this.#table, this.#groups, this.#first, this.#width] = [table, groups, first, width];
    return true;
  }

  #addBeyond(group: number, stretch: number, tasks: number): void {
    const sums = this.#beyond.get(group) ?? new Map<number, number>();
    this.#beyond.set(group, sums);
    sums.set(stretch, (sums.get(stretch) ?? 0) + tasks);
  }

  of(group: number): [at: number, tasks: number][] {
    const sums: [at: number, tasks: number][] = [];
    this.#each(group, (at, tasks) => {
      if (tasks > 0) sums.push([at, tasks]);
    });
    return sums;
  }

  #each(group: number, use: (at: number, tasks: number) => void): void {
    const row = group * this.#width;
    for (let place = 0; group < this.#groups && place < this.#width; place += 1) {
      const tasks = this.#table[row + place]!;
      if (tasks !== 0) use((this.#first + place) * this.#bucketMs, tasks);
    }
    for (const [stretch, tasks] of this.#beyond.get(group) ?? []) use(stretch * this.#bucketMs, tasks);
  }

  /** Of fewer groups, each the sum of some. @param groups which of them, by the number here */
  addedUp(groups: readonly number[]): GroupSums {
    const sums = new GroupSums(this.#buckets);
    // The same stretches, place by place.
    [sums.#first, sums.#width] = [this.#first, this.#width];
    sums.#groups = Math.max(0, ...groups.map((group) => group + 1));
    sums.#table = new Float64Array(sums.#groups * this.#width);
    for (const [own, group] of groups.entries()) {
      const [from, to] = [own * this.#width, group * this.#width];
      for (let place = 0; own < this.#groups && place < this.#width; place += 1)
        sums.#table[to + place]! += this.#table[from + place]!;
    }
    // Behind all of these, since they may take a larger table.
    for (const [own, ofOwn] of this.#beyond)
      for (const [stretch, tasks] of ofOwn) sums.add(groups[own]!, stretch * this.#bucketMs, tasks);
    return sums;
  }

  counts(groups: readonly CountedGroup[]): TaskCounts {
    return { groups, cells: this.cells() };
  }

  /** Those of `TaskCounts`. */
  cells(): Float64Array {
    const cells: number[] = [];
    const groups = Math.max(this.#groups, ...Array.from(this.#beyond.keys(), (group) => group + 1));
    for (let group = 0; group < groups; group += 1)
      this.#each(group, (at, tasks) => {
        if (tasks > 0) cells.push(group, at, tasks);
      });
    return new Float64Array(cells);
  }
}
