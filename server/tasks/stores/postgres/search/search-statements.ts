/**
 * The SQL of searches: which index serves a stream of keys, and how streams become one page.
 *
 * A stream is one (lane, stored status) pair, which an index has in the order asked for. Few streams are merged by the
 * server (Merge Append), which reads of each no more than it answers. The plan of very many would take longer than the
 * page: then the first keys of each stream are looked at, and only the streams that may have more on the page are read on (foremost.ts).
 * Generated ids are in the order of creation, so where no task has a chosen id, the primary key is the whole list.
 *
 * Every stream says its order and its limit: only then does the planner consider merging. Searches run with sorts and
 * bitmaps made unattractive (planning.ts), since without fresh statistics it takes every stream for a few rows.
 */

import type { Place, StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { boundsOf, isDownwards, isSplit, lateMs, type Stream } from "../../shared/search-bounds.ts";
import { arrayText } from "../arrays.ts";
import { columnsWithin, sizedTasks, taskColumns } from "../rows.ts";
import { type Statement, shape } from "../statement.ts";
import { depthsOf, edge, evenPartsOf, foremostKeys, type Streams, weightOf } from "./foremost.ts";
import { isWhole, wholeKeys } from "./whole-keys.ts";

/** A (lane, stored status) pair that may have tasks. */
export interface Pair {
  lane: number;
  ownIds: boolean;
  status: number;
  /** How many, when it was counted. */
  tasks: number;
}

/** A search that may want only tasks whose start is beyond a place. */
export interface StreamSearch extends StoreSearch {
  startedBeyond?: Place & { isDown: boolean };
}

/** A statement with its values. */
export interface SearchStatement {
  statement: Statement;
  values: unknown[];
}

/** Of so few streams each is read as far as the page may reach. */
const fewStreamsMax = 24;
/** From so many keys on they are merged by the server, if the streams are not too many for its planner. */
const mergedKeysMin = 2_000;
const mergedStreamsMax = 400;

/** The stored status of tasks that were never changed: `updated_at` is `created_at`, and no index by it holds them. */
const fresh = 0;
const running = 2;
/** No task's instants reach these. */
export const instantMin = -1e15;
export const instantMax = 1e15;

const isLate = `tasks.status <> 2 AND tasks.status <> 0 AND tasks.updated_at - tasks.created_at > ${lateMs}`;

export const conditionsOf: Record<Stream, string> = {
  created: "tasks.status <> 2",
  updated: "tasks.status <> 2 AND tasks.status <> 0",
  lateCreated: isLate,
  lateUpdated: isLate,
  ownId: "tasks.status <> 2 AND tasks.own_id",
};
/** What a stream is in the order of. */
export const columnsOf: Record<Stream, string[]> = {
  created: ["tasks.created_at", "tasks.id"],
  updated: ["tasks.updated_at", "tasks.id"],
  lateCreated: ["tasks.created_at", "tasks.id"],
  lateUpdated: ["tasks.updated_at", "tasks.id"],
  ownId: ["tasks.id"],
};
/** About how many of the tasks of its pair a stream has. */
const shareOf: Record<Stream, number> = {
  created: 1,
  updated: 1,
  lateCreated: 0.1,
  lateUpdated: 0.1,
  ownId: 1,
};

/** Which tasks of a page are sent: those that meet a condition, and the last of all. */
export interface Sent {
  condition(text: Text): string;
  most: number;
}

/**
 * The tasks from `offset` on in the order that is asked for: the instant sorted by, then `taskColumns`. Where only some are
 * sent, each begins with its place on the page, from 1.
 * @param share for `columnsWithin` so many bytes in place of `taskColumns`
 */
export function pageStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  offset: number,
  share?: number,
  sent?: Sent,
): SearchStatement {
  const text = new Text();
  const keys = isWhole(search, pairs)
    ? wholeKeys(text, search)
    : streamKeys(text, search, pairs, offset + limit);
  const [columns, inPage] = [keys.order.join(", "), keys.order.map((column) => `page.${column}`)];
  const page = `SELECT ${columns} FROM (${keys.text}) AS keys ORDER BY ${ordered(search, keys.order)}
        LIMIT ${text.add(limit)} OFFSET ${text.add(offset)}`;
  const last = "(SELECT id FROM page ORDER BY place DESC LIMIT 1)";
  const row = share === undefined ? taskColumns : columnsWithin(text.add(share));
  return {
    statement: shape(
      "searchTasks",
      `WITH page AS MATERIALIZED (
        ${sent ? `SELECT row_number() OVER ()::integer AS place, ${columns} FROM (${page}) AS ordered` : page})
      SELECT ${sent ? "page.place, " : ""}${sortColumn(search, "tasks")}, ${row}
      FROM page
        CROSS JOIN LATERAL (SELECT ${share === undefined ? "*" : sizedTasks} FROM :schema.tasks WHERE tasks.id = page.id
          ${sent ? `AND (${sent.condition(text)} OR tasks.id = ${last})` : ""} OFFSET 0) AS tasks
      ORDER BY ${ordered(search, inPage)} ${sent ? `LIMIT ${text.add(sent.most)}` : ""}`,
    ),
    values: text.values,
  };
}

/** A query of the first keys of the pairs in the order that is asked for, `value, id`. Not by id. @param isOneText as of `streamKeys` */
export function keysOf(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  isOneText?: boolean,
): string {
  const order: Keys["order"] = ["value", "id"];
  const { text: keys } = streamKeys(text, search, pairs, limit, isOneText);
  return `SELECT value, id FROM (${keys}) AS keys ORDER BY ${ordered(search, order)} LIMIT ${text.add(limit)}`;
}

// Keys

/** A query of ids, and of values too where the order needs them. */
export interface Keys {
  text: string;
  /** What they are in order of: `value, id`, or `id` alone. */
  order: ("value" | "id")[];
}

/** @param isOneText whether few streams are read as many are: the plan of a larger text takes longer than that */
export function streamKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  isOneText = false,
): Keys {
  const isMixed = search.sortBy === "id" && pairs.some(({ ownIds }) => ownIds);
  if (!isMixed)
    return { text: mergedKeys(text, search, pairs, keysMax, true, isOneText), order: ["value", "id"] };
  // Ids of both kinds: each kind is merged in its own order.
  const { settled, moving } = split(pairs);
  const parts = [false, true].flatMap((own) => {
    const kind = settled.filter(({ ownIds }) => ownIds === own);
    if (kind.length === 0) return [];
    const order = ordered(search, own ? ["id"] : ["value", "id"]);
    const keys = mergedKeys(text, search, kind, keysMax, !own, isOneText);
    return `(SELECT id FROM (${keys}) AS kind ORDER BY ${order} LIMIT ${text.add(keysMax)})`;
  });
  if (moving.length > 0) parts.push(`(${movingKeys(text, search, moving, keysMax, false)})`);
  return { text: parts.join("\n UNION ALL "), order: ["id"] };
}

/** Keys of pairs that are all in one order. */
function mergedKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  withValue: boolean,
  isOneText: boolean,
): string {
  const { settled, moving } = split(pairs);
  const isMerged = keysMax >= mergedKeysMin && settled.length <= mergedStreamsMax;
  const ways = settled.length <= (isOneText ? 0 : fewStreamsMax) ? wholeStreams : foremostStreams;
  const parts = isMerged
    ? settled.flatMap((pair) => streamsOfPair(text, search, pair, keysMax, withValue))
    : ways(text, search, settled, keysMax, withValue);
  if (moving.length > 0) parts.push(movingKeys(text, search, moving, keysMax, withValue));
  if (parts.length === 0) return "SELECT 0::bigint AS value, NULL::text AS id WHERE false";
  return parts.map((part) => `(${part})`).join("\n UNION ALL ");
}

function streamsOfPair(
  text: Text,
  search: StoreSearch,
  pair: Pair,
  keysMax: number,
  withValue: boolean,
): string[] {
  const own = [`tasks.lane = ${text.add(pair.lane)}::integer`, `tasks.status = ${pair.status}`];
  return streamsOf(search, pair).map((stream) => {
    const group = { stream, isFresh: pair.status === fresh };
    return keysWhere(text, search, group, own, text.add(keysMax), withValue);
  });
}

export function wholeStreams(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  withValue: boolean,
): string[] {
  return groupsOf(pairs, (pair) => streamsOf(search, pair)).map((group) => {
    const keys = keysWhere(text, search, group, ownOf("pair"), text.add(keysMax), withValue);
    return `SELECT keys.* FROM ${unnested(text, group)} CROSS JOIN LATERAL (${keys}) AS keys`;
  });
}

/** Of more streams only those are read that have a key on the page, see foremost.ts. */
export function foremostStreams(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  withValue: boolean,
  streamsFor = (pair: Pair) => streamsOf(search, pair),
): string[] {
  const all = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  const even = pairs.length > fewStreamsMax ? evenPartsOf(search) : 1;
  const most = text.add(keysMax);
  const streams = groupsOf(pairs, streamsFor).map((group): Streams => {
    const [lanes, statuses] = [
      `${text.add(group.lanes)}::integer[]`,
      `${text.add(group.statuses)}::smallint[]`,
    ];
    const depths = `${text.add(depthsOf(group.tasks, all, keysMax, even))}::integer[]`;
    return {
      given: `unnest(${lanes}, ${statuses}, ${depths}) AS pair (lane, status, depth)`,
      first: keysWhere(text, search, group, ownOf("pair"), "pair.depth", withValue),
      further: [keysWhere(text, search, group, ownOf("pair"), most, withValue, "pair")],
    };
  });
  return [
    foremostKeys(streams, withValue ? ["value", "id"] : ["id"], isDownwards(search) ? "DESC" : "ASC", most),
  ];
}

export function ownOf(pair: string): string[] {
  return [`tasks.lane = ${pair}.lane`, `tasks.status = ${pair}.status`];
}

function keysWhere(
  text: Text,
  search: StoreSearch,
  group: Pick<Group, "stream" | "isFresh">,
  own: readonly string[],
  most: string,
  withValue: boolean,
  behind?: string,
): string {
  const [instant] = columnsOf[group.stream];
  const order = ordered(search, columnsOf[group.stream]);
  const conditions = [...own, ...between(text, search, group, behind)];
  return `SELECT ${withValue ? `${instant} AS value, ` : ""}tasks.id FROM :schema.tasks
    WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT ${most}`;
}

/** RUNNING tasks, as many as there are slots, are all read (`OFFSET 0` says so to the planner) and sorted. */
function movingKeys(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  withValue: boolean,
): string {
  const columns = withValue ? ["value", "id"] : ["id"];
  const conditions = movingConditions(text, search, pairs).join(" AND ");
  return `SELECT ${columns.join(", ")} FROM (SELECT ${sortColumn(search, "tasks")} AS value, tasks.id
      FROM :schema.tasks WHERE ${conditions} OFFSET 0) AS moving
    ORDER BY ${ordered(search, columns)} LIMIT ${text.add(keysMax)}`;
}

/** As in `between`, the same text for all. */
export function movingConditions(text: Text, search: StoreSearch, pairs: readonly Pair[]): string[] {
  // They have ids of both kinds, and no index by their instants.
  const { created, updated, place, id } = boundsOf(search, "ownId", false);
  const [beyond, nearest] = isDownwards(search) ? ["<", instantMax] : [">", instantMin];
  const at = (value: number) => `${text.add(value)}::bigint`;
  return [
    "tasks.status = 2",
    `tasks.lane = ANY(${text.add(pairs.map(({ lane }) => lane))}::integer[])`,
    ...Object.entries({ created, updated }).flatMap(([instant, { from, to }]) => [
      `tasks.${instant}_at >= ${at(from ?? instantMin)}`,
      `tasks.${instant}_at < ${at(to ?? instantMax)}`,
    ]),
    `(${sortColumn(search, "tasks")}, tasks.id) ${beyond} (${at(place?.value ?? nearest)}, ${text.add(place?.id ?? "")}::text)`,
    ...(id === undefined ? [] : [`tasks.id ${beyond} ${text.add(id)}::text`]),
  ];
}

// Parts of statements

export function split(pairs: readonly Pair[]): { settled: Pair[]; moving: Pair[] } {
  const parts: ReturnType<typeof split> = { settled: [], moving: [] };
  for (const pair of pairs) (pair.status === running ? parts.moving : parts.settled).push(pair);
  return parts;
}

export function ordered(search: StoreSearch, columns: readonly string[]): string {
  const direction = isDownwards(search) ? "DESC" : "ASC";
  return columns.map((column) => `${column} ${direction}`).join(", ");
}

export function sortColumn({ sortBy }: StoreSearch, table: string): string {
  return `${table}.${sortBy === "updatedAt" ? "updated_at" : "created_at"}`;
}

export function streamsOf(search: StoreSearch, { status, ownIds }: Pair): Stream[] {
  if (search.sortBy === "id" && ownIds) return ["ownId"];
  if (status === fresh) return ["created"];
  if (search.sortBy === "updatedAt") return isSplit(search) ? ["updated", "lateUpdated"] : ["updated"];
  return isSplit(search) ? ["created", "lateCreated"] : ["created"];
}

/** Pairs that the same index serves; always in one order, so that the same groups make the same text. */
interface Group {
  stream: Stream;
  isFresh: boolean;
  lanes: number[];
  statuses: number[];
  tasks: number[];
}

/** @param streamsFor the same for all pairs of one status and one kind of ids */
export function groupsOf(pairs: readonly Pair[], streamsFor: (pair: Pair) => Stream[]): Group[] {
  const groups = new Map<string, Group>();
  const ofKinds: Group[][] = [];
  for (const pair of pairs) {
    const kind = 2 * pair.status + Number(pair.ownIds);
    ofKinds[kind] ??= streamsFor(pair).map((stream) => groupOf(groups, stream, pair.status === fresh));
    for (const { stream, lanes, statuses, tasks } of ofKinds[kind]) {
      lanes.push(pair.lane);
      statuses.push(pair.status);
      tasks.push(weightOf(pair) * shareOf[stream]);
    }
  }
  return [...groups.entries()].sort(([a], [b]) => compareText(a, b)).map(([, group]) => group);
}

function groupOf(groups: Map<string, Group>, stream: Stream, isFresh: boolean): Group {
  const group = groups.get(`${stream} ${isFresh}`) ?? { stream, isFresh, lanes: [], statuses: [], tasks: [] };
  groups.set(`${stream} ${isFresh}`, group);
  return group;
}

export function unnested(text: Text, { lanes, statuses }: Pick<Group, "lanes" | "statuses">): string {
  return `unnest(${text.add(lanes)}::integer[], ${text.add(statuses)}::smallint[]) AS pair (lane, status)`;
}

/** What a task of the stream must meet to be found, beside being in its pair. */
export function wanted(
  text: Text,
  search: StreamSearch,
  { stream, isFresh }: Pick<Group, "stream" | "isFresh">,
): string[] {
  return [
    conditionsOf[stream],
    ...boundConditions(text, search, stream, isFresh),
    ...startedConditions(text, search),
  ];
}

function startedConditions(text: Text, { startedBeyond: place }: StreamSearch): string[] {
  if (!place) return [];
  const values = `(${text.add(place.value)}::bigint, ${text.add(place.id)}::text)`;
  return [`(tasks.started_at, tasks.id) ${place.isDown ? "<" : ">"} ${values}`];
}

/**
 * The same as `wanted` for a stream that is walked: both ends are always there, and the place to go on from is one of
 * them, so that searches with and without ranges and places are one text. No task has the id "".
 * @param behind what has the last key that was read, as SQL; the walk is from there to the edge
 */
function between(
  text: Text,
  search: StreamSearch,
  { stream, isFresh }: Pick<Group, "stream" | "isFresh">,
  behind?: string,
): string[] {
  if (stream === "ownId") {
    const further = behind ? [`tasks.id ${isDownwards(search) ? "<" : ">"} ${behind}.id`] : [];
    return [...wanted(text, search, { stream, isFresh }), ...further];
  }
  const { created, updated, place, id } = boundsOf(search, stream, isFresh);
  const isByUpdate = stream === "updated" || stream === "lateUpdated";
  const [walked, other] = isByUpdate ? [updated, created] : [created, updated];
  const isDown = isDownwards(search);
  // A walk has one bound on each side, so the nearer one is found out before.
  const end = (operator: "<" | ">", value: number, id = "") => {
    const columns = `(${columnsOf[stream].join(", ")})`;
    const isFar = (operator === ">") === isDown;
    if (behind && !isFar) return `${columns} ${operator} (${behind}.value, ${behind}.id)`;
    const [at, own] = [`${text.add(value)}::bigint`, `${text.add(id)}::text`];
    if (!behind) return `${columns} ${operator} (${at}, ${own})`;
    const nearer = operator === ">" ? `greatest(${at}, ${edge.value})` : `least(${at}, ${edge.value} + 1)`;
    return `${columns} ${operator} (${nearer}, CASE WHEN ${nearer} = ${at} THEN ${own} ELSE '' END)`;
  };
  const conditions = [
    conditionsOf[stream],
    place && !isDown ? end(">", place.value, place.id) : end(">", walked.from ?? instantMin),
    place && isDown ? end("<", place.value, place.id) : end("<", walked.to ?? instantMax),
  ];
  if (!isFresh) {
    const column = isByUpdate ? "tasks.created_at" : "tasks.updated_at";
    conditions.push(`${column} >= ${text.add(other.from ?? instantMin)}::bigint`);
    conditions.push(`${column} < ${text.add(other.to ?? instantMax)}::bigint`);
  }
  if (id !== undefined) conditions.push(`tasks.id ${isDown ? "<" : ">"} ${text.add(id)}::text`);
  return [...conditions, ...startedConditions(text, search)];
}

/** Conditions on the instants and on the place to go on from. */
function boundConditions(text: Text, search: StoreSearch, stream: Stream, isFresh: boolean): string[] {
  const { created, updated, place, id } = boundsOf(search, stream, isFresh);
  const beyond = isDownwards(search) ? "<" : ">";
  const conditions: string[] = [];
  const add = (column: string, operator: string, value: number | undefined) => {
    if (value !== undefined) conditions.push(`${column} ${operator} ${text.add(value)}::bigint`);
  };
  add("tasks.created_at", ">=", created.from);
  add("tasks.created_at", "<", created.to);
  add("tasks.updated_at", ">=", updated.from);
  add("tasks.updated_at", "<", updated.to);
  if (id !== undefined) conditions.push(`tasks.id ${beyond} ${text.add(id)}::text`);
  if (place) {
    const column = isFresh ? "tasks.created_at" : sortColumn(search, "tasks");
    const values = `(${text.add(place.value)}::bigint, ${text.add(place.id)}::text)`;
    conditions.push(`(${column}, tasks.id) ${beyond} ${values}`);
  }
  return conditions;
}

/** Values of a statement that is put together, by their number; arrays as the server reads them. */
export class Text {
  readonly values: unknown[] = [];

  /** `$n` of the value. */
  readonly add = (value: unknown): string =>
    `$${this.values.push(Array.isArray(value) ? arrayText(value) : value)}`;
}
