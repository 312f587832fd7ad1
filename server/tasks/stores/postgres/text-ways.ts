/** The ways to the texts that have all of some words: through the texts, through tasks, and through the indexes of trigrams. */
import type { Place, StoreSearch } from "../../core/store.ts";
import { isDownwards } from "../search-bounds.ts";
import { createdBounds } from "./created-bounds.ts";
import type { ResultRow, Session } from "./database.ts";
import { gatheredMax } from "./key-source.ts";
import { withBitmaps } from "./planning.ts";
import { keysOf, type Pair, Text } from "./search-statements.ts";
import { shape } from "./statement.ts";
import type { Asked } from "./text-indexes.ts";
import { likeAll, likeRarest, type Rarest, type Word } from "./text-rarity.ts";

/** Of more texts at once the indexes are not asked, since they come at once or not at all, each from a place of its own. */
const indexedMin = 1_000;
const indexedPerWanted = 4;

/** How many tasks pass the plain filters of a search, and of which pairs they are. */
export interface Passing {
  pairs: readonly Pair[];
  /** About; ranges of time are not thought of. */
  tasks: number;
}

export interface Walked {
  /** Those that have the words and pass the filters. */
  found: Place[];
  looked: number;
  /** How many have the words. */
  met: number;
  /** The last one looked at; undefined when there are no more. */
  next: Place | undefined;
}

/** Reads texts in order. */
export async function walkTexts(
  session: Session,
  search: StoreSearch,
  words: readonly Word[],
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
export async function walkTasks(
  session: Session,
  search: StoreSearch,
  words: readonly Word[],
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
export async function byIndex(
  session: Session,
  search: StoreSearch,
  fits: (text: Text) => string,
  after: Place | undefined,
  limit: number,
  filter: Passing | undefined,
): Promise<Place[] | undefined> {
  const text = new Text();
  const most = Math.max(indexedMin, indexedPerWanted * limit);
  const conditions = [fits(text), ...createdBounds(text.add, search, after, "(created_at + 0)")];
  const passes = filter ? `WHERE ${passing(text, "found.task_id", filter)}` : "";
  const rows = await session.query(
    shape(
      "findTexts",
      `WITH found AS MATERIALIZED (
        SELECT created_at, task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${text.add(most + 1)}::integer)
      SELECT count(*)::bigint, NULL FROM found UNION ALL (
        SELECT created_at, task_id FROM found ${passes} ORDER BY ${orderOf(search)} LIMIT ${text.add(limit)}::integer)`,
    ),
    text.values,
    withBitmaps,
  );
  const [[count], ...places] = rows as [[number], ...[number, string][]];
  return count > most ? undefined : places.map(([value, id]): Place => ({ value, id }));
}

/** Whether the task with that id is of one of the pairs. */
function passing(text: Text, id: string, { pairs }: Passing): string {
  const lanes = text.add([...new Set(pairs.map(({ lane }) => lane))]);
  const statuses = text.add([...new Set(pairs.map(({ status }) => status))]);
  return `coalesce((SELECT tasks.lane = ANY(${lanes}::integer[]) AND tasks.status = ANY(${statuses}::smallint[])
    FROM :schema.tasks WHERE tasks.id = ${id}), false)`;
}

export async function gather(
  session: Session,
  search: StoreSearch,
  asked: Asked,
  words: readonly Word[],
  rares: Rarest,
): Promise<Place[]> {
  const text = new Text();
  const conditions = [
    likeRarest(asked, words, rares)(text),
    ...createdBounds(text.add, search, undefined, "(created_at + 0)"),
  ];
  const rows = await session.query(
    shape(
      "gatherTexts",
      `SELECT task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${gatheredMax + 1}`,
    ),
    text.values,
    withBitmaps,
  );
  return rows.map(([id]): Place => ({ value: null, id }));
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}
