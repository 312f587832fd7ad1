/** A search that finds nothing may have a typing error in an id or a type: which ones are there. */
import type { Dure } from "../dure.ts";
import { findNearIdsIn } from "../tasks/core/find.ts";
import { nearest } from "../tasks/core/names.ts";
import { parseQuery } from "../tasks/core/query/query.ts";
import type { TaskSearchOptions } from "../tasks/core/search.ts";

/** Ids and types that `wanted` may mean instead of those that are not there. */
export async function findNearMisses(dure: Dure, wanted: TaskSearchOptions): Promise<string[]> {
  const filters = [wanted, filterOf(wanted.query)];
  const ids = filters.flatMap(({ id }) => textsOf(id));
  const types = filters.flatMap(({ type }) => textsOf(type));
  if (ids.length + types.length === 0) return [];
  const store = await dure.instance.store();
  const known = (await dure.listDefinitions()).map(({ id }) => id);
  const nearIds = await Promise.all(ids.map((id) => findNearIdsIn(store, id)));
  const nearTypes = types.filter((type) => !known.includes(type)).map((type) => nearest(type, known));
  return [...new Set([...nearIds.flat(), ...nearTypes.flat()])].filter((near) => !ids.includes(near));
}

/** Of what must hold whatever else does; a query that stands for a saved one says nothing here. */
function filterOf(query: string | undefined): Pick<TaskSearchOptions, "id" | "type"> {
  try {
    const { id, type } = parseQuery(query ?? "", { now: 0 }).filter;
    return { ...(id !== undefined && { id }), ...(type !== undefined && { type }) } as never;
  } catch {
    return {};
  }
}

function textsOf(value: unknown): string[] {
  return [value].flat().filter((one): one is string => typeof one === "string");
}
