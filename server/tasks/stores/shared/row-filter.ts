/**
 * Which tasks cannot meet a condition, as their rows tell without being read as a whole: where a value at a place in a payload or
 * result is asked for, its JSON has the names of that place in it, and a value that is to be equal stands there; and numbers of the
 * row lie within bounds. Stores pass over the others, and test these.
 */
import type { Bound, Condition } from "../../core/filters/condition.ts";

export type RowFilter = TextFilter | NumberFilter;

/** The text stands in the JSON of each task that meets the condition, unless that has letters written as numbers. */
export interface TextFilter {
  of: "payload" | "result";
  text: string;
  /** One of these stands there, too: the name of the place with the value behind it, or what else may come between. */
  beside?: readonly string[];
}

/** The number of each task that meets the condition lies between these integers, both included. */
export interface NumberFilter {
  of: "task";
  name: keyof typeof numbersInRow;
  from: number;
  to: number;
}

/** What no index bounds in the order of creation, as SQL over the table of tasks, which names its columns alike in both stores. */
export const numbersInRow = {
  duration: "tasks.completed_at - tasks.started_at",
  wait: "tasks.started_at - tasks.created_at",
  attempts: "tasks.attempts",
  priority: "tasks.priority",
  dueAt: "tasks.due_at",
} as const;

/** Fewer characters stand in most tasks. */
const valueSizeMin = 3;

/**
 * The longest value, for few tasks have that; else the first bounds of a number; else the longest name. Undefined where the
 * condition says nothing of the kind.
 */
export function rowFilterOf(where: Condition): RowFilter | undefined {
  const longest = (filters: TextFilter[]) => filters.sort((a, b) => b.text.length - a.text.length)[0];
  return longest(valuesOf(where)) ?? boundsOf(where)[0] ?? longest(filtersOf(where));
}

function boundsOf(where: Condition): NumberFilter[] {
  if (where.kind === "and") return where.parts.flatMap(boundsOf);
  if (!("field" in where) || where.field.of !== "task" || !isInRow(where.field.name)) return [];
  const integers =
    where.kind === "equals"
      ? integersAmong(where.values)
      : where.kind === "range"
        ? integersWithin(where)
        : undefined;
  return integers ? [{ of: "task", name: where.field.name, ...integers }] : [];
}

/** From the least to the greatest; undefined where some are no integers. */
function integersAmong(values: readonly unknown[]): { from: number; to: number } | undefined {
  if (!values.every((value) => Number.isSafeInteger(value))) return undefined;
  const integers = values as readonly number[];
  return { from: asSafe(Math.min(...integers)), to: asSafe(Math.max(...integers)) };
}

/** Both included; undefined where the bounds are no numbers. */
export function integersWithin({
  from,
  to,
}: {
  from?: Bound;
  to?: Bound;
}): { from: number; to: number } | undefined {
  const least = from ? leastOf(from) : Number.MIN_SAFE_INTEGER;
  const most = to ? mostOf(to) : Number.MAX_SAFE_INTEGER;
  return least === undefined || most === undefined ? undefined : { from: least, to: most };
}

function leastOf({ value, isIncluded }: Bound): number | undefined {
  return typeof value === "number"
    ? asSafe(isIncluded ? Math.ceil(value) : Math.floor(value) + 1)
    : undefined;
}

function mostOf({ value, isIncluded }: Bound): number | undefined {
  return typeof value === "number"
    ? asSafe(isIncluded ? Math.floor(value) : Math.ceil(value) - 1)
    : undefined;
}

function isInRow(name: string): name is keyof typeof numbersInRow {
  return Object.hasOwn(numbersInRow, name);
}

function asSafe(value: number): number {
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function valuesOf(where: Condition): TextFilter[] {
  if (where.kind === "and") return where.parts.flatMap(valuesOf);
  if (where.kind !== "equals" || where.field.of === "task" || where.field.of === "attribute") return [];
  const [value, ...others] = where.values;
  const text = others.length === 0 && isPlain(value) ? String(value) : "";
  if (text.length < valueSizeMin) return [];
  const name = where.field.path.at(-1) ?? "";
  const beside = isName(name) && besideOf(name, typeof value === "string" ? `"${text}"` : text);
  return [{ of: where.field.of, text, ...(beside && { beside }) }];
}

/** JSON that others have written may have spaces there, and in lines or columns, which no string in it has. */
function besideOf(name: string, value: string): string[] {
  return [`"${name}":${value}`, `"${name}":[`, `"${name}": `, `"${name}" `, "\n", "\r", "\t"];
}

/** Whether JSON has no other way to write it than with these characters, but for letters written as numbers. */
function isPlain(value: unknown): boolean {
  return Number.isSafeInteger(value) || (typeof value === "string" && /^[\w .:@+-]*$/.test(value));
}

function filtersOf(where: Condition): TextFilter[] {
  if (where.kind === "and") return where.parts.flatMap(filtersOf);
  if (!("field" in where) || where.field.of === "task" || where.field.of === "attribute") return [];
  // A task that has nothing there meets this one too.
  if (where.kind === "equals" && where.values.includes(null)) return [];
  const { of, path } = where.field;
  // A number may stand for an item of a list, and what is not plain may be written in several ways.
  return path.filter(isName).map((name) => ({ of, text: `"${name}"` }));
}

function isName(step: string): boolean {
  return /^[A-Za-z_]\w*$/.test(step);
}
