/**
 * Candidates of a search by their text. There are three ways to them, and which one is cheaper is judged by how often the
 * text was met so far and how many tasks pass the plain filters:
 *
 * - the texts one after another, in the order of creation: a frequent word soon fills the page there;
 * - the tasks that pass the filters, in their order, each with its text: when few pass;
 * - the indexes of trigrams, one for each status, which give all texts that have a rare word, and those are put in order.
 *
 * The index helps where every word has three letters or digits in a row; on a database whose LC_CTYPE is C, of ASCII.
 */
import type { Condition } from "../../core/condition.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import { createdBounds } from "./created-bounds.ts";
import type { ResultRow, Session } from "./database.ts";
import { type Candidates, gatheredMax, type KeySource } from "./key-source.ts";
import { keysOf, type Pair, Text } from "./search-statements.ts";
import { literal, onceOnly, quoted, shape, statement } from "./statement.ts";
import { type Asked, askedOf, textIndexes } from "./text-indexes.ts";
import { likeAll, likeRarest, patternOf, type Rarest, rarest, type Spread, spreadOf } from "./text-rarity.ts";

/** Texts that are read before the ways are compared; later chunks are as many as take about `chunkMs`. */
const firstChunk = 1_000;
const chunkMin = 500;
const chunkMax = 20_000;
const chunkMs = 50;
/** Costs, where a text that is read in order costs 1: the look at its task, a text looked up for a task, one that the index gives. */
const taskCost = 2;
const lookedUpCost = 3;
const indexedCost = 4;
/** Of more texts the index is not asked, since its answer comes at once or not at all; nor where its trigrams are in so many. */
const indexedMax = 5_000;
const trigramsIndexedMax = 1_500_000;
/** To pass over an entry of the index. */
const entryCost = 0.1;

/** So many are thought to be there where the server never counted. */
const textsUnknown = 1_000_000;
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

/** How many tasks pass the plain filters of a search, and of which pairs they are. */
export interface Passing {
  pairs: readonly Pair[];
  /** About; ranges of time are not thought of. */
  tasks: number;
}

/** The source of the texts that the parts of `where` ask for that must hold. */
export async function textSource(
  session: Session,
  search: StoreSearch,
  index: TextIndex,
  passing: () => Promise<Passing>,
): Promise<KeySource | undefined> {
  const words = search.where ? wordsOf(search.where) : [];
  const isFound = index.exists && words.some((word) => isIndexed(word, index));
  if (words.length === 0 || (!isFound && index.texts === 0)) return undefined;
  const named = { name: "full text", index: "texts" } as const;
  if (search.sortBy !== "createdAt") {
    if (!isFound) return undefined;
    const asked = askedOf(search, (search.types ?? search.queues) && (await passing()).pairs);
    const gathered = await gather(session, search, asked, words, await rarest(session, asked, words, index));
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

interface Walked {
  /** Those that have the words and pass the filters. */
  found: Place[];
  looked: number;
  /** How many have the words. */
  met: number;
  /** The last one looked at; undefined when there are no more. */
  next: Place | undefined;
}

type Way = "texts" | "tasks" | "index";

class TextReader {
  readonly #search: StoreSearch;
  readonly #words: readonly string[];
  readonly #index: TextIndex;
  readonly #filter: Passing | undefined;
  readonly #asked: Asked;
  /** Which share of all tasks passes the filters. */
  readonly #passes: number;
  /** The foremost texts of all. */
  #sample: Walked = { found: [], looked: 0, met: 0, next: undefined };
  /** How many of the tasks that pass the filters were looked at so far, and how many of them have the words. */
  readonly #tested = { looked: 0, met: 0 };
  #chunk = firstChunk;
  /** Looked at before the index is asked. */
  #spread: Spread | undefined;
  #rarest: Rarest | undefined;
  /** The index has more of them than what was looked at told. */
  #isTooFrequent = false;

  constructor(search: StoreSearch, words: readonly string[], index: TextIndex, filter: Passing | undefined) {
    this.#search = search;
    this.#words = words;
    this.#index = index;
    this.#filter = filter;
    this.#asked = askedOf(search, filter?.pairs);
    this.#passes = filter ? Math.min(1, filter.tasks / Math.max(1, index.tasks)) : 1;
  }

  /** About how many texts have the words. */
  async sample(session: Session): Promise<number> {
    const { after } = this.#search;
    this.#sample = await this.#read(session, "texts", after, firstChunk);
    const { met, looked, next } = this.#sample;
    return next ? Math.ceil((met / looked) * this.#index.texts) : met;
  }

  /** Tasks that have the words and pass the filters, in order, as far as was read at once. */
  async keys(session: Session, after: Place | undefined, limit: number): Promise<Candidates> {
    if (isSame(after, this.#search.after) && this.#sample.looked > 0) {
      const { found: places, next } = this.#sample;
      if (places.length > 0 || !next) return atMost(limit, places, next);
      return this.#further(session, next, limit);
    }
    return this.#further(session, after, limit);
  }

  async #further(session: Session, after: Place | undefined, limit: number): Promise<Candidates> {
    const wanted = this.#search.offset + this.#search.limit;
    let way = this.#cheapest(wanted);
    if (way === "index" && !this.#rarest) {
      this.#spread = await spreadOf(session, this.#asked, this.#words);
      this.#rarest = await rarest(session, this.#asked, this.#words, this.#index);
      way = this.#cheapest(wanted);
    }
    if (way === "index") {
      const fits = likeRarest(this.#asked, this.#words, this.#rarest!);
      const places = await byIndex(session, this.#search, fits, after, limit, this.#filter);
      if (places) return { places, next: places.length < limit ? undefined : places.at(-1) };
      this.#isTooFrequent = true;
      return this.#further(session, after, limit);
    }
    const startedAt = performance.now();
    const { found: places, looked, met, next } = await this.#read(session, way, after, this.#chunk);
    const keyMs = (performance.now() - startedAt) / Math.max(1, looked);
    this.#chunk = Math.round(Math.min(chunkMax, Math.max(chunkMin, chunkMs / keyMs)));
    if (way === "tasks") {
      this.#tested.looked += looked;
      this.#tested.met += met;
    }
    return atMost(limit, places, next);
  }

  #read(session: Session, way: "texts" | "tasks", after: Place | undefined, chunk: number): Promise<Walked> {
    return way === "texts"
      ? walkTexts(session, this.#search, this.#words, after, chunk, this.#filter)
      : walkTasks(session, this.#search, this.#words, after, chunk, this.#filter!);
  }

  /** By what is known so far, for so many more. */
  #cheapest(wanted: number): Way {
    const { looked: looks, met: hits, metHere } = this.#spread ?? { looked: 0, met: 0, metHere: 0 };
    const share = (this.#sample.met + hits) / Math.max(1, this.#sample.looked + looks);
    const texts = this.#index.texts || textsUnknown;
    const byTexts = (wanted / (share * this.#passes)) * (1 + taskCost * share);
    const costs: [Way, number][] = [["texts", Math.min(texts, byTexts)]];
    // Of the statuses and lanes asked for, which the index tells apart; until that is known, of what passes the filters.
    const { statuses, lanes } = this.#asked;
    const here = statuses || lanes ? this.#sample.found.length + metHere : this.#sample.met + hits;
    const found = (here / Math.max(1, this.#sample.looked + looks)) * texts;
    const entries = (this.#rarest?.share ?? 0) * texts;
    if (this.#index.exists && !this.#isTooFrequent && found <= indexedMax && entries <= trigramsIndexedMax)
      costs.push(["index", found * indexedCost + entries * entryCost]);
    if (this.#filter) {
      // Among those that pass, the words may be rarer or more frequent than among all.
      const { looked: tested, met: metThere } = this.#tested;
      const shareThere = tested >= firstChunk ? Math.max(metThere, 0.5) / tested : share;
      costs.push(["tasks", Math.min(this.#filter.tasks, wanted / shareThere) * lookedUpCost]);
    }
    return costs.sort(([, a], [, b]) => a - b)[0]![0];
  }
}

/** A frequent word is met more often in what was read than a page has places. */
function atMost(limit: number, places: readonly Place[], next: Place | undefined): Candidates {
  if (places.length <= limit) return { places: [...places], next };
  const first = places.slice(0, limit);
  return { places: first, next: first.at(-1) };
}

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  return a?.value === b?.value && a?.id === b?.id;
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}

/** Reads texts in order. */
async function walkTexts(
  session: Session,
  search: StoreSearch,
  words: readonly string[],
  after: Place | undefined,
  chunk: number,
  filter: Passing | undefined,
): Promise<Walked> {
  const text = new Text();
  const bounds = ["true", ...createdBounds(text.add, search, after)];
  const passes = filter ? `CASE WHEN met THEN ${passing(text, "looked.task_id", filter)} END` : "met";
  const rows = await session.query(
    shape(
      "walkTexts",
      `WITH looked AS MATERIALIZED (
        SELECT created_at, task_id, ${likeAll(text, words)} AS met, row_number() OVER () AS place FROM (
          SELECT * FROM :schema.texts WHERE ${bounds.join(" AND ")}
          ORDER BY ${orderOf(search)} LIMIT ${text.add(chunk)}::integer) AS chunk),
      latest AS (SELECT max(place) AS place FROM looked)
      SELECT created_at, task_id, met, place, ${passes} AS fits FROM looked
      WHERE met OR place = (SELECT place FROM latest) ORDER BY place`,
    ),
    text.values,
  );
  return walkedOver(rows, chunk);
}

/** Reads tasks that pass the filters in their order, and looks up the text of each. */
async function walkTasks(
  session: Session,
  search: StoreSearch,
  words: readonly string[],
  after: Place | undefined,
  chunk: number,
  { pairs }: Passing,
): Promise<Walked> {
  const { where: _where, ...plain } = search;
  const text = new Text();
  const keys = keysOf(
    text,
    { ...plain, ...(after && { after: { ...after, backwards: search.after?.backwards ?? false } }) },
    pairs,
    chunk,
  );
  const rows = await session.query(
    shape(
      "walkTasks",
      `WITH page AS MATERIALIZED (${keys}),
      looked AS MATERIALIZED (
        SELECT value, id, coalesce((SELECT ${likeAll(text, words)} FROM :schema.texts WHERE texts.task_id = page.id), false)
          AS met, row_number() OVER () AS place FROM page),
      latest AS (SELECT max(place) AS place FROM looked)
      SELECT value, id, met, place, met FROM looked WHERE met OR place = (SELECT place FROM latest) ORDER BY place`,
    ),
    text.values,
  );
  return walkedOver(rows, chunk);
}

function walkedOver(rows: readonly ResultRow[], chunk: number): Walked {
  const last = rows.at(-1);
  const looked = last?.[3] ?? 0;
  return {
    found: rows.filter(([, , , , fits]) => fits).map(([value, id]): Place => ({ value, id })),
    looked,
    met: rows.filter(([, , met]) => met).length,
    next: looked < chunk ? undefined : { value: last![0], id: last![1] },
  };
}

/** All texts beyond a place that the index knows, put in order; undefined when they are too many. */
async function byIndex(
  session: Session,
  search: StoreSearch,
  fits: (text: Text) => string,
  after: Place | undefined,
  limit: number,
  filter: Passing | undefined,
): Promise<Place[] | undefined> {
  const text = new Text();
  const conditions = [fits(text), ...createdBounds(text.add, search, after, "(created_at + 0)")];
  const passes = filter ? `WHERE ${passing(text, "found.task_id", filter)}` : "";
  const rows = await withBitmaps(session, () =>
    session.query(
      onceOnly(
        "findTexts",
        `WITH found AS MATERIALIZED (
          SELECT created_at, task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${indexedMax + 1})
        SELECT count(*)::bigint, NULL FROM found UNION ALL (
          SELECT created_at, task_id FROM found ${passes} ORDER BY ${orderOf(search)} LIMIT ${text.add(limit)}::integer)`,
      ),
      text.values,
    ),
  );
  const [[count], ...places] = rows as [[number], ...[number, string][]];
  return count > indexedMax ? undefined : places.map(([value, id]): Place => ({ value, id }));
}

/** Whether the task with that id is of one of the pairs. */
function passing(text: Text, id: string, { pairs }: Passing): string {
  const lanes = text.add([...new Set(pairs.map(({ lane }) => lane))]);
  const statuses = text.add([...new Set(pairs.map(({ status }) => status))]);
  return `coalesce((SELECT tasks.lane = ANY(${lanes}::integer[]) AND tasks.status = ANY(${statuses}::smallint[])
    FROM :schema.tasks WHERE tasks.id = ${id}), false)`;
}

async function gather(
  session: Session,
  search: StoreSearch,
  asked: Asked,
  words: readonly string[],
  rares: Rarest,
): Promise<Place[]> {
  const text = new Text();
  const conditions = [
    likeRarest(asked, words, rares)(text),
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
  `SELECT (SELECT count(*) = ${textIndexes.length} FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE relnamespace = own.oid AND relname = ANY(ARRAY[${textIndexes.map(literal).join(", ")}]) AND indisvalid),
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'texts'))::bigint,
    greatest(0, (SELECT reltuples FROM pg_class WHERE relnamespace = own.oid AND relname = 'tasks'))::bigint,
    (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
      WHERE extname = 'pg_trgm' AND has_schema_privilege(extnamespace, 'USAGE'))
    FROM pg_namespace AS own WHERE nspname = $1`,
);
