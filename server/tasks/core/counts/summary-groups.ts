/** The groups of a summary: counts, and how long their tasks waited and ran. */

import type { TaskCounts } from "../store.ts";
import type { Task } from "../task.ts";
import { bucketOf, DurationSum, type Durations, percentilesOf } from "./duration-counts.ts";
import type { AttributeName, SummaryKey, TaskGroup, TaskSummary } from "./summary.ts";

export const bucketsMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** By key. */
type Values = Readonly<Partial<Record<Exclude<SummaryKey, AttributeName>, unknown>>>;

/** Values of an attribute that are listed. */
const valuesMax = 100;

/** Groups that differ in their stretch of time alone. */
interface Kind {
  /** Its place among the groups of a stretch. */
  number: number;
  /** As each of its groups begins. */
  group: TaskGroup;
}

/** The groups of a stretch of time: those of one are sorted sooner than all. */
interface Stretch {
  readonly groups: TaskGroup[];
  /** By the number of their kind. */
  readonly byKind: (TaskGroup | undefined)[];
}

/** By the values of one key after another; behind the last key are the kinds. */
type Tree = Map<unknown, Tree | Kind>;

/** What tells how long a task waited and ran. */
export type TimedTask = Pick<Task, "createdAt" | "startedAt" | "completedAt">;

export class Groups {
  readonly #keys: readonly SummaryKey[];
  /** The one that is a stretch of time. */
  readonly #timeKey: keyof typeof bucketsMs | undefined;
  readonly #otherKeys: readonly SummaryKey[];
  readonly #lengthMs: number;
  readonly #kinds: Tree = new Map();
  #kindCount = 0;
  /** Counts of one kind mostly come one after another. */
  #latest: Kind | undefined;
  /** By which one since 1970 it is: a small number is found sooner in a map than an instant. */
  readonly #stretches = new Map<number, Stretch>();
  readonly #times = new Map<TaskGroup, { waits: DurationSum; runs: DurationSum }>();
  total = 0;

  constructor(keys: readonly SummaryKey[]) {
    this.#keys = keys;
    this.#timeKey = keys.find((key) => key in bucketsMs) as keyof typeof bucketsMs | undefined;
    this.#otherKeys = keys.filter((key) => key !== this.#timeKey);
    this.#lengthMs = this.#timeKey === undefined ? 1 : bucketsMs[this.#timeKey];
  }

  addAll({ groups, cells }: TaskCounts): void {
    const kinds = groups.map((values) => this.#findKind(values));
    for (let next = 0; next < cells.length; next += 3) {
      const count = cells[next + 2]!;
      const small = count | 0;
      // As an integer while it is one of 32 bits, for a field of fractions costs each group an object.
      this.#add(kinds[cells[next]!]!, cells[next + 1]!, small === count ? small : count);
    }
  }

  /** @param at when its stretch of time begins, if there is one */
  add(values: Values, at: number | undefined, count: number): TaskGroup {
    return this.#add(this.#kindOf(values), at, count);
  }

  #add(kind: Kind, at: number | undefined, count: number): TaskGroup {
    this.total += count;
    const stretch = this.#stretchOf(at === undefined ? 0 : Math.floor(at / this.#lengthMs));
    let group = stretch.byKind[kind.number];
    if (!group) {
      group = { ...kind.group };
      if (this.#timeKey !== undefined) group[this.#timeKey] = new Date(at!);
      stretch.byKind[kind.number] = group;
      stretch.groups.push(group);
    }
    group.count += count;
    return group;
  }

  #stretchOf(number: number): Stretch {
    let stretch = this.#stretches.get(number);
    if (!stretch) {
      stretch = { groups: [], byKind: [] };
      this.#stretches.set(number, stretch);
    }
    return stretch;
  }

  #kindOf(values: Values): Kind {
    const { group } = this.#latest ?? {};
    if (!group || this.#otherKeys.some((key) => group[key as "type"] !== valueAt(values, key)))
      this.#latest = this.#findKind(values);
    return this.#latest!;
  }

  #findKind(values: Values): Kind {
    const path = this.#otherKeys.map((key) => valueAt(values, key));
    const last = path.pop();
    let tree = this.#kinds;
    for (const value of path) {
      const next = (tree.get(value) as Tree | undefined) ?? new Map();
      tree.set(value, next);
      tree = next;
    }
    const kind = (tree.get(last) as Kind | undefined) ?? this.#newKind(values);
    tree.set(last, kind);
    return kind;
  }

  #newKind(values: Values): Kind {
    // A date from the start, so that all groups are of one shape.
    const keys = this.#keys.map((key) => [key, key === this.#timeKey ? new Date(0) : valueAt(values, key)]);
    return { number: this.#kindCount++, group: { ...Object.fromEntries(keys), count: 0 } };
  }

  addTimes(group: TaskGroup, { createdAt, startedAt, completedAt }: TimedTask): void {
    if (!startedAt) return;
    const times = this.#times.get(group) ?? { waits: new DurationSum(), runs: new DurationSum() };
    this.#times.set(group, times);
    times.waits.add(oneDuration(startedAt.getTime() - createdAt.getTime()));
    if (completedAt) times.runs.add(oneDuration(completedAt.getTime() - startedAt.getTime()));
  }

  /** Those of the values that most tasks have. */
  top(attribute: AttributeName, leftOut: number): Pick<TaskSummary, "groups" | "valuesLeftOut"> {
    const all = this.list();
    const totals = new Map<unknown, number>();
    for (const group of all) {
      totals.set(group[attribute], (totals.get(group[attribute]) ?? 0) + group.count);
    }
    const order = [...totals].sort(([, a], [, b]) => b - a).map(([value]) => value);
    const top = new Set(order.slice(0, valuesMax));
    const others = leftOut + order.length - top.size;
    const groups = all.filter((group) => top.has(group[attribute]));
    return { groups, ...(others > 0 && { valuesLeftOut: others }) };
  }

  list(): TaskGroup[] {
    const groups: TaskGroup[] = [];
    for (const number of [...this.#stretches.keys()].sort((a, b) => a - b)) {
      const ofTime = this.#stretches.get(number)!.groups.sort((a, b) => b.count - a.count);
      for (const group of ofTime)
        groups.push(this.#times.size > 0 ? { ...group, ...this.#percentilesOf(group) } : group);
    }
    return groups;
  }

  #percentilesOf(group: TaskGroup): Pick<TaskGroup, "waitMs" | "runMs"> {
    const times = this.#times.get(group);
    const waitMs = times && percentilesOf(times.waits);
    const runMs = times && percentilesOf(times.runs);
    return { ...(waitMs && { waitMs }), ...(runMs && { runMs }) };
  }
}

function valueAt(values: Values, key: SummaryKey): unknown {
  return values[key as keyof Values];
}

function oneDuration(ms: number): Durations {
  return { counts: { [bucketOf(ms)]: 1 }, max: Math.max(0, ms) };
}
