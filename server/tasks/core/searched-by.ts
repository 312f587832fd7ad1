/** A search as it is kept by those who act on it later, or tell of it. */
import type { TaskFilter } from "./filter.ts";
import { rangeFilter } from "./find.ts";
import type { Instance } from "./instance.ts";
import { parseQuery } from "./query.ts";
import { formatQuery } from "./query-text.ts";
import type { TaskSearchOptions } from "./search.ts";

const queryMax = 10_000;

/** As a query, where one can say it. */
export interface SearchedBy {
  query?: string;
  filter?: TaskFilter;
}

/** What `created:>2h` meant when it was asked for, it means for good. */
export function searchedBy(instance: Instance, search: TaskSearchOptions): SearchedBy {
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
  const parts = [
    ...(query === undefined ? [] : [parseQuery(query, { now: instance.clock.now() }).filter]),
    filter,
    ...rangeFilter("createdAt", createdAtRange),
    ...rangeFilter("updatedAt", updatedAtRange),
  ];
  const text = formatQuery({ filter: { and: parts } });
  return text !== undefined && text.length <= queryMax ? { query: text } : { filter: { and: parts } };
}
