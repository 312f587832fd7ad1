/** How a search is checked and asked of the store, and how its answer becomes a page. */
import { decodeCursor, encodeCursor, searchFingerprint } from "./cursor.ts";
import { DureError } from "./errors.ts";
import type { Instance } from "./instance.ts";
import { following } from "./lifecycle.ts";
import { didYouMean } from "./names.ts";
import { booleanRule, checkOptions, integerBetween, oneOf } from "./options.ts";
import type { DateRange, TaskPage, TaskSearchOptions } from "./search.ts";
import type { StoreSearch, TaskStore } from "./store.ts";
import type { Task } from "./task.ts";

const limitMax = 10_000;
const nearIdMin = 3;
const defaultLimit = 50;
const sortFields = ["createdAt", "updatedAt", "id"] as const;

export async function searchTasksIn(instance: Instance, options?: TaskSearchOptions): Promise<Task[]> {
  return (await searchTaskPageIn(instance, options)).tasks;
}

export async function searchTaskPageIn(
  instance: Instance,
  options: TaskSearchOptions = {},
): Promise<TaskPage> {
  const search = toStoreSearch(options);
  const store = await instance.store();
  const found = await store.searchTasks({ ...search, limit: search.limit + 1 });
  return toPage(found, search);
}

export async function countTasksIn(instance: Instance, options: TaskSearchOptions = {}): Promise<number> {
  const search = toStoreSearch(options);
  return (await instance.store()).countTasks(search);
}

export async function getTaskByIdIn(instance: Instance, id: string): Promise<Task | undefined> {
  if (typeof id !== "string") {
    throw new DureError(
      "INVALID_ID",
      `getTaskById(id): the id is ${id === null ? "null" : typeof id}; expected a string.`,
    );
  }
  return (await instance.store()).getTask(id);
}

/** Ids near one that was not found; none for an empty or very short one, which every id begins with. */
export async function findNearIdsIn(store: TaskStore, id: string): Promise<string[]> {
  return id.length < nearIdMin ? [] : store.findNearIds(id);
}

const rules = {
  id: stringRule,
  type: oneOrMany(stringRule),
  status: oneOrMany(statusRule),
  queue: oneOrMany(stringRule),
  createdAtRange: rangeRule,
  updatedAtRange: rangeRule,
  limit: integerBetween(1, limitMax),
  offset: integerBetween(0, Number.MAX_SAFE_INTEGER),
  sortBy: oneOf(...sortFields),
  sortOrder: oneOf("asc", "desc"),
  definitions: booleanRule,
  cursor: stringRule,
};

function toStoreSearch(options: TaskSearchOptions): StoreSearch {
  checkOptions("searchTasks(options)", options, rules);
  const search: StoreSearch = {
    sortBy: options.sortBy ?? "createdAt",
    descending: (options.sortOrder ?? "desc") === "desc",
    limit: options.limit ?? defaultLimit,
    offset: options.offset ?? 0,
    definitions: options.definitions ?? true,
  };
  if (options.id !== undefined) search.id = options.id;
  if (options.type !== undefined) search.types = listed(options.type);
  if (options.status !== undefined) search.statuses = listed(options.status);
  if (options.queue !== undefined) search.queues = listed(options.queue);
  const created = toRange(options.createdAtRange);
  const updated = toRange(options.updatedAtRange);
  if (created) search.created = created;
  if (updated) search.updated = updated;
  if (options.cursor !== undefined) search.after = placeOf(options.cursor, search);
  return search;
}

function placeOf(text: string, search: StoreSearch): NonNullable<StoreSearch["after"]> {
  const cursor = decodeCursor(text);
  if (
    cursor.search !== fingerprintOf(search) ||
    cursor.sortBy !== search.sortBy ||
    cursor.descending !== search.descending
  ) {
    throw new DureError(
      "INVALID_CURSOR",
      "The cursor belongs to a search with other filters or another order. Repeat the options it was made with, or start again without a cursor.",
    );
  }
  if (search.offset > 0) {
    throw new DureError(
      "INVALID_OPTION",
      "searchTasks(options): offset and cursor were both given; give one of them.",
    );
  }
  return { value: cursor.value, id: cursor.id, backwards: cursor.backwards };
}

/** `found` has one task more than the limit when there is a further page in the direction of reading. */
function toPage(found: Task[], search: StoreSearch): TaskPage {
  const fingerprint = fingerprintOf(search);
  const further = found.length > search.limit;
  const tasks = further ? found.slice(0, search.limit) : found;
  const backwards = search.after?.backwards ?? false;
  if (backwards) tasks.reverse();
  const page: TaskPage = { tasks };
  const cursorAt = (task: Task, towardsStart: boolean) =>
    encodeCursor({
      sortBy: search.sortBy,
      descending: search.descending,
      value: search.sortBy === "id" ? null : task[search.sortBy].getTime(),
      id: task.id,
      backwards: towardsStart,
      search: fingerprint,
    });
  const first = tasks[0];
  const last = tasks.at(-1);
  if (last && (backwards || further)) page.nextCursor = cursorAt(last, false);
  const hasEarlier = backwards ? further : search.after !== undefined || search.offset > 0;
  if (first && hasEarlier) page.previousCursor = cursorAt(first, true);
  return page;
}

/** Of the filters as the store sees them, so that `type: "a"` and `type: ["a"]` are one search. */
function fingerprintOf(search: StoreSearch): string {
  const {
    after: _after,
    limit: _limit,
    offset: _offset,
    sortBy: _sortBy,
    descending: _order,
    ...filters
  } = search;
  return searchFingerprint(filters);
}

function listed<Item>(value: Item | readonly Item[]): Item[] {
  return Array.isArray(value) ? [...value] : [value as Item];
}

function toRange(range: DateRange | undefined): { start?: number; end?: number } | undefined {
  if (!range) return undefined;
  const { start, end } = range;
  return { ...(start ? { start: start.getTime() } : {}), ...(end ? { end: end.getTime() } : {}) };
}

type Rule = (value: unknown, name: string) => string | undefined;

function stringRule(value: unknown, name: string): string | undefined {
  return typeof value === "string" ? undefined : `${name} is ${typeof value}; expected a string`;
}

function statusRule(value: unknown, name: string): string | undefined {
  const known = Object.keys(following) as unknown[];
  if (known.includes(value)) return undefined;
  return `${name} is ${JSON.stringify(value)}; expected one of ${known.join(", ")}.${didYouMean(String(value).toUpperCase(), known as string[])}`;
}

function oneOrMany(rule: Rule): Rule {
  return (value, name) => {
    if (!Array.isArray(value)) return rule(value, name);
    if (value.length > 1_000) return `${name} has ${value.length} values; at most 1,000 are taken`;
    return value
      .map((item, index) => rule(item, `${name}[${index}]`))
      .find((problem) => problem !== undefined);
  };
}

function rangeRule(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const met = Array.isArray(value) ? "an array" : value === null ? "null" : typeof value;
    return `${name} is ${met}; expected { start?: Date, end?: Date }`;
  }
  for (const [key, bound] of Object.entries(value)) {
    if (key !== "start" && key !== "end") return `${name}.${key} is unknown; expected start and end`;
    if (bound === undefined) continue;
    if (!(bound instanceof Date) || Number.isNaN(bound.getTime())) {
      return `${name}.${key} is not a valid Date`;
    }
  }
  return undefined;
}
