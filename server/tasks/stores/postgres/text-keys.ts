/**
 * Candidates of a search by their text. The newest texts are read one after another first: a frequent word fills the page
 * there. For a rare one the index of trigrams gives all texts that have it, which are then put in order. Which of both is
 * cheaper is judged by how often the word was met so far.
 *
 * The index helps where every word has three letters or digits in a row; on a database whose LC_CTYPE is C, of ASCII.
 * Elsewhere the search walks over the tasks, and `textSql` tests each.
 */
import type { Condition } from "../../core/condition.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import { createdBounds } from "./created-bounds.ts";
import type { Session } from "./database.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { plainText } from "./rows.ts";
import { onceOnly, quoted, statement } from "./statement.ts";

/** Texts that are read before the index is asked; chunks grow from there. */
const firstChunk = 1_000;
const chunkMax = 20_000;
/** A text that the index gives costs as much as this many that are read one after another. */
const indexedCost = 4;

/** What the database's index of texts can do. */
export interface TextIndex {
  exists: boolean;
  /** Whether it knows letters beyond ASCII. */
  knowsLetters: boolean;
  /** About how many texts there are. */
  texts: number;
  /** About how many tasks there are. */
  tasks: number;
}

/** The source of the texts that the parts of `where` ask for that must hold. */
export async function textSource(
  session: Session,
  search: StoreSearch,
  index: TextIndex,
): Promise<KeySource | undefined> {
  const words = search.where ? wordsOf(search.where) : [];
  if (!index.exists || !words.some((word) => isIndexed(word, index))) return undefined;
  const named = { name: "full text", index: "texts" } as const;
  if (search.sortBy !== "createdAt") {
    const gathered = await gather(session, search, words);
    if (gathered.length > gatheredMax) return undefined;
    return { ...named, estimate: gathered.length, isOrdered: false, keys: async () => gathered };
  }
  const sample = await walk(session, search, words, search.after, firstChunk);
  const share = sample.found.length / Math.max(1, sample.looked);
  const estimate = sample.next ? Math.ceil(share * index.texts) : sample.found.length;
  return {
    ...named,
    estimate,
    isOrdered: true,
    keys: (asked, after, limit) =>
      orderedKeys(
        asked,
        search,
        words,
        index,
        after,
        limit,
        isSame(after, search.after) ? sample : undefined,
      ),
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
  const [exists, texts, tasks, place] = facts as [boolean, number, number, string | null];
  // Without a right to the extension's schema nobody can ask it; its index serves all the same.
  if (!exists || place === null) return { exists, knowsLetters: false, texts, tasks };
  const sample = `SELECT cardinality(${quoted(place)}.show_trgm('한국어')) > 0`;
  const [row] = await session.query(onceOnly("trigramSample", sample));
  return { exists, knowsLetters: row![0], texts, tasks };
}

function wordsOf(where: Condition): string[] {
  if (where.kind === "and") return where.parts.flatMap(wordsOf);
  return where.kind === "text" ? [where.text] : [];
}

function isIndexed(word: string, { knowsLetters }: TextIndex): boolean {
  return (knowsLetters ? /[\p{L}\p{Nd}]{3}/u : /[a-z0-9]{3}/i).test(word);
}

function patternOf(text: string): string {
  return `%${plainText(text)!.replace(/[\\%_]/g, "\\$&")}%`;
}

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  return a?.value === b?.value && a?.id === b?.id;
}

interface Walked {
  found: Place[];
  looked: number;
  /** The last one looked at; undefined when there are no more. */
  next: Place | undefined;
}

async function orderedKeys(
  session: Session,
  search: StoreSearch,
  words: readonly string[],
  index: TextIndex,
  after: Place | undefined,
  limit: number,
  sample: Walked | undefined,
): Promise<Place[]> {
  let walked = sample ?? (await walk(session, search, words, after, firstChunk));
  const found = walked.found;
  let { looked } = walked;
  for (let chunk = firstChunk; found.length < limit && walked.next; ) {
    // None were met: then they are few, or far away.
    const share = found.length / looked;
    const isWalkCheaper = share > 0 && (limit - found.length) / share < share * index.texts * indexedCost;
    if (!isWalkCheaper) {
      found.push(...(await byIndex(session, search, words, walked.next, limit - found.length)));
      break;
    }
    chunk = Math.min(chunkMax, chunk * 2);
    walked = await walk(session, search, words, walked.next, chunk);
    looked += walked.looked;
    found.push(...walked.found);
  }
  return found.slice(0, limit);
}

class Text {
  readonly values: unknown[] = [];
  readonly add = (value: unknown): string => `$${this.values.push(value)}`;
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}

function likeAll(text: Text, words: readonly string[]): string {
  return words.map((word) => `body LIKE ${text.add(patternOf(word))}::text`).join(" AND ");
}

async function walk(
  session: Session,
  search: StoreSearch,
  words: readonly string[],
  after: Place | undefined,
  chunk: number,
): Promise<Walked> {
  const text = new Text();
  const bounds = ["true", ...createdBounds(text.add, search, after)];
  const rows = await session.query(
    onceOnly(
      "walkTexts",
      `WITH looked AS MATERIALIZED (
        SELECT created_at, task_id, ${likeAll(text, words)} AS fits, row_number() OVER () AS place FROM (
          SELECT * FROM :schema.texts WHERE ${bounds.join(" AND ")}
          ORDER BY ${orderOf(search)} LIMIT ${text.add(chunk)}::integer) AS chunk),
      latest AS (SELECT max(place) AS place FROM looked)
      SELECT created_at, task_id, fits, place FROM looked WHERE fits OR place = (SELECT place FROM latest) ORDER BY place`,
    ),
    text.values,
  );
  const last = rows.at(-1);
  const looked = last?.[3] ?? 0;
  const found = rows.filter(([, , fits]) => fits).map(([value, id]): Place => ({ value, id }));
  return { found, looked, next: looked < chunk ? undefined : { value: last![0], id: last![1] } };
}

/** All texts beyond a place that the index knows, put in order. */
async function byIndex(
  session: Session,
  search: StoreSearch,
  words: readonly string[],
  after: Place,
  limit: number,
): Promise<Place[]> {
  const text = new Text();
  const conditions = [likeAll(text, words), ...createdBounds(text.add, search, after, "(created_at + 0)")];
  const rows = await withBitmaps(session, () =>
    session.query(
      onceOnly(
        "findTexts",
        `WITH found AS MATERIALIZED (
          SELECT created_at, task_id FROM :schema.texts WHERE ${conditions.join(" AND ")})
        SELECT created_at, task_id FROM found ORDER BY ${orderOf(search)} LIMIT ${text.add(limit)}::integer`,
      ),
      text.values,
    ),
  );
  return rows.map(([value, id]): Place => ({ value, id }));
}

async function gather(session: Session, search: StoreSearch, words: readonly string[]): Promise<Place[]> {
  const text = new Text();
  const conditions = [
    likeAll(text, words),
    ...createdBounds(text.add, search, undefined, "(created_at + 0)"),
  ];
  const rows = await withBitmaps(session, () =>
    session.query(
      onceOnly(
        "gatherTexts",
        `SELECT task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${gatheredMax + 1}`,
      ),
      text.values,
    ),
  );
  return rows.map(([id]): Place => ({ value: null, id }));
}

/** Searches run without bitmaps, but an index of trigrams has nothing else to give; inside the search's transaction. */
async function withBitmaps<Value>(session: Session, ask: () => Promise<Value>): Promise<Value> {
  await session.query(setBitmaps, ["on", "off"]);
  const value = await ask();
  await session.query(setBitmaps, ["off", "on"]);
  return value;
}

const setBitmaps = statement(
  "setBitmaps",
  "SELECT set_config('enable_bitmapscan', $1, true), set_config('enable_indexscan', $2, true)",
);

const textIndexFacts = statement(
  "textIndex",
  `SELECT coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = (
      SELECT oid FROM pg_class WHERE relnamespace = own.oid AND relname = 'texts_trigrams')), false),
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'texts'))::bigint,
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'tasks'))::bigint,
    (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
      WHERE extname = 'pg_trgm' AND has_schema_privilege(extnamespace, 'USAGE'))
    FROM pg_namespace AS own WHERE nspname = $1`,
);
