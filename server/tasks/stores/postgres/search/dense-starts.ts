/**
 * By start, the first first, nothing is known of those that started within a second of the last change that was read to. Where more changed in a second
 * than are read, none of them is known yet, and more are read; a program that asks for such a page again has as many read at once.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { ByFilters } from "./by-filters.ts";

/** What was dense is taken to be so for so long, in milliseconds. */
const ageMsMax = 60_000;
/** No more are read at once. */
const depthMax = 4_000;

export class DenseStarts {
  /** So many times as many as were wanted. */
  readonly #times = new ByFilters<number>(ageMsMax);

  /** How many are read of such a search for so many. */
  depth(search: StoreSearch, limit: number): number {
    const times = this.#times.get(search) ?? 1;
    return Math.max(limit, Math.min(depthMax, limit * times));
  }

  /** So many were too few. Answers whether twice as many are to be read. */
  saw(search: StoreSearch, limit: number, depth: number): boolean {
    if (depth * 2 > depthMax) return false;
    this.#times.set(search, (depth * 2) / limit);
    return true;
  }
}
