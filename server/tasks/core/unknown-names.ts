/** Names that a search asks for and that nothing has: a slip of the pen must not look like an empty answer. */
import { attributesIn } from "./condition.ts";
import type { Instance } from "./instance.ts";
import { didYouMean } from "./names.ts";
import type { StoreSearch, TaskStore } from "./store.ts";

/** A sentence for each attribute that no definition declares and each type that is not defined; the definitions are read for them. */
export async function unknownNames(
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
