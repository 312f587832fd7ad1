/** summarizeTasks: how many tasks there are of each status, type, queue and stretch of time. */
import { toStoreSearch } from "./find.ts";
import type { Instance } from "./instance.ts";
import { checkOptions, oneOf } from "./options.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { Count, StoreSearch, TaskCount, TaskStore } from "./store.ts";
import type { Task, TaskStatusName } from "./task.ts";

const bucketsMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
type Bucket = keyof typeof bucketsMs;

/** What tasks are counted by; `minute`, `hour` and `day` are of UTC, and of the instant that `time` names. */
export type SummaryKey = "status" | "type" | "queue" | Bucket;

const summaryKeys = [
  "status",
  "type",
  "queue",
  "minute",
  "hour",
  "day",
] as const satisfies readonly SummaryKey[];

export interface TaskSummaryOptions
  extends Omit<TaskSearchOptions, "limit" | "offset" | "sortBy" | "sortOrder" | "cursor" | "definitions"> {
  /** At most one stretch of time among them. Default: `status`. */
  by?: SummaryKey | readonly SummaryKey[];
  /** Which instant a stretch of time is of. Default 'createdAt'. */
  time?: "createdAt" | "updatedAt";
}

/** One group: a value for each key asked for, a stretch of time by its start. */
export interface TaskGroup {
  status?: TaskStatusName;
  type?: string;
  queue?: string;
  minute?: Date;
  hour?: Date;
  day?: Date;
  count: number;
}

export interface TaskSummary {
  /** The earliest stretch of time first, then the largest groups. Groups without tasks are left out. */
  groups: readonly TaskGroup[];
  total: Count;
  /** False when the budget ran out: the groups are of the tasks that were looked at, the total is an estimate. */
  complete: boolean;
}

const pageSize = 1_000;

/** @throws DureError INVALID_OPTION, INVALID_QUERY */
export async function summarizeTasksIn(
  instance: Instance,
  options: TaskSummaryOptions = {},
): Promise<TaskSummary> {
  const { by = "status", time = "createdAt", ...filter } = options;
  const keys = Array.isArray(by) ? (by as readonly SummaryKey[]) : [by as SummaryKey];
  checkOptions(
    "summarizeTasks(options)",
    { by: [...keys], time },
    { by: keysRule, time: oneOf("createdAt", "updatedAt") },
  );
  const search: StoreSearch = { ...toStoreSearch(instance, filter), definitions: false };
  const store = await instance.store();
  return search.where || search.id !== undefined
    ? summarizeByWalk(instance, search, keys, time)
    : summarizeByCount(store, search, keys, time);
}

function keysRule(value: unknown, name: string): string | undefined {
  const rule = oneOf(...summaryKeys);
  const problem = (value as unknown[]).map((key) => rule(key, name)).find((one) => one !== undefined);
  if (problem !== undefined) return problem;
  const times = (value as string[]).filter((key) => Object.hasOwn(bucketsMs, key));
  return times.length > 1 ? `${name} has both ${times[0]} and ${times[1]}; give one of them.` : undefined;
}

async function summarizeByCount(
  store: TaskStore,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  time: "createdAt" | "updatedAt",
): Promise<TaskSummary> {
  const bucket = keys.find((key) => Object.hasOwn(bucketsMs, key)) as Bucket | undefined;
  const counts = await store.summarizeTasks(search, bucket && { time, bucketMs: bucketsMs[bucket] });
  const groups = new Groups(keys);
  for (const { at, ...count } of counts) groups.add(count, at, count.count);
  return { groups: groups.list(), total: { count: groups.total, errorMax: 0 }, complete: true };
}

/** Conditions are tested task by task, the newest first, until the budget is spent. */
async function summarizeByWalk(
  instance: Instance,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  time: "createdAt" | "updatedAt",
): Promise<TaskSummary> {
  const groups = new Groups(keys);
  const bucket = keys.find((key) => Object.hasOwn(bucketsMs, key)) as Bucket | undefined;
  const { clock } = instance;
  const store = await instance.store();
  const endsAt = clock.monotonic() + (search.budgetMs ?? Number.POSITIVE_INFINITY);
  let after: StoreSearch["after"];
  for (;;) {
    const budgetMs = Math.max(1, endsAt - clock.monotonic());
    const { tasks, stoppedAt } = await store.searchTasks({
      ...search,
      ...(after && { after }),
      ...(Number.isFinite(budgetMs) && { budgetMs }),
      limit: pageSize,
    });
    for (const task of tasks) groups.add(valuesOf(task), bucket && startOf(task[time], bucketsMs[bucket]), 1);
    const last = tasks.at(-1);
    if (!stoppedAt && (tasks.length < pageSize || !last)) {
      return { groups: groups.list(), total: { count: groups.total, errorMax: 0 }, complete: true };
    }
    if (stoppedAt || clock.monotonic() > endsAt) {
      return { groups: groups.list(), total: await store.countTasks(search), complete: false };
    }
    after = { value: last!.createdAt.getTime(), id: last!.id, backwards: false };
  }
}

function valuesOf({ status, type, queue = "default" }: Task): Pick<TaskCount, "status" | "type" | "queue"> {
  return { status, type, queue };
}

function startOf(instant: Date, bucketMs: number): number {
  return Math.floor(instant.getTime() / bucketMs) * bucketMs;
}

class Groups {
  readonly #keys: readonly SummaryKey[];
  readonly #groups = new Map<string, TaskGroup>();
  total = 0;

  constructor(keys: readonly SummaryKey[]) {
    this.#keys = keys;
  }

  add(values: Pick<TaskCount, "status" | "type" | "queue">, at: number | undefined, count: number): void {
    this.total += count;
    const parts = this.#keys.map((key) => (key in bucketsMs ? at : values[key as "status"]));
    const name = parts.join(" ");
    let group = this.#groups.get(name);
    if (!group) {
      const entries = this.#keys.map((key, index) => [key, key in bucketsMs ? new Date(at!) : parts[index]]);
      group = { ...Object.fromEntries(entries), count: 0 } as TaskGroup;
      this.#groups.set(name, group);
    }
    group.count += count;
  }

  list(): TaskGroup[] {
    const at = (group: TaskGroup) => (group.minute ?? group.hour ?? group.day)?.getTime() ?? 0;
    return [...this.#groups.values()].sort((a, b) => at(a) - at(b) || b.count - a.count);
  }
}
