/** The SQL of the orders that are put together: by start and by due time, see near-orders.ts, by priority and by duration. Each statement gives at most so many of the first keys. */
import type { StoreSearch } from "../../../core/store.ts";
import {
  isNear,
  type NearOrder,
  quickMs,
  quickSearch,
  sortedBetween,
  undelayedSearch,
  usualStarts,
} from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { columnsWithin, sizedTasks } from "../rows.ts";
import { shape } from "../statement.ts";
import { duration, durationKeys, fewestOf } from "./duration-statements.ts";
import { type Elsewhere, elsewhereKeys } from "./elsewhere-keys.ts";
import { noKeys } from "./ordered-keys.ts";
import { areNotEnough, prioritizedKeys, unprioritizedKeys } from "./priority-statements.ts";
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
  wholeStreams,
} from "./search-statements.ts";
import { isOfAll, sumOf, type WholeKeys, wholeKeysOf } from "./whole-pages.ts";

/** One place, or none; and how far those that are near were read, which all rows say. */
export type NearRow = [
  read: number,
  changedAt: number | null,
  changedId: string | null,
  value: number | null,
  id: string | null,
  ...task: unknown[],
];

/** An order of which each index has a part, or one of those that have ended all. */
export type PartedOrder = NearOrder | "priority" | "duration";

const columns: Record<PartedOrder, string> = {
  startedAt: "tasks.started_at",
  dueAt: "tasks.due_at",
  priority: "tasks.priority",
  duration,
};

/** By start, some more are read in the other order, so that those that ran at one time need no second look. */
const aheadOf = 20;
/** As many again: of those that wait many may be due later, and of those that ended many may have run for longer. */
const otherSpare = 2;
/** By priority: a third of those in the order of their ids may have been given none. Fewer would take the page a second look. */
const unprioritizedSpare = 4;

export interface Reach {
  /** So many of the first places are answered. */
  limit: number;
  /** So deep each part is read; at least `limit`. */
  depth: number;
  /** By due time: also of those that wait. */
  isWaitingToo: boolean;
  /** Where not more than so many tasks have the search's instants, these are sorted instead. */
  fewMax?: number | undefined;
  /** Whether those in the other order may be read among all tasks; and about how many these are. */
  isOfList?: boolean;
  all?: number | undefined;
  /** Of the places behind so many the tasks are in the rows, as `columnsWithin` so many bytes. */
  tasks?: { from: number; share: number } | undefined;
}

/** How many are read in the other order. */
export function nearMost(order: PartedOrder, { depth, isWaitingToo }: Reach): number {
  if (order === "startedAt") return depth * otherSpare + aheadOf;
  if (order === "priority") return depth * unprioritizedSpare;
  return isWaitingToo ? depth * otherSpare : depth;
}

/**
 * By due time and by priority keys are in the order that is asked for, so that the tasks of not more are looked up than are wanted. By start they are so but for
 * a second: upwards nothing that started in the last one is known.
 */
function startedMost(reach: Reach, isDown: boolean): number {
  return isDown ? reach.depth + aheadOf : nearMost("startedAt", reach);
}

/** Of every kind of pairs one without tasks, so that searches of all statuses are the same texts: each text is planned anew, in some milliseconds. */
const ofEveryKind: readonly Pair[] = [0, 2, 3].map((status) => ({
  lane: -1,
  ownIds: false,
  status,
  tasks: 0,
}));

/** Rows of `NearRow`: the first places in order, of those in the other order, those elsewhere and those that run. */
export function nearStatement(
  search: StoreSearch,
  order: PartedOrder,
  given: readonly Pair[],
  reach: Reach,
): SearchStatement {
  const pairs = [...given, ...ofEveryKind];
  const text = new Text();
  const down = isDownwards(search);
  const direction = down ? "DESC" : "ASC";
  const { settled, moving } = split(pairs);
  const key = columns[order];
  // By duration the tasks are read to be put in order, so they need not be looked up once more.
  const tid = order === "duration" ? ", tid" : "";
  const own = (keys: string, value = key) =>
    `CROSS JOIN LATERAL (SELECT ${value} AS value, tasks.ctid AS tid FROM :schema.tasks WHERE tasks.id = ${keys}.id OFFSET 0) AS own`;
  const few = reach.fewMax ? fewKeys(text, search, order, settled.filter(mayHave[order]), reach) : undefined;
  const ifMany = few ? "(SELECT are_many FROM counted)" : "true";
  const { others, near, behind } = sourcesOf(text, search, order, given, reach);
  const changedKeys =
    typeof near === "string" ? `SELECT value AS changed, id FROM (${near}) AS found` : near.keys;
  const where = (keys: string) => `(SELECT value, id${tid} FROM (${keys}) AS keys WHERE ${ifMany})`;
  const parts = [
    `SELECT value, id${tid && ", NULL::tid AS tid"} FROM near`,
    `SELECT value, id${tid} FROM others`,
  ];
  if (behind) parts.push(`SELECT value, id FROM (${behind}) AS keys WHERE ${ifMany}`);
  if (few)
    parts.push(`SELECT own.value, few.id${tid && ", own.tid"} FROM few ${own("few")} WHERE NOT ${ifMany}`);
  const { after, ...unplaced } = search;
  const conditions = movingConditions(text, unplaced, moving).join(" AND ");
  parts.push(`SELECT ${key}, tasks.id${tid && ", tasks.ctid"} FROM :schema.tasks WHERE ${conditions}`);
  const place = `(${text.add(after?.value ?? (down ? instantMax : instantMin))}::bigint, ${text.add(after?.id ?? "")}::text)`;
  const beyond = `(value, id) ${down ? "<" : ">"} ${place}`;
  const limit = text.add(reach.limit);
  const values = typeof near === "string" ? own("keys", nearValues[order]) : "";
  const wanted = order === "startedAt" ? text.add(startedMost(reach, down)) : limit;
  const { tasks } = reach;
  return {
    statement: shape(
      "nearKeys",
      `WITH ${few ?? ""} others AS MATERIALIZED (${others.map(where).join("\n UNION ALL ")}),
      keys AS MATERIALIZED (SELECT * FROM (${changedKeys}) AS keys WHERE ${ifMany}),
      near AS MATERIALIZED (SELECT changed, value, id FROM keys ${values} WHERE ${nearOnes[order]} AND ${beyond} LIMIT ${wanted}),
      read AS MATERIALIZED (${typeof near === "string" ? readOf(text, search, order, reach, wanted) : readOfList(text, search, order, near, reach, ifMany)}),
      page AS MATERIALIZED (
        SELECT row_number() OVER () AS place, ordered.* FROM (
          SELECT value, id${tid} FROM (${parts.map((part) => `(${part})`).join("\n UNION ALL ")}) AS found
          WHERE ${beyond} ORDER BY value ${direction}, id ${direction} LIMIT ${limit}) AS ordered)
      SELECT read.tasks, read.changed, read.id, page.value, page.id ${tasks ? `, ${columnsWithin(text.add(tasks.share))}` : ""}
      FROM read LEFT JOIN page ON true ${tasks ? `LEFT JOIN LATERAL (${taskBehind(text.add(tasks.from), tid ? "ctid = page.tid" : undefined)}) AS tasks ON true` : ""}
      ORDER BY page.place`,
    ),
    values: text.values,
  };
}

/** How many were read in the other order, and how far: where there are as many near as are wanted not all keys were looked up. */
function readOf(text: Text, search: StoreSearch, order: PartedOrder, reach: Reach, wanted: string): string {
  const back = isDownwards(search) ? "ASC" : "DESC";
  const isCut = `(SELECT count(*) FROM near) >= ${wanted}::integer`;
  return `SELECT CASE WHEN ${isCut} THEN ${text.add(nearMost(order, reach))}::integer ELSE counted.tasks END AS tasks, farthest.changed, farthest.id
    FROM (SELECT count(*)::integer AS tasks FROM keys) AS counted LEFT JOIN LATERAL (
      SELECT changed, id FROM (
        SELECT changed, id FROM near WHERE ${isCut} UNION ALL SELECT changed, id FROM keys WHERE NOT ${isCut}) AS looked
      ORDER BY changed ${back}, id ${back} LIMIT 1) AS farthest ON true`;
}

/** The same of the list. Where there may be more behind those that were looked at, it is as many as were wanted. */
function readOfList(
  text: Text,
  search: StoreSearch,
  order: PartedOrder,
  near: WholeKeys,
  reach: Reach,
  ifMany: string,
): string {
  const back = isDownwards(search) ? "ASC" : "DESC";
  const most = `${text.add(nearMost(order, reach))}::integer`;
  return `SELECT CASE WHEN last.id IS NULL THEN counted.tasks ELSE ${most} END AS tasks,
      coalesce(last.changed, farthest.changed) AS changed, coalesce(last.id, farthest.id) AS id
    FROM (SELECT count(*)::integer AS tasks FROM keys) AS counted
      LEFT JOIN LATERAL (SELECT changed, id FROM keys ORDER BY changed ${back}, id ${back} LIMIT 1) AS farthest ON true
      LEFT JOIN LATERAL (SELECT * FROM (${near.end}) AS looked WHERE counted.tasks < ${most} AND ${ifMany} OFFSET 0) AS last ON true`;
}

/**
 * Queries of keys, `value, id`: of the tasks that are elsewhere; of those in the other order; and of those that come behind both, which are
 * read where the page is not full before.
 */
function sourcesOf(
  text: Text,
  search: StoreSearch,
  order: PartedOrder,
  given: readonly Pair[],
  reach: Reach,
): { others: string[]; near: string | WholeKeys; behind?: string } {
  const pairs = [...given, ...ofEveryKind];
  const { settled } = split(pairs);
  const most = nearMost(order, reach);
  const all = reach.isOfList ? (isOfAll(search) ? sumOf(given) : reach.all) : undefined;
  if (order === "priority")
    return {
      others: [prioritizedKeys(text, search, settled, reach.limit, "before")],
      near: unprioritizedKeys(text, search, given, ofEveryKind, { limit: reach.limit, most, all }),
      behind: `SELECT * FROM (${prioritizedKeys(text, search, settled, reach.limit, "behind")}) AS keys
        WHERE ${areNotEnough(text, reach.limit, most)}`,
    };
  if (order === "duration")
    return { others: durationKeys(text, search, settled.filter(hasEnded), reach.depth), near: noKeys };
  const key = columns[order];
  const other = otherSearch(search, order);
  const shares = sharesOf(order, reach);
  const sharing = split(given).settled.filter(shares);
  const asked = { changed: "tasks.created_at", value: key, most, all };
  return {
    others: elsewhereOf(search, order, reach.isWaitingToo).map((from) =>
      elsewhereKeys(text, search, key, from, settled.filter(mayBeIn(from)), reach.depth),
    ),
    near: wholeKeysOf(text, other, sharing, asked) ?? keysOf(text, other, settled.filter(shares), most, true),
  };
}

export function taskBehind(from: string, found = "id = page.id"): string {
  return `SELECT ${sizedTasks} FROM :schema.tasks WHERE tasks.${found} AND page.place > ${from}::bigint OFFSET 0`;
}

/** Of what was read in the other order, what is in the order asked for as well. */
const nearOnes: Record<PartedOrder, string> = {
  startedAt: `changed - value BETWEEN 0 AND ${quickMs - 1}`,
  dueAt: "changed = value",
  priority: "value = 0",
  duration: "false",
};

/** What of these tells that. Tasks that run are read by themselves, and lie among all by id. */
const nearValues: Record<PartedOrder, string> = {
  ...columns,
  priority: "CASE WHEN tasks.status <> 2 THEN tasks.priority END",
};

/** Which pairs have tasks in the other order. */
function sharesOf(order: NearOrder, { isWaitingToo }: Reach): (pair: Pair) => boolean {
  if (order === "dueAt") return ({ status }) => status >= 3 || isWaitingToo;
  return ({ status }) => status >= 3 && status !== 5;
}

/** `few`: all that have the search's instants, if they are not more than so many; `counted` tells whether they are. Mostly one pair tells that. */
function fewKeys(
  text: Text,
  { after: _after, ...search }: StoreSearch,
  order: PartedOrder,
  pairs: readonly Pair[],
  { fewMax = 0, limit }: Reach,
): string {
  const most =
    order === "duration" ? fewestOf(pairs, limit) : isNear(order) ? Math.ceil(nearFewShare * fewMax) : fewMax;
  const ids = (of: readonly Pair[], limited: number) => {
    const streams = wholeStreams(text, { ...search, sortBy: "createdAt" }, of, limited, true);
    return `SELECT id FROM (${streams.join(" UNION ALL ")}) AS streams`;
  };
  const sample = sampleOf(pairs, most);
  return `sampled AS MATERIALIZED (
      SELECT count(*) > ${text.add(sample.most)}::integer AS are_many FROM (${ids(sample.pairs, sample.most + 1)}) AS sample),
    few AS MATERIALIZED (${ids(pairs, most + 1)} WHERE NOT (SELECT are_many FROM sampled) LIMIT ${text.add(most + 1)}),
    counted AS MATERIALIZED (
      SELECT (SELECT are_many FROM sampled) OR count(*) > ${text.add(most)}::integer AS are_many FROM few),`;
}

/** By start and by due time a range bounds the walk as well, so that not so many are sorted sooner, nor counted to find that out. */
const nearFewShare = 0.4;

/** Of so much more than its share of them a pair tells that all pairs have more than so many. */
const sampleSpare = 1.5;

/** The pair with the most tasks, and those without any, so that all searches are the same texts. */
function sampleOf(pairs: readonly Pair[], most: number): { pairs: Pair[]; most: number } {
  const all = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  const largest = pairs.reduce((one, other) => (other.tasks > one.tasks ? other : one));
  const share = Math.ceil((sampleSpare * most * largest.tasks) / Math.max(1, all));
  return {
    pairs: [largest, ...pairs.filter((pair) => ofEveryKind.includes(pair))],
    most: Math.min(most, share),
  };
}

function otherSearch(search: StoreSearch, order: NearOrder): StreamSearch {
  if (order === "dueAt") return undelayedSearch(search);
  const { after } = search;
  const isDown = isDownwards(search);
  return { ...quickSearch(search), ...(after && { startedBeyond: { ...after, isDown } }) };
}

function elsewhereOf(search: StoreSearch, order: NearOrder, isWaitingToo: boolean): Elsewhere[] {
  if (order === "dueAt") return isWaitingToo ? ["due", "delayed"] : ["due"];
  return usualStarts(search) ? ["startedUsually", "startedOddly"] : ["started"];
}

function hasEnded({ status }: Pair): boolean {
  return status >= 3;
}

/** Which pairs may have tasks with what is sorted by; what was never changed was never started. */
const mayHave: Record<PartedOrder, (pair: Pair) => boolean> = {
  startedAt: ({ status }) => status > 0,
  dueAt: () => true,
  priority: () => true,
  duration: hasEnded,
};

function mayBeIn(from: Elsewhere): (pair: Pair) => boolean {
  if (from === "due") return hasEnded;
  if (from === "delayed") return ({ status }) => status < 2;
  return mayHave.startedAt;
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
