/**
 * What a condition tells of the texts of the tasks that meet it: a value that is to stand at some place stands in the text of the task
 * (searchable-text.ts), too, unless that was cut before it or is not of the task as it is now. Stores look such tasks up by their texts.
 */
import { type Comparable, type Condition, type Field, foldText } from "../../core/filters/condition.ts";
import { sharedText } from "../../core/values/error-group.ts";
import { isSecretKey } from "../../core/values/secret-keys.ts";

/** A text that every task has in it that meets the conditions. */
export interface Hint {
  text: string;
  /** Whether a text is what was asked for; else it is part of a value at some place. */
  isText: boolean;
  /** Whether it is a whole line of that text, since a text has each value in lines of its own. */
  isLine: boolean;
}

/** A shorter text has no trigram. */
const sizeMin = 3;

/**
 * No query has a character U+0000.
 * @param lineSizeMin of so many characters a whole line is told from others
 */
export function hintsOf(where: Condition, lineSizeMin = sizeMin): Hint[] {
  if (where.kind === "and") return where.parts.flatMap((part) => hintsOf(part, lineSizeMin));
  const isText = where.kind === "text";
  const isLine = where.kind === "equals";
  const text = isText ? where.text : textWithin(where);
  if (text === undefined || text.includes("\0")) return [];
  return [...text].length < (isLine ? lineSizeMin : sizeMin) ? [] : [{ text, isText, isLine }];
}

/** What the text of a task has in it when it meets a comparison of a value that is indexed. */
function textWithin(condition: Condition): string | undefined {
  if (!("field" in condition) || !isSearchable(condition.field)) return undefined;
  if (condition.kind === "contains") return longestLine(condition.text);
  if (condition.kind === "group") return sharedText(condition.fingerprint);
  if (condition.kind === "equals") {
    const texts = new Set(condition.values.map(textOfValue));
    const [text] = texts;
    return texts.size === 1 && text !== undefined ? longestLine(text) : undefined;
  }
  // The last letter may be folded otherwise, together with what comes after it.
  if (condition.kind === "prefix" && /^[ -~]*$/.test(condition.prefix))
    return foldText(condition.prefix.slice(0, -1));
  return undefined;
}

/** Secrets are in no text (secret-keys.ts). */
function isSearchable(field: Field): boolean {
  if (field.of === "task") return field.name === "error" || field.name === "tag";
  return field.of !== "attribute" && !field.path.some(isSecretKey);
}

function textOfValue(value: Comparable | null): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? foldText(value) : undefined;
}

function longestLine(text: string): string {
  return text.split("\n").sort((a, b) => b.length - a.length)[0]!;
}
