/** Filters back to the text of a query. */
import { durationProblem, parseDuration } from "../duration.ts";
import type { TaskFilter } from "../filters/filter.ts";
import { isMatcher } from "../filters/filter-condition.ts";
import { problemOf } from "../options.ts";
import { type ParsedQuery, parseQuery } from "./query.ts";
import { type FieldKind, queryFields, sortNames } from "./query-fields.ts";
import { fieldName, quote } from "./query-lexer.ts";
import { isDate } from "./query-values.ts";

type Kind = FieldKind | "attribute" | "path";
type Matcher = Readonly<Record<string, unknown>>;

/** Thrown for what no query can say. */
class NoText extends Error {}

/**
 * A query that asks for the same; undefined when none can. None can for: an error or description as a whole, `true` or
 * `false` without the text of that name, ranges that exclude both ends of an attribute or path, lists without a value,
 * keys of a path that have a dot in them, orders of an error or a description, and what is larger than a query may be.
 */
export function formatQuery({ filter, sortBy, sortOrder }: ParsedQuery): string | undefined {
  try {
    const text = [...termsOf(filter), ...sortTerm(sortBy, sortOrder)].join(" ");
    return isTaken(text) ? text : undefined;
  } catch (error) {
    if (error instanceof NoText) return undefined;
    throw error;
  }
}

function isTaken(text: string): boolean {
  return problemOf(() => parseQuery(text, { now: 0 })) === undefined;
}

/** `sort:updated` is descending, and so is all but `sort:id`. */
function sortTerm(sortBy: ParsedQuery["sortBy"], sortOrder: ParsedQuery["sortOrder"]): string[] {
  if (!sortBy && !sortOrder) return [];
  const name = Object.keys(sortNames).find((key) => sortNames[key] === (sortBy ?? "createdAt"))!;
  const usual = name === "id" ? "asc" : "desc";
  const order = sortOrder ?? "desc";
  return [`sort:${order === usual ? "" : order === "asc" ? "+" : "-"}${name}`];
}

/** Terms that must all hold. */
function termsOf(filter: TaskFilter): string[] {
  return Object.entries(filter).flatMap(([key, value]) =>
    value === undefined ? [] : termsOfKey(key, value),
  );
}

function termsOfKey(key: string, value: unknown): string[] {
  switch (key) {
    case "and":
      return (value as TaskFilter[]).flatMap(termsOf);
    case "or":
      return orTerms(value as TaskFilter[]);
    case "not":
      return (Array.isArray(value) ? value : [value]).map((one) => negated(termsOf(one)));
    case "text":
      return (Array.isArray(value) ? value : [value]).map(textTerm);
    case "attributes":
      return Object.entries(value as object).flatMap(([name, match]) =>
        matchTerms(attributeName(name), "attribute", match),
      );
    case "payload":
    case "result":
      return pathTerms([key], value);
    default:
      return fieldTerms(key, value);
  }
}

function orTerms(filters: readonly TaskFilter[]): string[] {
  const groups = filters.map(termsOf);
  const texts = groups.map(allOf);
  return groups.length === 1 ? groups[0]! : [anyOf(texts)];
}

function fieldTerms(key: string, match: unknown): string[] {
  const found = Object.entries(queryFields).find(([, { filter }]) => filter === key);
  if (!found) throw new NoText(key);
  return matchTerms(found[0], found[1].kind, match);
}

function pathTerms(path: readonly string[], value: unknown): string[] {
  const isPlaces =
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !isMatcher(value as Record<string, unknown>);
  if (isPlaces) return Object.entries(value).flatMap(([key, below]) => pathTerms([...path, key], below));
  return value === undefined ? [] : matchTerms(path.map(escapedKey).join("."), "path", value);
}

function escapedKey(key: string): string {
  if (key === "" || key.includes(".")) throw new NoText(key);
  return /^[\p{L}\p{N}_$-]+$/u.test(key) ? key : quote(key);
}

/** By itself where it cannot be taken for another field. */
function attributeName(name: string): string {
  if (isReadAsAttribute(name)) return name;
  return `attribute.${/^[\p{L}\p{N}_$-]+$/u.test(name) ? name : quote(name)}`;
}

function isReadAsAttribute(name: string): boolean {
  if (!/^[\p{L}_$][\p{L}\p{N}_$.-]*$/u.test(name)) return false;
  try {
    const { attributes } = parseQuery(`${name}:1`, { now: 0 }).filter;
    return attributes !== undefined && Object.hasOwn(attributes, name);
  } catch {
    return false;
  }
}

function matchTerms(name: string, kind: Kind, match: unknown): string[] {
  if (typeof match !== "object" || match === null || match instanceof Date)
    return [equalTerm(name, kind, [match])];
  if (Array.isArray(match)) return [equalTerm(name, kind, match)];
  const { gt, gte, lt, lte, in: values, not, prefix, contains, exists } = match as Matcher;
  const terms = rangeTerms(name, kind, { gt, gte, lt, lte });
  if (values !== undefined) terms.push(equalTerm(name, kind, values as unknown[]));
  if (not !== undefined) terms.push(negated(matchTerms(name, kind, not)));
  if (prefix !== undefined) terms.push(`${name}:${word(String(prefix))}*`);
  if (contains !== undefined) terms.push(containsTerm(name, kind, String(contains)));
  if (exists !== undefined) terms.push(existsTerm(name, exists === true));
  return terms;
}

function existsTerm(name: string, exists: boolean): string {
  if (fieldName(name).split(".").includes("")) throw new NoText(name);
  return `${exists ? "" : "-"}has:${name.includes('"') ? quote(fieldName(name)) : name}`;
}

function containsTerm(name: string, kind: Kind, text: string): string {
  if (kind !== "message") throw new NoText(name);
  return `${name}:${quote(text)}`;
}

function equalTerm(name: string, kind: Kind, values: readonly unknown[]): string {
  if (values.length === 0) throw new NoText(name);
  if (kind === "instant" || kind === "message") {
    return anyOf(values.map((value) => `${name}:${value === null ? "null" : single(kind, value)}`));
  }
  if (kind !== "attribute" && kind !== "path") {
    return `${name}:${values.map((value) => (value === null ? "null" : written(kind, value))).join(",")}`;
  }
  return looseTerm(name, kind, values);
}

function single(kind: "instant" | "message", value: unknown): string {
  if (kind === "message") throw new NoText("A message is asked for by its parts.");
  return iso(value as Date);
}

/** `42` in a query is the number and the text; a number alone is a range from itself to itself. */
function looseTerm(name: string, kind: "attribute" | "path", values: readonly unknown[]): string {
  const plain = values.map((value) => {
    if (typeof value === "bigint") return String(value);
    if (!(value instanceof Date)) return value;
    return kind === "attribute" ? value.getTime() : value.toISOString();
  });
  const alone = new Set(plain.filter((value) => typeof value === "number" || typeof value === "boolean"));
  const listed = plain.flatMap((value) => {
    if (value === null) return ["null"];
    if (typeof value !== "string") return [];
    // Without quotes it would be a time, too.
    if (isDate(value)) return [quote(value)];
    const meaning = meaningOf(value);
    if (!plain.includes(meaning)) return [typeof meaning === "string" ? word(value) : quote(value)];
    alone.delete(meaning as number);
    return [typeof meaning === "string" ? word(value) : value];
  });
  const ranges = [...alone].map((value) => {
    if (typeof value === "boolean") throw new NoText(name);
    return `${name}:${value}..${value}`;
  });
  return anyOf([...(listed.length > 0 ? [`${name}:${listed.join(",")}`] : []), ...ranges]);
}

/** What an unquoted text would be read as. */
function meaningOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}

function rangeTerms(name: string, kind: Kind, { gt, gte, lt, lte }: Matcher): string[] {
  const [from, to] = [gte ?? gt, lte ?? lt];
  if (from === undefined && to === undefined) return [];
  if (kind === "instant") return [instantRange(name, { gt, gte, lt, lte })];
  if (kind === "message") throw new NoText("A message is in no order.");
  const bound = (value: unknown) => written(kind, value);
  const isInclusive = (from === undefined || gte !== undefined) && (to === undefined || lte !== undefined);
  if (from !== undefined && to !== undefined && isInclusive) return [`${name}:${bound(from)}..${bound(to)}`];
  // Two terms about a list may be met by two of its items.
  if (from !== undefined && to !== undefined && (kind === "attribute" || kind === "path" || name === "tag")) {
    throw new NoText(name);
  }
  const signs: [string, unknown][] = [
    [">", gt],
    [">=", gte],
    ["<", lt],
    ["<=", lte],
  ];
  return signs.flatMap(([sign, value]) => (value === undefined ? [] : [`${name}:${sign}${bound(value)}`]));
}

/** To the millisecond, so that a range that excludes its end has one that is included. */
function instantRange(name: string, { gt, gte, lt, lte }: Matcher): string {
  const from = shifted(gte) ?? shifted(gt, 1);
  const to = shifted(lte) ?? shifted(lt, -1);
  return `${name}:${from ? iso(from) : ""}..${to ? iso(to) : ""}`;
}

function shifted(at: unknown, ms = 0): Date | undefined {
  return at === undefined ? undefined : new Date((at as Date).getTime() + ms);
}

function iso(at: Date): string {
  const text = Number.isNaN(at.getTime()) ? "" : at.toISOString();
  if (text.length !== 24) throw new NoText("A year of other than four digits.");
  return text;
}

function written(kind: Kind, value: unknown): string {
  switch (kind) {
    case "status":
      return String(value).toLowerCase();
    case "number":
      return String(value);
    case "duration":
      return durationText(value);
    case "attribute":
    case "path":
      if (value instanceof Date) return kind === "attribute" ? iso(value) : quote(value.toISOString());
      return typeof value === "number" ? String(value) : quote(String(value));
    default:
      return word(String(value));
  }
}

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

function durationText(value: unknown): string {
  if (durationProblem(value, "") !== undefined) throw new NoText("duration");
  const ms = parseDuration(value, "duration");
  const [unit, size] = Object.entries(units).find(([, each]) => ms % each === 0 && ms > 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}

function textTerm(text: string): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_./@+-]*$/u.test(text) && !/^(AND|OR|NOT)$/.test(text)
    ? text
    : quote(text);
}

/** A value without quotes, where it is read as itself. */
function word(text: string): string {
  const isPlain = /^[\p{L}\p{N}_/][\p{L}\p{N}_./:@+-]*$/u.test(text) && !text.includes("..");
  return isPlain && text !== "null" ? text : quote(text);
}

function anyOf(terms: readonly string[]): string {
  if (terms.length === 0) throw new NoText("Nothing meets no term.");
  return terms.length === 1 ? terms[0]! : `(${terms.join(" OR ")})`;
}

function allOf(terms: readonly string[]): string {
  if (terms.length === 0) throw new NoText("Everything meets no term.");
  return terms.join(" ");
}

function negated(terms: readonly string[]): string {
  return terms.length === 1 ? `-${terms[0]}` : `-(${allOf(terms)})`;
}
