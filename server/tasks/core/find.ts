/** How a search is checked and asked of the store, and how its answer becomes a page. */

import { beforeAll, decodeCursor, encodeCursor, isBeforeAll, searchFingerprint } from "./cursor.ts";
import { parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import type { TaskFilter } from "./filters/filter.ts";
import { filterKeys, filterProblems, toPlainFilters } from "./filters/filter-condition.ts";
import { sortValueOf } from "./filters/meets.ts";
import { countByKinds, narrowed } from "./filters/narrowed.ts";
import type { PlainFilters } from "./filters/plain-filters.ts";
import { whyNothingFits } from "./filters/why-nothing-fits.ts";
import { asGiven } from "./given.ts";
import { grouped } from "./grouped.ts";
import { ulidTime } from "./ids.ts";
import type { Instance } from "./instance.ts";
import { checkIsText } from "./names.ts";
import {
  booleanRule,
  checkOptions,
  checkPlain,
  dateRule,
  durationRule,
  integerBetween,
  type OptionRule,
  oneOf,
} from "./options.ts";
import { parseQuery, type SavedQueries } from "./query/query.ts";
import { queryError } from "./query/query-lexer.ts";
import { rankedMax, textsAskedFor } from "./relevance.ts";
import { savedQueriesByNow } from "./saved-searches.ts";
import type { DateRange, TaskPage, TaskSearchOptions } from "./search.ts";
import { sortFields } from "./sort-fields.ts";
import type { Found, Place, StoreSearch, TaskStore } from "./store.ts";
import type { Task, TaskStatusName } from "./task.ts";
import { showValue } from "./values/show.ts";
import { readChangedPage } from "./watch/changed-page.ts";

const limitMax = 10_000;
const nearIdMin = 3;
const defaultLimit = 50;
const defaultBudgetMs = 1_000;
const budgetMsMax = 3_600_000;
const hint =
  "Nothing but a look at each task tells which of them fit. Narrow it by status, type or a range of time, declare what you ask for as an attribute, or give it a longer budget.";

const relevanceHint = `Only the newest ${grouped(rankedMax)} tasks that fit are ranked, or as many as the budget allows. Narrow it by status, type or a range of time to rank others.`;
const unindexedHint =
  "Ask again when running workers have indexed them, which the stats tell; or with no budget: then every task is looked at.";

export async function searchTasksIn(instance: Instance, options?: TaskSearchOptions): Promise<Task[]> {
  return (await searchTaskPageIn(instance, options)).tasks;
}

export async function searchTaskPageIn(
  instance: Instance,
  options: TaskSearchOptions = {},
): Promise<TaskPage> {
  checkPlain("searchTasks(options)", options);
  const given = asGiven(options);
  const { updatedSince, ...others } = given;
  const saved = await savedQueriesByNow(instance, given.query);
  if (updatedSince !== undefined)
    return readChangedPage(instance, toStoreSearch(instance, withoutOrder(others), saved), updatedSince);
  const { search, fingerprint } = readSearch(instance, others, saved);
  const store = await instance.store();
  const found = await store.searchTasks(await narrowed(store, pageOf(search)));
  const page = toPage(placedByEnd(found, search), search, fingerprint);
  const why = page.tasks.length === 0 ? await whyNothingFits(instance, store, search, given) : [];
  if (why.length === 0) return page;
  return { ...page, hint: [...why, ...(page.hint ? [page.hint] : [])].join(" ") };
}

/** The search of a page, before it is `narrowed` to what is asked of the store. */
export async function readPageSearch(instance: Instance, options: TaskSearchOptions): Promise<StoreSearch> {
  return pageOf(toStoreSearch(instance, options, await savedQueriesByNow(instance, options.query)));
}

/** One more than is wanted tells whether there is a next page. */
function pageOf(search: StoreSearch): StoreSearch {
  return ofEnded({ ...search, limit: search.limit + 1 });
}

/**
 * Nothing changes a task after its end: those that have ended are in the order of their last change, which is never before
 * their creation, whatever the clock of who enqueued them said. Others have no duration.
 */
function ofEnded(search: StoreSearch): StoreSearch {
  const { sortBy } = search;
  if (sortBy !== "completedAt" && sortBy !== "duration") return search;
  const statuses = (search.statuses ?? ended).filter((status) => ended.includes(status));
  const ofThem: StoreSearch = { ...search, statuses, definitions: false };
  return sortBy === "duration" ? ofThem : { ...ofThem, sortBy: "updatedAt" };
}

/** Their places are those of the order that the store read. */
function placedByEnd(found: Found, { sortBy }: StoreSearch): Found {
  if (sortBy !== "completedAt" || found.values) return found;
  return { ...found, values: found.tasks.map(({ updatedAt }) => updatedAt.getTime()) };
}

const ended: readonly TaskStatusName[] = ["COMPLETED", "FAILED", "CANCELLED"];

export async function countTasksIn(instance: Instance, options: TaskSearchOptions = {}): Promise<number> {
  checkPlain("countTasks(options)", options);
  const given = asGiven(options);
  const saved = await savedQueriesByNow(instance, given.query);
  const { budgetMs: _budget, ...search } = toStoreSearch(instance, given, saved);
  const store = await instance.store();
  const asked = await narrowed(store, search);
  return (await countByKinds(store, asked)) ?? (await store.countTasks(asked)).count;
}

export async function getTaskByIdIn(instance: Instance, id: string): Promise<Task | undefined> {
  checkIsText("getTaskById(id)", id);
  return (await instance.store()).getTask(id);
}

/** Ids near one that was not found; none for an empty or very short one, which every id begins with. */
export async function findNearIdsIn(store: TaskStore, id: string): Promise<string[]> {
  return id.length < nearIdMin ? [] : store.findNearIds(id);
}

/** @throws DureError INVALID_OPTION */
function withoutOrder(options: TaskSearchOptions): TaskSearchOptions {
  for (const name of ["sortBy", "sortOrder", "offset", "cursor"] as const) {
    if (options[name] === undefined) continue;
    throw new DureError(
      "INVALID_OPTION",
      `searchTasks(options): ${name} was given with updatedSince, which has an order of its own; give one of them.`,
    );
  }
  return options;
}

const ownRules: Record<string, OptionRule> = {
  createdAtRange: rangeRule,
  updatedAtRange: rangeRule,
  limit: integerBetween(1, limitMax),
  offset: integerBetween(0, Number.MAX_SAFE_INTEGER),
  bytesMax: integerBetween(1, Number.MAX_SAFE_INTEGER),
  sortBy: oneOf(...sortFields),
  sortOrder: oneOf("asc", "desc"),
  definitions: booleanRule,
  query: (value, name) =>
    typeof value === "string" ? undefined : `${name} is ${showValue(value)}; it must be a string.`,
  cursor: (value, name) =>
    typeof value === "string" ? undefined : `${name} is ${showValue(value)}; it must be a string.`,
  budget: durationRule({ minMs: 1, maxMs: budgetMsMax, also: ["none"] }),
};
const filterRules = Object.fromEntries(
  filterKeys.map((key): [string, OptionRule] => [
    key,
    (value) => filterProblems({ [key]: value }).join(" ") || undefined,
  ]),
);
const rules = { ...filterRules, ...ownRules };

/**
 * @param saved what the query's saved searches stand for: `savedQueriesByNow` it
 * @throws DureError INVALID_OPTION with every problem at once, INVALID_QUERY, INVALID_CURSOR
 */
export function toStoreSearch(
  instance: Instance,
  options: TaskSearchOptions,
  saved?: SavedQueries,
): StoreSearch {
  return readSearch(instance, options, saved).search;
}

/**
 * The same search with what its saved searches stand for now in their place, so that it stays the same to its end. The
 * order that its query says is lost.
 */
export async function fixedSearch(
  instance: Instance,
  options: TaskSearchOptions,
): Promise<TaskSearchOptions> {
  const saved = await savedQueriesByNow(instance, options.query);
  if (saved.size === 0 || options.query === undefined) return options;
  const { query, ...rest } = options;
  const { filter } = parseQuery(query, { now: instance.clock.now() }, saved);
  return { ...rest, and: [...(rest.and ?? []), filter] };
}

/** `fingerprint` is of the search as it was asked for: `created:>2h` is the same search a minute later. */
export function readSearch(
  instance: Instance,
  options: TaskSearchOptions,
  saved?: SavedQueries,
): { search: StoreSearch; fingerprint: string } {
  checkOptions("searchTasks(options)", options, rules);
  const {
    createdAtRange,
    updatedAtRange,
    limit,
    offset,
    bytesMax,
    sortBy,
    sortOrder,
    definitions,
    cursor,
    budget,
    query,
    ...filter
  } = options;
  const parsed = query === undefined ? undefined : parseQuery(query, { now: instance.clock.now() }, saved);
  const given = [
    filter,
    ...rangeFilter("createdAt", createdAtRange),
    ...rangeFilter("updatedAt", updatedAtRange),
  ];
  const filters = plainFilters(parsed ? [parsed.filter, ...given] : given);
  const search: StoreSearch = {
    ...filters,
    ...(budget !== "none" && {
      budgetMs: budget === undefined ? defaultBudgetMs : parseDuration(budget, "budget"),
    }),
    sortBy: sortBy ?? parsed?.sortBy ?? "createdAt",
    // A direction that the query says is of the order that it says.
    descending: (sortOrder ?? (sortBy ? undefined : parsed?.sortOrder) ?? "desc") === "desc",
    limit: limit ?? defaultLimit,
    offset: offset ?? 0,
    ...(bytesMax !== undefined && { bytesMax }),
    definitions: definitions ?? true,
  };
  const asked = parsed
    ? { ...plainFilters(given), definitions: search.definitions, query, saved: parsed.saved }
    : search;
  const fingerprint = fingerprintOf(asked);
  if (search.sortBy === "relevance" && textsAskedFor(search.where).length === 0) {
    const problem =
      "sorted by relevance, a search asks for a text that tasks are relevant to; give it one by text or in its query";
    if (parsed?.sortedAt && !sortBy) throw queryError(query!, parsed.sortedAt, problem);
    throw new DureError("INVALID_OPTION", `searchTasks(options): ${problem}.`);
  }
  if (cursor !== undefined) Object.assign(search, placeOf(cursor, search, fingerprint));
  return { search, fingerprint };
}

function plainFilters(and: TaskFilter[]): PlainFilters {
  return toPlainFilters("searchTasks(options)", { and });
}

export function rangeFilter(name: "createdAt" | "updatedAt", range: DateRange | undefined): TaskFilter[] {
  if (!range?.start && !range?.end) return [];
  return [{ [name]: { gte: range.start, lt: range.end } }];
}

function placeOf(
  text: string,
  search: StoreSearch,
  fingerprint: string,
): Pick<StoreSearch, "after" | "offset"> {
  const cursor = decodeCursor(text);
  if (
    cursor.search !== fingerprint ||
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
  const { value, id, backwards, offset = 0 } = cursor;
  return isBeforeAll(cursor) ? { offset } : { after: { value, id, backwards }, offset };
}

/** `found` has one task more than the limit, or is cut, when there is a further page in the direction of reading. */
export function toPage(
  { tasks: found, isCut, stoppedAt, offsetLeft, isPartial, unindexed, unfilled, values }: Found,
  search: StoreSearch,
  fingerprint: string,
): TaskPage {
  const further = isCut === true || found.length > search.limit;
  const tasks = found.slice(0, search.limit);
  const backwards = search.after?.backwards ?? false;
  const cursorAt = cursorsOf(search, fingerprint);
  const page: TaskPage = {
    tasks: backwards ? tasks.toReversed() : tasks,
    complete: !isPartial && !unindexed && !unfilled && (further || !stoppedAt),
    ...(isCut && found.length <= search.limit && { isCut }),
  };
  const placeAt = (index: number) => placeOfTask(search, tasks[index]!, values?.[index]);
  // Those that are ranked stay the same however long a search may take.
  const goesOn = further && (!isPartial || search.sortBy === "relevance");
  const stop = stoppedAt === "start" ? beforeAll : stoppedAt;
  const ahead = goesOn ? placeAt(tasks.length - 1) : isPartial ? undefined : stop;
  // What was passed over by an offset may be the last that was looked at.
  const cameFrom = search.offset === 0 && !isPlaceOf(search, stop) ? stop : undefined;
  const behind = tasks.length > 0 ? placeAt(0) : cameFrom;
  const hasBehind = search.after !== undefined || search.offset > 0;
  if (ahead)
    page[backwards ? "previousCursor" : "nextCursor"] = cursorAt(ahead, backwards, goesOn ? 0 : offsetLeft);
  if (behind && hasBehind) page[backwards ? "nextCursor" : "previousCursor"] = cursorAt(behind, !backwards);
  if (page.complete) return page;
  const at = stop && instantOf(search, stop);
  const isEarly = isPartial || (stop !== undefined && !further);
  const ownHint = search.sortBy === "relevance" ? relevanceHint : hint;
  const hints = [
    ...(unindexed ? [hintOfUnindexed(unindexed)] : []),
    ...(unfilled ? [hintOfUnfilled(unfilled)] : []),
    ...(isEarly ? [ownHint] : []),
  ];
  return {
    ...page,
    ...(at && { searchedBackTo: at }),
    ...(unindexed && { unindexed }),
    ...(unfilled && { unfilled }),
    hint: hints.join(" "),
  };
}

/** Whether it came no further than where it began: back from there the task is missing that the page before ends with. */
function isPlaceOf({ after }: StoreSearch, stop: Place | undefined): boolean {
  return after !== undefined && stop !== undefined && stop.id === after.id && stop.value === after.value;
}

function hintOfUnindexed(tasks: number): string {
  return `The texts of about ${grouped(tasks)} tasks are not indexed yet, and were not looked at. ${unindexedHint}`;
}

/** Also of a plan, and of an action. */
export function hintOfUnfilled(tasks: number): string {
  return `About ${grouped(tasks)} tasks wait for an attribute to be filled in, and are judged without it. Ask again when running workers that define their types have done so, which the stats tell.`;
}

function cursorsOf(
  { sortBy, descending }: StoreSearch,
  fingerprint: string,
): (place: Place, backwards: boolean, offset?: number) => string {
  return (place, backwards, offset = 0) =>
    encodeCursor({
      ...{ sortBy, descending, ...place, backwards, search: fingerprint },
      ...(offset > 0 && { offset }),
    });
}

function placeOfTask({ sortBy }: StoreSearch, task: Task, value = sortValueOf(sortBy, task)): Place {
  return { value: value ?? null, id: task.id };
}

function instantOf({ sortBy }: StoreSearch, { value, id }: Place): Date | undefined {
  if (sortBy === "id") {
    const at = ulidTime(id);
    return at === undefined ? undefined : new Date(at);
  }
  return sortBy.endsWith("At") && value !== null ? new Date(value) : undefined;
}

/** Of the filters as the store sees them, so that `type: "a"` and `type: ["a"]` are one search. */
function fingerprintOf(search: Partial<StoreSearch>): string {
  const {
    after: _after,
    limit: _limit,
    offset: _offset,
    bytesMax: _bytes,
    sortBy: _sortBy,
    descending: _order,
    budgetMs: _budget,
    ...filters
  } = search;
  return searchFingerprint(filters);
}

function rangeRule(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${name} is ${showValue(value)}; it must be { start?: Date, end?: Date }.`;
  }
  for (const [key, bound] of Object.entries(value)) {
    if (key !== "start" && key !== "end") return `${name}.${key} is no option here. Known are start, end.`;
    const problem = bound === undefined ? undefined : dateRule(bound, `${name}.${key}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
