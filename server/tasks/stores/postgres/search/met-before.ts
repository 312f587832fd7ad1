/** What share of the tasks that were looked at may meet a condition, by what was met before: so many are read at once as a page is likely to need. */
import type { StoreSearch } from "../../../core/store.ts";
import type { Database } from "../connections/database.ts";
import { ByFilters } from "./by-filters.ts";
import type { MayMeet } from "./may-meet.ts";

/** A walk of fewer tells little. */
const seenMin = 50;
/** So many times as many as the share says: a page that lacks one task asks again. */
const spare = 1.3;

const metOf = new WeakMap<Database, MetBefore>();

export class MetBefore {
  readonly #shares = new ByFilters<number>();

  static of(database: Database): MetBefore {
    const met = metOf.get(database) ?? new MetBefore();
    metOf.set(database, met);
    return met;
  }

  shareOf(search: StoreSearch, filter: MayMeet): number | undefined {
    return this.#shares.get(search, filter);
  }

  /** So many as it says took long: the next search begins with few. */
  forget(search: StoreSearch, filter: MayMeet): void {
    this.#shares.delete(search, filter);
  }

  note(search: StoreSearch, filter: MayMeet, { seen, met }: { seen: number; met: number }): void {
    if (seen >= seenMin) this.#shares.set(search, met / seen, filter);
  }
}

/** How many are to be looked at for so many that may meet it. */
export function lookedFor(wanted: number, share: number): number {
  return Math.ceil((spare * wanted) / share);
}
