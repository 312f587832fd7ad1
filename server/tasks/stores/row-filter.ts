/**
 * Which tasks cannot meet a condition, as their JSON tells without being read: where a value at a place in a payload or result
 * is asked for, it has the names of that place in it, and a value that is to be equal stands there. Stores pass over the others,
 * and test these.
 */
import type { Condition } from "../core/condition.ts";

/** The text stands in the JSON of each task that meets the condition, unless that has letters written as numbers. */
export interface RowFilter {
  of: "payload" | "result";
  text: string;
}

/** Fewer characters stand in most tasks. */
const valueSizeMin = 3;

/** The longest value, for few tasks have that; else the longest name. Undefined where the condition says nothing of the kind. */
export function rowFilterOf(where: Condition): RowFilter | undefined {
  const longest = (filters: RowFilter[]) => filters.sort((a, b) => b.text.length - a.text.length)[0];
  return longest(valuesOf(where)) ?? longest(filtersOf(where));
}

function valuesOf(where: Condition): RowFilter[] {
  if (where.kind === "and") return where.parts.flatMap(valuesOf);
  if (where.kind !== "equals" || where.field.of === "task" || where.field.of === "attribute") return [];
  const [value, ...others] = where.values;
  const text = others.length === 0 && isPlain(value) ? String(value) : "";
  return text.length < valueSizeMin ? [] : [{ of: where.field.of, text }];
}

/** Whether JSON has no other way to write it than with these characters, but for letters written as numbers. */
function isPlain(value: unknown): boolean {
  return Number.isSafeInteger(value) || (typeof value === "string" && /^[\w .:@+-]*$/.test(value));
}

function filtersOf(where: Condition): RowFilter[] {
  if (where.kind === "and") return where.parts.flatMap(filtersOf);
  if (!("field" in where) || where.field.of === "task" || where.field.of === "attribute") return [];
  // A task that has nothing there meets this one too.
  if (where.kind === "equals" && where.values.includes(null)) return [];
  const { of, path } = where.field;
  // A number may stand for an item of a list, and what is not plain may be written in several ways.
  return path.filter((name) => /^[A-Za-z_]\w*$/.test(name)).map((name) => ({ of, text: `"${name}"` }));
}
