/**
 * Of which filters the list of all tasks had too few at its newest end, where a burst of one type may lie for as long as it goes on. Such
 * a page takes the list and then the streams; a program that asks for it again and again has it from the streams at once.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { ByFilters } from "./by-filters.ts";

/** The list is tried again after so long, in milliseconds. */
const ageMsMax = 60_000;

export class ShortLists {
  readonly #seen = new ByFilters<true>(ageMsMax);

  /** Whether the list was too short for such a search a while ago. */
  isShort(search: StoreSearch): boolean {
    return beginsWithNewest(search) && this.#seen.get(search, search.sortBy) !== undefined;
  }

  saw(search: StoreSearch): void {
    if (beginsWithNewest(search)) this.#seen.set(search, true, search.sortBy);
  }
}

/** What lies elsewhere in the list is no reason to pass it over. */
function beginsWithNewest(search: StoreSearch): boolean {
  const { created, updated, after } = search;
  return isDownwards(search) && !after && created?.end === undefined && updated?.end === undefined;
}
