/**
 * What the server can tell of a row without sending it: whether its task may meet a condition. As row-filter.ts has it, which both stores ask,
 * and what an error is to contain.
 */
import type { Condition } from "../../../core/filters/condition.ts";
import { numbersInRow, type RowFilter, rowFilterOf } from "../../shared/row-filter.ts";
import type { Text } from "./search-statements.ts";

export type MayMeet = RowFilter | ErrorFilter;

/**
 * The folded text stands in the error of each task that meets the condition, its letters of ASCII made small, unless that has more than
 * ASCII and `foldless` characters.
 */
export interface ErrorFilter {
  of: "error";
  text: string;
}

/** Characters that are what they are when they are folded, whatever stands beside them, as ranges: Korean, Chinese and Japanese. */
export const foldless = "가-힣一-鿿ぁ-ゖァ-ヺ";

/** Undefined where the condition says nothing of the kind. */
export function mayMeetOf(where: Condition): MayMeet | undefined {
  return errorsOf(where)[0] ?? rowFilterOf(where);
}

function errorsOf(where: Condition): ErrorFilter[] {
  if (where.kind === "and") return where.parts.flatMap(errorsOf);
  if (where.kind !== "contains" || where.field.of !== "task" || where.field.name !== "error") return [];
  // The server has another character for that.
  return where.text.includes("\0") ? [] : [{ of: "error", text: where.text }];
}

/** SQL that says whether a task may meet the condition. */
export function maybeHas(filter: MayMeet, text: Text): string {
  if (filter.of === "task") {
    const [from, to] = [text.add(filter.from), text.add(filter.to)];
    return `${numbersInRow[filter.name]} BETWEEN ${from}::bigint AND ${to}::bigint`;
  }
  if (filter.of === "error") {
    // With this collation letters of ASCII alone are made small.
    const has = `strpos(lower(tasks.error COLLATE "C"), ${text.add(filter.text)}) > 0`;
    const isMore = "octet_length(tasks.error) <> char_length(tasks.error)";
    return `${has} OR (${isMore} AND tasks.error ~ '[^\\x01-\\x7f${foldless}]')`;
  }
  const has = (part: string) => `strpos(tasks.${filter.of}, ${part}) > 0`;
  const hasAny = (parts: readonly string[]) => `(${parts.map((part) => has(text.add(part))).join(" OR ")})`;
  const beside = filter.beside ? ` AND ${hasAny(filter.beside)}` : "";
  // What has letters written as numbers may have the name in other words.
  return `${hasAny([filter.text])}${beside} OR ${has("'\\u'")}`;
}
