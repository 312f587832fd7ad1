/**
 * Pages of searches that many of all tasks pass, in the order of creation or of ids. The primary key is the whole list (whole-keys.ts): it is read
 * from where the page begins, and what does not pass is passed over, which costs a twentieth of a look into a stream. Not more are looked at than
 * are likely to be needed, since tasks of a status may be few in one stretch of time: a page that is not full then is read from the streams.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import { isDownwards, lateMs } from "../../shared/search-bounds.ts";
import type { ResultRow, Session } from "../connections/database.ts";
import { columnsWithin, sizedTasks, taskColumns } from "../rows.ts";
import { shape } from "../statement.ts";
import {
  foremostStreams,
  instantMax,
  instantMin,
  ordered,
  type Pair,
  pageStatement,
  type SearchStatement,
  streamsOf,
  Text,
} from "./search-statements.ts";
import { isOfGeneratedIds, isWhole, type WholeBounds, wholeBounds, wholeConditions } from "./whole-keys.ts";

/** So many are passed over in the time of a look into a stream. Few streams are read sooner. */
export const passedInLook = 20;
const fewStreamsMax = 24;
/** So many times as many as are likely to be needed are looked at, and so many more. */
const lookedSpare = 2;
const lookedMore = 100;
/** So many, too, where the list begins before a range of the last change: what was created in the minutes before it mostly does not fit. */
const lookedBefore = 2_000;
/** From the first task of all on only where so large a share passes. */
const mostShare = 0.9;
/** No store has as many. */
const noneLeft = 1e15;

export interface PagePart {
  limit: number;
  offset: number;
  /** How many tasks there are, about; undefined where nobody has counted. */
  all: number | undefined;
  /** For `columnsWithin` so many bytes in place of `taskColumns`. */
  share?: number | undefined;
}

interface Begun {
  rows: ResultRow[];
  /** Whether there may be more on the page. */
  mayLack: boolean;
}

/** What `likelyPage` has made. */
export async function readFirst(
  session: Session,
  { page, isSure }: LikelyPage,
  part: PagePart,
): Promise<Begun> {
  const rows = await session.query(page.statement, page.values);
  return { rows, mayLack: !isSure && rows.length < part.limit };
}

/** The page, once it was begun. */
export async function readRest(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
  part: PagePart,
  { rows, mayLack }: Begun,
): Promise<ResultRow[]> {
  if (!mayLack) return rows;
  const { statement, values } = streamed(search, pairs, part);
  return session.query(statement, values);
}

interface LikelyPage {
  page: SearchStatement;
  /** Whether that is the page, whatever it has. Else one that is not full may lack some. */
  isSure: boolean;
}

/** The page by the way that is likely to have it sooner. */
export function likelyPage(search: StoreSearch, pairs: readonly Pair[], part: PagePart): LikelyPage {
  return wholePage(search, pairs, part) ?? { page: streamed(search, pairs, part), isSure: true };
}

function streamed(
  search: StoreSearch,
  pairs: readonly Pair[],
  { limit, offset, share }: PagePart,
): SearchStatement {
  return pageStatement(search, pairs, limit, offset, share);
}

/** As `pageStatement` has it; undefined where the streams are likely to have it sooner. */
function wholePage(search: StoreSearch, pairs: readonly Pair[], part: PagePart): LikelyPage | undefined {
  const isSure = isWhole(search, pairs);
  const all = isOfAll(search) ? sumOf(pairs) : part.all;
  const looked = isSure ? noneLeft : mostLooked(search, pairs, part.offset + part.limit, all);
  if (looked === undefined) return undefined;
  const { offset, limit, share } = part;
  const text = new Text();
  const { list, passing, order } = passingOf(text, search, pairs, looked, false);
  const row = share === undefined ? taskColumns : columnsWithin(text.add(share));
  const statement = shape(
    "searchTasks",
    `SELECT tasks.created_at, ${row} FROM (
        SELECT ${share === undefined ? "*" : sizedTasks} FROM (SELECT * ${list}) AS tasks
        WHERE ${passing} ${order} LIMIT ${text.add(limit)} OFFSET ${text.add(offset)}) AS tasks
      ${order}`,
  );
  return { page: { statement, values: text.values }, isSure };
}

export interface WholeKeys {
  /** A query of the first keys, `changed, id, value`: what they are in the order of, and what is asked for. */
  keys: string;
  /** A query of the last task that is looked at for them, `changed, id`; of none where all are. */
  end: string;
}

/**
 * The first keys by creation of the tasks of these pairs that meet the ranges; undefined where the streams are likely to have them sooner.
 * @param all how many tasks there are, about
 */
export function wholeKeysOf(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  { changed, value, most, all }: { changed: string; value: string; most: number; all: number | undefined },
): WholeKeys | undefined {
  const looked = mostLooked(search, pairs, most, all, true);
  if (looked === undefined) return undefined;
  const { list, passing, order } = passingOf(text, { ...search, statuses: [] }, pairs, looked, true);
  const columns = `${changed} AS changed, tasks.id, ${value} AS value`;
  const limit = text.add(most);
  const listed = `SELECT ${columns} FROM (SELECT * ${list}) AS tasks WHERE ${passing} ${order} LIMIT ${limit}`;
  return {
    keys: isBehindLate(search)
      ? `SELECT * FROM (SELECT ${columns} FROM (${lateIds(text, search, pairs, most)}) AS late
          CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = late.id OFFSET 0) AS tasks
        UNION ALL (${listed})) AS found ORDER BY id LIMIT ${limit}`
      : listed,
    end: `SELECT ${changed} AS changed, tasks.id FROM (SELECT created_at, id ${list}) AS tasks
      ${order} LIMIT 1 OFFSET ${text.add(looked - 1)}`,
  };
}

/** Whether others come before the list: late tasks, upwards before a range of the last change. */
function isBehindLate(search: StoreSearch): boolean {
  return !wholeBounds(search).isAfterLate;
}

/** Whether the list may end before late tasks that fit, downwards in a range of the last change. */
export function areLateBehind(search: StoreSearch): boolean {
  const { created, updated } = search;
  if (updated?.start === undefined || !isDownwards(search)) return false;
  return (created?.start ?? Number.NEGATIVE_INFINITY) < updated.start - lateMs;
}

/** A pair without tasks. */
const nobody: Pair = { lane: -1, ownIds: false, status: 3, tasks: 0 };

/** The ids of the first of those that come before the list. */
function lateIds(text: Text, search: StoreSearch, pairs: readonly Pair[], most: number): string {
  // What was never changed is not late.
  const changed = [...pairs.filter(({ status }) => status > 0), nobody];
  const streams = foremostStreams(text, search, changed, most, true, () => ["lateCreated"]);
  return `SELECT id FROM (${streams.join(" UNION ALL ")}) AS keys
    ORDER BY ${ordered(search, ["value", "id"])} LIMIT ${text.add(most)}`;
}

export function isOfAll({ types, queues, statuses }: StoreSearch): boolean {
  return !types && !queues && !statuses;
}

export function sumOf(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, { tasks }) => sum + tasks, 0);
}

/**
 * How many of the list are looked at; undefined where the streams are likely to have so many sooner, or some are not in it.
 * @param withLate whether those that come before it are read beside it
 */
function mostLooked(
  search: StoreSearch,
  pairs: readonly Pair[],
  wanted: number,
  all: number | undefined,
  withLate = false,
): number | undefined {
  if (search.sortBy === "updatedAt" || (withLate && areLateBehind(search))) return undefined;
  const bounds = wholeBounds(search);
  if (withLate && !bounds.isAfterLate)
    return likelyLooked(pairs, pairs.length, wanted, all, { ...bounds, isAfterLate: true }, lookedBefore);
  const streams = pairs.reduce((sum, pair) => sum + streamsOf(search, pair).length, 0);
  return likelyLooked(pairs, streams, wanted, all, bounds);
}

/** The same where that takes the place of so many looks into streams. @param before so many that do not fit may come first */
export function likelyLooked(
  pairs: readonly Pair[],
  streams: number,
  wanted: number,
  all: number | undefined,
  { from, to, isAfterLate, isFromFirst }: WholeBounds,
  before = 0,
): number | undefined {
  const passing = sumOf(pairs);
  if (!isOfGeneratedIds(pairs) || all === undefined || passing < 1) return undefined;
  const expected = wanted * Math.max(1, all / passing);
  if (streams <= fewStreamsMax || expected + before > streams * passedInLook) return undefined;
  if (!isAfterLate || compareText(from, to) >= 0) return undefined;
  // Where ended tasks are deleted after some time, those that are left there are of a few statuses, among the entries of the deleted.
  if (isFromFirst && passing < mostShare * all) return undefined;
  return Math.ceil(lookedSpare * expected) + lookedMore + before;
}

/**
 * The list as far as it is looked at, and which of it pass; the same text for all searches one way.
 * @param isGenerated whether it leaves out tasks with chosen ids, so that it is in the order of creation, too, wherever it ends
 */
export function passingOf(
  text: Text,
  search: StoreSearch,
  pairs: readonly Pair[],
  looked: number,
  isGenerated: boolean,
): { list: string; passing: string; order: string } {
  const order = `ORDER BY ${ordered(search, ["tasks.id"])}`;
  const generated = "tasks.lane NOT IN (SELECT lane FROM :schema.lanes WHERE own_ids)";
  const conditions = [
    ...wholeConditions(text, search, wholeBounds(search)),
    ...(isGenerated ? [generated] : []),
  ].join(" AND ");
  return {
    list: `FROM :schema.tasks WHERE ${conditions} ${order} LIMIT ${text.add(looked)}`,
    passing: passes(text, search, pairs),
    order,
  };
}

/** Whether a task is of these pairs, where types, queues or statuses are asked for, and within the range of the last change. */
export function passes(text: Text, search: StoreSearch, pairs: readonly Pair[]): string {
  const { types, queues, statuses, updated } = search;
  const among = (column: string, type: string, some: readonly number[] | undefined) => {
    const given = `${text.add(some ? [...new Set(some)] : null)}::${type}[]`;
    return `(${given} IS NULL OR ${column} = ANY(${given}))`;
  };
  return [
    among("tasks.status", "smallint", statuses && pairs.map(({ status }) => status)),
    among("tasks.lane", "integer", (types ?? queues) && pairs.map(({ lane }) => lane)),
    `tasks.updated_at >= ${text.add(updated?.start ?? instantMin)}::bigint`,
    `tasks.updated_at < ${text.add(updated?.end ?? instantMax)}::bigint`,
  ].join(" AND ");
}
