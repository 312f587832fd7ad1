/**
 * Searches for ids that begin with some text. An id that was generated begins with the instant of its task's creation: where all that
 * begin so were generated, they are a range of that, which indexes and kept counts serve.
 */
import type { Condition } from "../../core/filters/condition.ts";
import { ulidTime } from "../../core/ids.ts";
import type { StoreSearch } from "../../core/store.ts";
import { earliest, latest } from "./search-bounds.ts";

/** The characters of a generated id that say when it was made, and all of it. */
const [timeLength, wholeLength] = [10, 26];

/** With what the ids of all tasks that fit begin; undefined where any may fit. */
export function idPrefixIn({ id, where }: StoreSearch): string | undefined {
  if (!where || id !== undefined) return undefined;
  const prefixes = partsOf(where).flatMap((part) => prefixOf(part) ?? []);
  return prefixes.toSorted((one, other) => other.length - one.length)[0];
}

/**
 * The same search where no chosen id, and no definition's, begins so.
 * @param areGenerated whether all ids are: then the range tells all of what was asked
 */
export function withinCreation(search: StoreSearch, prefix: string, areGenerated: boolean): StoreSearch {
  const range = creationOf(prefix);
  const { where: _where, ...filters } = search;
  if (!range) return { ...filters, definitions: false, statuses: [] };
  const { created } = search;
  const start = latest(created?.start, range.start)!;
  const end = earliest(created?.end, range.end)!;
  const within: StoreSearch = { ...search, definitions: false, created: { start, end } };
  if (!areGenerated || prefix.length > timeLength) return within;
  const rest = partsOf(search.where!).filter((part) => prefixOf(part) !== prefix);
  const { where: _prefix, ...plain } = within;
  if (rest.length === 0) return plain;
  return { ...plain, where: rest.length === 1 ? rest[0]! : { kind: "and", parts: rest } };
}

/** When tasks whose generated ids begin so were created; undefined where none begins so. */
function creationOf(prefix: string): { start: number; end: number } | undefined {
  const first = ulidTime(prefix.padEnd(wholeLength, "0"));
  if (first === undefined) return undefined;
  return { start: first, end: first + 32 ** Math.max(0, timeLength - prefix.length) };
}

function partsOf(where: Condition): readonly Condition[] {
  return where.kind === "and" ? where.parts : [where];
}

/** The empty text says nothing, and half a character is none to a database. */
function prefixOf(part: Condition): string | undefined {
  if (part.kind !== "prefix" || part.field.of !== "task" || part.field.name !== "id") return undefined;
  return part.prefix !== "" && part.prefix.isWellFormed() && !part.prefix.includes("\0")
    ? part.prefix
    : undefined;
}
