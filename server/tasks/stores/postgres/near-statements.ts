/** The SQL of the orders by start and by due time; see near-orders.ts. Each statement gives at most so many of the first keys. */
import type { StoreSearch } from "../../core/store.ts";
import {
  type NearOrder,
  quickMs,
  quickSearch,
  sortedBetween,
  undelayedSearch,
  usualStarts,
} from "../near-orders.ts";
import { isDownwards, lateMs } from "../search-bounds.ts";
import {
  instantMax,
  instantMin,
  keysOf,
  movingConditions,
  type Pair,
  type SearchStatement,
  type StreamSearch,
  split,
  Text,
  unnested,
} from "./search-statements.ts";
import { shape } from "./statement.ts";

/** `changedAt` is what those that are near are read in the order of; the others have none. */
export type NearRow = [
  kind: "near" | "running" | Elsewhere,
  changedAt: number,
  id: string,
  value: number | null,
];

const columns: Record<NearOrder, string> = { startedAt: "tasks.started_at", dueAt: "tasks.due_at" };

const started = `tasks.status <> 2 AND tasks.started_at IS NOT NULL AND (tasks.status NOT IN (3, 4)
      OR tasks.updated_at - tasks.started_at NOT BETWEEN 0 AND ${quickMs - 1})`;

/** The indexes of tasks that an order does not share with another one, by their conditions; see near-orders.ts. */
export const elsewhere = {
  started,
  /** For a range of another instant, which bounds the starts of these; see `usualStarts`. */
  startedUsually: `${started} AND tasks.started_at - tasks.created_at BETWEEN 0 AND ${lateMs}
      AND tasks.updated_at - tasks.started_at BETWEEN 0 AND ${lateMs}`,
  startedOddly: `${started} AND (tasks.started_at - tasks.created_at NOT BETWEEN 0 AND ${lateMs}
      OR tasks.updated_at - tasks.started_at NOT BETWEEN 0 AND ${lateMs})`,
  due: "tasks.status >= 3 AND tasks.due_at <> tasks.created_at",
  /** Tasks that wait. */
  delayed: "tasks.status < 2 AND tasks.due_at <> tasks.created_at",
} as const;

export type Elsewhere = keyof typeof elsewhere;

/** After every id, byte by byte. */
const lastId = "\u{10ffff}";

/** By start, some more are read in the other order, so that those that ran at one time need no second look. */
const aheadOf = 20;
/** By due time, of those that wait many may be due later than they were created. */
const delayedSpare = 2;

export function nearLimit(order: NearOrder, limit: number, isWaitingToo: boolean): number {
  if (order === "startedAt") return limit + aheadOf;
  return isWaitingToo ? limit * delayedSpare : limit;
}

/**
 * Rows of `NearRow`: those in the other order, those elsewhere, and those that run.
 * @param isWaitingToo by due time: also of those that wait
 */
export function nearStatement(
  search: StoreSearch,
  order: NearOrder,
  pairs: readonly Pair[],
  limit: number,
  isWaitingToo = false,
): SearchStatement {
  const text = new Text();
  const { settled, moving } = split(pairs);
  const isShared = ({ status }: Pair) =>
    order === "dueAt" ? status >= 3 || isWaitingToo : status >= 3 && status !== 5;
  const key = columns[order];
  const most = nearLimit(order, limit, isWaitingToo);
  const near = keysOf(text, otherSearch(search, order), settled.filter(isShared), most);
  const parts = [
    `SELECT 'near' AS kind, keys.value AS changed, keys.id, own.value FROM (${near}) AS keys
      CROSS JOIN LATERAL (SELECT ${key} AS value FROM :schema.tasks WHERE tasks.id = keys.id OFFSET 0) AS own`,
    ...elsewhereOf(search, order, isWaitingToo).map((from) =>
      elsewhereKeys(text, search, key, from, settled.filter(mayBeIn(from)), limit),
    ),
  ];
  if (moving.length > 0) {
    const { after: _after, ...unplaced } = search;
    const conditions = movingConditions(text, unplaced, moving).join(" AND ");
    parts.push(`SELECT 'running', 0, tasks.id, ${key} FROM :schema.tasks WHERE ${conditions}`);
  }
  return {
    statement: shape("nearKeys", parts.map((part) => `(${part})`).join("\n UNION ALL ")),
    values: text.values,
  };
}

function otherSearch(search: StoreSearch, order: NearOrder): StreamSearch {
  if (order === "dueAt") return undelayedSearch(search);
  const { after } = search;
  const isDown = isDownwards(search);
  return { ...quickSearch(search), ...(after && { startedBeyond: { ...after, isDown } }) };
}

export function elsewhereOf(search: StoreSearch, order: NearOrder, isWaitingToo: boolean): Elsewhere[] {
  if (order === "dueAt") return isWaitingToo ? ["due", "delayed"] : ["due"];
  return usualStarts(search) ? ["startedUsually", "startedOddly"] : ["started"];
}

function mayBeIn(from: Elsewhere): (pair: Pair) => boolean {
  if (from === "due") return ({ status }) => status >= 3;
  return from === "delayed" ? ({ status }) => status < 2 : () => true;
}

/** Of the pairs whose first keys are foremost, as in search-statements.ts. */
function elsewhereKeys(
  text: Text,
  search: StoreSearch,
  key: string,
  from: Elsewhere,
  pairs: readonly Pair[],
  limit: number,
): string {
  const down = isDownwards(search);
  const direction = down ? "DESC" : "ASC";
  const condition = elsewhere[from];
  const bounds = elsewhereBounds(text, search, key, from);
  const lanes = pairs.map(({ lane }) => lane);
  const statuses = pairs.map(({ status }) => status);
  const most = text.add(limit);
  const keys = (pair: string, conditions: readonly string[], limited: string) => {
    const own = [`tasks.lane = ${pair}.lane`, `tasks.status = ${pair}.status`, condition, ...conditions];
    return `SELECT ${key} AS value, tasks.id FROM :schema.tasks WHERE ${[...own, ...bounds].join(" AND ")}
      ORDER BY ${key} ${direction}, tasks.id ${direction} LIMIT ${limited}`;
  };
  const edge = `${key} ${down ? ">=" : "<="} (SELECT value FROM edge)`;
  const farthest = down ? "-1e15" : "1e15";
  return `WITH foremost AS MATERIALIZED (
      SELECT pair.lane, pair.status, head.value, head.id FROM ${unnested(text, { lanes, statuses })}
        CROSS JOIN LATERAL (${keys("pair", [], "1")}) AS head
        ORDER BY head.value ${direction}, head.id ${direction} LIMIT ${most}),
    edge AS MATERIALIZED (
      SELECT coalesce((SELECT value FROM foremost ORDER BY value ${direction} LIMIT 1 OFFSET ${most} - 1),
        ${farthest}::bigint) AS value)
    SELECT '${from}', 0, found.id, found.value FROM foremost CROSS JOIN LATERAL (${keys("foremost", [edge], most)}) AS found
    ORDER BY found.value ${direction}, found.id ${direction} LIMIT ${most}`;
}

/** A walk stops at one bound on each side. All are always there, so that searches with and without ranges are one text. */
function elsewhereBounds(text: Text, search: StoreSearch, key: string, place: Elsewhere): string[] {
  const { after, created, updated } = search;
  const sorted = sortedBetween(search);
  const usual = place === "startedUsually" ? usualStarts(search) : undefined;
  const from = Math.max(sorted.from, usual?.from ?? sorted.from);
  const to = Math.min(sorted.to, usual?.to ?? sorted.to);
  const down = isDownwards(search);
  const at = (value: number) => `${text.add(value)}::bigint`;
  const isBound = after !== undefined && after.value === (down ? to : from);
  // Beyond the place, or all of an instant: no task has the id "", nor one that begins with this character.
  const [nearest, id] = isBound ? [after.value as number, after.id] : [down ? to : from, down ? lastId : ""];
  const beyond = `(${key}, tasks.id) ${down ? "<" : ">"} (${at(nearest)}, ${text.add(id)}::text)`;
  return [
    beyond,
    down ? `${key} >= ${at(from)}` : `${key} <= ${at(to)}`,
    `tasks.created_at >= ${at(created?.start ?? instantMin)}`,
    `tasks.created_at < ${at(created?.end ?? instantMax)}`,
    `tasks.updated_at >= ${at(updated?.start ?? instantMin)}`,
    `tasks.updated_at < ${at(updated?.end ?? instantMax)}`,
  ];
}

/** Of tasks that wait: when they are due, and what tells whether they fit. */
export type WaitingRow = [dueAt: number, id: string, createdAt: number, updatedAt: number];

const waitingColumns = "tasks.due_at, tasks.id, tasks.created_at, tasks.updated_at";

/**
 * The first of the tasks of these lanes that wait, by when they are due; those of one instant in any order. They lie in
 * lines, one for each lane and priority, as the claim takes them.
 */
export function waitingStatement(
  search: StoreSearch,
  lanes: readonly number[],
  limit: number,
): SearchStatement {
  const text = new Text();
  const direction = isDownwards(search) ? "DESC" : "ASC";
  const { from, to } = sortedBetween(search);
  const most = text.add(limit);
  const between = `tasks.due_at >= ${text.add(from)}::bigint AND tasks.due_at <= ${text.add(to)}::bigint`;
  const ordered = `ORDER BY tasks.due_at ${direction}, tasks.seq ${direction}`;
  const edge = isDownwards(search) ? ">= (SELECT value FROM edge)" : "<= (SELECT value FROM edge)";
  const farthest = isDownwards(search) ? "-1e15" : "1e15";
  const parts = lineKinds.map((kind) => {
    const inLine = (line: string) =>
      `${kind} AND tasks.lane = ${line}.lane AND tasks.priority = ${line}.priority`;
    return `WITH RECURSIVE ${linesOf(text, kind, lanes)},
      foremost AS MATERIALIZED (
        SELECT lines.lane, lines.priority, head.due_at FROM lines CROSS JOIN LATERAL (
          SELECT tasks.due_at FROM :schema.tasks WHERE ${inLine("lines")} AND ${between} ${ordered} LIMIT 1) AS head
        ORDER BY head.due_at ${direction} LIMIT ${most}),
      edge AS MATERIALIZED (
        SELECT coalesce((SELECT due_at FROM foremost ORDER BY due_at ${direction} LIMIT 1 OFFSET ${most} - 1),
          ${farthest}::bigint) AS value)
      SELECT found.* FROM foremost CROSS JOIN LATERAL (
        SELECT ${waitingColumns} FROM :schema.tasks WHERE ${inLine("foremost")} AND ${between} AND tasks.due_at ${edge}
        ${ordered} LIMIT ${most}) AS found`;
  });
  return {
    statement: shape(
      "waitingKeys",
      `SELECT * FROM (${parts.map((part) => `(${part})`).join("\n UNION ALL ")}) AS found (due_at, id, created_at, updated_at)
      ORDER BY due_at ${direction} LIMIT ${most}`,
    ),
    values: text.values,
  };
}

/** The first of those that are due at one instant, by their ids, beyond an id. */
export function dueAtStatement(
  search: StoreSearch,
  lanes: readonly number[],
  { value, id }: { value: number; id: string },
  limit: number,
): SearchStatement {
  const text = new Text();
  const [direction, beyond] = isDownwards(search) ? ["DESC", "<"] : ["ASC", ">"];
  const [dueAt, place, most] = [text.add(value), text.add(id), text.add(limit)];
  const parts = lineKinds.map(
    (kind) => `WITH RECURSIVE ${linesOf(text, kind, lanes)}
      SELECT found.* FROM lines CROSS JOIN LATERAL (
        SELECT ${waitingColumns} FROM :schema.tasks WHERE ${kind} AND tasks.lane = lines.lane
          AND tasks.priority = lines.priority AND tasks.due_at = ${dueAt}::bigint OFFSET 0) AS found`,
  );
  return {
    statement: shape(
      "dueAtOnce",
      `SELECT * FROM (${parts.map((part) => `(${part})`).join("\n UNION ALL ")}) AS found (due_at, id, created_at, updated_at)
      WHERE id ${beyond} ${place}::text ORDER BY id ${direction} LIMIT ${most}`,
    ),
    values: text.values,
  };
}

/** Those whose worker died before wait in lines of their own. */
const lineKinds = ["tasks.status < 2 AND tasks.crashes = 0", "tasks.status < 2 AND tasks.crashes > 0"];

/** The priorities of each lane, from one to the next. */
function linesOf(text: Text, kind: string, lanes: readonly number[]): string {
  const next = (line: string, conditions: string) => `CROSS JOIN LATERAL (
      SELECT tasks.priority FROM :schema.tasks WHERE ${kind} AND tasks.lane = ${line}.lane ${conditions}
      ORDER BY tasks.priority DESC LIMIT 1) AS next`;
  return `lines (lane, priority) AS (
      SELECT wanted.lane, next.priority FROM unnest(${text.add(lanes)}::integer[]) AS wanted (lane) ${next("wanted", "")}
      UNION ALL
      SELECT lines.lane, next.priority FROM lines ${next("lines", "AND tasks.priority < lines.priority")})`;
}
