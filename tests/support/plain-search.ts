/** The guide to searches told another way: which tasks fit options and in which order, by a look at each of them. */
import { foldText } from "../../server/tasks/core/filters/condition.ts";
import type { TaskSearchOptions } from "../../server/tasks/core/search.ts";
import type { Attributes } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { encodeValue } from "../../server/tasks/core/values/value.ts";

export interface Known {
  task: Task;
  attributes: Attributes;
  /** What is indexed of its text. */
  text: string;
}

export function ordered(
  known: readonly Known[],
  { sortBy = "createdAt", sortOrder = "desc" }: TaskSearchOptions,
): Task[] {
  const sign = sortOrder === "desc" ? -1 : 1;
  const value = (task: Task): number | undefined =>
    sortBy === "id" ? 0 : sortBy === "priority" ? task.priority! : numberAt(task, sortBy);
  const placed = (task: Task) => (sortBy === "completedAt" ? endOf(task)! : value(task)!);
  return known
    .map(({ task }) => task)
    .filter((task) => value(task) !== undefined)
    .sort((a, b) => sign * (placed(a) - placed(b) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))));
}

/** Of clocks that disagree, none ends a task before it was created. */
function endOf({ completedAt, createdAt }: Task): number | undefined {
  return completedAt && Math.max(completedAt.getTime(), createdAt.getTime());
}

function numberAt(task: Task, name: string): number | undefined {
  const { startedAt, completedAt, createdAt } = task;
  if (name === "duration") return startedAt && completedAt && completedAt.getTime() - startedAt.getTime();
  if (name === "wait") return startedAt && startedAt.getTime() - createdAt.getTime();
  return ((task as any)[name] as Date | undefined)?.getTime();
}

/** What the guide says, word for word. */
export function fits(asked: any, known: Known): boolean {
  const { task } = known;
  return Object.entries(asked as object).every(([key, value]) => {
    switch (key) {
      case "and":
        return value.every((part: unknown) => fits(part, known));
      case "or":
        return value.some((part: unknown) => fits(part, known));
      case "not":
        return [value].flat().every((part: unknown) => !fits(part, known));
      case "limit":
      case "offset":
      case "budget":
      case "definitions":
      case "sortBy":
      case "sortOrder":
        return true;
      case "createdAtRange":
      case "updatedAtRange": {
        const at = (key === "createdAtRange" ? task.createdAt : task.updatedAt).getTime();
        return (value.start?.getTime() ?? -Infinity) <= at && at < (value.end?.getTime() ?? Infinity);
      }
      case "status":
        return [value].flat().includes(task.status);
      case "text":
        return [value].flat().every((part: string) => known.text.includes(foldText(part)));
      case "attributes":
        return Object.entries(value as object).every(([name, match]) =>
          holds(asKept(match), listOf(asKept(known.attributes[name])), (date) => date.getTime()),
        );
      case "payload":
      case "result":
        return fitsPlace(value, storedOf(known, key));
      case "tag":
        return holds(value, task.tags ?? [], (date) => date.getTime());
      case "duration":
      case "wait":
      case "createdAt":
      case "updatedAt":
      case "startedAt":
      case "dueAt":
        return holds(value, listOf(numberAt(task, key)), (date) => date.getTime());
      case "completedAt":
        return holds(value, listOf(endOf(task)), (date) => date.getTime());
      default:
        return holds(value, listOf((task as any)[key]), (date) => date.getTime());
    }
  });
}

/** Half a character in an attribute is kept, and asked for, as U+FFFD. */
function asKept(value: any): any {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(asKept);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, asKept(one)]));
}

const stored = new WeakMap<Known, { payload?: unknown; result?: unknown }>();

/** As JSON has it; made once. */
function storedOf(known: Known, key: "payload" | "result"): unknown {
  const { task } = known;
  const made = stored.get(known) ?? {};
  stored.set(known, made);
  if (task[key] !== undefined) made[key] ??= JSON.parse(encodeValue(task[key], key).json);
  return made[key];
}

function listOf(value: any): unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value.flatMap(listOf) : [value];
}

const operators = ["gt", "gte", "lt", "lte", "in", "not", "prefix", "contains", "exists"];

/** A match, or an object of places below. */
function fitsPlace(match: any, value: any, place: readonly string[] = []): boolean {
  const isPlaces =
    typeof match === "object" &&
    match !== null &&
    !Array.isArray(match) &&
    !(match instanceof Date) &&
    !(Object.keys(match).length > 0 && Object.keys(match).every((key) => operators.includes(key)));
  if (!isPlaces) return holds(match, valuesAt(value, place), (date) => date.toISOString());
  return Object.entries(match).every(([key, below]) => fitsPlace(below, value, [...place, key]));
}

function valuesAt(value: any, [key, ...rest]: readonly string[]): unknown[] {
  if (key === undefined) return listOf(value);
  if (Array.isArray(value)) {
    const items = value.flatMap((item) => valuesAt(item, [key, ...rest]));
    return /^\d+$/.test(key) && Number(key) < value.length
      ? [...items, ...valuesAt(value[Number(key)], rest)]
      : items;
  }
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? valuesAt(value[key], rest)
    : [];
}

const unitsMs: Record<string, number> = { "1.5s": 1_500, "59s": 59_000, "1h": 3_600_000 };

function holds(match: any, values: readonly unknown[], dated: (date: Date) => unknown): boolean {
  const plain = (value: any) => (value instanceof Date ? dated(value) : value);
  const same = (wanted: any) =>
    wanted === null
      ? values.length === 0
      : values.some(
          (value) => value === plain(wanted) || (unitsMs[wanted] !== undefined && value === unitsMs[wanted]),
        );
  if (match === null || typeof match !== "object" || match instanceof Date) return same(match);
  if (Array.isArray(match)) return match.some(same);
  const { gt, gte, lt, lte, in: listed, not, prefix, contains, exists } = match;
  const bounds = [gt, gte, lt, lte];
  const isRange = bounds.some((bound) => bound !== undefined);
  const within = (value: any) =>
    bounds.every((given, index) => {
      if (given === undefined) return true;
      let bound = plain(given);
      if (typeof value === "number" && unitsMs[bound] !== undefined) bound = unitsMs[bound];
      if (typeof value !== typeof bound || typeof value === "boolean") return false;
      const sign =
        typeof value === "number" ? value - bound : Buffer.compare(Buffer.from(value), Buffer.from(bound));
      return [sign > 0, sign >= 0, sign < 0, sign <= 0][index];
    });
  return (
    (!isRange || values.some(within)) &&
    (listed === undefined || listed.some(same)) &&
    (not === undefined || !holds(not, values, dated)) &&
    (prefix === undefined || values.some((value) => typeof value === "string" && value.startsWith(prefix))) &&
    (contains === undefined ||
      values.some((value) => typeof value === "string" && foldText(value).includes(foldText(contains)))) &&
    (exists === undefined || exists === values.length > 0)
  );
}
