/** Candidates of a search for tasks that started within a range, in an order by another instant or by id; see start-ranges.ts. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { quickMs } from "../../shared/near-orders.ts";
import {
  gatheredStarts,
  gatheredStartsMax,
  lookedMax,
  mayMissLate,
  outsideMax,
  type StartRange,
  type StartsRead,
  searchWithin,
  startRangeOf,
  startsBeside,
  startsInList,
  type Window,
  windowsOf,
} from "../../shared/start-ranges.ts";
import { allOver, type Session, type Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { shape } from "../statement.ts";
import { chunkMax, comparator, firstOfSource, placed } from "./chunks.ts";
import { elsewhere } from "./elsewhere-keys.ts";
import { isWithin } from "./entries.ts";
import type { Candidates, KeySource } from "./key-source.ts";
import {
  besideStatement,
  type ListedRow,
  listedMost,
  stretchStatement,
  windowInList,
} from "./listed-ranges.ts";
import { outlined } from "./outline.ts";
import { countedAll, countTasks } from "./search.ts";
import {
  conditionsOf,
  keysOf,
  movingConditions,
  type Pair,
  type SearchStatement,
  split,
  Text,
  unnested,
} from "./search-statements.ts";

/** Undefined where another way is as good. */
export async function startRangeSource(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
): Promise<KeySource | undefined> {
  const range = startRangeOf(search);
  if (!range) return undefined;
  const [narrow, wide] = windowsOf(search, range);
  const { after: _after, ...unplaced } = search;
  const asked = { ...unplaced, definitions: false };
  const ask = ({ statement, values }: SearchStatement) => session.query(statement, values) as Promise<Row[]>;
  const byLanes = (pairs: readonly Pair[]) =>
    allOver([
      ask(startedStatement(search, pairs, range)),
      ask(outsideStatement(search, pairs, range, narrow)),
    ]);
  const all = await countedAll(context, session, { ...search, sortBy: "createdAt" });
  const { pairs, value } = await outlined(context, session, asked, async (pairs) => {
    const list = listOf(search, pairs, range, all);
    return list ? { listed: await askList(ask, list) } : { looked: await byLanes(pairs) };
  });
  const list = value.listed && listOf(search, pairs, range, all);
  const listed = list && listedSource(context, list, value.listed!);
  if (listed) return listed;
  const [started, outside] = value.looked ?? (await session.inOneGo(() => [byLanes(pairs)]))[0];
  const gathered = gatheredSource(search, started);
  if (gathered) return gathered;
  // The index by ids has no other instant.
  if (search.sortBy === "id") return undefined;
  if (isLookedThrough(outside)) return walkOf(context, search, pairs, narrow, outside);
  const fewer = await ask(outsideStatement(search, pairs, range, wide));
  return isLookedThrough(fewer) ? walkOf(context, search, pairs, wide, fewer) : undefined;
}

function gatheredSource(search: StoreSearch, [counted, ...rows]: readonly Row[]): KeySource | undefined {
  if (counted![1] > gatheredStartsMax) return undefined;
  const places = placesOf(search, rows);
  const total = async () => places.length;
  const starts = gatheredStarts(places.length);
  return sourceOf(starts, total, (_session, after, limit) => firstOf(search, places, after, limit));
}

// From the list of all tasks

/** What is asked of the list. */
interface List {
  search: StoreSearch;
  pairs: readonly Pair[];
  range: StartRange;
  /** So many are looked at for a page of it. */
  most: number;
}

/** So many keys at first, as `keys` is asked for. */
function firstKeys(search: StoreSearch): number {
  return Math.min(chunkMax, Math.max(firstOfSource(search), search.offset + search.limit));
}

function listOf(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
  all: number | undefined,
): List | undefined {
  const most = listedMost(search, pairs, range, firstKeys(search), all);
  return most === undefined ? undefined : { search, pairs, range, most };
}

/** What `besideStatement` has, and the first keys of the list. */
type Listed = [rows: Row[], keys: ListedRow[]];

async function askList(
  ask: (statement: SearchStatement) => Promise<Row[]>,
  { search, pairs, range, most }: List,
): Promise<Listed> {
  const keys = ask(stretchStatement(search, pairs, range, firstKeys(search), most)) as Promise<unknown>;
  return allOver([ask(besideStatement(search, pairs, range)), keys as Promise<ListedRow[]>]);
}

/** Of the stretch less than this share of what it was thought to have: the rest of it is likely to be full of others, such as what waits. */
const leastShare = 0.25;

/** Undefined where too many are beside the list, or to be sorted, or too few were in what was looked at. */
function listedSource(context: Context, list: List, [rows, first]: Listed): KeySource | undefined {
  const { search, range, most } = list;
  const [counted, ...found] = rows;
  const mayHaveMore = first.some(([, , more]) => more);
  if (counted![1] > outsideMax || first.some(([, id]) => id === null)) return undefined;
  if (mayHaveMore && first.length - 1 < leastShare * firstKeys(search)) return undefined;
  const outside = placesOf(search, found);
  const window = windowInList(range);
  const { after: _after, ...within } = searchWithin(search, window);
  const total = async () => (await countTasks(context, within)) + outside.length;
  return sourceOf(startsInList, total, async (session, after, limit) => {
    const isFirst = after === search.after && limit === firstKeys(search);
    const keys = isFirst ? first : await keysBehind(session, list, after, limit, most);
    const walked = keys.filter(([, , more]) => !more).map(([value, id]) => listedPlace(search, value, id));
    const [last] = keys.slice(-1).map(([value, id]) => listedPlace(search, value, id));
    const next = walked.length < keys.length || walked.length === limit ? last : undefined;
    return { places: inOrder(search, [...walked, ...between(search, outside, after, next)]), next };
  });
}

async function keysBehind(
  session: Session,
  { search, pairs, range }: List,
  after: Place | undefined,
  limit: number,
  most: number,
): Promise<ListedRow[]> {
  const { after: _after, ...unplaced } = search;
  const placed = after && { after: { ...after, backwards: search.after?.backwards ?? false } };
  const looked = search.sortBy === "updatedAt" ? most : Math.ceil((most * limit) / firstKeys(search));
  const { statement, values } = stretchStatement({ ...unplaced, ...placed }, pairs, range, limit, looked);
  return (await session.query(statement, values)) as ListedRow[];
}

function listedPlace({ sortBy }: StoreSearch, value: number, id: string): Place {
  return { value: sortBy === "id" ? null : value, id };
}

/** Those of both statements begin with how many were looked at. */
type Row = [id: string | null, createdAt: number, updatedAt: number];

function isLookedThrough([looked, ...found]: readonly Row[]): boolean {
  return looked![1] <= lookedMax && found.length <= outsideMax;
}

function sourceOf(
  starts: StartsRead,
  total: () => Promise<number>,
  keys: (session: Session, after: Place | undefined, limit: number) => Promise<Candidates> | Candidates,
): KeySource {
  return {
    ...{ name: "startedAt", index: "slow", estimate: Number.POSITIVE_INFINITY },
    ...{ isOrdered: true, isFiltered: true, isWalk: true, starts, total },
    keys: async (session, after, limit) => keys(session, after, limit),
  };
}

function walkOf(
  context: Context,
  search: StoreSearch,
  pairs: readonly Pair[],
  window: Window,
  [_looked, ...rows]: readonly Row[],
): KeySource {
  const outside = placesOf(search, rows);
  const { after: _after, ...within } = searchWithin(search, window);
  const total = async () => (await countTasks(context, within)) + outside.length;
  return sourceOf(startsBeside(window), total, async (session, after, limit) => {
    const backwards = search.after?.backwards ?? false;
    const text = new Text();
    const keys = keysOf(text, { ...within, ...(after && { after: { ...after, backwards } }) }, pairs, limit);
    const found = (await session.query(shape("startedWithin", keys), text.values)) as [number, string][];
    const walked = found.map(([value, id]): Place => ({ value, id }));
    const next = walked.length < limit ? undefined : walked.at(-1);
    const beside = between(search, outside, after, next);
    return { places: inOrder(search, [...walked, ...beside]), next };
  });
}

/** In order, each once. */
function placesOf(search: StoreSearch, rows: readonly Row[]): Place[] {
  const places = new Map<string, Place>();
  for (const [id, createdAt, updatedAt] of rows) {
    if (id === null || !isWithin(search.created, createdAt) || !isWithin(search.updated, updatedAt)) continue;
    const value = search.sortBy === "updatedAt" ? updatedAt : createdAt;
    places.set(id, { value: search.sortBy === "id" ? null : value, id });
  }
  return inOrder(search, [...places.values()]);
}

function inOrder(search: StoreSearch, places: Place[]): Place[] {
  const compare = comparator(search);
  return places.sort((a, b) => compare(placed(a), placed(b)));
}

/** Beyond the one place, and not beyond the other. */
function between(
  search: StoreSearch,
  places: readonly Place[],
  after: Place | undefined,
  last: Place | undefined,
): Place[] {
  const compare = comparator(search);
  return places.filter(
    (place) =>
      (!after || compare(placed(after), placed(place)) < 0) &&
      (!last || compare(placed(place), placed(last)) <= 0),
  );
}

function firstOf(
  search: StoreSearch,
  all: readonly Place[],
  after: Place | undefined,
  limit: number,
): Candidates {
  const places = between(search, all, after, undefined).slice(0, limit);
  return { places, next: places.length < limit ? undefined : places.at(-1) };
}

// Statements

const columns = "tasks.id, tasks.created_at, tasks.updated_at";

/** How many may have started in the range, as an instant; and these, unless they are more than `gatheredStartsMax`. */
export function startedStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
): SearchStatement {
  const text = new Text();
  const { settled } = split(pairs);
  const most = text.add(gatheredStartsMax + 1);
  const parts = [
    started(text, settled, elsewhere.started, range, most),
    changed(text, settled, conditionsOf.updated, range, most),
    runningOf(text, search, pairs),
  ];
  const areFew = `(SELECT count(*) FROM looked) <= ${text.add(gatheredStartsMax)}::integer`;
  const few = `SELECT id, created_at, updated_at FROM looked WHERE ${areFew}`;
  return {
    statement: shape("startedTasks", `${lookedAt(parts, most)} UNION ALL ${few}`),
    values: text.values,
  };
}

/** How many were looked at, as an instant; and those of them that lie outside of the window. */
export function outsideStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  range: StartRange,
  window: Window,
): SearchStatement {
  const text = new Text();
  const { settled } = split(pairs);
  const most = text.add(lookedMax + 1);
  const parts = [started(text, settled, elsewhere.startedOddly, range, most)];
  if (mayMissLate(window)) parts.push(changed(text, settled, conditionsOf.lateUpdated, range, most));
  parts.push(runningOf(text, search, pairs));
  const bounds = `${text.add(window.from)}::bigint AND ${text.add(window.to)}::bigint`;
  const outside = `SELECT id, created_at, updated_at FROM looked WHERE ${window.of}_at NOT BETWEEN ${bounds}
    LIMIT ${text.add(outsideMax + 1)}`;
  return {
    statement: shape("startedOutside", `${lookedAt(parts, most)} UNION ALL (${outside})`),
    values: text.values,
  };
}

/** `looked`: at most so many of all parts; and a query of how many these are. */
function lookedAt(parts: readonly string[], most: string): string {
  const all = parts.map((part) => `(${part})`).join(" UNION ALL ");
  return `WITH looked AS MATERIALIZED (SELECT * FROM (${all}) AS found LIMIT ${most})
    SELECT NULL::text AS id, count(*) AS created_at, 0::bigint AS updated_at FROM looked`;
}

function started(
  text: Text,
  pairs: readonly Pair[],
  condition: string,
  { from, to }: StartRange,
  most: string,
): string {
  const bounds = `tasks.started_at BETWEEN ${text.add(from)}::bigint AND ${text.add(to)}::bigint`;
  const changedPairs = pairs.filter(({ status }) => status > 0);
  return tasksOf(text, changedPairs, `${condition} AND ${bounds}`, "tasks.started_at", most);
}

/** In whose last second quick ones may have started. */
function changed(
  text: Text,
  pairs: readonly Pair[],
  condition: string,
  { from, to }: StartRange,
  most: string,
): string {
  const bounds = `tasks.updated_at BETWEEN ${text.add(from)}::bigint AND ${text.add(to + quickMs - 1)}::bigint`;
  const quick = pairs.filter(({ status }) => status === 3 || status === 4);
  return tasksOf(text, quick, `${condition} AND ${bounds}`, "tasks.updated_at", most);
}

function tasksOf(
  text: Text,
  pairs: readonly Pair[],
  conditions: string,
  instant: string,
  most: string,
): string {
  const lanes = pairs.map(({ lane }) => lane);
  const statuses = pairs.map(({ status }) => status);
  return `SELECT keys.* FROM ${unnested(text, { lanes, statuses })} CROSS JOIN LATERAL (
      SELECT ${columns} FROM :schema.tasks WHERE tasks.lane = pair.lane AND tasks.status = pair.status AND ${conditions}
      ORDER BY ${instant}, tasks.id LIMIT ${most}) AS keys LIMIT ${most}`;
}

function runningOf(text: Text, { after: _after, ...search }: StoreSearch, pairs: readonly Pair[]): string {
  const conditions = movingConditions(text, search, split(pairs).moving).join(" AND ");
  return `SELECT ${columns} FROM :schema.tasks WHERE ${conditions}`;
}
