/** Conditions on attributes: as ranges of keys, and as SQL that tests a task's own keys. */
import type { Comparable, Condition } from "../../../core/filters/condition.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import { foundKeyOf, headSize, isCut, keyOf, keyStart, lastCharacter } from "./attribute-values.ts";

/** A part of a condition that compares an attribute. */
export type AttributeCondition = Extract<Condition, { field: unknown }> & {
  field: { of: "attribute"; name: string };
};

/** Keys from `low` to `high`; `high` is left out unless it is said to be in. */
export interface KeyRange {
  low: string;
  isLowIn: boolean;
  high: string;
  isHighIn: boolean;
}

export function isAttributeCondition(condition: Condition): condition is AttributeCondition {
  return "field" in condition && condition.field.of === "attribute";
}

/** The attributes of this name, of all types or of these. */
export function numbersOf(
  name: string,
  attributes: readonly NamedAttribute[],
  types?: readonly string[],
): number[] {
  return attributes
    .filter((one) => one.name === name && (types === undefined || types.includes(one.type)))
    .map(({ attribute }) => attribute);
}

/** The keys, as the index has them, that meet an equality; undefined when tasks without a value meet it. */
export function keysEqual(condition: AttributeCondition, numbers: readonly number[]): string[] | undefined {
  if (condition.kind !== "equals" || condition.values.includes(null)) return undefined;
  const values = condition.values as readonly Comparable[];
  return [...new Set(numbers.flatMap((number) => values.map((value) => foundKeyOf(keyOf(number, value)))))];
}

/** The ranges of keys that meet a range or a prefix; undefined for other conditions. */
export function keyRanges(condition: AttributeCondition, numbers: readonly number[]): KeyRange[] | undefined {
  if (condition.kind === "prefix") {
    return numbers.map((number) => {
      const low = keyOf(number, condition.prefix);
      return { low, isLowIn: true, high: low + lastCharacter + lastCharacter, isHighIn: false };
    });
  }
  if (condition.kind !== "range") return undefined;
  const { from, to } = condition;
  const type = (from ?? to)?.value;
  if (type === undefined) return numbers.map(wholeOf);
  if (from && to && typeof from.value !== typeof to.value) return [];
  return numbers.map((number) => {
    const start = keyStart(number, type);
    return {
      low: from ? keyOf(number, from.value) : start,
      isLowIn: from?.isIncluded ?? true,
      high: to ? keyOf(number, to.value) : after(start),
      isHighIn: to?.isIncluded ?? false,
    };
  });
}

/** The least text greater than all that begin like this; of what begins a key. */
function after(start: string): string {
  const last = start.charCodeAt(start.length - 1);
  return start.slice(0, -1) + String.fromCharCode(last + 1);
}

/** The range in which the table `attributes` has all keys of a range, and maybe some others: long keys are cut there. */
export function foundRange(range: KeyRange): KeyRange {
  const low = [...range.low].slice(0, headSize).join("");
  const head = [...range.high].slice(0, headSize).join("");
  return {
    low,
    isLowIn: range.isLowIn || low !== range.low,
    high: head === range.high ? range.high : head + lastCharacter + lastCharacter,
    isHighIn: range.isHighIn,
  };
}

/** SQL that says whether a key is in a range. @param add `$n` of a value */
export function isWithin(key: string, range: KeyRange, add: (value: unknown) => string): string {
  const low = `${key} ${range.isLowIn ? ">=" : ">"} ${add(range.low)}::text`;
  return `${low} AND ${key} ${range.isHighIn ? "<=" : "<"} ${add(range.high)}::text`;
}

/**
 * SQL that says whether a task meets the condition, true or false; undefined for `contains`, which SQL does not decide.
 * @param add `$n` of a value
 */
export function attributeSql(
  condition: AttributeCondition,
  attributes: readonly NamedAttribute[],
  add: (value: unknown) => string,
): string | undefined {
  const numbers = numbersOf(condition.field.name, attributes);
  if (condition.kind === "contains" || condition.kind === "group") return undefined;
  if (condition.kind === "exists") return hasAny(numbers.map(wholeOf), add);
  const ranges = keyRanges(condition, numbers);
  if (ranges) return hasAny(ranges, add);
  const { values } = condition as Extract<AttributeCondition, { kind: "equals" }>;
  const present = values.filter((value) => value !== null);
  const keys = keysEqual({ ...condition, values: present } as AttributeCondition, numbers)!;
  const isOne = keys.length > 0 ? `coalesce(tasks.attributes && ${add(keys)}::text[], false)` : "false";
  return present.length === values.length ? isOne : `(${isOne} OR NOT ${hasAny(numbers.map(wholeOf), add)})`;
}

/** All keys of an attribute. */
function wholeOf(number: number): KeyRange {
  return { low: `${number} `, isLowIn: true, high: `${number}!`, isHighIn: false };
}

function hasAny(ranges: readonly KeyRange[], add: (value: unknown) => string): string {
  if (ranges.length === 0) return "false";
  const key = 'own.key COLLATE "C"';
  const within = ranges.map((range) => {
    const isIn = `(${isWithin(key, range, add)})`;
    if (!isOfTexts(range)) return isIn;
    return `(${isIn} AND NOT ${isCut("own.key")} OR ${isWithin(key, ofWholeTexts(range), add)})`;
  });
  return `EXISTS (SELECT 1 FROM unnest(tasks.attributes) AS own (key) WHERE ${within.join(" OR ")})`;
}

function isOfTexts({ low }: KeyRange): boolean {
  return low[low.indexOf(" ") + 1] === "s";
}

/** The same range among the keys that say all of a long text. */
function ofWholeTexts(range: KeyRange): KeyRange {
  const upper = (key: string) => key.replace(/ [st]/, (letter) => letter.toUpperCase());
  return { ...range, low: upper(range.low), high: upper(range.high) };
}
