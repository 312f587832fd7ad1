/** The SQL of searches: which index serves a stream of keys, and how streams become one page. */
import { ulidTime } from "../../core/ids.ts";
import type { StoreSearch } from "../../core/store.ts";
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

/** More streams than this are read by taking the first page of each, since a plan of so many parts takes long to make. */
const unionStreamsMax = 16;

/** The stored status of tasks that were never changed: `updated_at` is `created_at`, and no index by it holds them. */
const fresh = 0;
const running = 2;

/** An index that gives the keys of one pair in order. */
type Stream = "created" | "updated" | "ownId";

const conditionsOf: Record<Stream, string> = {
  created: "tasks.status <> 2",
  updated: "tasks.status <> 2 AND tasks.status <> 0",
  ownId: "tasks.status <> 2 AND tasks.own_id",
};
const orderOf: Record<Stream, string[]> = {
  created: ["tasks.created_at", "tasks.id"],
  updated: ["tasks.updated_at", "tasks.id"],
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
  const settled = pairs.filter(({ status }) => status !== running);
  const moving = pairs.filter(({ status }) => status === running);
  const isUnion = settled.length <= unionStreamsMax && search.sortBy !== "id";
  const parts = isUnion
    ? settled.map((pair) => unionPart(text, search, pair))
    : lateralParts(text, search, settled, offset + limit);
  if (moving.length > 0) parts.push(runningPart(text, search, moving));
  if (parts.length === 0) parts.push("SELECT 0::bigint AS value, NULL::text AS id WHERE false");
  const direction = isDownwards(search) ? "DESC" : "ASC";
  const order = `value ${direction}, id ${direction}`;
  return {
    statement: onceOnly(
      "searchTasks",
      `WITH page AS MATERIALIZED (
        SELECT value, id FROM (${parts.join("\n UNION ALL ")}) AS streams ORDER BY ${order}
        LIMIT ${text.add(limit)} OFFSET ${text.add(offset)})
      SELECT page.value, ${taskColumns} FROM page JOIN :schema.tasks ON tasks.id = page.id
      ORDER BY page.value ${direction}, page.id ${direction}`,
    ),
    values: text.values,
  };
}

/** How many tasks of the pairs fit; for searches with a range of time. */
export function countStatement(search: StoreSearch, pairs: readonly Pair[]): SearchStatement {
  const { after: _after, ...unplaced } = search;
  const text = new Text();
  const byUpdate = search.updated !== undefined && search.created === undefined;
  const moving = pairs.filter(({ status }) => status === running);
  const settled = pairs.filter(({ status }) => status !== running);
  const parts = groupsOf(settled, byUpdate ? "updated" : "created").map(
    ({ stream, isFresh, lanes, statuses }) => {
      const bounds = boundsOf(text, unplaced, stream, isFresh);
      return `SELECT coalesce(sum(counted.tasks), 0) AS tasks
      FROM unnest(${text.add(lanes)}::integer[], ${text.add(statuses)}::smallint[]) AS pair (lane, status)
      CROSS JOIN LATERAL (SELECT count(*) AS tasks FROM :schema.tasks WHERE tasks.lane = pair.lane
        AND tasks.status = pair.status AND ${[conditionsOf[stream], ...bounds].join(" AND ")}) AS counted`;
    },
  );
  if (moving.length > 0)
    parts.push(`SELECT count(*) AS tasks FROM (${runningPart(text, unplaced, moving)}) AS moving`);
  if (parts.length === 0) parts.push("SELECT 0 AS tasks");
  return {
    statement: onceOnly(
      "countTasks",
      `SELECT sum(tasks)::bigint FROM (${parts.join("\n UNION ALL ")}) AS counts`,
    ),
    values: text.values,
  };
}

/** A page before a cursor is read the other way round. */
export function isDownwards(search: StoreSearch): boolean {
  return search.descending !== (search.after?.backwards ?? false);
}

function streamOf(search: StoreSearch, { status, ownIds }: Pair): Stream {
  if (search.sortBy === "id") return ownIds ? "ownId" : "created";
  return search.sortBy === "updatedAt" && status !== fresh ? "updated" : "created";
}

function valueOf(search: StoreSearch, isFresh: boolean): string {
  if (search.sortBy === "id") return "0::bigint";
  return search.sortBy === "updatedAt" && !isFresh ? "tasks.updated_at" : "tasks.created_at";
}

function unionPart(text: Text, search: StoreSearch, pair: Pair): string {
  const stream = streamOf(search, pair);
  const isFresh = pair.status === fresh;
  const conditions = [
    `tasks.lane = ${text.add(pair.lane)}::integer`,
    `tasks.status = ${pair.status}`,
    conditionsOf[stream],
    ...boundsOf(text, search, stream, isFresh),
  ];
  return `SELECT ${valueOf(search, isFresh)} AS value, tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}`;
}

interface Group {
  stream: Stream;
  isFresh: boolean;
  lanes: number[];
  statuses: number[];
}

/** Pairs that the same index serves. */
function groupsOf(pairs: readonly Pair[], stream: Stream | ((pair: Pair) => Stream)): Group[] {
  const groups = new Map<string, Group>();
  for (const pair of pairs) {
    const isFresh = pair.status === fresh;
    const wanted = typeof stream === "string" ? stream : stream(pair);
    const served: Stream = isFresh && wanted === "updated" ? "created" : wanted;
    const key = `${served} ${isFresh}`;
    const group = groups.get(key) ?? { stream: served, isFresh, lanes: [], statuses: [] };
    group.lanes.push(pair.lane);
    group.statuses.push(pair.status);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function lateralParts(text: Text, search: StoreSearch, pairs: readonly Pair[], wanted: number): string[] {
  const direction = isDownwards(search) ? "DESC" : "ASC";
  return groupsOf(pairs, (pair) => streamOf(search, pair)).map(({ stream, isFresh, lanes, statuses }) => {
    const bounds = boundsOf(text, search, stream, isFresh);
    const order = orderOf[stream].map((column) => `${column} ${direction}`).join(", ");
    return `SELECT first.value, first.id
      FROM unnest(${text.add(lanes)}::integer[], ${text.add(statuses)}::smallint[]) AS pair (lane, status)
      CROSS JOIN LATERAL (SELECT ${valueOf(search, isFresh)} AS value, tasks.id FROM :schema.tasks
        WHERE tasks.lane = pair.lane AND tasks.status = pair.status
          AND ${[conditionsOf[stream], ...bounds].join(" AND ")}
        ORDER BY ${order} LIMIT ${text.add(wanted)}) AS first`;
  });
}

function runningPart(text: Text, search: StoreSearch, pairs: readonly Pair[]): string {
  const conditions = [
    "tasks.status = 2",
    `tasks.lane = ANY(${text.add(pairs.map(({ lane }) => lane))}::integer[])`,
    // RUNNING tasks have ids of both kinds.
    ...boundsOf(text, search, search.sortBy === "id" ? "ownId" : "updated", false),
  ];
  return `SELECT ${valueOf(search, false)} AS value, tasks.id FROM :schema.tasks WHERE ${conditions.join(" AND ")}`;
}

/** Conditions on the instants and on the place to go on from. */
function boundsOf(text: Text, search: StoreSearch, stream: Stream, isFresh: boolean): string[] {
  const { created, updated } = search;
  const updatedAt = isFresh ? "tasks.created_at" : "tasks.updated_at";
  const conditions: string[] = [];
  const add = (column: string, operator: string, value: number | undefined) => {
    if (value !== undefined) conditions.push(`${column} ${operator} ${text.add(value)}::bigint`);
  };
  add("tasks.created_at", ">=", created?.start);
  add("tasks.created_at", "<", created?.end);
  add(updatedAt, ">=", updated?.start);
  add(updatedAt, "<", updated?.end);
  // A task is never updated before it was created: each bound narrows the other index too.
  if (stream === "created") add("tasks.created_at", "<", updated?.end);
  if (stream === "updated") add("tasks.updated_at", ">=", created?.start);
  return [...conditions, ...placeConditions(text, search, stream, isFresh)];
}

function placeConditions(text: Text, search: StoreSearch, stream: Stream, isFresh: boolean): string[] {
  const { after, sortBy } = search;
  if (!after) return [];
  const beyond = isDownwards(search) ? "<" : ">";
  const id = `${text.add(after.id)}::text`;
  if (sortBy !== "id")
    return [`(${valueOf(search, isFresh)}, tasks.id) ${beyond} (${text.add(after.value)}::bigint, ${id})`];
  const conditions = [`tasks.id ${beyond} ${id}`];
  // The order of generated ids is the order of creation, which is what the index has.
  const time = stream === "created" ? ulidTime(after.id) : undefined;
  if (time !== undefined) conditions.push(`tasks.created_at ${beyond}= ${text.add(time)}::bigint`);
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
