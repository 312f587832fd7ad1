/** Completion of a query from what a store holds: only what the place asks for is read, and each within a budget. */

import { summarizeTasksIn } from "../counts/summary.ts";
import type { Instance } from "../instance.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import { type Completion, type CompletionSources, completeQuery, valueAt } from "./query-complete.ts";
import { queryField } from "./query-fields.ts";

const idsMax = 20;
/** Tags are those of so many tasks, the latest. */
const lookMax = 500;
const budgetMs = 200;

/** @param position of the caret, in UTF-16 units from 0. Default: the end. */
export async function completeQueryIn(
  instance: Instance,
  text: string,
  position: number = text.length,
): Promise<Completion> {
  const asked = valueAt(text, position);
  const store = await instance.store();
  const sources = asked ? await valuesFor(instance, store, asked) : await namesOf(store);
  return completeQuery(text, position, sources);
}

/** Of fields, attributes and saved searches. */
async function namesOf(store: TaskStore): Promise<CompletionSources> {
  const [attributes, searches] = await Promise.all([attributesOf(store), store.listSearches()]);
  return { attributes, searches: searches.map(({ name }) => name) };
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
      return { tags: await tagsOf(store) };
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

async function tagsOf(store: TaskStore): Promise<string[]> {
  const { tasks } = await store.searchTasks({ ...latest, limit: lookMax });
  return distinct(tasks.flatMap(({ tags = [] }) => tags)).sort();
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
  const { groups } = await summarizeTasksIn(instance, { by: key, budget: budgetMs });
  return { attributes: { [name]: groups.map((group) => String(group[key])) } };
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
