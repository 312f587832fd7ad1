/** What a store is asked when tasks are counted by the values of an attribute, and what it answers. */

import type { TaskStatusName } from "../task.ts";
import type { StoreSearch } from "./store-search.ts";

export interface AttributeCountRequest {
  name: string;
  types?: readonly string[];
  /** Milliseconds since 1970; `start` included, `end` excluded. */
  created?: { start?: number; end?: number };
  /** How long to count; absent for as long as it takes. */
  budgetMs?: number;
}

/** How many tasks of a type have a value, and are in a status; undefined while they are PENDING or RUNNING. */
export interface AttributeCount {
  type: string;
  value: string | number | boolean;
  status: Extract<TaskStatusName, "COMPLETED" | "FAILED" | "CANCELLED"> | undefined;
  count: number;
}

export interface AttributeCounts {
  /** Of each type the values that most tasks have. */
  counts: AttributeCount[];
  /** Values that are not among them. */
  leftOut: number;
  /** False when the budget ran out before all tasks were counted. */
  isWhole: boolean;
  /** About how many tasks wait for the attribute to be filled in; set when there are such. */
  unfilled?: number;
}

/** A search for the tasks that have the attribute. */
export function having({ name, types, created }: AttributeCountRequest): StoreSearch {
  return {
    where: { kind: "exists", field: { of: "attribute", name } },
    ...(types && { types }),
    ...(created && { created }),
    sortBy: "createdAt",
    descending: true,
    limit: 1,
    offset: 0,
    definitions: false,
  };
}

/** Values of one type that are kept, and how many more may be waiting to be compared with them. */
const keptMax = 2_000;
const waitingMax = 20_000;

/** The values that most tasks have, of counts that come value after value. */
export class TopValues {
  readonly #type: string;
  #values: { total: number; counts: AttributeCount[] }[] = [];
  #latest: AttributeCount["value"] | undefined;
  leftOut = 0;

  constructor(type: string) {
    this.#type = type;
  }

  add(value: AttributeCount["value"], status: AttributeCount["status"], count: number): void {
    if (value !== this.#latest) {
      if (this.#values.length >= waitingMax) this.#keepTop();
      this.#values.push({ total: 0, counts: [] });
      this.#latest = value;
    }
    const latest = this.#values.at(-1)!;
    latest.total += count;
    const same = latest.counts.find((one) => one.status === status);
    if (same) same.count += count;
    else latest.counts.push({ type: this.#type, value, status, count });
  }

  list(): AttributeCount[] {
    this.#keepTop();
    return this.#values.flatMap(({ counts }) => counts);
  }

  #keepTop(): void {
    if (this.#values.length <= keptMax) return;
    this.#values.sort((a, b) => b.total - a.total);
    this.leftOut += this.#values.length - keptMax;
    this.#values.length = keptMax;
  }
}
