/** summarizeTasks: how many tasks there are of each status, type, queue and stretch of time. */
import { toStoreSearch } from "./find.ts";
import type { Instance } from "./instance.ts";
import { checkOptions, oneOf } from "./options.ts";
import { savedQueriesFor } from "./saved-searches.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { AttributeCount, Attributes, Count, StoreSearch, TaskCount, TaskStore } from "./store.ts";
import type { Task, TaskStatusName } from "./task.ts";

const bucketsMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
type Bucket = keyof typeof bucketsMs;

/**
 * What tasks are counted by; `minute`, `hour` and `day` are of UTC, and of the instant that `time` names. `attribute.userId` is
 * by the values of the attribute `userId`: a task with several counts for each, one without it for none.
 */
export type SummaryKey = "status" | "type" | "queue" | Bucket | AttributeName;

type AttributeName = `attribute.${string}`;

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
  /** At most one stretch of time and one attribute among them. Default: `status`. */
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
  /** A date is its milliseconds since 1970; a text of more than 150 characters is its beginning and `…`. */
  [attribute: AttributeName]: string | number | boolean;
  count: number;
}

export interface TaskSummary {
  /** The earliest stretch of time first, then the largest groups. Groups without tasks are left out. */
  groups: readonly TaskGroup[];
  /** Of the tasks that fit, whether or not they have an attribute that is asked for. */
  total: Count;
  /** False when the budget ran out: the groups are of the tasks that were looked at, the total is an estimate. */
  complete: boolean;
  /** Of an attribute the 100 values that most tasks have are listed; this many others are not. Absent for none. */
  valuesLeftOut?: number;
}

const pageSize = 1_000;
const attributePrefix = "attribute.";
/** Values of an attribute that are listed. */
const valuesMax = 100;
/** Characters of a value; a store may give no more of a long one. */
const shownMax = 150;

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
  const saved = await savedQueriesFor(instance, filter.query);
  const search: StoreSearch = { ...toStoreSearch(instance, filter, saved), definitions: false };
  const store = await instance.store();
  const attribute = keys.find(isAttribute);
  const counted = attribute && (await summarizeByAttribute(store, search, keys, attribute));
  if (counted) return counted;
  return search.where || search.id !== undefined || attribute !== undefined
    ? summarizeByWalk(instance, search, keys, time)
    : summarizeByCount(store, search, keys, time);
}

function keysRule(value: unknown, name: string): string | undefined {
  const rule = oneOf(...summaryKeys, "attribute.…");
  const attributes = (value as unknown[]).filter(isAttribute);
  const problem = (value as unknown[])
    .filter((key) => !isAttribute(key))
    .map((key) => rule(key, name))
    .find((one) => one !== undefined);
  if (problem !== undefined) return problem;
  if (attributes.length > 1)
    return `${name} has both ${attributes[0]} and ${attributes[1]}; give one of them.`;
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

/** By the index of attributes; undefined where that does not know all that is asked. */
async function summarizeByAttribute(
  store: TaskStore,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  attribute: AttributeName,
): Promise<TaskSummary | undefined> {
  const { types, created, budgetMs } = search;
  const isIndexed = keys.every((key) => key === attribute || key === "type" || key === "status");
  const states = statesOf(search, keys.includes("status"));
  const { where, id, queues, updated } = search;
  if (!isIndexed || !states || where || id !== undefined || queues || updated) return undefined;
  const { counts, leftOut, isWhole } = await store.countAttribute({
    name: attribute.slice(attributePrefix.length),
    ...(types && { types }),
    ...(created && { created }),
    ...(budgetMs !== undefined && { budgetMs }),
  });
  const groups = new Groups(keys);
  for (const { type, status, value, count } of counts) {
    if (states.has(status)) groups.add({ type, status, [attribute]: shown(value) }, undefined, count);
  }
  // Which values most tasks have is not known for certain when they are counted by type, and types are added up.
  const isCertain = leftOut === 0 || new Set(counts.map(({ type }) => type)).size === 1;
  return {
    ...groups.top(attribute, leftOut),
    total: await store.countTasks(search),
    complete: isWhole && isCertain,
  };
}

/** The states of the index of attributes; undefined when it does not tell enough. */
function statesOf({ statuses }: StoreSearch, byStatus: boolean): Set<TaskStatusName | undefined> | undefined {
  const wanted = new Set<TaskStatusName>(
    statuses ?? ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"],
  );
  const open = Number(wanted.delete("PENDING")) + Number(wanted.delete("RUNNING"));
  if (open === 1 || (open === 2 && byStatus)) return undefined;
  return new Set<TaskStatusName | undefined>(open === 2 ? [...wanted, undefined] : wanted);
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
  const attribute = keys.find(isAttribute);
  const listed = () => (attribute ? groups.top(attribute, 0) : { groups: groups.list() });
  let seen = 0;
  let after: StoreSearch["after"];
  for (;;) {
    const budgetMs = Math.max(1, endsAt - clock.monotonic());
    const { tasks, stoppedAt } = await store.searchTasks({
      ...search,
      ...(after && { after }),
      ...(Number.isFinite(budgetMs) && { budgetMs }),
      limit: pageSize,
    });
    seen += tasks.length;
    const attributes = new Map(attribute && (await store.readAttributes(tasks.map(({ id }) => id))));
    for (const task of tasks) {
      const at = bucket && startOf(task[time], bucketsMs[bucket]);
      for (const value of attribute ? shownValues(attributes.get(task.id), attribute) : [undefined]) {
        groups.add({ ...valuesOf(task), ...(value !== undefined && { [attribute!]: value }) }, at, 1);
      }
    }
    const last = tasks.at(-1);
    if (!stoppedAt && (tasks.length < pageSize || !last)) {
      return { ...listed(), total: { count: seen, errorMax: 0 }, complete: true };
    }
    if (stoppedAt || clock.monotonic() > endsAt) {
      return { ...listed(), total: await store.countTasks(search), complete: false };
    }
    after = { value: last!.createdAt.getTime(), id: last!.id, backwards: false };
  }
}

function valuesOf({ status, type, queue = "default" }: Task): Pick<TaskCount, "status" | "type" | "queue"> {
  return { status, type, queue };
}

type AttributeValue = AttributeCount["value"];

function isAttribute(key: unknown): key is AttributeName {
  return typeof key === "string" && key.startsWith(attributePrefix) && key.length > attributePrefix.length;
}

function shownValues(attributes: Attributes | undefined, attribute: AttributeName): Set<AttributeValue> {
  const given = attributes?.[attribute.slice(attributePrefix.length)];
  return new Set((given === undefined ? [] : [given].flat()).map(shown));
}

function shown(value: AttributeValue): AttributeValue {
  if (typeof value !== "string" || value.length <= shownMax) return value;
  const characters = [...value];
  return characters.length <= shownMax ? value : `${characters.slice(0, shownMax).join("")}…`;
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

  add(values: Readonly<Partial<Record<SummaryKey, unknown>>>, at: number | undefined, count: number): void {
    this.total += count;
    const parts = this.#keys.map((key) => (key in bucketsMs ? at : values[key]));
    const name = JSON.stringify(parts);
    let group = this.#groups.get(name);
    if (!group) {
      const entries = this.#keys.map((key, index) => [key, key in bucketsMs ? new Date(at!) : parts[index]]);
      group = { ...Object.fromEntries(entries), count: 0 } as TaskGroup;
      this.#groups.set(name, group);
    }
    group.count += count;
  }

  /** Those of the values that most tasks have. */
  top(attribute: AttributeName, leftOut: number): Pick<TaskSummary, "groups" | "valuesLeftOut"> {
    const totals = new Map<unknown, number>();
    for (const group of this.#groups.values()) {
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
    return [...this.#groups.values()].sort((a, b) => at(a) - at(b) || b.count - a.count);
  }
}
