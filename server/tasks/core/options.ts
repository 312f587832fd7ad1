/** Checks options against rules, and reports everything wrong with them at once. */
import { durationProblem } from "./duration.ts";
import { DureError } from "./errors.ts";
import { didYouMean } from "./names.ts";
import { isPlainPrototype, showValue } from "./values/show.ts";

/** Says what is wrong with an option's value in one sentence, or undefined when nothing is. */
export type OptionRule = (value: unknown, name: string) => string | undefined;

/**
 * Checks that `input` is a plain object whose keys all have a rule and whose values all keep it. Undefined values are
 * passed over, and so is an undefined `input`.
 *
 * @param what whose options they are, such as `defineTask("send-receipt")`
 * @throws DureError INVALID_OPTION with every problem, in `details.problems`
 */
export function checkOptions(what: string, input: unknown, rules: Record<string, OptionRule>): void {
  checkPlain(what, input);
  if (input === undefined) return;
  const problems = problemsOf(input as Record<string, unknown>, rules);
  if (problems.length === 0) return;
  const list =
    problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n- ${problem}`).join("");
  throw new DureError("INVALID_OPTION", `${what} cannot take these options:${list}`, {
    details: { what, problems },
  });
}

/** Before they are taken apart, which any object can be; what is in them is checked where it is read. @throws DureError INVALID_OPTION */
export function checkPlain(what: string, input: unknown): void {
  if (input !== undefined && !isPlainObject(input)) throw notPlain(what, input);
}

function notPlain(what: string, input: unknown): DureError {
  const problem = `The options of ${what} are ${showValue(input)}; they must be a plain object.`;
  return new DureError("INVALID_OPTION", problem, { details: { what, problems: [problem] } });
}

function problemsOf(input: Record<string, unknown>, rules: Record<string, OptionRule>): string[] {
  const problems: string[] = [];
  for (const key of Object.keys(input)) {
    const problem = Object.hasOwn(rules, key)
      ? brokenRule(input, key, rules[key]!)
      : unknownOption(key, rules);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

function brokenRule(input: Record<string, unknown>, key: string, rule: OptionRule): string | undefined {
  let value: unknown;
  try {
    value = input[key];
  } catch {
    return `${key} cannot be read: its getter throws.`;
  }
  return value === undefined ? undefined : rule(value, key);
}

function unknownOption(key: string, rules: Record<string, OptionRule>): string {
  const names = Object.keys(rules);
  const hint = didYouMean(key, names) || (names.length > 0 ? ` Known are ${names.join(", ")}.` : "");
  return `${showValue(key)} is no option here.${hint}`;
}

function isPlainObject(input: unknown): input is Record<string, unknown> {
  try {
    return (
      typeof input === "object" &&
      input !== null &&
      !Array.isArray(input) &&
      isPlainPrototype(Object.getPrototypeOf(input))
    );
  } catch {
    return false;
  }
}

/** A whole number, both ends included. */
export function integerBetween(min: number, max: number): OptionRule {
  return (value, name) => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return undefined;
    return `${name} is ${showValue(value)}; it must be a whole number from ${min} to ${max}.`;
  };
}

/** true or false. */
export const booleanRule: OptionRule = (value, name) =>
  typeof value === "boolean" ? undefined : `${name} is ${showValue(value)}; it must be true or false.`;

/** Text of at most `charactersMax` characters; may be empty. */
export function stringUpTo(charactersMax: number): OptionRule {
  return (value, name) => {
    if (typeof value === "string" && value.length <= charactersMax) return undefined;
    return `${name} is ${showValue(value)}; it must be a string of at most ${charactersMax} characters.`;
  };
}

/** One of some values. */
export function oneOf(...allowed: readonly (string | number | boolean | null)[]): OptionRule {
  return (value, name) => (allowed.includes(value as string) ? undefined : noneOf(value, name, allowed));
}

/** @param near what may have been meant */
export function noneOf(
  value: unknown,
  name: string,
  allowed: readonly (string | number | boolean | null)[],
  near: readonly string[] = allowed.filter((one) => typeof one === "string"),
): string {
  const hint = typeof value === "string" ? didYouMean(value, near) : "";
  const known = allowed.map((one) => JSON.stringify(one)).join(", ");
  return `${name} is ${showValue(value)}; it must be one of ${known}.${hint}`;
}

/** A duration, both ends included, by default 0 to 100 years; `also` are words taken besides, such as `'none'`. */
export function durationRule({
  also = [],
  ...range
}: {
  minMs?: number;
  maxMs?: number;
  also?: readonly string[];
} = {}): OptionRule {
  return (value, name) => {
    if (also.includes(value as string)) return undefined;
    const problem = durationProblem(value, name, range);
    if (problem === undefined || also.length === 0) return problem;
    return `${problem} Or pass ${also.map((word) => `'${word}'`).join(" or ")}.`;
  };
}

/** An array of at most `itemsMax` items that each keep a rule. */
export function listOf(rule: OptionRule, itemsMax: number): OptionRule {
  return (value, name) => {
    if (!Array.isArray(value)) return `${name} is ${showValue(value)}; it must be an array.`;
    if (value.length > itemsMax) return `${name} has ${value.length} items; at most ${itemsMax} are taken.`;
    const problems = Array.from(value, (item, index) => rule(item, `${name}[${index}]`));
    return problems.filter((problem) => problem !== undefined).join(" ") || undefined;
  };
}

/** A valid Date. */
export const dateRule: OptionRule = (value, name) => {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return undefined;
  return `${name} is ${showValue(value)}; it must be a valid Date.`;
};

/** What ends something early. */
export const signalRule: OptionRule = (value, name) =>
  value instanceof AbortSignal ? undefined : `${name} is ${showValue(value)}; it must be an AbortSignal.`;

export const functionRule: OptionRule = (value, name) =>
  typeof value === "function" ? undefined : `${name} is ${showValue(value)}; it must be a function.`;

/** The message of the DureError that `check` throws, undefined when it throws none: makes a rule of a check. */
export function problemOf(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof DureError) return error.message;
    throw error;
  }
}
