/** A TaskFilter, checked, as what a store is asked: plain filters where an index serves them by themselves, and a condition. */

import { durationProblem, parseDuration } from "../duration.ts";
import { DureError } from "../errors.ts";
import { following } from "../lifecycle.ts";
import { didYouMean } from "../names.ts";
import { groupNamed } from "../values/error-group.ts";
import { isPlainPrototype, showValue } from "../values/show.ts";
import {
  type Bound,
  type Comparable,
  type Condition,
  type Field,
  foldText,
  type TaskField,
} from "./condition.ts";
import type { TaskFilter } from "./filter.ts";
import { type PlainFilters, plainFiltersOf } from "./plain-filters.ts";

export const depthMax = 20;
/** Comparisons, and the lists and negations that they stand in. */
export const partsMax = 1_000;
export const listMax = 1_000;
/** Characters that are looked for; a query has no more itself. */
const textMax = 10_000;
/** What a query of the most levels has, and what Dure itself puts around what a caller asks for. */
const wholeDepthMax = 2 * depthMax + 10;

/** What values a field takes: text, whole numbers, instants, durations, or whatever JSON has. */
type Kind = "text" | "number" | "instant" | "duration" | "any";

const fieldKinds = {
  id: "text",
  type: "text",
  queue: "text",
  createdAt: "instant",
  updatedAt: "instant",
  startedAt: "instant",
  completedAt: "instant",
  dueAt: "instant",
  duration: "duration",
  wait: "duration",
  attempts: "number",
  maxAttempts: "number",
  priority: "number",
  crashes: "number",
  tag: "text",
  workerId: "text",
  idempotencyKey: "text",
  description: "text",
  error: "text",
} as const satisfies Partial<Record<TaskField, Kind>>;

const otherKeys = [
  "status",
  "errorGroup",
  "attributes",
  "payload",
  "result",
  "text",
  "and",
  "or",
  "not",
] as const;

/** The names of all filters. */
export const filterKeys: readonly string[] = [...Object.keys(fieldKinds), ...otherKeys];

const matcherKeys = ["gt", "gte", "lt", "lte", "in", "not", "prefix", "contains", "exists"];

/**
 * Of filters that were checked one by one, `filterProblems` or `parseQuery`, and put together.
 * @throws DureError INVALID_OPTION with every problem, in `details.problems`
 */
export function toPlainFilters(what: string, filter: TaskFilter): PlainFilters {
  const reader = new Reader(wholeDepthMax, 3 * partsMax);
  const parts = reader.partsOf(filter, "", 0);
  reader.refuse(what);
  return plainFiltersOf(parts);
}

/** Checks a filter by itself: the problems that `toPlainFilters` would throw. */
export function filterProblems(filter: unknown): string[] {
  const reader = new Reader();
  reader.partsOf(filter as TaskFilter, "", 0);
  return reader.problems;
}

class Reader {
  readonly problems: string[] = [];
  readonly #depthMax: number;
  readonly #partsMax: number;
  #parts = 0;
  /** How deep matchers stand in each other. */
  #matchers = 0;

  constructor(mostDepth = depthMax, mostParts = partsMax) {
    this.#depthMax = mostDepth;
    this.#partsMax = mostParts;
  }

  refuse(what: string): void {
    const { problems } = this;
    if (problems.length === 0) return;
    const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((one) => `\n- ${one}`).join("");
    throw new DureError("INVALID_OPTION", `${what} cannot take these options:${list}`, {
      details: { what, problems },
    });
  }

  partsOf(filter: TaskFilter, path: string, depth: number): Condition[] {
    if (!isPlainObject(filter)) {
      this.#problem(`${path || "The filter"} is ${showValue(filter)}; expected an object of filters.`);
      return [];
    }
    if (depth > this.#depthMax) {
      this.#problem(`${path} is nested more than ${this.#depthMax} deep.`);
      return [];
    }
    return Object.entries(filter).flatMap(([key, value]) =>
      value === undefined ? [] : this.#partOf(key, value, `${path}${path && "."}${key}`, depth),
    );
  }

  #partOf(key: string, value: unknown, path: string, depth: number): Condition[] {
    if (Object.hasOwn(fieldKinds, key)) {
      const name = key as keyof typeof fieldKinds;
      return this.#matchOf({ of: "task", name }, fieldKinds[name], value, path);
    }
    if (key !== "attributes" && key !== "payload" && key !== "result" && this.#isTooMuch()) return [];
    switch (key) {
      case "status":
        return this.#statusOf(value, path);
      case "errorGroup":
        return this.#groupOf(value, path);
      case "attributes":
        return this.#attributesOf(value, path);
      case "payload":
      case "result":
        return this.#pathOf(key, [], value, path);
      case "text":
        return this.#textOf(value, path);
      case "and":
        return this.#filtersOf(value, path, depth).flat();
      case "or":
        return [{ kind: "or", parts: this.#filtersOf(value, path, depth).map(joined) }];
      case "not": {
        const filters = this.#filtersOf(Array.isArray(value) ? value : [value], path, depth);
        return filters.map((parts) => ({ kind: "not", part: joined(parts) }));
      }
      default:
        this.#problem(
          key === "query"
            ? `"query" stands among the options of the search alone; parseQuery(text) gives the filters of one.`
            : `${showValue(key)} is no filter.${didYouMean(key, filterKeys)}`,
        );
        return [];
    }
  }

  /** Counts one part more. */
  #isTooMuch(): boolean {
    this.#parts += 1;
    if (this.#parts === this.#partsMax + 1) this.#problem(`There are more than ${this.#partsMax} filters.`);
    return this.#parts > this.#partsMax;
  }

  #filtersOf(value: unknown, path: string, depth: number): Condition[][] {
    if (Array.isArray(value) && value.length <= listMax) {
      return value.map((filter, index) => this.partsOf(filter, `${path}[${index}]`, depth + 1));
    }
    this.#problem(`${path} is ${showValue(value)}; expected a list of at most ${listMax} filters.`);
    return [];
  }

  #statusOf(value: unknown, path: string): Condition[] {
    const known = Object.keys(following);
    const values = Array.isArray(value) ? value : [value];
    for (const [index, status] of values.entries()) {
      if (known.includes(status)) continue;
      const place = Array.isArray(value) ? `${path}[${index}]` : path;
      const hint = didYouMean(String(status).toUpperCase(), known);
      this.#problem(`${place} is ${showValue(status)}; expected one of ${known.join(", ")}.${hint}`);
    }
    if (values.length > listMax)
      this.#problem(`${path} has ${values.length} values; at most 1,000 are taken.`);
    return [{ kind: "equals", field: { of: "task", name: "status" }, values }];
  }

  #groupOf(value: unknown, path: string): Condition[] {
    if (typeof value === "string" && isTextToFind(value)) {
      const field = { of: "task", name: "error" } as const;
      const groups = groupNamed(value).map(
        (fingerprint): Condition => ({ kind: "group", field, fingerprint }),
      );
      return groups.length === 1 ? groups : [{ kind: "or", parts: groups }];
    }
    this.#problem(`${path} is ${showValue(value)}; expected the fingerprint of a group of errors.`);
    return [];
  }

  #attributesOf(value: unknown, path: string): Condition[] {
    if (!isPlainObject(value)) {
      this.#problem(`${path} is ${showValue(value)}; expected an object of attributes by name.`);
      return [];
    }
    return Object.entries(value).flatMap(([name, match]) =>
      match === undefined ? [] : this.#matchOf({ of: "attribute", name }, "any", match, `${path}.${name}`),
    );
  }

  /** A match at this place, or an object of places below it. */
  #pathOf(of: "payload" | "result", place: readonly string[], value: unknown, path: string): Condition[] {
    if (place.length > depthMax) this.#problem(`${path} is nested more than ${depthMax} deep.`);
    else if (!isPlainObject(value) || isMatcher(value))
      return this.#matchOf({ of, path: place }, "any", value, path);
    else {
      return Object.entries(value).flatMap(([key, below]) =>
        below === undefined ? [] : this.#pathOf(of, [...place, key], below, `${path}.${key}`),
      );
    }
    return [];
  }

  #textOf(value: unknown, path: string): Condition[] {
    const texts = Array.isArray(value) ? value : [value];
    const wrong = texts.findIndex((text) => !isTextToFind(text));
    if (wrong >= 0 || texts.length > listMax) {
      const met =
        wrong >= 0 && Array.isArray(value)
          ? `${path}[${wrong}] is ${showValue(texts[wrong])}`
          : `${path} is ${showValue(value)}`;
      this.#problem(
        `${met}; expected a text of at most ${textMax} characters, or a list of such texts, none of them empty.`,
      );
      return [];
    }
    return texts.map((text) => ({ kind: "text", text: foldText(text as string) }));
  }

  #matchOf(field: Field, kind: Kind, match: unknown, path: string): Condition[] {
    if (this.#isTooMuch()) return [];
    if (Array.isArray(match)) return [this.#equals(field, kind, match, path)];
    if (isPlainObject(match)) return this.#matcherOf(field, kind, match, path);
    return [this.#equals(field, kind, [match], path, path)];
  }

  #matcherOf(field: Field, kind: Kind, matcher: Record<string, unknown>, path: string): Condition[] {
    const parts: Condition[] = [];
    const { gt, gte, lt, lte, ...others } = matcher;
    const from = this.#bound(field, kind, { gt, gte }, path);
    const to = this.#bound(field, kind, { lt, lte }, path);
    if (from || to) parts.push({ kind: "range", field, ...(from && { from }), ...(to && { to }) });
    for (const [key, value] of Object.entries(others)) {
      if (value !== undefined) parts.push(...this.#operator(field, kind, key, value, `${path}.${key}`));
    }
    return parts;
  }

  #operator(field: Field, kind: Kind, key: string, value: unknown, path: string): Condition[] {
    switch (key) {
      case "in":
        if (Array.isArray(value)) return [this.#equals(field, kind, value, path)];
        this.#problem(`${path} is ${showValue(value)}; expected a list of values.`);
        return [];
      case "not":
        return this.#notOf(field, kind, value, path);
      case "prefix":
      case "contains":
        if (typeof value !== "string" || value.length > textMax || (kind !== "text" && kind !== "any")) {
          this.#problem(
            `${path} is ${showValue(value)}; expected a string of at most ${textMax} characters, for a field that is text.`,
          );
          return [];
        }
        return key === "prefix"
          ? [{ kind: "prefix", field, prefix: asKept(field, value) }]
          : [{ kind: "contains", field, text: foldText(asKept(field, value)) }];
      case "exists":
        if (typeof value !== "boolean")
          this.#problem(`${path} is ${showValue(value)}; expected true or false.`);
        return value === false
          ? [{ kind: "not", part: { kind: "exists", field } }]
          : [{ kind: "exists", field }];
      default:
        this.#problem(
          `${path}: ${showValue(key)} is no operator.${didYouMean(key, matcherKeys)} Known are ${matcherKeys.join(", ")}.`,
        );
        return [];
    }
  }

  #notOf(field: Field, kind: Kind, match: unknown, path: string): Condition[] {
    if (this.#matchers === depthMax) {
      this.#problem(`${path.slice(0, 100)}… is nested more than ${depthMax} deep.`);
      return [];
    }
    this.#matchers += 1;
    const part = joined(this.#matchOf(field, kind, match, path));
    this.#matchers -= 1;
    return [{ kind: "not", part }];
  }

  #bound(field: Field, kind: Kind, given: Record<string, unknown>, path: string): Bound | undefined {
    const entries = Object.entries(given).filter(([, value]) => value !== undefined);
    if (entries.length === 0) return undefined;
    const [key, value] = entries[0]!;
    if (entries.length > 1)
      this.#problem(`${path} has both ${entries[0]![0]} and ${entries[1]![0]}; give one of them.`);
    if (typeof value === "bigint") {
      this.#problem(
        `${path}.${key} is ${showValue(value)}; a bigint is kept as text, whose order is not that of its numbers. It can be asked for as a whole.`,
      );
      return undefined;
    }
    const bound = this.#value(field, kind, value, `${path}.${key}`);
    if (typeof bound === "boolean" || bound === null) {
      this.#problem(`${path}.${key} is ${showValue(value)}; expected a number, a text or a Date.`);
      return undefined;
    }
    return bound === undefined ? undefined : { value: bound, isIncluded: key.endsWith("e") };
  }

  #equals(field: Field, kind: Kind, values: readonly unknown[], path: string, own?: string): Condition {
    if (values.length > listMax)
      this.#problem(`${path} has ${values.length} values; at most 1,000 are taken.`);
    const read = values
      .slice(0, listMax)
      .map((value, index) => this.#value(field, kind, value, own ?? `${path}[${index}]`))
      .filter((value) => value !== undefined);
    return { kind: "equals", field, values: read };
  }

  /** The value as conditions have it; undefined, with a problem noted, for what the field does not take. */
  #value(field: Field, kind: Kind, value: unknown, path: string): Comparable | null | undefined {
    if (value === null) return null;
    const read = kind === "any" ? anyValue(field, value) : typedValue(kind, value);
    if (read !== undefined) return read;
    const problem = kind === "duration" ? durationProblem(value, path) : undefined;
    this.#problem(problem ?? `${path} is ${showValue(value)}; expected ${expected[kind]}.`);
    return undefined;
  }

  #problem(problem: string): void {
    if (this.problems.length < 20) this.problems.push(problem);
  }
}

function isTextToFind(text: unknown): boolean {
  return typeof text === "string" && text.trim() !== "" && text.length <= textMax;
}

const expected: Record<Kind, string> = {
  text: "a string",
  number: "a number",
  instant: "a valid Date",
  duration: "a duration such as '30s', or milliseconds",
  any: "a string, a number, a boolean, a Date or null",
};

function typedValue(kind: Exclude<Kind, "any">, value: unknown): Comparable | undefined {
  switch (kind) {
    case "text":
      return typeof value === "string" ? value : undefined;
    case "number":
      return typeof value === "number" && Number.isFinite(value) ? value : undefined;
    case "instant":
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
    case "duration":
      return durationProblem(value, "") === undefined
        ? parseDuration(value as string, "duration")
        : undefined;
  }
}

/** Stores keep U+FFFD for half of a surrogate pair in an attribute; payloads and results are JSON, which has a form for it. */
function asKept({ of }: Field, text: string): string {
  return of === "attribute" ? text.toWellFormed() : text;
}

/** In payloads and results a Date is stored as its ISO text; an attribute counts as its milliseconds. */
function anyValue(field: Field, value: unknown): Comparable | undefined {
  const { of } = field;
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return asKept(field, value);
  // -0 and 0 are one number to all that compare.
  if (typeof value === "number") return Number.isFinite(value) ? value + 0 : undefined;
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
  return of === "attribute" ? value.getTime() : value.toISOString();
}

function joined(parts: readonly Condition[]): Condition {
  return parts.length === 1 ? parts[0]! : { kind: "and", parts };
}

/** `gte`, `in`, `not` … */
export function isOperator(key: string | undefined): boolean {
  return key !== undefined && matcherKeys.includes(key);
}

/** Whether an object says what a value must be, and is not an object of keys. */
export function isMatcher(value: Record<string, unknown>): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => matcherKeys.includes(key));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    isPlainPrototype(Object.getPrototypeOf(value))
  );
}
