/**
 * Candidates of a search by their text, or by the part of it that a group of errors shares, where every word has three letters or digits in a row, or two where it begins or
 * ends (text-reader.ts); on a database whose LC_CTYPE is C, of ASCII.
 */
import type { Condition } from "../../core/condition.ts";
import { sharedText } from "../../core/error-group.ts";
import type { StoreSearch } from "../../core/store.ts";
import type { Session } from "./database.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { literal, onceOnly, quoted, statement } from "./statement.ts";
import { askedOf, type TextIndex, textIndexes } from "./text-indexes.ts";
import { lookAround, patternOf, trigramsOf } from "./text-rarity.ts";
import { TextReader } from "./text-reader.ts";
import { gather, type Passing } from "./text-ways.ts";

/** The source of the texts that the parts of `where` ask for that must hold. */
export async function textSource(
  session: Session,
  search: StoreSearch,
  index: TextIndex,
  passing: () => Promise<Passing>,
): Promise<KeySource | undefined> {
  const words = search.where ? wordsOf(search.where) : [];
  const isFound = index.exists && words.some((word) => isIndexed(word, index));
  // Tasks that have failed are sooner walked over than all texts.
  const isWalked = index.texts > 0 && search.where !== undefined && mentionsText(search.where);
  if (words.length === 0 || (!isFound && !isWalked)) return undefined;
  const named = { name: "full text", index: "texts" } as const;
  if (search.sortBy !== "createdAt") {
    if (!isFound) return undefined;
    const asked = askedOf(search, (search.types ?? search.queues) && (await passing()).pairs);
    const { rarest } = await lookAround(session, asked, words, index);
    const gathered = await gather(session, search, asked, words, rarest);
    if (gathered.length > gatheredMax) return undefined;
    return {
      ...named,
      estimate: gathered.length,
      isOrdered: false,
      keys: async () => ({ places: gathered }),
    };
  }
  const isFiltered = (search.types ?? search.queues ?? search.statuses) !== undefined;
  const filter = isFiltered ? await passing() : undefined;
  const reader = new TextReader(search, words, isFound ? index : { ...index, exists: false }, filter);
  const sample = await reader.sample(session);
  return {
    ...named,
    estimate: sample,
    isOrdered: true,
    isFiltered: true,
    ...(!isFound && { isWalk: true }),
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

function wordsOf(where: Condition): string[] {
  if (where.kind === "and") return where.parts.flatMap(wordsOf);
  if (where.kind === "text") return [where.text];
  const shared = isErrorGroup(where) ? sharedText(where.fingerprint) : "";
  return shared === "" ? [] : [shared];
}

export function isErrorGroup(where: Condition): where is Extract<Condition, { kind: "group" }> {
  return where.kind === "group" && where.field.of === "task" && where.field.name === "error";
}

/** Whether a text itself is asked for. */
function mentionsText(where: Condition): boolean {
  return where.kind === "and" ? where.parts.some(mentionsText) : where.kind === "text";
}

function isIndexed(word: string, { knowsLetters }: TextIndex): boolean {
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
