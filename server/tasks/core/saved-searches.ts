/** Saved searches: a query under a name, which stands for it in every other query as `@name`, with an optional alert rule. */
import { byOf, byRule } from "./audit.ts";
import { parseDuration } from "./duration.ts";
import { DureError } from "./errors.ts";
import { toPlainFilters } from "./filters/filter-condition.ts";
import type { Instance } from "./instance.ts";
import { checkDefinitionId, checkSearchName, didYouMean } from "./names.ts";
import {
  checkOptions,
  durationRule,
  integerBetween,
  type OptionRule,
  problemOf,
  stringUpTo,
} from "./options.ts";
import { type AlertRule, type AlertTask, savedSearchesMax } from "./port/store-saved.ts";
import { parseQuery, type SavedQueries } from "./query/query.ts";
import { tokensSoFar } from "./query/query-lexer.ts";
import type { AlertState, SavedSearchContent, StoredSearch, TaskStore } from "./store.ts";
import { isPlainPrototype, showValue } from "./values/show.ts";
import { committed } from "./written.ts";

export type { AlertRule, AlertTask } from "./port/store-saved.ts";

import type { AskedBy } from "./port/store-audit.ts";

/** What to save under a name. What is left out stays as it was; null takes it away. */
export interface SaveSearchOptions {
  /** As docs/reference/query.md has it; other saved searches may stand in it. */
  query: string;
  /** At most 1,000 characters. */
  description?: string | null;
  alert?: AlertRule | null;
  /** Who asks for it, for the audit log: a name, or more than that. */
  by?: string | AskedBy;
}

/** A query under a name. */
export interface SavedSearch {
  name: string;
  query: string;
  description?: string;
  alert?: AlertRule;
  createdAt: Date;
  updatedAt: Date;
  /** What the latest look at the alert rule found; absent before the first. */
  alertState?: SavedSearchAlert;
}

export interface SavedSearchAlert {
  checkedAt: Date;
  /** How many tasks there were; may be an estimate. */
  count?: number;
  /** Since when the count is out of bounds. */
  since?: Date;
  /** When the task was enqueued that the rule asks for; absent while the count is not, or not long enough, out of bounds. */
  enqueuedAt?: Date;
  /** When the rule last enqueued its task, also where the count is back since. */
  lastEnqueuedAt?: Date;
  /** Why the latest look came to nothing. */
  problem?: string;
}

const queryMax = 10_000;
const payloadMax = 64 * 1024;
const forMsMax = 30 * 24 * 3_600_000;
const noQueries: SavedQueries = new Map();

/**
 * Keeps a query under a name, in the place of one that has it.
 * @throws DureError INVALID_ID, INVALID_OPTION, INVALID_QUERY, TASK_NOT_DEFINED for the type of an alert
 */
export async function saveSearchIn(
  instance: Instance,
  name: string,
  options: SaveSearchOptions,
): Promise<SavedSearch> {
  checkSearchName(name);
  const { query, description, alert } = checkSaved(name, options);
  const by = byOf(instance, options.by);
  const store = await instance.store();
  const searches = await store.listSearches();
  const { filter } = parseQuery(query, { now: instance.clock.now() }, queriesOf(searches), name);
  toPlainFilters(`saveSearch("${name}")`, filter);
  if (alert) await checkTypes(instance, store, alert);
  const before = searches.find((search) => search.name === name);
  const content = {
    name,
    query,
    ...kept("description", description, before),
    ...kept("alert", alert, before),
  };
  const answer = await store.saveSearch(content, by);
  if (answer.kind === "rejected") {
    throw new DureError(
      "INVALID_OPTION",
      `There are ${savedSearchesMax} saved searches already, which is the most that are kept. Delete one first.`,
    );
  }
  return toSavedSearch(committed(answer, store));
}

/** By name, in the order of its code points. */
export async function listSearchesIn(instance: Instance): Promise<SavedSearch[]> {
  return (await (await instance.store()).listSearches()).map(toSavedSearch);
}

/** @throws DureError SEARCH_NOT_FOUND, with near names */
export async function deleteSearchIn(
  instance: Instance,
  name: string,
  options: Pick<SaveSearchOptions, "by"> = {},
): Promise<void> {
  checkSearchName(name);
  checkOptions(`deleteSearch("${name}")`, options, { by: byRule });
  const by = byOf(instance, options.by);
  const store = await instance.store();
  if (committed(await store.deleteSearch(name, by), store)) return;
  // By now somebody may have saved one of this very name.
  const names = (await store.listSearches()).map((search) => search.name).filter((near) => near !== name);
  throw new DureError("SEARCH_NOT_FOUND", `No search is saved as "${name}".${didYouMean(name, names)}`, {
    details: { name },
  });
}

/** What `@name` stands for in a query; nothing is read for a query without it. */
export async function savedQueriesFor(instance: Instance, query: unknown): Promise<SavedQueries> {
  if (typeof query !== "string" || !query.includes("@")) return noQueries;
  if (!tokensSoFar(query).some((token) => token.name === "saved")) return noQueries;
  return queriesOf(await (await instance.store()).listSearches());
}

/** The same, when the clock shows the store's time, which `created:>2h` counts from: until a store is open it may be the machine's. */
export async function savedQueriesByNow(instance: Instance, query: unknown): Promise<SavedQueries> {
  if (query !== undefined) await instance.store();
  return savedQueriesFor(instance, query);
}

function queriesOf(searches: readonly StoredSearch[]): Map<string, string> {
  return new Map(searches.map(({ name, query }) => [name, query]));
}

function kept<Key extends "description" | "alert">(
  key: Key,
  given: SavedSearchContent[Key] | null,
  before: StoredSearch | undefined,
): Pick<SavedSearchContent, Key> | undefined {
  const value = given === undefined ? before?.[key] : given;
  return value === undefined || value === null ? undefined : ({ [key]: value } as never);
}

function toSavedSearch({ revision: _revision, alertState, ...search }: StoredSearch): SavedSearch {
  return { ...search, ...(alertState && { alertState: toSavedAlert(alertState) }) };
}

function toSavedAlert(state: AlertState): SavedSearchAlert {
  const { checkedAt, count, since, enqueuedAt, lastEnqueuedAt, problem } = state;
  return {
    checkedAt: new Date(checkedAt),
    ...(count !== undefined && { count }),
    ...(since !== undefined && { since: new Date(since) }),
    ...(enqueuedAt !== undefined && { enqueuedAt: new Date(enqueuedAt) }),
    ...(lastEnqueuedAt !== undefined && { lastEnqueuedAt: new Date(lastEnqueuedAt) }),
    ...(problem !== undefined && { problem }),
  };
}

function checkSaved(name: string, options: SaveSearchOptions): SaveSearchOptions {
  const what = `saveSearch("${name}")`;
  checkOptions(what, { ...options, query: options?.query ?? null }, rules);
  const { alert } = options;
  if (!alert) return options;
  const { enqueue, recovered, ...bounds } = alert;
  return {
    ...options,
    alert: { ...bounds, enqueue: plainTask(enqueue), ...(recovered && { recovered: plainTask(recovered) }) },
  };
}

function plainTask({ type, payload }: AlertTask): AlertTask {
  return { type, ...(payload && { payload: JSON.parse(JSON.stringify(payload)) }) };
}

const queryRule: OptionRule = (value, name) =>
  stringUpTo(queryMax)(value, name) ??
  plainText(value as string, name) ??
  ((value as string).trim() === ""
    ? `${name} is empty, so that its name would stand for every task; write type:* to mean that.`
    : undefined);
const nullOr =
  (rule: OptionRule): OptionRule =>
  (value, name) =>
    value === null ? undefined : rule(value, name);

const rules: Record<string, OptionRule> = {
  query: queryRule,
  description: nullOr((value, name) => stringUpTo(1_000)(value, name) ?? plainText(value as string, name)),
  alert: nullOr(alertRule),
  by: byRule,
};

function plainText(text: string, name: string): string | undefined {
  if (text.isWellFormed() && !text.includes("\0")) return undefined;
  return `${name} holds U+0000 or half of a surrogate pair; take it out.`;
}

function alertRule(value: unknown, name: string): string | undefined {
  const problem = problemOf(() => checkOptions(name, value, alertRules));
  if (problem !== undefined) return problem;
  const { over, under, enqueue } = value as AlertRule;
  if (enqueue === undefined)
    return `${name}.enqueue is missing; give the task to enqueue, as { type: "call-somebody" }.`;
  if (over === undefined && under === undefined)
    return `${name} has no bound; give over, under or both, as { over: 100 }.`;
  if (over === undefined || under === undefined || under <= over + 1) return undefined;
  return `${name} is out of bounds over ${over} and under ${under}, so always; make under the smaller.`;
}

const alertRules: Record<string, OptionRule> = {
  over: integerBetween(0, Number.MAX_SAFE_INTEGER),
  under: integerBetween(1, Number.MAX_SAFE_INTEGER),
  for: durationRule({ maxMs: forMsMax }),
  enqueue: taskRule,
  recovered: taskRule,
};

function taskRule(value: unknown, name: string): string | undefined {
  return problemOf(() => {
    checkOptions(name, value, { type: typeRule, payload: payloadRule });
    checkDefinitionId((value as AlertTask).type);
  });
}

function typeRule(value: unknown): string | undefined {
  return problemOf(() => checkDefinitionId(value));
}

/** JSON, since it is shown, sent and edited as such. */
function payloadRule(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || !isPlainPrototype(Object.getPrototypeOf(value)))
    return `${name} is ${showValue(value)}; it must be an object, to which the alert is added.`;
  try {
    const text = JSON.stringify(value);
    return text.length <= payloadMax
      ? undefined
      : `${name} has ${text.length} characters as JSON; at most ${payloadMax} are kept.`;
  } catch {
    return `${name} cannot be written as JSON.`;
  }
}

/** An alert for which nothing could be enqueued would be noticed when it is too late. */
async function checkTypes(
  instance: Instance,
  store: TaskStore,
  { enqueue, recovered }: AlertRule,
): Promise<void> {
  const known = new Set(instance.registry.ids());
  const wanted = [enqueue.type, ...(recovered ? [recovered.type] : [])];
  if (wanted.every((type) => known.has(type))) return;
  for (const { id } of await store.listDefinitions()) if (!instance.registry.isBuiltIn(id)) known.add(id);
  const missing = wanted.find((type) => !known.has(type));
  if (missing === undefined) return;
  throw new DureError(
    "TASK_NOT_DEFINED",
    `No task "${missing}" is defined, so the alert could not enqueue it.${didYouMean(missing, known)} Start a worker that defines it first.`,
    { details: { id: missing } },
  );
}

/** How long the count must be out of bounds, in milliseconds. */
export function forMsOf(rule: AlertRule): number {
  return parseDuration(rule.for ?? 0, "alert.for");
}

/** Whether a count is out of a rule's bounds. */
export function isOutOfBounds({ over, under }: AlertRule, count: number): boolean {
  return (over !== undefined && count > over) || (under !== undefined && count < under);
}
