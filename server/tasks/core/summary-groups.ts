/** The groups of a summary: counts, and how long their tasks waited and ran. */
import { bucketOf, DurationSum, type Durations, percentilesOf } from "./duration-counts.ts";
import type { AttributeName, SummaryKey, TaskGroup, TaskSummary } from "./summary.ts";
import type { Task } from "./task.ts";

export const bucketsMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** Values of an attribute that are listed. */
const valuesMax = 100;

export class Groups {
  readonly #keys: readonly SummaryKey[];
  /** By their other values, and then by time: of a long stretch there are very many, and a number is found sooner. */
  readonly #groups = new Map<string, Map<number | undefined, TaskGroup>>();
  readonly #times = new Map<TaskGroup, { waits: DurationSum; runs: DurationSum }>();
  total = 0;

  constructor(keys: readonly SummaryKey[]) {
    this.#keys = keys;
  }

  add(
    values: Readonly<Partial<Record<SummaryKey, unknown>>>,
    at: number | undefined,
    count: number,
  ): TaskGroup {
    this.total += count;
    let name = "";
    for (const key of this.#keys) if (!(key in bucketsMs)) name += nameOf(values[key]);
    let ofName = this.#groups.get(name);
    if (!ofName) {
      ofName = new Map();
      this.#groups.set(name, ofName);
    }
    let group = ofName.get(at);
    if (!group) {
      group = {} as TaskGroup;
      for (const key of this.#keys)
        (group as Record<SummaryKey, unknown>)[key] = key in bucketsMs ? new Date(at!) : values[key];
      group.count = 0;
      ofName.set(at, group);
    }
    group.count += count;
    return group;
  }

  addTimes(group: TaskGroup, { createdAt, startedAt, completedAt }: Task): void {
    if (!startedAt) return;
    const times = this.#times.get(group) ?? { waits: new DurationSum(), runs: new DurationSum() };
    this.#times.set(group, times);
    times.waits.add(oneDuration(startedAt.getTime() - createdAt.getTime()));
    if (completedAt) times.runs.add(oneDuration(completedAt.getTime() - startedAt.getTime()));
  }

  /** Those of the values that most tasks have. */
  top(attribute: AttributeName, leftOut: number): Pick<TaskSummary, "groups" | "valuesLeftOut"> {
    const totals = new Map<unknown, number>();
    for (const group of this.#all()) {
      totals.set(group[attribute], (totals.get(group[attribute]) ?? 0) + group.count);
    }
    const order = [...totals].sort(([, a], [, b]) => b - a).map(([value]) => value);
    const top = new Set(order.slice(0, valuesMax));
    const others = leftOut + order.length - top.size;
    const groups = this.list().filter((group) => top.has(group[attribute]));
    return { groups, ...(others > 0 && { valuesLeftOut: others }) };
  }

  list(): TaskGroup[] {
    const at = (group: TaskGroup) => (group.minute ?? group.hour ?? group.day)?.getTime() ?? 0;
    return this.#all()
      .map((group) => ({ group, at: at(group) }))
      .sort((a, b) => a.at - b.at || b.group.count - a.group.count)
      .map(({ group }) => (this.#times.size > 0 ? { ...group, ...this.#percentilesOf(group) } : group));
  }

  #all(): TaskGroup[] {
    return [...this.#groups.values()].flatMap((ofName) => [...ofName.values()]);
  }

  #percentilesOf(group: TaskGroup): Pick<TaskGroup, "waitMs" | "runMs"> {
    const times = this.#times.get(group);
    const waitMs = times && percentilesOf(times.waits);
    const runMs = times && percentilesOf(times.runs);
    return { ...(waitMs && { waitMs }), ...(runMs && { runMs }) };
  }
}

/** Different for different values, and one after another too. */
function nameOf(value: unknown): string {
  return typeof value === "string" ? `${value.length}:${value}` : `${value};`;
}

function oneDuration(ms: number): Durations {
  return { counts: { [bucketOf(ms)]: 1 }, max: Math.max(0, ms) };
}
