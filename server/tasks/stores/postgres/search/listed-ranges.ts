/**
 * The SQL of what started within a range, from the list of all tasks: what started soon after its creation was created within the range or shortly
 * before it, so a stretch of the list has it; the rest is in `tasks_waited`, or runs. No look into each lane is needed; see listed-starts.ts.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { earliest, isDownwards, latest } from "../../shared/search-bounds.ts";
import { outsideMax, type StartRange, type Window } from "../../shared/start-ranges.ts";
import { shape } from "../statement.ts";
import { createdWithin, isPrompt, isWaited, likelyStarted, looksOf, promptMs } from "./listed-starts.ts";
import {
  instantMax,
  instantMin,
  movingConditions,
  ordered,
  type Pair,
  type SearchStatement,
  sortColumn,
  split,
  Text,
} from "./search-statements.ts";
import { wholeBounds, wholeConditions } from "./whole-keys.ts";
import { isOfAll, likelyLooked, passes, sumOf } from "./whole-pages.ts";

/** By the last change the whole stretch is looked at, if it has not more tasks than so many. */
const sortedMost = 30_000;
const shortMs = 600_000;
/** Each lane is looked into for those that started then, and for those that lie outside of what their range bounds. */
const looksPerLane = 2;

/** How many of the list are looked at for so many, in its order; undefined where looks into each lane are likely to have them sooner. */
export function listedMost(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
  wanted: number,
  all: number | undefined,
): number | undefined {
  const bounds = wholeBounds(stretchOf(search, range));
  const started = likelyStarted(startedPairs(pairs));
  const looks = looksPerLane * looksOf(pairs);
  const most = isOfAll(search) ? sumOf(pairs) : all;
  const looked = likelyLooked(started, looks, wanted, most, bounds);
  if (looked === undefined || search.sortBy !== "updatedAt") return looked;
  // Upwards the lanes have them nearly in that order; downwards those come first that started behind the range.
  const isLong = !isDownwards(search) && range.to - range.from > shortMs;
  return isLong || 2 * sumOf(started) < most! ? undefined : sortedMost;
}

/** Rows of `id, createdAt, updatedAt` of those that did not start promptly, or run; the first tells how many of the former were looked at, at most `outsideMax` and one. */
export function besideStatement(
  { after: _after, ...search }: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
): SearchStatement {
  const text = new Text();
  const tooMany = text.add(outsideMax + 1);
  const passing = passes(text, { ...search, statuses: [] }, startedPairs(pairs));
  const within = startedWithin(text, range);
  return {
    statement: shape(
      "startedBeside",
      `WITH waited AS MATERIALIZED (${waited(text, search, within, passing, tooMany)})
      SELECT NULL::text, count(*), 0::bigint FROM waited
      UNION ALL SELECT id, created_at, updated_at FROM waited WHERE fits
      UNION ALL ${running(text, search, pairs)}`,
    ),
    values: text.values,
  };
}

/** `more` says that it is not wanted, but there may be more behind it. */
export type ListedRow = [value: number, id: string, more: boolean];

/**
 * Rows of `ListedRow`, in the order of the search: those of the stretch beyond its place, and the last one that was looked at, if there may be more
 * behind it. By the last change all of the stretch are put in order; one with no id says that it has too many.
 */
export function stretchStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
  limit: number,
  looked: number,
): SearchStatement {
  const text = new Text();
  const isByChange = search.sortBy === "updatedAt";
  const stretch = stretchOf(search, range);
  const [most, wanted] = [text.add(looked), text.add(limit)];
  const passing = passes(text, { ...search, statuses: [] }, startedPairs(pairs));
  const ids = wholeConditions(text, stretch, wholeBounds(stretch)).join(" AND ");
  const fits = `${isPrompt} AND ${startedWithin(text, range)} AND ${passing}`;
  const order = `ORDER BY ${ordered(search, isByChange ? ["value", "id"] : ["id"])}`;
  const last = isByChange
    ? `SELECT 0, NULL, true WHERE (SELECT count(*) FROM stretch) >= ${most}`
    : `SELECT value, id, true FROM (SELECT * FROM stretch ${order} LIMIT 1 OFFSET ${most} - 1) AS last WHERE (SELECT count(*) FROM found) < ${wanted}`;
  return {
    statement: shape(
      "startedInList",
      `WITH stretch AS MATERIALIZED (
        SELECT ${sortColumn(search, "tasks")} AS value, tasks.id, ${fits} ${isByChange ? `AND ${beyond(text, search)}` : ""} AS fits
        FROM :schema.tasks WHERE ${ids} ORDER BY ${ordered(stretch, ["tasks.id"])} LIMIT ${most}),
      found AS MATERIALIZED (SELECT * FROM stretch WHERE fits ${isByChange ? order : ""} LIMIT ${wanted})
      SELECT value, id, more FROM (SELECT value, id, false AS more FROM found UNION ALL ${last}) AS keys ${order}, more`,
    ),
    values: text.values,
  };
}

/** By the last change. */
function beyond(text: Text, search: StoreSearch): string {
  const down = isDownwards(search);
  const { value, id } = search.after ?? { value: null, id: "" };
  const place = text.add(value ?? (down ? instantMax : instantMin));
  return `(tasks.updated_at, tasks.id) ${down ? "<" : ">"} (${place}::bigint, ${text.add(id)}::text)`;
}

const columns = "tasks.id, tasks.created_at, tasks.updated_at";

/** Where what started promptly within the range was created. */
export function windowInList({ from, to }: StartRange): Window {
  return { of: "created", from: from - promptMs, to };
}

/** The search in the list, from its place on, where what started promptly within the range lies. */
function stretchOf(
  { updated: _updated, after, ...search }: StoreSearch,
  { from, to }: StartRange,
): StoreSearch {
  const start = latest(search.created?.start, from - promptMs)!;
  const end = earliest(search.created?.end, to + 1)!;
  const stretch = { ...search, created: { start, end } };
  // By the last change a place is none in the list.
  return after && search.sortBy !== "updatedAt" ? { ...stretch, after } : stretch;
}

function startedPairs(pairs: readonly Pair[]): Pair[] {
  return split(pairs).settled.filter(({ status }) => status > 0);
}

function startedWithin(text: Text, { from, to }: StartRange): string {
  return `tasks.started_at BETWEEN ${text.add(from)}::bigint AND ${text.add(to)}::bigint`;
}

function waited(text: Text, search: StoreSearch, within: string, passing: string, most: string): string {
  return `SELECT ${columns}, ${passing} AND ${createdWithin(text, search)} AS fits FROM :schema.tasks
    WHERE ${isWaited} AND ${within} ORDER BY tasks.started_at, tasks.id LIMIT ${most}`;
}

function running(text: Text, search: StoreSearch, pairs: readonly Pair[]): string {
  return `SELECT ${columns} FROM :schema.tasks WHERE ${movingConditions(text, search, split(pairs).moving).join(" AND ")}`;
}
