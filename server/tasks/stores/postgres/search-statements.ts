/**
 * The SQL of searches: which index serves a stream of keys, and how streams become one page.
 *
 * A stream is one (lane, stored status) pair, which an index has in the order asked for. Few streams are merged by the
 * server (Merge Append), which reads of each no more than it answers. The plan of very many would take longer than the
 * page: then the first key of each stream is looked at, and only the streams whose first keys are foremost are read.
 * Generated ids are in the order of creation, so where no task has a chosen id, the primary key is the whole list.
 *
 * Every stream says its order and its limit: only then does the planner consider merging. Searches run with sorts and
 * bitmaps made unattractive (`planning`), since without fresh statistics it takes every stream for a few rows.
 */
import { compareText } from "../../core/compare.ts";
import { ulidStart } from "../../core/ids.ts";
import type { Buckets, StoreSearch } from "../../core/store.ts";
import { boundsOf, isDownwards, isSplit, lateMs, type Stream } from "../search-bounds.ts";
import { taskColumns } from "./rows.ts";
import { onceOnly, type Statement } from "./statement.ts";

/** A (lane, stored status) pair that may have tasks. */
export interface Pair {
  lane: number;
  ownIds: boolean;
  status: number;
}

/** A statement with its values. */
export interface SearchStatement {
  statement: Statement;
  values: unknown[];
}

/** What the planner is told in a search's transaction: walk the indexes in their order, one row after another. */
export const planning = ["bitmapscan", "hashjoin", "mergejoin", "seqscan", "sort"]
  .map((method) => `SET LOCAL enable_${method} = off`)
  .concat("SET LOCAL max_parallel_workers_per_gather = 0")
  .join("; ");

/** More streams than this are not merged: a plan of so many takes longer to make than their first keys to read. */
const mergedStreamsMax = 24;
/** The same where a page lies so deep that many keys of each stream would have to be read and sorted. */
const mergedDeepStreamsMax = 400;
const deepKeysMin = 2_000;

/** The stored status of tasks that were never changed: `updated_at` is `created_at`, and no index by it holds them. */
const fresh = 0;
const running = 2;
/** No task's instants reach these. */
const instantMin = -1e15;
const instantMax = 1e15;

const isLate = `tasks.status <> 2 AND tasks.status <> 0 AND tasks.updated_at - tasks.created_at > ${lateMs}`;

const conditionsOf: Record<Stream, string> = {
  created: "tasks.status <> 2",
  updated: "tasks.status <> 2 AND tasks.status <> 0",
  lateCreated: isLate,
  lateUpdated: isLate,
  ownId: "tasks.status <> 2 AND tasks.own_id",
};
const columnsOf: Record<Stream, string[]> = {
  created: ["tasks.created_at", "tasks.id"],
  updated: ["tasks.updated_at", "tasks.id"],
  lateCreated: ["tasks.created_at", "tasks.id"],
  lateUpdated: ["tasks.updated_at", "tasks.id"],
  ownId: ["tasks.id"],
};

/** The tasks from `offset` on in the order that is asked for: the instant sorted by, then `taskColumns`. */
export function pageStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  offset: number,
): SearchStatement {
  const text = new Text();
  const keys = isWhole(search, pairs)
    ? wholeKeys(text, search)
    : streamKeys(text, search, pairs, offset + limit);
  return {
    statement: onceOnly(
      "searchTasks",
      `WITH page AS MATERIALIZED (
        SELECT ${keys.order.join(", ")} FROM (${keys.text}) AS keys ORDER BY ${ordered(search, keys.order)}
        LIMIT ${text.add(limit)} OFFSET ${text.add(offset)})
      SELECT ${sortColumn(search, "tasks")}, ${taskColumns}
      FROM page
        CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = page.id OFFSET 0) AS tasks
      ORDER BY ${ordered(
        search,
        keys.order.map((column) => `page.${column}`),
      )}`,
    ),
    values: text.values,
  };
}

/** How many tasks of the pairs fit; for searches with a range of time. */
export function countStatement(search: StoreSearch, pairs: readonly Pair[]): SearchStatement {
  const { after: _after, ...unplaced } = search;
  const byUpdate = search.updated !== undefined && search.created === undefined;
  const counting: StoreSearch = { ...unplaced, sortBy: byUpdate ? "updatedAt" : "createdAt" };
  const text = new Text();
  const { settled, moving } = split(pairs);
  const parts = groupsOf(settled, (pair) => streamsOf(counting, pair)).map((group) => {
    const own = ["tasks.lane = pair.lane", "tasks.status = pair.status"];
    const conditions = [...own, ...wanted(text, counting, group)];
    return `SELECT coalesce(sum(counted.tasks), 0) AS tasks FROM ${unnested(text, group)}
      CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}) AS counted`;
  });
  if (moving.length > 0) {
    const conditions = movingConditions(text, counting, moving);
    parts.push(`SELECT count(*) AS tasks FROM :schema.tasks WHERE ${conditions.join(" AND ")}`);
  }
  if (parts.length === 0) parts.push("SELECT 0 AS tasks");
  return {
    statement: onceOnly(
      "countTasks",
      `SELECT sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")}) AS counts`,
    ),
    values: text.values,
  };
}

/** How many tasks of each lane and status fit, by stretches of time where they are asked for. */
export function summaryStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  buckets: Buckets | undefined,
): SearchStatement {
  const { after: _after, ...unplaced } = search;
  const counting: StoreSearch = { ...unplaced, sortBy: buckets?.time ?? "createdAt" };
  const text = new Text();
  const { settled, moving } = split(pairs);
  const at = (instant: string) =>
    buckets ? `floor(${instant}::numeric / ${buckets.bucketMs})::bigint * ${buckets.bucketMs}` : "0::bigint";
  const parts = groupsOf(settled, (pair) => streamsOf(counting, pair)).map((group) => {
    const own = ["tasks.lane = pair.lane", "tasks.status = pair.status"];
    const conditions = [...own, ...wanted(text, counting, group)];
    const [instant] = columnsOf[group.stream === "ownId" ? "created" : group.stream];
    return `SELECT pair.lane, pair.status, counted.at, counted.tasks FROM ${unnested(text, group)}
      CROSS JOIN LATERAL (SELECT ${at(instant!)} AS at, count(*) AS tasks FROM :schema.tasks
        WHERE ${conditions.join(" AND ")} GROUP BY 1) AS counted`;
  });
  if (moving.length > 0) {
    const conditions = movingConditions(text, counting, moving);
    parts.push(`SELECT tasks.lane, tasks.status, ${at(sortColumn(counting, "tasks"))} AS at, count(*) AS tasks
      FROM :schema.tasks WHERE ${conditions.join(" AND ")} GROUP BY 1, 2, 3`);
  }
  if (parts.length === 0) parts.push("SELECT 0, 0::smallint, 0::bigint, 0::bigint WHERE false");
  return {
    statement: onceOnly(
      "summarizeTasks",
      `SELECT lane, status, at, sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")})
        AS counts (lane, status, at, tasks) GROUP BY 1, 2, 3`,
    ),
    values: text.values,
  };
}

// Keys

/** A query of ids, and of values too where the order needs them. */
interface Keys {
  text: string;
  /** What they are in order of: `value, id`, or `id` alone. */
  order: ("value" | "id")[];
}

/** Whether the primary key has every task of the search, and no other, in its order. */
function isWhole(search: StoreSearch, pairs: readonly Pair[]): boolean {
  if (search.types || search.queues || search.statuses || search.updated) return false;
  if (search.sortBy === "id" && !search.created) return true;
  return search.sortBy !== "updatedAt" && !pairs.some(({ ownIds }) => ownIds);
}

function wholeKeys(text: Text, search: StoreSearch): Keys {
  const { created, after } = search;
  const conditions: string[] = [];
  const add = (operator: string, id: string | undefined) => {
    if (id !== undefined) conditions.push(`tasks.id ${operator} ${text.add(id)}::text`);
  };
  add(">=", created?.start === undefined ? undefined : ulidStart(created.start));
  add("<", created?.end === undefined ? undefined : ulidStart(created.end));
  if (after) {
    const place = search.sortBy === "id" ? after.id : idAt(after.value ?? 0, after.id);
    add(isDownwards(search) ? "<" : ">", place);
  }
  const where = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  return { text: `SELECT tasks.id FROM :schema.tasks ${where}`, order: ["id"] };
}

/** Where (instant, id) lies among generated ids: what is before it there is less, what is after it is greater. */
function idAt(value: number, id: string): string {
  const first = ulidStart(value);
  if (compareText(id, first) < 0) return first;
  const end = ulidStart(value + 1);
  return compareText(id, end) > 0 ? end : id;
}

function streamKeys(text: Text, search: StoreSearch, pairs: readonly Pair[], keysMax: number): Keys {
  const isMixed = search.sortBy === "id" && pairs.some(({ ownIds }) => ownIds);
  if (!isMixed) return { text: mergedKeys(text, search, pairs, keysMax, true), order: ["value", "id"] };
  // Ids of both kinds: each kind is merged in its own order.
  const { settled, moving } = split(pairs);
  const parts = [false, true].flatMap((own) => {
    const kind = settled.filter(({ ownIds }) => ownIds === own);
    if (kind.length === 0) return [];
    const order = ordered(search, own ? ["id"] : ["value", "id"]);
    const keys = mergedKeys(text, search, kind, keysMax, !own);
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
): string {
  const { settled, moving } = split(pairs);
  const max = keysMax >= deepKeysMin ? mergedDeepStreamsMax : mergedStreamsMax;
  const parts =
    settled.length <= max
      ? settled.flatMap((pair) => streamsOfPair(text, search, pair, keysMax, withValue))
      : foremostStreams(text, search, settled, keysMax, withValue);
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
    return keysWhere(text, search, group, own, keysMax, withValue);
  });
}

/**
 * At most `keysMax` streams can have a key on the page: those whose first keys are foremost. With so many first keys, no
 * key behind the last of them (`edge`) can be on it.
 */
function foremostStreams(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  keysMax: number,
  withValue: boolean,
): string[] {
  const groups = groupsOf(pairs, (pair) => streamsOf(search, pair));
  const own = (pair: string) => [`tasks.lane = ${pair}.lane`, `tasks.status = ${pair}.status`];
  const heads = groups.map((group, place) => {
    const head = keysWhere(text, search, group, own("pair"), 1, withValue);
    return `SELECT ${place} AS part, pair.lane, pair.status, head.* FROM ${unnested(text, group)}
      CROSS JOIN LATERAL (${head}) AS head`;
  });
  const columns = withValue ? ["value", "id"] : ["id"];
  const order = ordered(search, columns);
  const parts = groups.map((group, place) => {
    const conditions = [...own("foremost"), ...(withValue ? [withinEdge(search, group)] : [])];
    const keys = keysWhere(text, search, group, conditions, keysMax, withValue);
    return `SELECT keys.* FROM foremost CROSS JOIN LATERAL (${keys}) AS keys WHERE foremost.part = ${place}`;
  });
  return [
    `WITH foremost AS MATERIALIZED (
      SELECT * FROM (${heads.join(" UNION ALL ")}) AS heads ORDER BY ${order} LIMIT ${text.add(keysMax)}),
    edge AS MATERIALIZED (
      SELECT ${columns[0]} FROM foremost ORDER BY ${order} LIMIT 1 OFFSET ${text.add(keysMax - 1)})
    ${parts.join(" UNION ALL ")}`,
  ];
}

function withinEdge(search: StoreSearch, { stream }: Group): string {
  const [beyond, farthest] = isDownwards(search) ? [">=", instantMin] : ["<=", instantMax];
  return `${columnsOf[stream][0]} ${beyond} coalesce((SELECT value FROM edge), ${farthest}::bigint)`;
}

function keysWhere(
  text: Text,
  search: StoreSearch,
  group: Pick<Group, "stream" | "isFresh">,
  own: readonly string[],
  keysMax: number,
  withValue: boolean,
): string {
  const [instant] = columnsOf[group.stream];
  const order = ordered(search, columnsOf[group.stream]);
  const conditions = [...own, ...wanted(text, search, group)];
  return `SELECT ${withValue ? `${instant} AS value, ` : ""}tasks.id FROM :schema.tasks
    WHERE ${conditions.join(" AND ")} ORDER BY ${order} LIMIT ${text.add(keysMax)}`;
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

function movingConditions(text: Text, search: StoreSearch, pairs: readonly Pair[]): string[] {
  return [
    "tasks.status = 2",
    `tasks.lane = ANY(${text.add(pairs.map(({ lane }) => lane))}::integer[])`,
    // They have ids of both kinds, and no index by their instants.
    ...boundConditions(text, search, "ownId", false),
  ];
}

// Parts of statements

function split(pairs: readonly Pair[]): { settled: Pair[]; moving: Pair[] } {
  return {
    settled: pairs.filter(({ status }) => status !== running),
    moving: pairs.filter(({ status }) => status === running),
  };
}

function ordered(search: StoreSearch, columns: readonly string[]): string {
  const direction = isDownwards(search) ? "DESC" : "ASC";
  return columns.map((column) => `${column} ${direction}`).join(", ");
}

function sortColumn({ sortBy }: StoreSearch, table: string): string {
  return `${table}.${sortBy === "updatedAt" ? "updated_at" : "created_at"}`;
}

function streamsOf(search: StoreSearch, { status, ownIds }: Pair): Stream[] {
  if (search.sortBy === "id" && ownIds) return ["ownId"];
  if (status === fresh) return ["created"];
  if (search.sortBy === "updatedAt") return isSplit(search) ? ["updated", "lateUpdated"] : ["updated"];
  return isSplit(search) ? ["created", "lateCreated"] : ["created"];
}

/** Pairs that the same index serves. */
interface Group {
  stream: Stream;
  isFresh: boolean;
  lanes: number[];
  statuses: number[];
}

function groupsOf(pairs: readonly Pair[], streamsFor: (pair: Pair) => Stream[]): Group[] {
  const groups = new Map<string, Group>();
  for (const pair of pairs) {
    const isFresh = pair.status === fresh;
    for (const stream of streamsFor(pair)) {
      const key = `${stream} ${isFresh}`;
      const group = groups.get(key) ?? { stream, isFresh, lanes: [], statuses: [] };
      group.lanes.push(pair.lane);
      group.statuses.push(pair.status);
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

function unnested(text: Text, { lanes, statuses }: Group): string {
  return `unnest(${text.add(lanes)}::integer[], ${text.add(statuses)}::smallint[]) AS pair (lane, status)`;
}

/** What a task of the stream must meet to be found, beside being in its pair. */
function wanted(
  text: Text,
  search: StoreSearch,
  { stream, isFresh }: Pick<Group, "stream" | "isFresh">,
): string[] {
  return [conditionsOf[stream], ...boundConditions(text, search, stream, isFresh)];
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

/** Values of a statement that is put together, by their number. */
class Text {
  readonly values: unknown[] = [];

  /** `$n` of the value. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}
