/** The ways to the texts that have all of some words: through the texts, through tasks, and through the indexes of trigrams. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { ResultRow, Session } from "../connections/database.ts";
import { withBitmaps } from "../connections/planning.ts";
import { type Along, areNoted, type Candidate, noting, withRows } from "../search/along.ts";
import { createdBounds, createdRange } from "../search/created-bounds.ts";
import { type Candidates, gatheredMax } from "../search/key-source.ts";
import { type MayMeet, maybeHas } from "../search/may-meet.ts";
import { keysOf, type Pair, Text } from "../search/search-statements.ts";
import { shape, statement } from "../statement.ts";
import { type Asked, isOfAsked } from "./text-indexes.ts";
import { likeAll, type Word } from "./text-rarity.ts";

/** Of a chunk up to so long it is counted how many were read. */
const countedMax = 1_000;

/** How many tasks pass the plain filters of a search, and of which pairs they are. */
export interface Passing {
  pairs: readonly Pair[];
  /** About; ranges of time are not thought of. */
  tasks: number;
}

/** What a task is to be, besides its text, as its row tells: undefined where that says nothing. */
export interface Row {
  filter: Passing | undefined;
  maybe: MayMeet | undefined;
}

export interface Walked {
  /** Those that have the words and pass the filters. */
  found: Candidate[];
  /** Undefined where a long chunk ended with the last one that was wanted. */
  looked: number | undefined;
  /** How many have the words. */
  met: number;
  /** The last one looked at; undefined when there are no more. */
  next: Place | undefined;
}

/** Of all that was walked one way. */
export interface Seen {
  looked: number;
  met: number;
  /** Those of them that pass the filters, too. */
  fitted: number;
  /** What one took, the last time. */
  keyMs: number;
}

/** Of both. */
export function unseen(keyMs: number): { texts: Seen; tasks: Seen } {
  const none: Seen = { looked: 0, met: 0, fitted: 0, keyMs };
  return { texts: { ...none }, tasks: { ...none } };
}

/**
 * Reads texts in order, until so many fit, and no further; what a text tells of its task's lane and status is asked before the task is.
 * Of what it passes over nothing is kept or numbered: that took five times as long as to read it, and it may be a long burst of
 * other tasks. Where less fits, it is asked by itself, by the index alone, where the chunk ends: that takes as long once more, where texts are fresh. So it is not
 * asked either how many of a longer chunk were read where enough fit: the search most often ends there.
 */
export async function walkTexts(
  session: Session,
  search: StoreSearch,
  words: readonly Word[],
  after: Place | undefined,
  { chunk, most }: { chunk: number; most: number },
  { asked, row, along }: { asked: Asked; row: Row; along?: Along | undefined },
): Promise<Walked> {
  const text = new Text();
  const within = ["true", ...createdBounds(text.add, search, after)].join(" AND ");
  const passes = passing(text, "met.task_id", row);
  const inOrder = `ORDER BY ${orderOf(search)}`;
  const size = `${text.add(chunk)}::integer`;
  const full = `${text.add(most)}::integer`;
  const isFull = `(SELECT count(*) FROM fitting) = ${full}`;
  const readUpTo = () => upTo(text, search, after, "(SELECT created_at, task_id FROM final)");
  const looked =
    chunk <= countedMax ? `(SELECT count(*) FROM :schema.texts WHERE ${readUpTo()})` : "NULL::bigint";
  // A CTE is read as far as is asked for, in its order; to sort it, or to count it, would read all of it.
  const walk = shape(
    "walkTexts",
    `WITH met AS MATERIALIZED (
        SELECT created_at, task_id, ${isOfAsked(text, asked)} AS may_fit, row_number() OVER () AS place
        FROM (SELECT * FROM :schema.texts WHERE ${within} ${inOrder} LIMIT ${size}) AS chunk WHERE ${likeAll(text, words)}),
      fitting AS MATERIALIZED (
        SELECT created_at, task_id, place FROM (SELECT * FROM met WHERE may_fit OFFSET 0) AS met
        WHERE ${passes} LIMIT ${full}),
      final AS MATERIALIZED (SELECT created_at, task_id FROM fitting ORDER BY place DESC LIMIT 1)${along ? `, ${noting("fitting")}` : ""}
      SELECT latest.created_at, latest.task_id, CASE WHEN NOT ${isFull} THEN (SELECT count(*) FROM met) END,
        CASE WHEN ${isFull} THEN ${looked} END
      FROM (VALUES (1)) AS one LEFT JOIN (
        SELECT created_at, task_id FROM :schema.texts WHERE ${within} AND NOT ${isFull}
        ${inOrder} OFFSET ${size} - 1 LIMIT 1) AS latest ON true${along ? ` WHERE ${areNoted}` : ""}
      UNION ALL (SELECT created_at, task_id, place, NULL FROM fitting ORDER BY place)`,
  );
  const read = async () => walkedIn(await session.query(walk, text.values), chunk);
  return withRows(along, read, ({ found }) => found);
}

function walkedIn(rows: readonly ResultRow[], chunk: number): Walked {
  const [[endAt, endId, met, looked], ...fitting] = rows as [
    [at: number | null, id: string | null, met: number | null, looked: number | null],
    ...[at: number, id: string, place: number, looked: null][],
  ];
  const found = fitting.map(([value, id]): Place => ({ value, id }));
  if (met === null)
    return { found, looked: looked ?? undefined, met: fitting.at(-1)![2], next: found.at(-1) };
  return { found, looked: chunk, met, next: endAt === null ? undefined : { value: endAt, id: endId! } };
}

/** Of the texts from where the search begins, or from `after`, those that lie no further than a place; with no other bound there, since a walk stops at one. */
function upTo(text: Text, search: StoreSearch, after: Place | undefined, place: string): string {
  const { created: _created, updated: _updated, ...all } = search;
  const isDown = isDownwards(search);
  const { start, end } = createdRange(search);
  const from = isDown ? end : start;
  const begun = from !== undefined && { created: isDown ? { end: from } : { start: from } };
  const bounds = createdBounds(text.add, { ...all, ...begun }, after);
  return [...bounds, `(created_at, task_id) ${isDown ? ">=" : "<="} ${place}`].join(" AND ");
}

/** A frequent word is met more often in what was read than a page has places. */
export function atMost(limit: number, places: readonly Place[], next: Place | undefined): Candidates {
  if (places.length <= limit) return { places: [...places], next };
  const first = places.slice(0, limit);
  return { places: first, next: first.at(-1) };
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
      SELECT value, id, met, place FROM looked WHERE met OR place = (SELECT place FROM latest) ORDER BY place`,
    ),
    text.values,
  );
  const last = rows.at(-1);
  const looked = last?.[3] ?? 0;
  const found = rows.filter(([, , met]) => met).map(([value, id]): Place => ({ value, id }));
  return {
    ...{ found, looked, met: found.length },
    next: looked < chunk ? undefined : { value: last![0], id: last![1] },
  };
}

/** What the index gave. */
export interface ByIndex {
  places: Candidate[];
  /** How many it knows there; there are more where it gave too many, and no places then. */
  count: number;
  /** Where it gave too many, some of them: the foremost of these is not the first, but where they are no fewer. */
  crowdedAt: number | undefined;
}

/** The first texts beyond a place that the index knows. */
export async function byIndex(
  session: Session,
  search: StoreSearch,
  fits: (text: Text) => string,
  after: Place | undefined,
  { limit, most }: { limit: number; most: number },
  row: Row,
  along?: Along,
): Promise<ByIndex> {
  const text = new Text();
  const conditions = [fits(text), ...createdBounds(text.add, search, after, "(created_at + 0)")];
  const passes = passing(text, "found.task_id", row);
  const find = shape(
    "findTexts",
    `WITH found AS MATERIALIZED (
        SELECT created_at, task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${text.add(most + 1)}::integer),
      fitting AS MATERIALIZED (
        SELECT created_at, task_id FROM (SELECT * FROM found ORDER BY ${orderOf(search)} OFFSET 0) AS found
        WHERE ${passes} ORDER BY ${orderOf(search)} LIMIT ${text.add(limit)}::integer)${along ? `, ${noting("fitting")}` : ""}
      SELECT count(*)::bigint, ${isDownwards(search) ? "max" : "min"}(created_at)::text FROM found ${along ? `WHERE ${areNoted}` : ""}
      UNION ALL (SELECT created_at, task_id FROM fitting ORDER BY ${orderOf(search)})`,
  );
  const read = async () => {
    const rows = await session.query(find, text.values, withBitmaps);
    const [[count, at], ...places] = rows as [[number, string | null], ...[number, string][]];
    if (count > most) return { count, places: [], crowdedAt: Number(at) };
    return { count, places: places.map(([value, id]): Candidate => ({ value, id })), crowdedAt: undefined };
  };
  return withRows(along, read, ({ places }) => places);
}

/** When the first task behind the search's range of the creation was created, of those that have texts. */
export async function nextTextAt(session: Session, search: StoreSearch): Promise<number | undefined> {
  const { start, end } = createdRange(search);
  const isDown = isDownwards(search);
  const [first] = await session.query(isDown ? textBefore : textFrom, [isDown ? start : end]);
  return first?.[0];
}

const textBefore = statement(
  "textBefore",
  "SELECT created_at FROM :schema.texts WHERE created_at < $1::bigint ORDER BY created_at DESC, task_id DESC LIMIT 1",
);
const textFrom = statement(
  "textFrom",
  "SELECT created_at FROM :schema.texts WHERE created_at >= $1::bigint ORDER BY created_at, task_id LIMIT 1",
);

/** Whether the task with that id is of one of the pairs, and may meet the conditions. */
function passing(text: Text, id: string, { filter, maybe }: Row): string {
  const conditions = [
    ...(filter ? ofPairs(text, filter.pairs) : []),
    ...(maybe ? [`(${maybeHas(maybe, text)})`] : []),
  ];
  if (conditions.length === 0) return "true";
  return `coalesce((SELECT ${conditions.join(" AND ")} FROM :schema.tasks WHERE tasks.id = ${id}), false)`;
}

function ofPairs(text: Text, pairs: readonly Pair[]): string[] {
  const lanes = text.add([...new Set(pairs.map(({ lane }) => lane))]);
  const statuses = text.add([...new Set(pairs.map(({ status }) => status))]);
  return [`tasks.lane = ANY(${lanes}::integer[])`, `tasks.status = ANY(${statuses}::smallint[])`];
}

/** All that the index knows, in no order; undefined when there are more than can be put in order. */
export async function gather(
  session: Session,
  search: StoreSearch,
  fits: (text: Text) => string,
  maybe?: MayMeet,
): Promise<Place[] | undefined> {
  const text = new Text();
  const conditions = [fits(text), ...createdBounds(text.add, search, undefined, "(created_at + 0)")];
  const passes = passing(text, "found.task_id", { filter: undefined, maybe });
  const rows = await session.query(
    shape(
      "gatherTexts",
      `WITH found AS MATERIALIZED (
        SELECT task_id FROM :schema.texts WHERE ${conditions.join(" AND ")} LIMIT ${gatheredMax + 1})
      SELECT count(*)::text FROM found UNION ALL (
        SELECT task_id FROM found WHERE (SELECT count(*) FROM found) <= ${gatheredMax} AND ${passes})`,
    ),
    text.values,
    withBitmaps,
  );
  const [count, ...ids] = rows.map(([one]) => one as string);
  return Number(count) > gatheredMax ? undefined : ids.map((id): Place => ({ value: null, id }));
}

function orderOf(search: StoreSearch): string {
  return isDownwards(search) ? "created_at DESC, task_id DESC" : "created_at, task_id";
}
