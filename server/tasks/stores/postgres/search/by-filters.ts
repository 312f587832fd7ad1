/** What a process remembers of searches by their filters: of so many that were asked for last, and for a while. */
import type { StoreSearch } from "../../../core/store.ts";

const keptMax = 500;

export class ByFilters<Value> {
  readonly #ageMsMax: number;
  readonly #kept = new Map<string, { value: Value; at: number }>();

  /** @param ageMsMax for so long, in milliseconds */
  constructor(ageMsMax = Number.POSITIVE_INFINITY) {
    this.#ageMsMax = ageMsMax;
  }

  /** @param beside what it depends on beside the types, queues and statuses */
  get(search: StoreSearch, beside?: unknown): Value | undefined {
    const kept = this.#kept.get(nameOf(search, beside));
    return kept && performance.now() - kept.at < this.#ageMsMax ? kept.value : undefined;
  }

  set(search: StoreSearch, value: Value, beside?: unknown): void {
    const name = nameOf(search, beside);
    this.#kept.delete(name);
    this.#kept.set(name, { value, at: performance.now() });
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value!);
  }

  delete(search: StoreSearch, beside?: unknown): void {
    this.#kept.delete(nameOf(search, beside));
  }
}

function nameOf({ types, queues, statuses }: StoreSearch, beside: unknown): string {
  return JSON.stringify([types ?? null, queues ?? null, statuses ?? null, beside]);
}
