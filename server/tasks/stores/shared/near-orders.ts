/**
 * Orders that most tasks share with another one, which an index has: most start within a second of their last change, and
 * most are due when they are created. So no index has all of them; the tasks that are elsewhere have small ones of their
 * own, and the rest is read in the other order and put in its place.
 */
import type { Condition } from "../../core/filters/condition.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards, lateMs } from "./search-bounds.ts";

/** A task that completed or failed is in an index of its own where its last change was this long after its start, or before. */
export const quickMs = 1_000;

/** A page that has come no further than where it began goes on for so long beyond its budget, so that whoever follows its cursor comes to an end. */
export const overrunMsMax = 1_000;

export type NearOrder = "startedAt" | "dueAt";

export function isNear(sortBy: StoreSearch["sortBy"]): sortBy is NearOrder {
  return sortBy === "startedAt" || sortBy === "dueAt";
}

/** Whether tasks are asked for by their creation or their last change. */
export function isOfRange({ created, updated }: StoreSearch): boolean {
  return created !== undefined || updated !== undefined;
}

/**
 * The indexes that a search by such an order reads; both stores name them alike.
 * @param areDelayedApart whether tasks that wait are found by when they were created, but for those that were due later
 */
export function nearIndexes(
  order: NearOrder,
  search: StoreSearch,
  areDelayedApart = isOfRange(search),
): string[] {
  const isWithin = isOfRange(search);
  if (order === "startedAt")
    return [
      "tasks_lane_updated",
      "tasks_started",
      ...(isWithin ? ["tasks_started_oddly"] : []),
      "tasks_running",
    ];
  const waiting = ["tasks_claim", "tasks_claim_suspect", ...(areDelayedApart ? ["tasks_delayed"] : [])];
  return ["tasks_lane_created", "tasks_due", ...waiting, "tasks_running"];
}

/** Between which values of what is sorted by the search's tasks from its place on lie; both included. */
export function sortedBetween({ where, ...search }: StoreSearch): { from: number; to: number } {
  const { after, sortBy } = search;
  const bounds = { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };
  for (const { from, to } of where ? rangesOf(where, sortBy) : []) {
    bounds.from = Math.max(bounds.from, Math.floor(from ?? bounds.from));
    bounds.to = Math.min(bounds.to, Math.ceil(to ?? bounds.to));
  }
  if (after && after.value !== null) {
    if (isDownwards(search)) bounds.to = Math.min(bounds.to, after.value);
    else bounds.from = Math.max(bounds.from, after.value);
  }
  return bounds;
}

/**
 * Between which instants the tasks of the search started that are not odd; both included. A task is odd that started before
 * it was created, or more than `lateMs` after that, or that was last changed before it started, or more than `lateMs` after
 * that. Undefined where no range narrows that.
 */
export function usualStarts({ created, updated }: StoreSearch): { from: number; to: number } | undefined {
  const from = Math.max(created?.start ?? -Infinity, (updated?.start ?? -Infinity) - lateMs);
  const to = Math.min((created?.end ?? Infinity) + lateMs, updated?.end ?? Infinity) - 1;
  if (from === -Infinity && to === Infinity) return undefined;
  return { from: Math.max(from, Number.MIN_SAFE_INTEGER), to: Math.min(to, Number.MAX_SAFE_INTEGER) };
}

/** Bounds on a field that must all hold. */
function rangesOf(where: Condition, name: StoreSearch["sortBy"]): { from?: number; to?: number }[] {
  if (where.kind === "and") return where.parts.flatMap((part) => rangesOf(part, name));
  if (where.kind !== "range" || where.field.of !== "task" || where.field.name !== name) return [];
  const [from, to] = [where.from?.value, where.to?.value];
  return [{ ...(typeof from === "number" && { from }), ...(typeof to === "number" && { to }) }];
}

/**
 * The search, in the order of their last change, in which tasks lie that completed or failed less than `quickMs` after they
 * were started: between these instants of it, in the direction of reading.
 */
export function quickSearch({ where: _where, after: _after, ...search }: StoreSearch): StoreSearch {
  const { from, to } = sortedBetween({
    ...search,
    ...(_where && { where: _where }),
    ...(_after && { after: _after }),
  });
  return {
    ...search,
    sortBy: "updatedAt",
    descending: isDownwards({ ...search, ...(_after && { after: _after }) }),
    statuses: among(search.statuses, ["COMPLETED", "FAILED"]),
    updated: narrowed(search.updated, from, to + quickMs),
    definitions: false,
  };
}

/** The search, in the order of creation, in which tasks of these statuses lie that were due when they were created. */
export function undelayedSearch(search: StoreSearch, possible: Statuses = ended): StoreSearch {
  const { where: _where, after, ...rest } = search;
  const { from, to } = sortedBetween(search);
  return {
    ...rest,
    ...(after && { after }),
    sortBy: "createdAt",
    statuses: among(search.statuses, possible),
    created: narrowed(search.created, from, to + 1),
    definitions: false,
  };
}

type Statuses = NonNullable<StoreSearch["statuses"]>;

const ended: Statuses = ["COMPLETED", "FAILED", "CANCELLED"];

function among(asked: Statuses | undefined, possible: Statuses): Statuses {
  return asked ? possible.filter((status) => asked.includes(status)) : possible;
}

function narrowed(
  range: { start?: number; end?: number } | undefined,
  start: number,
  end: number,
): { start?: number; end?: number } {
  const from = Math.max(range?.start ?? start, start);
  const to = Math.min(range?.end ?? end, end);
  return {
    ...(from > Number.MIN_SAFE_INTEGER && { start: from }),
    ...(to < Number.MAX_SAFE_INTEGER && { end: to }),
  };
}

/** The instant of which, and beyond which, quick ones may have started, once all up to an instant of their change were read. */
export function edgeOfStarts(isDownwards: boolean, changedAt: number): number {
  return isDownwards ? changedAt : changedAt - quickMs + 1;
}

/**
 * Tasks that were read in the order of their last change, which come to the order of their start. Those that are not read
 * yet start at the instant that was come to, or further on in the direction of reading, but for less than `quickMs`.
 */
export class ByStart<Started> {
  readonly #compare: (a: Started, b: Started) => number;
  readonly #startOf: (one: Started) => number;
  readonly #isDownwards: boolean;
  #waiting: Started[] = [];

  constructor(
    search: StoreSearch,
    startOf: (one: Started) => number,
    compare: (a: Started, b: Started) => number,
  ) {
    this.#isDownwards = isDownwards(search);
    this.#startOf = startOf;
    this.#compare = compare;
  }

  add(one: Started): void {
    this.#waiting.push(one);
  }

  edge(changedAt: number): number {
    return edgeOfStarts(this.#isDownwards, changedAt);
  }

  /** Those before the edge, in order; all without one. */
  take(edge?: number): Started[] {
    const sorted = this.#waiting.sort(this.#compare);
    const isBehind = (one: Started) =>
      edge !== undefined && (this.#isDownwards ? this.#startOf(one) <= edge : this.#startOf(one) >= edge);
    const first = sorted.findIndex(isBehind);
    const taken = first < 0 ? sorted : sorted.slice(0, first);
    this.#waiting = first < 0 ? [] : sorted.slice(first);
    return taken;
  }
}

/** Before, in code units, every id; and after every id. */
const [firstId, lastId] = ["", "\u{10ffff}"];

/** The place before every task of this instant in the direction of reading. */
export function placeBeforeInstant(search: StoreSearch, at: number): Place {
  return { value: at, id: isDownwards(search) ? lastId : firstId };
}

/** The place after every task of this instant. */
export function placeAfterInstant(search: StoreSearch, at: number): Place {
  return placeBeforeInstant(search, isDownwards(search) ? at - 1 : at + 1);
}
