/** Options of a search as a query, and a query as options. */
import { DureError } from "../errors.ts";
import type { TaskFilter } from "../filters/filter.ts";
import { toStoreSearch } from "../find.ts";
import { asGiven } from "../given.ts";
import type { Instance } from "../instance.ts";
import { checkPlain } from "../options.ts";
import { savedQueriesFor } from "../saved-searches.ts";
import type { TaskSearchOptions } from "../search.ts";
import { filtersOf } from "../searched-by.ts";
import { showValue } from "../values/show.ts";
import { parseQuery, type SavedQueries } from "./query.ts";
import { formatQuery } from "./query-text.ts";

/** What a query can say. */
export type QueryFilter = TaskFilter & Pick<TaskSearchOptions, "sortBy" | "sortOrder">;

/** Spans such as `created:>2h` are instants from now on, and saved searches what they stand for. @throws DureError INVALID_OPTION, INVALID_QUERY */
export async function parseQueryIn(instance: Instance, text: string): Promise<QueryFilter> {
  if (typeof text !== "string")
    throw new DureError("INVALID_OPTION", `parseQuery(text): text is ${showValue(text)}; expected a string.`);
  const saved = await savedQueriesFor(instance, text);
  await settleClock(instance, text, saved);
  const { filter, sortBy, sortOrder } = parseQuery(text, { now: instance.clock.now() }, saved);
  return { ...filter, ...(sortBy && { sortBy }), ...(sortOrder && { sortOrder }) };
}

/** Undefined for what no query can say. @throws DureError as searchTasks */
export async function formatQueryIn(
  instance: Instance,
  options: TaskSearchOptions,
): Promise<string | undefined> {
  checkPlain("formatQuery(options)", options);
  const { cursor: _cursor, updatedSince: _since, bytesMax: _bytes, ...search } = asGiven(options);
  const saved = await savedQueriesFor(instance, search.query);
  toStoreSearch(instance, search, saved);
  // Opens the store where the query counts from now, so that what follows counts from the same clock.
  const said = search.query === undefined ? {} : await parseQueryIn(instance, search.query);
  const sortBy = search.sortBy ?? said.sortBy;
  const sortOrder = search.sortOrder ?? (search.sortBy ? undefined : said.sortOrder);
  const filter = { and: filtersOf(instance, search, saved) };
  return formatQuery({ filter, ...(sortBy && { sortBy }), ...(sortOrder && { sortOrder }) });
}

/** Where a query counts from now, that is by the store's clock: until a store is open it may be the machine's. */
async function settleClock(instance: Instance, query: string, saved: SavedQueries): Promise<void> {
  let isAsked = false;
  const time = {
    get now() {
      isAsked = true;
      return instance.clock.now();
    },
  };
  parseQuery(query, time, saved);
  if (isAsked) await instance.store();
}
