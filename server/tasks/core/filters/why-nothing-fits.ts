/** Why nothing can fit a search: a slip of the pen must not look like an empty answer. */

import type { Instance } from "../instance.ts";
import { checkTaskId, didYouMean, nearest, questionOf } from "../names.ts";
import { problemOf } from "../options.ts";
import { knownOtherwise } from "../query/known-otherwise.ts";
import { queryFields } from "../query/query-fields.ts";
import { slipsIn, textsIn } from "../query/query-slips.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import type { Task } from "../task.ts";
import { attributesIn, type Condition, isEmptyRange } from "./condition.ts";
import { describeCondition, describeField } from "./condition-text.ts";
import { isOperator } from "./filter-condition.ts";
import { meets } from "./meets.ts";

/** What a search was asked by, as far as it is written in texts. */
export interface Asked {
  query?: string;
  text?: string | readonly string[];
  /** Types that are known where it is asked, beside those that are defined. */
  types?: Iterable<string>;
}

/** So many of the newest tasks tell what is in payloads; so many texts may be an id or a type. */
const newestMax = 20;
const textsMax = 3;
const nearMax = 3;
const readMs = 50;
const readBytesMax = 256 * 1024;

/**
 * A sentence for each range that ends before it begins, type that is not defined, or none that is like it, attribute that no definition declares, and what
 * is perhaps a slip of the query. A few tasks are read for it, by their ids or the newest.
 */
export async function whyNothingFits(
  instance: Instance,
  store: TaskStore,
  search: StoreSearch,
  { query = "", text = [], types = [] }: Asked = {},
): Promise<string[]> {
  const texts = [...textsIn(query), ...[text].flat()].slice(0, textsMax);
  const [unknown, named] = await Promise.all([
    unknownNames(instance, store, search, types),
    namesAmong(store, [...new Set(texts)]),
  ]);
  return [
    ...rangesOf(search).filter(isEmptyRange).map(hintOfRange),
    ...(search.statuses?.length === 0 ? [hintOfStatuses] : []),
    ...unknown,
    ...operatorPlaces(search.where).map(hintOfPlace),
    ...slipsIn(query),
    ...named,
  ];
}

/** Texts that are the id of a task or of a definition. */
async function namesAmong(store: TaskStore, texts: readonly string[]): Promise<string[]> {
  const ids = texts.filter(isTaskId);
  const tasks = await Promise.all(ids.map((id) => store.getTask(id)));
  return ids.flatMap((id, index) => {
    const found = tasks[index];
    if (!found) return [];
    return found.isDefinition
      ? `"${id}" is a type: type:${id} asks for its tasks.`
      : `"${id}" is the id of a task: id:${id}.`;
  });
}

function isTaskId(text: string): boolean {
  return problemOf(() => checkTaskId(text)) === undefined;
}

/** Places in payloads and results that are called like an operator: it was perhaps one, beside one that is none. */
function operatorPlaces(where: Condition | undefined): string[] {
  if (!where) return [];
  if (where.kind === "not") return operatorPlaces(where.part);
  if (where.kind === "and" || where.kind === "or") return [...new Set(where.parts.flatMap(operatorPlaces))];
  if (!("field" in where) || (where.field.of !== "payload" && where.field.of !== "result")) return [];
  return isOperator(where.field.path.at(-1)) ? [describeField(where.field)] : [];
}

const hintOfStatuses =
  "No status that a task could have is asked for: only COMPLETED, FAILED and CANCELLED ones have a completedAt.";

function hintOfPlace(place: string): string {
  return `${place} is read as a place in it: what stands beside an operator must be operators, too.`;
}

type Range = Extract<Condition, { kind: "range" }>;

/** Those that must hold whatever else does. */
function rangesOf({ created, updated, where }: StoreSearch): Range[] {
  return [
    ...rangeOf("createdAt", created),
    ...rangeOf("updatedAt", updated),
    ...mustHold(where).filter((part): part is Range => part.kind === "range"),
  ];
}

function mustHold(where: Condition | undefined): readonly Condition[] {
  return !where ? [] : where.kind === "and" ? where.parts : [where];
}

function rangeOf(
  name: "createdAt" | "updatedAt",
  { start, end }: { start?: number; end?: number } = {},
): Range[] {
  if (start === undefined || end === undefined) return [];
  const field = { of: "task", name } as const;
  const [from, to] = [
    { value: start, isIncluded: true },
    { value: end, isIncluded: false },
  ];
  return [{ kind: "range", field, from, to }];
}

function hintOfRange(range: Range): string {
  if (range.from?.value === range.to?.value)
    return `Nothing is in a range that ends where it begins (${describeCondition(range)}).`;
  return `Nothing is in a range that ends before it begins (${describeCondition(range)}).`;
}

/** Types that a store's definitions were found to have: none is ever taken from it. */
const foundIn = new WeakMap<TaskStore, Set<string>>();

/** The definitions are read for them, and the newest tasks for attributes that are none. */
async function unknownNames(
  { registry }: Instance,
  store: TaskStore,
  { types = [], where }: StoreSearch,
  known: Iterable<string>,
): Promise<string[]> {
  const asked = attributesIn(where);
  const unsure = types.filter((type) => !registry.get(type) && !foundIn.get(store)?.has(type));
  const alike = mustHold(where).filter(isOfTypesAlike);
  if (asked.length === 0 && unsure.length === 0 && alike.length === 0) return [];
  const definitions = await store.listDefinitions();
  const found = new Set(definitions.map(({ id }) => id));
  foundIn.set(store, found);
  const defined = new Set([...found, ...known]);
  const declared = new Set(definitions.flatMap(({ attributes = [] }) => attributes));
  const undeclared = asked.filter((name) => !declared.has(name));
  const newest = undeclared.length > 0 ? await newestTasks(store, types) : [];
  return [
    ...unsure.filter((type) => !defined.has(type)).map((type) => hintOfType(type, defined)),
    ...alike.flatMap((part) => hintOfTypesAlike(part, [...defined])),
    ...undeclared.map((name) => hintOfAttribute(name, declared, newest)),
  ];
}

async function newestTasks(store: TaskStore, types: readonly string[]): Promise<readonly Task[]> {
  const { tasks } = await store.searchTasks({
    ...(types.length > 0 && { types }),
    ...{ sortBy: "createdAt", descending: true, limit: newestMax, offset: 0, definitions: false },
    ...{ budgetMs: readMs, bytesMax: readBytesMax },
  });
  return tasks;
}

function hintOfType(type: string, defined: Iterable<string>): string {
  return `No task "${type}" is defined in this database.${didYouMean(type, defined)}`;
}

type TypesAlike = Extract<Condition, { kind: "prefix" | "contains" }>;

function isOfTypesAlike(part: Condition): part is TypesAlike {
  const isAlike = part.kind === "prefix" || part.kind === "contains";
  return isAlike && part.field.of === "task" && part.field.name === "type";
}

function hintOfTypesAlike(part: TypesAlike, defined: readonly string[]): string[] {
  if (defined.some((type) => meets(part, { task: { type } as Task }))) return [];
  const [text, asked] = part.kind === "prefix" ? [part.prefix, "begins with"] : [part.text, "has in it"];
  const near = defined.filter((type) => nearest(text, [type, type.slice(0, text.length)]).length > 0);
  return [
    `No task whose type ${asked} "${text}" is defined in this database.${questionOf(near.slice(0, nearMax))}`,
  ];
}

function hintOfAttribute(name: string, declared: ReadonlySet<string>, newest: readonly Task[]): string {
  const known = [...declared, ...Object.keys(queryFields)];
  const otherwise = placeOf(name, newest) ?? knownOtherwise(name);
  const meant = otherwise === undefined ? didYouMean(name, known) : ` ${otherwise}`;
  return `No definition declares an attribute "${name}".${meant}`;
}

/** Where tasks have something of this name. */
function placeOf(name: string, tasks: readonly Task[]): string | undefined {
  const [key] = name.split(".");
  for (const root of ["payload", "result"] as const) {
    const has = tasks.some((task) => {
      const value: unknown = task[root];
      return typeof value === "object" && value !== null && Object.hasOwn(value, key!);
    });
    if (has) return `In the ${root} there is one: ${root}.${name}:… asks for it.`;
  }
  return undefined;
}
