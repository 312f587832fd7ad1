/**
 * Which priorities a search asks for, in an order by creation or by id. An index has tasks of any priority but 0, of one lane, status and
 * priority in the order of their ids, and generated ids are in the order of creation.
 */
import type { Condition, Field } from "../../core/filters/condition.ts";
import type { StoreSearch } from "../../core/store.ts";
import { integersWithin } from "./row-filter.ts";

/** So many values are read side by side; of more a walk comes upon one as soon. */
export const prioritiesMax = 8;

/** Integers, both included. */
export interface Priorities {
  from: number;
  to: number;
  /** These alone of them. */
  only?: ReadonlySet<number>;
}

/** Undefined where the search has another order, or where a task of the priority 0 may meet its conditions. */
export function prioritiesOf({ where, id, sortBy }: StoreSearch): Priorities | undefined {
  if (!where || id !== undefined || (sortBy !== "createdAt" && sortBy !== "id")) return undefined;
  const ranges = rangesIn(where);
  const from = Math.max(...ranges.map((range) => range.from));
  const to = Math.min(...ranges.map((range) => range.to));
  const only = namedIn(where)?.filter((priority) => priority >= from && priority <= to);
  if (only ? only.includes(0) || only.length > prioritiesMax : from <= 0 && to >= 0) return undefined;
  return { from, to, ...(only && { only: new Set(only) }) };
}

function rangesIn(where: Condition): { from: number; to: number }[] {
  const all = { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER };
  if (where.kind === "and") return where.parts.flatMap(rangesIn);
  if (where.kind !== "range" || !isPriority(where.field)) return [all];
  return [integersWithin(where) ?? all];
}

/** Numbers of which a task that meets the conditions has one. */
function namedIn(where: Condition): number[] | undefined {
  if (where.kind === "and") {
    const [first, ...others] = where.parts.map(namedIn).filter((named) => named !== undefined);
    return first?.filter((priority) => others.every((named) => named.includes(priority)));
  }
  if (where.kind !== "equals" || !isPriority(where.field)) return undefined;
  return where.values.filter((value) => typeof value === "number");
}

function isPriority(field: Field): boolean {
  return field.of === "task" && field.name === "priority";
}
