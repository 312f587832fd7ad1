/** Why nothing can fit a search: a slip of the pen must not look like an empty answer. */

import type { Instance } from "../instance.ts";
import { didYouMean } from "../names.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import { attributesIn, type Condition } from "./condition.ts";
import { describeCondition } from "./condition-text.ts";

/** A sentence for each range that ends before it begins, type that is not defined and attribute that no definition declares. */
export async function whyNothingFits(
  instance: Instance,
  store: TaskStore,
  search: StoreSearch,
): Promise<string[]> {
  return [
    ...rangesOf(search).filter(isEmpty).map(hintOfRange),
    ...(await unknownNames(instance, store, search)),
  ];
}

type Range = Extract<Condition, { kind: "range" }>;

/** Those that must hold whatever else does. */
function rangesOf({ created, updated, where }: StoreSearch): Range[] {
  const parts = !where ? [] : where.kind === "and" ? where.parts : [where];
  return [
    ...rangeOf("createdAt", created),
    ...rangeOf("updatedAt", updated),
    ...parts.filter((part): part is Range => part.kind === "range"),
  ];
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

function isEmpty({ from, to }: Range): boolean {
  if (!from || !to || typeof from.value !== typeof to.value) return false;
  return from.value > to.value || (from.value === to.value && !(from.isIncluded && to.isIncluded));
}

function hintOfRange(range: Range): string {
  return `Nothing is in a range that ends before it begins (${describeCondition(range)}).`;
}

/** The definitions are read for them. */
async function unknownNames(
  { registry }: Instance,
  store: TaskStore,
  { types = [], where }: StoreSearch,
): Promise<string[]> {
  const asked = attributesIn(where);
  const unsure = types.filter((type) => !registry.get(type));
  if (asked.length === 0 && unsure.length === 0) return [];
  const definitions = await store.listDefinitions();
  const defined = new Set(definitions.map(({ id }) => id));
  const declared = new Set(definitions.flatMap(({ attributes = [] }) => attributes));
  return [
    ...unsure.filter((type) => !defined.has(type)).map((type) => hintOfType(type, defined)),
    ...asked.filter((name) => !declared.has(name)).map((name) => hintOfAttribute(name, declared)),
  ];
}

function hintOfType(type: string, defined: Iterable<string>): string {
  return `No task "${type}" is defined in this database.${didYouMean(type, defined)}`;
}

function hintOfAttribute(name: string, declared: Iterable<string>): string {
  return `No definition declares an attribute "${name}".${didYouMean(name, declared)}`;
}
