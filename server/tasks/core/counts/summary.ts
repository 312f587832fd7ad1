/** summarizeTasks: how many tasks there are of each status, type, queue and stretch of time. */

import { DureError } from "../errors.ts";
import type { Condition } from "../filters/condition.ts";
import { narrowed } from "../filters/narrowed.ts";
import { whyNothingFits } from "../filters/why-nothing-fits.ts";
import { toStoreSearch } from "../find.ts";
import { asGiven } from "../given.ts";
import type { Instance } from "../instance.ts";
import { statuses as allStatuses } from "../lifecycle.ts";
import { booleanRule, checkOptions, checkPlain, noneOf, oneOf } from "../options.ts";
import { countKeys } from "../port/store-search.ts";
import { savedQueriesByNow } from "../saved-searches.ts";
import type { TaskSearchOptions } from "../search.ts";
import type { Count, StoreSearch, TaskCounts, TaskStore } from "../store.ts";
import type { TaskStatusName } from "../task.ts";
import { attributePrefix, CountedTasks, isAttribute, shown } from "./counted-tasks.ts";
import type { Percentiles } from "./duration-counts.ts";
import { countByTime } from "./summary-by-time.ts";
import { bucketsMs, Groups } from "./summary-groups.ts";

type Bucket = keyof typeof bucketsMs;

/**
 * What tasks are counted by; `minute`, `hour` and `day` are of UTC, and of the instant that `time` names. `attribute.userId` is
 * by the values of the attribute `userId`: a task with several counts for each, one without it for none.
 */
export type SummaryKey = "status" | "type" | "queue" | Bucket | AttributeName;

export type AttributeName = `attribute.${string}`;

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
  /**
   * Whether each group says how long its tasks waited and ran. Each task is looked at for that, the newest first, within the
   * budget: `readHistory` has the same by type and time of however many. Default false.
   */
  percentiles?: boolean;
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
  /** With `percentiles`: from the creation of those that have started to their latest start. */
  waitMs?: Percentiles;
  /** With `percentiles`: from the latest start of those that have ended to their end. */
  runMs?: Percentiles;
}

export interface TaskSummary {
  /** The earliest stretch of time first, then the largest groups. Groups without tasks are left out. */
  groups: readonly TaskGroup[];
  /** Of the tasks that fit, whether or not they have an attribute that is asked for. */
  total: Count;
  /** False when the budget ran out: the groups are of the tasks that were looked at, the total is an estimate. */
  complete: boolean;
  /** When the budget ran out: of how many tasks the groups are, the newest. */
  sampled?: number;
  /** Of an attribute the 100 values that most tasks have are listed; this many others are not. Absent for none. */
  valuesLeftOut?: number;
  /** About how many tasks were counted without an attribute that waits to be filled in. */
  unfilled?: number;
  /** Where there is no group: why there can be none, such as an attribute that no definition declares. */
  hint?: string;
}

const pageSize = 1_000;
/** Where the index of an attribute is too large to be counted in the budget, so many tasks tell about the shares of its values. */
const sampleMax = 1_000;
/** Of the budget, where conditions are tested; the rest is for an estimate of how many tasks fit in all. */
const walkedPart = 3 / 4;
const ofPages = ["limit", "offset", "sortBy", "sortOrder", "cursor"] as const;

/** @throws DureError INVALID_OPTION, INVALID_QUERY */
export async function summarizeTasksIn(
  instance: Instance,
  options: TaskSummaryOptions = {},
): Promise<TaskSummary> {
  const { search, ...how } = await readSummary(instance, asGiven(options));
  const { keys } = how;
  const store = await instance.store();
  const found = await summarize(instance, await narrowed(store, search), how);
  if (found.groups.length > 0 || keys.length === 0) return found;
  const attribute = keys.find(isAttribute);
  const asked = attribute ? { ...search, where: joined(search.where, havingOf(attribute)) } : search;
  const why = await whyNothingFits(instance, store, asked);
  return why.length > 0 ? { ...found, hint: why.join(" ") } : found;
}

interface How {
  keys: readonly SummaryKey[];
  time: "createdAt" | "updatedAt";
  percentiles: boolean;
}

async function readSummary(
  instance: Instance,
  options: TaskSummaryOptions,
): Promise<{ search: StoreSearch } & How> {
  const { filter, ...how } = readHow("summarizeTasks(options)", options);
  const saved = await savedQueriesByNow(instance, filter.query);
  // Counts take no notice of the order that a query may say, and go on from page to page by the creation.
  const order = { sortBy: "createdAt", descending: true } as const;
  const search: StoreSearch = { ...toStoreSearch(instance, filter, saved), ...order, definitions: false };
  return { search, ...how };
}

/** What is counted, and by what. @throws DureError INVALID_OPTION */
export function readHow(called: string, options: TaskSummaryOptions): { filter: TaskSearchOptions } & How {
  checkPlain(called, options);
  const { by = "status", time = "createdAt", percentiles = false, ...filter } = options;
  refuseOfPages(called, filter);
  const keys = Array.isArray(by) ? (by as readonly SummaryKey[]) : [by as SummaryKey];
  checkOptions(
    called,
    { by: [...keys], time, percentiles },
    { by: keysRule, time: oneOf("createdAt", "updatedAt"), percentiles: booleanRule },
  );
  return { filter, keys, time, percentiles };
}

async function summarize(
  instance: Instance,
  search: StoreSearch,
  { keys, time, percentiles }: How,
): Promise<TaskSummary> {
  const store = await instance.store();
  if (percentiles) return summarizeByWalk(instance, search, keys, time, true);
  const attribute = keys.find(isAttribute);
  const began = instance.clock.monotonic();
  const counted = attribute && (await summarizeByAttribute(store, search, keys, attribute));
  if (counted === "too many") {
    const left = restOf(search, instance.clock.monotonic() - began);
    return summarizeBySample(instance, left, keys, time, attribute!);
  }
  if (counted) return counted;
  if (!search.where && search.id === undefined && attribute === undefined)
    return summarizeByCount(instance, search, keys, time);
  return summarizeByWalk(instance, search, keys, time);
}

/** They would not change what is counted. @throws DureError INVALID_OPTION */
function refuseOfPages(called: string, options: TaskSearchOptions): void {
  const given = ofPages.filter((name) => options[name] !== undefined);
  if (given.length === 0) return;
  const problem = `${called}: ${given.join(" and ")} ${given.length > 1 ? "are" : "is"} of lists of tasks; all that fit are counted.`;
  throw new DureError("INVALID_OPTION", problem, { details: { problems: [problem] } });
}

/** With what is left of its budget, of which a sample and a total take something even when all is spent. */
function restOf(search: StoreSearch, spentMs: number): StoreSearch {
  const { budgetMs } = search;
  return budgetMs === undefined ? search : { ...search, budgetMs: Math.max(1, budgetMs - spentMs) };
}

function keysRule(value: unknown, name: string): string | undefined {
  const attributes = (value as unknown[]).filter(isAttribute);
  const [unknown] = (value as unknown[]).filter(
    (key) => !isAttribute(key) && !summaryKeys.includes(key as (typeof summaryKeys)[number]),
  );
  if (unknown !== undefined)
    return noneOf(
      unknown,
      name,
      [...summaryKeys, `${attributePrefix}…`],
      [...summaryKeys, ...attributeOf(unknown)],
    );
  if (attributes.length > 1)
    return `${name} has both ${attributes[0]} and ${attributes[1]}; give one of them.`;
  const times = (value as string[]).filter((key) => Object.hasOwn(bucketsMs, key));
  return times.length > 1 ? `${name} has both ${times[0]} and ${times[1]}; give one of them.` : undefined;
}

/** What a word with a dot may be meant for. */
function attributeOf(key: unknown): string[] {
  const [, name] = typeof key === "string" ? (/\.(.+)$/s.exec(key) ?? []) : [];
  return name === undefined ? [] : [attributePrefix + name];
}

async function summarizeByCount(
  instance: Instance,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  time: "createdAt" | "updatedAt",
): Promise<TaskSummary> {
  const store = await instance.store();
  const bucket = keys.find((key) => Object.hasOwn(bucketsMs, key)) as Bucket | undefined;
  const by = countKeys.filter((key) => keys.includes(key));
  const groups = new Groups(keys);
  const give = (counts: TaskCounts) => groups.addAll(counts);
  const buckets = bucket && { time, bucketMs: bucketsMs[bucket] };
  if (!buckets) give(await store.summarizeTasks(search, undefined, by));
  const isWhole = !buckets || (await countByTime(store, instance.clock, search, buckets, by, give));
  const counted = { groups: groups.list(), complete: isWhole };
  if (isWhole) return { ...counted, total: { count: groups.total, errorMax: 0 } };
  return { ...counted, total: await store.countTasks(search), sampled: groups.total };
}

/** By the index of attributes; undefined where that does not know all that is asked, `too many` where the budget ran out. */
async function summarizeByAttribute(
  store: TaskStore,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  attribute: AttributeName,
): Promise<TaskSummary | "too many" | undefined> {
  const { types, created, budgetMs } = search;
  const isIndexed = keys.every((key) => key === attribute || key === "type" || key === "status");
  const states = statesOf(search, keys.includes("status"));
  const { where, id, queues, updated } = search;
  if (!isIndexed || !states || where || id !== undefined || queues || updated) return undefined;
  const { counts, leftOut, isWhole, unfilled } = await store.countAttribute({
    name: attribute.slice(attributePrefix.length),
    ...(types && { types }),
    ...(created && { created }),
    ...(budgetMs !== undefined && { budgetMs }),
  });
  // What was counted is of the first values alone.
  if (!isWhole) return "too many";
  const groups = new Groups(keys);
  for (const { type, status, value, count } of counts) {
    if (states.has(status)) groups.add({ type, status, [attribute]: shown(value) }, undefined, count);
  }
  // Which values most tasks have is not known for certain when they are counted by type, and types are added up.
  const isCertain = leftOut === 0 || new Set(counts.map(({ type }) => type)).size === 1;
  return {
    ...groups.top(attribute, leftOut),
    total: await store.countTasks(search),
    complete: isCertain && !unfilled,
    ...(unfilled && { unfilled }),
  };
}

/** By the newest of those that may have the attribute: others tell nothing of its values. */
async function summarizeBySample(
  instance: Instance,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  time: "createdAt" | "updatedAt",
  attribute: AttributeName,
): Promise<TaskSummary> {
  const store = await instance.store();
  const name = attribute.slice(attributePrefix.length);
  const declaring = (await store.listDefinitions())
    .filter(({ id, attributes }) => attributes?.includes(name) && (search.types?.includes(id) ?? true))
    .map(({ id }) => id);
  const having = declaring.length > 0 ? { ...search, types: declaring } : search;
  const sample = await summarizeByWalk(instance, having, keys, time, false, sampleMax);
  return { ...sample, total: atLeast(sample.sampled ?? 0, await store.countTasks(search)) };
}

/** About how many tasks of a search wait for what it asks for, or for this attribute, to be filled in. */
async function unfilledOf(store: TaskStore, search: StoreSearch, attribute: AttributeName): Promise<number> {
  const where = joined(search.where, havingOf(attribute));
  return (await store.explainSearch({ ...search, where })).unfilled ?? 0;
}

function havingOf(attribute: AttributeName): Condition {
  return { kind: "exists", field: { of: "attribute", name: attribute.slice(attributePrefix.length) } };
}

function joined(where: Condition | undefined, part: Condition): Condition {
  return where ? { kind: "and", parts: [where, part] } : part;
}

/** The states of the index of attributes; undefined when it does not tell enough. */
function statesOf({ statuses }: StoreSearch, byStatus: boolean): Set<TaskStatusName | undefined> | undefined {
  const wanted = new Set<TaskStatusName>(statuses ?? allStatuses);
  const open = Number(wanted.delete("PENDING")) + Number(wanted.delete("RUNNING"));
  if (open === 1 || (open === 2 && byStatus)) return undefined;
  return new Set<TaskStatusName | undefined>(open === 2 ? [...wanted, undefined] : wanted);
}

/** Conditions are tested task by task, the newest first, until the budget is spent or so many were met. */
async function summarizeByWalk(
  instance: Instance,
  search: StoreSearch,
  keys: readonly SummaryKey[],
  time: "createdAt" | "updatedAt",
  withTimes = false,
  tasksMax = Number.POSITIVE_INFINITY,
): Promise<TaskSummary> {
  const counted = new CountedTasks(keys, time, withTimes);
  const { clock } = instance;
  const store = await instance.store();
  const began = clock.monotonic();
  const endsAt = began + (search.budgetMs ?? Number.POSITIVE_INFINITY) * (search.where ? walkedPart : 1);
  const attribute = keys.find(isAttribute);
  let seen = 0;
  let after: StoreSearch["after"];
  for (;;) {
    const budgetMs = Math.max(1, endsAt - clock.monotonic());
    const {
      tasks,
      stoppedAt,
      unindexed = 0,
      unfilled = 0,
    } = await store.searchTasks({
      ...search,
      ...(after && { after }),
      ...(Number.isFinite(budgetMs) && { budgetMs }),
      limit: pageSize,
    });
    seen += tasks.length;
    const attributes = new Map(attribute && (await store.readAttributes(tasks.map(({ id }) => id))));
    for (const task of tasks) counted.add(task, attributes.get(task.id));
    const last = tasks.at(-1);
    if (!stoppedAt && (tasks.length < pageSize || !last)) {
      const errorMax = unindexed + unfilled;
      const lacking = attribute ? await unfilledOf(store, search, attribute) : unfilled;
      return {
        ...counted.list(),
        total: { count: seen, errorMax },
        complete: errorMax + lacking === 0,
        ...(lacking > 0 && { unfilled: lacking }),
      };
    }
    if (stoppedAt || seen >= tasksMax || clock.monotonic() > endsAt) {
      const rest = restOf(search, clock.monotonic() - began);
      return { ...counted.list(), ...(await totalOf(store, rest, seen)), complete: false, sampled: seen };
    }
    after = { value: last!.createdAt.getTime(), id: last!.id, backwards: false };
  }
}

/** Of a search that was not walked to its end, of which so many were seen to fit. */
async function totalOf(
  store: TaskStore,
  search: StoreSearch,
  seen: number,
): Promise<Pick<TaskSummary, "total" | "unfilled">> {
  const { unfilled, ...total } = await store.countTasks(search);
  return { total: atLeast(seen, total), ...(unfilled && { unfilled }) };
}

/** An estimate looks at other tasks, or at fewer of them: what was seen bounds it. */
function atLeast(seen: number, { count, errorMax }: Count): Count {
  const most = Math.max(seen, count + errorMax);
  const least = Math.max(seen, count - errorMax);
  const bounded = Math.max(seen, count);
  return { count: bounded, errorMax: Math.max(bounded - least, most - bounded) };
}
