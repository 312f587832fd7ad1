/**
 * Candidates of a search by their text, where every word has three letters or digits in a row, or two where it begins or
 * ends (text-reader.ts); on a database whose LC_CTYPE is C, of ASCII.
 */
import type { Condition } from "../../../core/filters/condition.ts";
import type { StoreSearch } from "../../../core/store.ts";
import type { Session } from "../connections/database.ts";
import type { Along } from "../search/along.ts";
import type { KeySource } from "../search/key-source.ts";
import { literal, onceOnly, quoted, statement } from "../statement.ts";
import { askedOf, type TextIndex, textIndexes } from "./text-indexes.ts";
import { likeRarest, lookAround, patternOf, trigramsOf, type Word } from "./text-rarity.ts";
import { TextReader } from "./text-reader.ts";
import { gather, type Passing } from "./text-ways.ts";

/**
 * The source of the texts that `where` asks for and that must be there.
 * @param filter how many tasks pass the plain filters, where there are any
 */
export async function textSource(
  session: Session,
  search: StoreSearch,
  index: TextIndex,
  filter: Passing | undefined,
  along?: Along,
): Promise<KeySource | undefined> {
  const words = search.where ? wordsOf(search.where) : [];
  const isFound = index.exists && words.some((word) => isIndexed(word, index));
  if (words.length === 0 || (!isFound && index.texts === 0)) return undefined;
  if (search.sortBy !== "createdAt") {
    if (!isFound) return undefined;
    const asked = askedOf(search, filter?.pairs);
    const { rarest } = await lookAround(session, asked, words, index);
    return gatheredSource(session, search, likeRarest(asked, words, rarest));
  }
  const known = isFound ? index : { ...index, exists: false };
  const source = await orderedSource(session, search, words, known, filter, { along });
  return { ...source, ...(!isFound && { isWalk: true }) };
}

const named = { name: "full text", index: "texts" } as const;

/** All that have the words, unless they are too many to be put in order. */
export async function gatheredSource(...asked: Parameters<typeof gather>): Promise<KeySource | undefined> {
  const gathered = await gather(...asked);
  if (!gathered) return undefined;
  return { ...named, estimate: gathered.length, isOrdered: false, keys: async () => ({ places: gathered }) };
}

/**
 * @param isLikely whether most tasks that have the words meet the conditions, so that as many are read as are wanted
 * @param along reads the tasks, too
 */
export async function orderedSource(
  session: Session,
  search: StoreSearch,
  words: readonly Word[],
  index: TextIndex,
  filter: Passing | undefined,
  { isLikely = true, along }: { isLikely?: boolean; along?: Along | undefined } = {},
): Promise<KeySource> {
  const reader = new TextReader(search, words, index, filter, { isLikely, along });
  return {
    ...named,
    estimate: await reader.sample(session),
    isOrdered: true,
    isFiltered: true,
    keys: (asked, after, limit) => reader.keys(asked, after, limit),
  };
}

/** SQL that says whether a task's text, as it was indexed, has this in it; true or false. @param add `$n` of a value */
export function textSql(
  condition: Extract<Condition, { kind: "text" }>,
  add: (value: unknown) => string,
): string {
  return `coalesce((SELECT texts.body LIKE ${add(patternOf(condition.text))}::text FROM :schema.texts
    WHERE texts.task_id = tasks.id), false)`;
}

/** Asks what the index can do. */
export async function readTextIndex(session: Session, schema: string): Promise<TextIndex> {
  const [facts] = await session.query(textIndexFacts, [schema]);
  const [exists, texts, tasks, firstAt, lastAt, place] = facts!;
  const known: TextIndex = { exists, knowsLetters: false, texts, tasks, firstAt, lastAt };
  // Without a right to the extension's schema nobody can ask it; its index serves all the same.
  if (!exists || place === null) return known;
  const sample = `SELECT cardinality(${quoted(place)}.show_trgm('한국어')) > 0`;
  const [row] = await session.query(onceOnly("trigramSample", sample));
  return { ...known, knowsLetters: row![0] };
}

/** Those that must be in the text of whatever meets the condition. */
export function wordsOf(where: Condition): string[] {
  if (where.kind === "and") return where.parts.flatMap(wordsOf);
  return where.kind === "text" ? [where.text] : [];
}

export function isIndexed(word: Word, { knowsLetters }: TextIndex): boolean {
  return trigramsOf(word, knowsLetters).length > 0;
}

const textIndexFacts = statement(
  "textIndex",
  `SELECT (SELECT count(*) = ${textIndexes.length} FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE relnamespace = own.oid AND relname = ANY(ARRAY[${textIndexes.map(literal).join(", ")}]) AND indisvalid),
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'texts'))::bigint,
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'tasks'))::bigint,
    coalesce((SELECT min(created_at) FROM :schema.texts), 0), coalesce((SELECT max(created_at) FROM :schema.texts), 0),
    (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
      WHERE extname = 'pg_trgm' AND has_schema_privilege(extnamespace, 'USAGE'))
    FROM pg_namespace AS own WHERE nspname = $1`,
);
