/** Completion of a query from what a store holds: only what the place asks for is read, and each within a budget. */

import { summarizeTasksIn } from "../counts/summary.ts";
import type { Instance } from "../instance.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import { type Completion, type CompletionSources, completeQuery, valueAt } from "./query-complete.ts";
import { queryField } from "./query-fields.ts";
import { placedIn, placesOf } from "./query-places.ts";

const idsMax = 20;
/** Tags are those of so many tasks, the latest. */
const lookMax = 500;
const likeMax = 50;
const budgetMs = 200;
/** Of an attribute of millions the newest tasks tell values that are worth offering, long before all are counted. */
const valuesBudgetMs = 25;
const timeMin = Date.UTC(1990, 0, 1);
const timeMax = Date.UTC(2100, 0, 1);

/** @param position of the caret, in UTF-16 units from 0. Default: the end. */
export async function completeQueryIn(
  instance: Instance,
  text: string,
  position: number = text.length,
): Promise<Completion> {
  const asked = valueAt(text, position);
  const store = await instance.store();
  const sources = asked ? await valuesFor(instance, store, asked) : await namesOf(store, text, position);
  return completeQuery(text, position, sources);
}

/** Of fields, attributes and saved searches, and of places where the word begins like one. */
async function namesOf(store: TaskStore, text: string, position: number): Promise<CompletionSources> {
  const of = placedIn(text, position);
  const [attributes, searches, places] = await Promise.all([
    attributesOf(store),
    store.listSearches(),
    of ? placesOf(store, text, of, latest) : [],
  ]);
  return { attributes, searches: searches.map(({ name }) => name), places };
}

async function attributesOf(store: TaskStore): Promise<string[]> {
  const definitions = await store.listDefinitions();
  return [...new Set(definitions.flatMap(({ attributes = [] }) => attributes))];
}

async function valuesFor(
  instance: Instance,
  store: TaskStore,
  { field, typed }: { field: string; typed: string },
): Promise<CompletionSources> {
  switch (queryField(field)?.filter) {
    case undefined:
      return field === "has"
        ? { attributes: await attributesOf(store) }
        : attributeValues(instance, store, field.replace(/^attribute\./, ""));
    case "id":
      return { ids: await idsLike(store, typed) };
    case "type":
      return { types: await typesOf(store) };
    case "queue":
      return { queues: distinct((await store.stats()).byType.map(({ queue }) => queue)) };
    case "workerId":
      return { workers: await store.listWorkers() };
    case "tag":
      return { tags: await tagsOf(store, typed) };
    default:
      return {};
  }
}

async function typesOf(store: TaskStore): Promise<string[]> {
  const [{ byType }, definitions] = await Promise.all([store.stats(), store.listDefinitions()]);
  return distinct([...byType.map(({ type }) => type), ...definitions.map(({ id }) => id)]);
}

async function idsLike(store: TaskStore, prefix: string): Promise<string[]> {
  const id = { of: "task", name: "id" } as const;
  const { tasks } = await store.searchTasks({
    ...latest,
    ...(prefix !== "" && { where: { kind: "prefix", field: id, prefix } }),
    limit: idsMax,
  });
  return tasks.map((task) => task.id);
}

/** No index knows which tags there are: those of the latest tasks, and of some that have one that begins like this. */
async function tagsOf(store: TaskStore, prefix: string): Promise<string[]> {
  const tag = { of: "task", name: "tag" } as const;
  const where = { kind: "prefix", field: tag, prefix } as const;
  const found = await Promise.all([
    store.searchTasks({ ...latest, limit: lookMax }),
    ...(prefix === "" ? [] : [store.searchTasks({ ...latest, limit: likeMax, where })]),
  ]);
  return distinct(found.flatMap(({ tasks }) => tasks.flatMap(({ tags = [] }) => tags))).sort();
}

const latest: StoreSearch = {
  sortBy: "createdAt",
  descending: true,
  limit: lookMax,
  offset: 0,
  definitions: false,
  budgetMs,
};

/** Those that most tasks have come first. */
async function attributeValues(
  instance: Instance,
  store: TaskStore,
  name: string,
): Promise<CompletionSources> {
  if (!(await attributesOf(store)).includes(name)) return {};
  const key = `attribute.${name}` as const;
  const { groups } = await summarizeTasksIn(instance, { by: key, budget: valuesBudgetMs });
  const values = groups.map((group) => group[key]);
  return { attributes: { [name]: values.map(values.every(isTime) ? timeText : String) } };
}

/** Dates are kept as milliseconds. Where all values look like that, they are offered as instants, which find the same. */
function isTime(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > timeMin && (value as number) < timeMax;
}

function timeText(value: unknown): string {
  return new Date(value as number).toISOString();
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
