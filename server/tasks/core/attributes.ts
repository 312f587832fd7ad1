/** Attributes: values that a definition takes out of its payloads and results, to be searched by. */
import { DureError } from "./errors.ts";
import type { AttributeValue } from "./filters/filter.ts";
import { filterKeys } from "./filters/filter-condition.ts";
import type { AttributeKey, Attributes } from "./store.ts";
import { showValue } from "./values/show.ts";

/** What an extractor may give: a value, several, or none. */
export type Extracted = AttributeValue | readonly AttributeValue[] | null | undefined;

/** What each attribute gives, by its name. */
export type ExtractedByName = Readonly<Record<string, Extracted>>;

/** From the payload, at enqueue; or from the result, when the task completes. */
export type AttributeSource<Payload = any, Result = any, Given = Extracted> =
  | ((payload: Payload) => Given)
  | { result: (result: Result) => Given };

/** By name: 1 to 64 letters and digits of any script, `_`, `.` and `-`, beginning with a letter or `_`; no filter's name. At most 20. */
export type AttributeSources<Payload = any, Result = any, Given = ExtractedByName> = {
  readonly [Name in keyof Given]: AttributeSource<Payload, Result, Given[Name]>;
};

/** The type of one value of each attribute, by name; any where the names are not known. */
export type AttributesOf<Given> = string extends keyof Given
  ? any
  : { [Name in keyof Given]: NonNullable<ItemOf<Given[Name]>> };

type ItemOf<Given> = Given extends readonly (infer Item)[] ? Item : Given;

/** A declared attribute, checked. */
export interface RegisteredAttribute {
  readonly name: string;
  readonly from: "payload" | "result";
  readonly extract: (value: any) => Extracted;
}

/**
 * A task that was enqueued where nobody could take its attributes has this one, until a worker has. It moves and goes with the task as
 * every other does, so a store finds such tasks by its index. No definition can declare it: names begin with a letter.
 */
export const lackingName = "?";
export const lackingAttributes: Attributes = { [lackingName]: true };

/** Those that a definition has declared; undefined for none. */
export function declaredOf(attributes: Attributes): Attributes | undefined {
  if (!(lackingName in attributes)) return attributes;
  const { [lackingName]: _, ...declared } = attributes;
  return Object.keys(declared).length > 0 ? declared : undefined;
}

const attributesMax = 20;
const valuesMax = 20;
const textMax = 1_000;
/** As most names are. What is a letter in any script takes 2 MB to know, once. */
const plainNamePattern = /^[A-Za-z_][\w.-]{0,63}$/;
const namePattern = /^[\p{L}_][\p{L}\p{M}\p{N}_.-]{0,63}$/u;

/** What is wrong with a definition's `attributes`, or undefined. */
export function attributesRule(value: unknown, option: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${option} is ${showValue(value)}; expected an object of functions by name, such as { userId: (payload) => payload.userId }.`;
  }
  const names = Object.keys(value);
  if (names.length > attributesMax)
    return `${option} has ${names.length} names; at most ${attributesMax} are taken.`;
  const problems = Object.entries(value).map(([name, source]) =>
    problemOf(`${option}.${name}`, name, source),
  );
  return problems.filter((problem) => problem !== undefined).join(" ") || undefined;
}

function problemOf(place: string, name: string, source: unknown): string | undefined {
  if (!isName(name)) {
    return `${place}: an attribute's name is 1 to 64 letters and digits of any script, "_", "." and "-", and begins with a letter or "_".`;
  }
  if (filterKeys.includes(name))
    return `${place}: every task has "${name}" already; give the attribute another name.`;
  const extract =
    typeof source === "object" && source !== null ? (source as { result?: unknown }).result : source;
  if (typeof extract === "function") return undefined;
  return `${place} is ${showValue(source)}; expected a function of the payload, or { result: a function of the result }.`;
}

function isName(name: string): boolean {
  return (plainNamePattern.test(name) || namePattern.test(name)) && name !== "__proto__";
}

export function registerAttributes(sources: AttributeSources = {}): RegisteredAttribute[] {
  return Object.entries(sources).map(([name, source]) =>
    typeof source === "function"
      ? { name, from: "payload", extract: source }
      : { name, from: "result", extract: source.result },
  );
}

/** What could be taken, and why others could not. */
export interface Taken {
  attributes: Attributes | undefined;
  errors: readonly unknown[];
}

/** The attributes of a task that is there already: one that cannot be taken is left out. */
export function takeAttributes(
  { id, attributes: declared }: { id: string; attributes: readonly RegisteredAttribute[] },
  from: "payload" | "result",
  value: unknown,
): Taken {
  let attributes: Attributes | undefined;
  const errors: unknown[] = [];
  for (const one of declared) {
    try {
      const found = extractAttributes(id, [one], from, value);
      if (found) attributes = { ...attributes, ...found };
    } catch (error) {
      errors.push(error);
    }
  }
  return { attributes, errors };
}

/**
 * The attributes that a payload or result has; undefined when it has none.
 * @throws DureError INVALID_PAYLOAD naming the attribute, for an extractor that throws or gives what cannot be searched
 */
export function extractAttributes(
  type: string,
  declared: readonly RegisteredAttribute[],
  from: "payload" | "result",
  value: unknown,
): Attributes | undefined {
  let found: Record<string, AttributeKey | AttributeKey[]> | undefined;
  for (const { name, from: source, extract } of declared) {
    if (source !== from) continue;
    const keys = keysOf(type, name, from, () => extract(value));
    if (keys === undefined) continue;
    found ??= {};
    found[name] = keys;
  }
  return found;
}

function keysOf(
  type: string,
  name: string,
  from: "payload" | "result",
  extract: () => unknown,
): AttributeKey | AttributeKey[] | undefined {
  let given: unknown;
  try {
    given = extract();
  } catch (error) {
    const problem = `threw ${error instanceof Error ? `${error.name}: ${error.message}` : showValue(error)}`;
    throw refused(type, name, from, problem, error);
  }
  if (given === undefined || given === null) return undefined;
  if (!Array.isArray(given)) return keyOf(type, name, from, given);
  if (given.length > valuesMax) {
    throw refused(type, name, from, `gave ${given.length} values; at most ${valuesMax} are kept`);
  }
  return given.map((value) => keyOf(type, name, from, value));
}

function keyOf(type: string, name: string, from: "payload" | "result", value: unknown): AttributeKey {
  if (typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  if (typeof value === "string" && value.length <= textMax) return value;
  const met = typeof value === "string" ? `a text of ${value.length} characters` : showValue(value);
  throw refused(
    type,
    name,
    from,
    `gave ${met}; expected a text of at most ${textMax} characters, a number, a boolean or a Date`,
  );
}

function refused(type: string, name: string, from: string, problem: string, cause?: unknown): DureError {
  return new DureError(
    "INVALID_PAYLOAD",
    `The attribute "${name}" of "${type}", taken from the ${from}, ${problem}.`,
    {
      details: { type, attribute: name },
      ...(cause !== undefined && { cause }),
    },
  );
}
