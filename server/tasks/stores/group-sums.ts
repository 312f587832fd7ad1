/** What a summary adds up: which group each (lane, status) pair counts for, and the sums of the groups by time. */
import type { Buckets, CountKey, TaskCount } from "../core/store.ts";

type Named = Required<Pick<TaskCount, CountKey>>;

/** The groups of the pairs by these keys, and the number of each pair's, by its place. */
export function groupsBy(
  pairs: readonly Named[],
  by: readonly CountKey[],
): { groups: Pick<TaskCount, CountKey>[]; numbers: number[] } {
  const groups: Pick<TaskCount, CountKey>[] = [];
  const known = new Map<string, number>();
  const numbers = pairs.map((pair) => {
    const name = JSON.stringify(by.map((key) => pair[key]));
    const number = known.get(name) ?? groups.push(Object.fromEntries(by.map((key) => [key, pair[key]]))) - 1;
    known.set(name, number);
    return number;
  });
  return { groups, numbers };
}

/** By group and the start of each stretch of time; all at 0 without stretches. */
export class GroupSums {
  readonly #bucketMs: number | undefined;
  /** By group and which stretch since 1970 it is: a small number, where each instant would be an object. */
  readonly #sums = new Map<number, Map<number, number>>();

  constructor(buckets?: Buckets) {
    this.#bucketMs = buckets?.bucketMs;
  }

  add(group: number, instant: number, tasks: number): void {
    const stretch = this.#bucketMs === undefined ? 0 : Math.floor(instant / this.#bucketMs);
    let sums = this.#sums.get(group);
    if (!sums) {
      sums = new Map();
      this.#sums.set(group, sums);
    }
    sums.set(stretch, (sums.get(stretch) ?? 0) + tasks);
  }

  of(group: number): [at: number, tasks: number][] {
    const lengthMs = this.#bucketMs ?? 0;
    const sums = [...(this.#sums.get(group) ?? [])].filter(([, tasks]) => tasks > 0);
    return sums.map(([stretch, tasks]) => [stretch * lengthMs, tasks]);
  }

  counts(groups: readonly CountedGroup[]): TaskCount[] {
    return countsOf({ groups, cells: this.cells(), isByTime: this.#bucketMs !== undefined });
  }

  /** Group, start of the stretch and how many tasks, one after another: such a list is sent to another thread at once. */
  cells(): Float64Array {
    const lengthMs = this.#bucketMs ?? 0;
    const cells: number[] = [];
    for (const group of [...this.#sums.keys()].sort((a, b) => a - b)) {
      this.#sums.get(group)!.forEach((tasks, stretch) => {
        if (tasks > 0) cells.push(group, stretch * lengthMs, tasks);
      });
    }
    return Float64Array.from(cells);
  }
}

type CountedGroup = Pick<TaskCount, CountKey>;

/** What a summary has counted, as it travels between threads. */
export interface CountedCells {
  groups: readonly CountedGroup[];
  cells: Float64Array;
  isByTime: boolean;
}

export function countsOf({ groups, cells, isByTime }: CountedCells): TaskCount[] {
  const counts: TaskCount[] = [];
  for (let next = 0; next < cells.length; next += 3) {
    const [group, at, count] = [groups[cells[next]!]!, cells[next + 1]!, cells[next + 2]!];
    counts.push(isByTime ? { ...group, at, count } : { ...group, count });
  }
  return counts;
}
