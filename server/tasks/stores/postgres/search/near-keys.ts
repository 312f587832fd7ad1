/**
 * Places of tasks in an order that most tasks share with another one; see near-orders.ts. A chunk is put together from what
 * is near, what is elsewhere, what runs and what waits, each read as far as the chunk may reach; and it ends where the first
 * of them was read to.
 */

import { ulidStart } from "../../../core/ids.ts";
import type { Place, StoredDefinition, StoreSearch } from "../../../core/store.ts";
import { compareText } from "../../../core/values/compare.ts";
import {
  edgeOfStarts,
  overrunMsMax,
  placeAfterInstant,
  placeBeforeInstant,
} from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { allOver, type Session, type Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import type { TaskRow } from "../rows.ts";
import { isWithin } from "./entries.ts";
import type { Candidates } from "./key-source.ts";
import { listedStatement } from "./listed-starts.ts";
import {
  dueAtStatement,
  type NearRow,
  nearMost,
  nearStatement,
  type PartedOrder,
  type Reach,
  type WaitingRow,
  waitingStatement,
} from "./near-statements.ts";
import { outlined } from "./outline.ts";
import { countedAll } from "./search.ts";
import type { Pair } from "./search-statements.ts";

/**
 * How tasks that wait are found by due time: in the lines of the claim, which know nothing of ranges of other instants; or
 * as those that have ended, where few of a range may be due when they were created.
 */
export type WaitingWay = "lines" | "ranges";

export interface NearAsked {
  limit: number;
  way: WaitingWay;
  /** When none is looked for any further. */
  endsAt: number;
  /** Where not more tasks than so many have the search's instants, these are sorted instead. */
  fewMax?: number | undefined;
  /** The tasks behind so many places are wanted, too, as `columnsWithin` so many bytes. */
  tasks?: { from: number; share: number } | undefined;
  /** Whether definitions without tasks are asked for. */
  definitions: boolean;
  /** Whether those in the other order may be read among all tasks; not where that brought too few. */
  isOfList: boolean;
}

export interface NearPlaces extends Candidates {
  /** Those that were asked for, whatever their place. */
  definitions: StoredDefinition[];
  /** Those that were asked for, in the order of their places. */
  rows?: TaskRow[];
}

/** The next places beyond the search's, at most `limit`, of tasks that pass the plain filters; and where there may be more. */
export async function nearPlaces(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  order: PartedOrder,
  { limit, way, endsAt, fewMax, tasks, definitions: hasDefinitions, isOfList }: NearAsked,
): Promise<NearPlaces> {
  const isWaitingToo = order === "dueAt" && way === "ranges";
  const isInLines = order === "dueAt" && !isWaitingToo;
  const { pairs: known, shortLists, denseStarts } = context.lanes;
  const isByStart = order === "startedAt" && !isDownwards(search);
  const depthFirst = isByStart ? denseStarts.depth(search, limit) : limit;
  const isOfOthers =
    (order === "dueAt" || order === "priority") && !(isIntoRange(search) && known.areCrowded);
  const hasList = (order === "startedAt" || (isOfList && isOfOthers)) && !shortLists.isShort(search);
  // Chosen ids lie among the generated ones, or before them all, and would be passed over one by one.
  const isOfIds = order !== "startedAt";
  const mayList = hasList && !(isOfIds && context.lanes.haveChosenIds);
  const all = mayList ? await countedAll(context, session, search) : undefined;
  const reach = (depth: number): Reach => ({
    limit,
    depth,
    isWaitingToo,
    fewMax,
    isOfList: hasList,
    all,
    tasks,
  });
  const read = (pairs: readonly Pair[], depth: number) => {
    const { statement, values } = nearStatement(search, order, pairs, reach(depth));
    return session.query(statement, values) as Promise<NearRow[]>;
  };
  let isSure = true;
  const first = async (pairs: readonly Pair[]) => {
    const isListed = order === "startedAt" && hasList;
    const listed = isListed ? listedStatement(search, pairs, reach(limit)) : undefined;
    isSure = !listed;
    if (!listed) return read(pairs, depthFirst);
    const rows = (await session.query(listed.statement, listed.values)) as NearRow[];
    if (rows[0]![0] === 0) return rows;
    shortLists.saw(search);
    return undefined;
  };
  const { after: _after, ...unplaced } = search;
  const {
    pairs,
    definitions,
    value: [firstRows, inLines],
  } = await outlined(
    context,
    session,
    { ...unplaced, definitions: hasDefinitions },
    (pairs) => allOver([first(pairs), isInLines ? readLines(session, search, pairs, limit) : nothing]),
    () => tasks !== undefined && !isInLines && isSure,
  );
  let rows = firstRows ?? (await read(pairs, depthFirst));
  for (let depth = depthFirst; ; depth *= 2) {
    const end = endOf(search, order, rows, nearMost(order, reach(depth)));
    if (isBehind(search, end)) {
      if (performance.now() > endsAt + overrunMsMax) return { places: [], next: search.after, definitions };
      rows = await read(pairs, depth * 2);
      continue;
    }
    const found = rows.flatMap(([, , , value, id]): Place[] => (id === null ? [] : [{ value, id }]));
    const last = found.length < limit ? undefined : found.at(-1)!;
    const parts: Part[] = [
      { places: found, ...(end && { end }) },
      { places: [], ...(last && { end: last }) },
    ];
    if (inLines) parts.push(await waitingPart(session, search, inLines, limit));
    const { places, next } = joined(search, parts, limit);
    const isDense = isByStart && end && places.length < found.length && performance.now() < endsAt;
    if (isDense && denseStarts.saw(search, limit, depth)) {
      rows = await read(pairs, depth * 2);
      continue;
    }
    if (hasList && isOfOthers && end && places.length < limit) {
      shortLists.saw(search);
      if (endsBeforeRange(search, end)) known.sawCrowd();
    }
    return { places, next, definitions, ...(tasks && { rows: rowsOf(rows, places.slice(tasks.from)) }) };
  }
}

/** How far all of those in the other order are there; all of them where that is undefined. */
function endOf(
  search: StoreSearch,
  order: PartedOrder,
  [row]: readonly NearRow[],
  most: number,
): Place | undefined {
  const [read, changedAt, id] = row!;
  if (changedAt === null || id === null || read < most) return undefined;
  if (order !== "startedAt") return { value: changedAt, id };
  return placeBeforeInstant(search, edgeOfStarts(isDownwards(search), changedAt));
}

/** Whether the list of all tasks is read from before a range of the last change on. */
function isIntoRange(search: StoreSearch): boolean {
  return search.updated?.start !== undefined && !isDownwards(search);
}

function endsBeforeRange(search: StoreSearch, { id }: Place): boolean {
  return isIntoRange(search) && compareText(id, ulidStart(search.updated!.start!)) < 0;
}

/** Where many changed in one second, those that were read may all have started at instants of which more are to be read. */
function isBehind(search: StoreSearch, end: Place | undefined): boolean {
  return end !== undefined && search.after !== undefined && comparator(search)(search.after, end) >= 0;
}

function rowsOf(rows: readonly NearRow[], places: readonly Place[]): TaskRow[] {
  const wanted = new Set(places.map(({ id }) => id));
  return rows.flatMap(([, , , , id, ...task]) => (id !== null && wanted.has(id) ? [task as TaskRow] : []));
}

/** Places, and how far all of their kind are there; all where that is undefined. */
interface Part {
  places: Place[];
  end?: Place;
}

function joined(search: StoreSearch, parts: readonly Part[], limit: number): Candidates {
  const compare = comparator(search);
  const end = parts.flatMap((part) => (part.end ? [part.end] : [])).sort(compare)[0];
  const places = parts
    .flatMap((part) => part.places)
    .filter((place) => !search.after || compare(search.after, place) < 0)
    .filter((place) => !end || compare(place, end) <= 0)
    .sort(compare);
  if (places.length <= limit) return { places, next: end };
  const page = places.slice(0, limit);
  return { places: page, next: page.at(-1)! };
}

export function comparator(search: StoreSearch): (a: Place, b: Place) => number {
  const sign = isDownwards(search) ? -1 : 1;
  return (a, b) => sign * ((a.value ?? 0) - (b.value ?? 0) || compareText(a.id, b.id));
}

/** So many more are read than are wanted: those that are due at the last instant are left to the next chunk. */
const spareTies = 10;

const nothing = Promise.resolve(undefined);

interface InLines {
  lanes: readonly number[];
  rows: WaitingRow[];
}

async function readLines(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
  most: number,
): Promise<InLines> {
  const lanes = [...new Set(pairs.filter(({ status }) => status < 2).map(({ lane }) => lane))];
  if (lanes.length === 0) return { lanes, rows: [] };
  const { statement, values } = waitingStatement(search, lanes, most + spareTies);
  return { lanes, rows: (await session.query(statement, values)) as WaitingRow[] };
}

async function waitingPart(
  session: Session,
  search: StoreSearch,
  { lanes, rows }: InLines,
  most: number,
): Promise<Part> {
  const fitting = (found: readonly WaitingRow[]) =>
    found
      .filter(([, , createdAt]) => isWithin(search.created, createdAt))
      .filter(([, , , updatedAt]) => isWithin(search.updated, updatedAt))
      .map(([value, id]): Place => ({ value, id }));
  if (rows.length < most + spareTies) return { places: fitting(rows) };
  // More may be due at the last instant; the index has them in another order than that of their ids.
  const dueAt = rows.at(-1)![0];
  const before = rows.filter(([at]) => at !== dueAt);
  if (before.length >= most) return { places: fitting(before), end: placeBeforeInstant(search, dueAt) };
  const { after } = search;
  const from = { value: dueAt, id: after?.value === dueAt ? after.id : placeBeforeInstant(search, dueAt).id };
  const tied = dueAtStatement(search, lanes, from, most);
  const ties = (await session.query(tied.statement, tied.values)) as WaitingRow[];
  const end = ties.length < most ? placeAfterInstant(search, dueAt) : { value: dueAt, id: ties.at(-1)![1] };
  return { places: [...fitting(before), ...fitting(ties)], end };
}
