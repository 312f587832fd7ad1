/**
 * Tasks by how long they ran. An index has those that ran for a second or longer; there are never many a second of them,
 * and they are what is asked for.
 */
import { ulidStart } from "../../core/ids.ts";
import type { Place, StoreSearch } from "../../core/store.ts";
import { sortedBetween } from "../near-orders.ts";
import { isDownwards, leastDuration } from "../search-bounds.ts";
import type { Context } from "./context.ts";
import type { Session } from "./database.ts";
import { gatheredMax, type KeySource } from "./key-source.ts";
import { countTasks } from "./search.ts";
import { type Pair, type SearchStatement, Text, unnested } from "./search-statements.ts";
import { shape } from "./statement.ts";

const slowMs = 1_000;
/** Further ones are looked for among all. */
const slowestMax = 2_000;
const duration = "(tasks.completed_at - tasks.started_at)";
const slow = `tasks.lane = pair.lane AND tasks.status = pair.status AND tasks.status >= 3 AND ${duration} >= ${slowMs}`;

/** Of fewer than one task in so many the index would pass over too many. */
const passedMax = 50;

/**
 * Whether the index has the search's order: as far as they took a second, both ways where a bound leaves no others. A range of
 * the last change is not in it.
 */
export function isSlowest(search: StoreSearch): boolean {
  const { sortBy, id, created, updated, types, offset, limit } = search;
  if (sortBy !== "duration" || id !== undefined || updated?.start !== undefined) return false;
  // Each lane would be looked through for a page.
  if ((created || updated) && !types) return false;
  const { to } = sortedBetween(search);
  return offset + limit <= slowestMax && to >= slowMs && (isDownwards(search) || isAllSlow(search));
}

/** Whether all that may be on the page took a second. */
export function isAllSlow(search: StoreSearch): boolean {
  return sortedBetween(search).from >= slowMs;
}

/** Whether a range of time leaves so few that they are sorted sooner than they are found among all that took a second. */
export async function isOfFew(context: Context, search: StoreSearch): Promise<boolean> {
  const { created, updated, where: _where, after: _after, ...filters } = search;
  if (!created && !updated) return false;
  const plain: StoreSearch = { ...filters, sortBy: "createdAt", offset: 0, definitions: false };
  const ranges = { ...(created && { created }), ...(updated && { updated }) };
  const [all, within] = await Promise.all([
    countTasks(context, plain),
    countTasks(context, { ...plain, ...ranges }),
  ]);
  return within * passedMax < all;
}

/** Of many pairs no single one is likely to have more of a page than this share. */
const shareOfPair = 1 / 3;
const manyPairs = 16;

/** The next of the pairs from the search's place on, in order, and whether there may be more; about so many. */
export async function slowestPlaces(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
): Promise<{ places: Place[]; hasMore: boolean }> {
  const ofPair = mostOfPair(pairs, limit);
  const { statement, values } = slowestStatement(search, pairs, limit);
  const rows = (await session.query(statement, values)) as [number, string, number][];
  // What comes behind the last one of a pair that may have more is not all there yet.
  const counts = new Map<number, number>();
  let end = rows.length;
  let isFull = false;
  for (const [place, [, , pair]] of rows.entries()) {
    const count = (counts.get(pair) ?? 0) + 1;
    counts.set(pair, count);
    if (count < ofPair) continue;
    end = place + 1;
    isFull = true;
    break;
  }
  const places = rows.slice(0, end).map(([value, id]): Place => ({ value, id }));
  return { places, hasMore: isFull || rows.length >= limit };
}

function mostOfPair(pairs: readonly Pair[], limit: number): number {
  return pairs.length < manyPairs ? limit : Math.ceil(limit * shareOfPair);
}

/** The first of so many of each pair: how long, the id, and a number of the pair. */
export function slowestStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
): SearchStatement {
  const text = new Text();
  const { after } = search;
  const given = unnested(text, groupOf(pairs));
  const [direction, than] = isDownwards(search) ? ["DESC", "<"] : ["ASC", ">"];
  const { from, to } = sortedBetween(search);
  const bounds = `${duration} BETWEEN ${text.add(from)}::bigint AND ${text.add(to)}::bigint`;
  const beyond = after
    ? [`(${duration}, tasks.id) ${than} (${text.add(after.value)}::bigint, ${text.add(after.id)}::text)`]
    : [];
  const conditions = [slow, bounds, ...beyond, ...createdWithin(text, search, pairs)].join(" AND ");
  const most = text.add(mostOfPair(pairs, limit));
  return {
    statement: shape(
      "slowestTasks",
      `SELECT keys.value, keys.id, pair.lane * 8 + pair.status FROM ${given} CROSS JOIN LATERAL (
          SELECT ${duration} AS value, tasks.id FROM :schema.tasks WHERE ${conditions}
          ORDER BY ${duration} ${direction}, tasks.id ${direction} LIMIT ${most}) AS keys
        ORDER BY keys.value ${direction}, keys.id ${direction} LIMIT ${text.add(limit)}`,
    ),
    values: text.values,
  };
}

/** Generated ids, which are in the index, tell when tasks were created. */
function createdWithin(text: Text, { created, updated }: StoreSearch, pairs: readonly Pair[]): string[] {
  const end = Math.min(created?.end ?? Infinity, updated?.end ?? Infinity);
  const [column, asked] = pairs.some(({ ownIds }) => ownIds)
    ? ["tasks.created_at", (at: number) => `${text.add(at)}::bigint`]
    : ["tasks.id", (at: number) => `${text.add(ulidStart(at))}::text`];
  return [
    ...(created?.start === undefined ? [] : [`${column} >= ${asked(created.start)}`]),
    ...(end === Infinity ? [] : [`${column} < ${asked(end)}`]),
  ];
}

/** The source of a lower bound of a second or more that must hold. */
export async function slowSource(
  session: Session,
  search: StoreSearch,
  pairsOf: () => Promise<readonly Pair[]>,
): Promise<KeySource | undefined> {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  const text = new Text();
  const given = unnested(text, groupOf(await pairsOf()));
  const most = text.add(gatheredMax + 1);
  const rows = await session.query(
    shape(
      "slowTasks",
      `SELECT keys.id FROM ${given} CROSS JOIN LATERAL (
        SELECT tasks.id FROM :schema.tasks WHERE ${slow} AND ${duration} >= ${text.add(least)}::bigint
        ORDER BY ${duration} DESC, tasks.id DESC LIMIT ${most}) AS keys
      LIMIT ${most}`,
    ),
    text.values,
  );
  if (rows.length > gatheredMax) return undefined;
  const places = rows.map(([id]): Place => ({ value: null, id }));
  return {
    ...{ name: "duration", index: "slow", estimate: places.length, isOrdered: false },
    keys: async () => ({ places }),
  };
}

function groupOf(pairs: readonly Pair[]): { lanes: number[]; statuses: number[] } {
  const ended = pairs.filter(({ status }) => status >= 3);
  return { lanes: ended.map(({ lane }) => lane), statuses: ended.map(({ status }) => status) };
}
