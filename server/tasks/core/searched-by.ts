/** A search as it is kept by those who act on it later, or tell of it. */
import type { TaskFilter } from "./filters/filter.ts";
import { rangeFilter } from "./find.ts";
import type { Instance } from "./instance.ts";
import { parseQuery, type SavedQueries } from "./query/query.ts";
import { formatQuery } from "./query/query-text.ts";
import type { TaskSearchOptions } from "./search.ts";

const queryMax = 10_000;

/** As a query, where one can say it. */
export interface SearchedBy {
  query?: string;
  filter?: TaskFilter;
}

/** What `created:>2h` meant when it was asked for, it means for good. */
export function searchedBy(instance: Instance, search: TaskSearchOptions): SearchedBy {
  const filter = { and: filtersOf(instance, search) };
  const text = formatQuery({ filter });
  return text !== undefined && text.length <= queryMax ? { query: text } : { filter };
}

/** All that must hold, of the query and of the other options. */
export function filtersOf(
  instance: Instance,
  search: TaskSearchOptions,
  saved?: SavedQueries,
): readonly TaskFilter[] {
  const {
    query,
    createdAtRange,
    updatedAtRange,
    limit: _limit,
    offset: _offset,
    sortBy: _by,
    sortOrder: _order,
    definitions: _definitions,
    cursor: _cursor,
    budget: _budget,
    ...filter
  } = search;
  return [
    ...(query === undefined ? [] : [parseQuery(query, { now: instance.clock.now() }, saved).filter]),
    filter,
    ...rangeFilter("createdAt", createdAtRange),
    ...rangeFilter("updatedAt", updatedAtRange),
  ];
}
