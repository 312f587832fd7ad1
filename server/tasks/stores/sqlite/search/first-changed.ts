/**
 * Which pairs of lane and status have tasks where a search in the order of the latest change begins. All lanes of a minute lie side by
 * side in what is kept of them, so that one look tells of hundreds of pairs which have nothing there: these need not be asked
 * where they begin, each at a place of the index that nothing else reads.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { stateOf } from "../../shared/hours.ts";
import { minuteMs, minuteOf } from "../../shared/kept-counts.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { keptSql } from "../counts/time-statements.ts";
import type { PageSize } from "./key-stream.ts";
import type { Pair } from "./search-statements.ts";

/** Fewer pairs are asked sooner than what is kept is read. */
const pairsMin = 100;
/** Minutes that are read at most: each takes as long as some ten pairs. */
const minutesMax = 3;
/** So many more than the page has, that the first minutes are to have. */
const ahead = 1.25;

export interface FirstChanged {
  /** Whether some tasks of a pair, which have ended or were never changed, may lie before the end. */
  has(pair: Pair): boolean;
  /** The first instant behind these minutes, in the direction of reading. */
  end: number;
}

/** Undefined in other orders, where nothing says at which instant reading begins, and where the first minutes have no page. */
export function firstChanged(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  { offset, limit }: PageSize,
): FirstChanged | undefined {
  const begin = pairs.length < pairsMin ? undefined : beginOf(search);
  if (begin === undefined) return undefined;
  const isDown = isDownwards(search);
  const asked = new Set(pairs.map(placeOf));
  const found = new Set<number>();
  const wanted = ahead * (offset + limit);
  let minute = minuteOf(isDown ? begin - 1 : begin);
  let part = (isDown ? begin - minute * minuteMs : (minute + 1) * minuteMs - begin) / minuteMs;
  let tasks = 0;
  for (let read = 1; read <= minutesMax; read += 1) {
    let ofMinute = 0;
    for (const [place, count] of keptOf(connection, minute)) {
      if (count === 0 || !asked.has(place)) continue;
      found.add(place);
      ofMinute += count;
    }
    tasks += ofMinute * part;
    if (tasks >= wanted) {
      const end = isDown ? minute * minuteMs - 1 : (minute + 1) * minuteMs;
      return { has: (pair) => found.has(placeOf(pair)), end };
    }
    if (tasks + ofMinute * (minutesMax - read) < wanted) return undefined;
    minute += isDown ? -1 : 1;
    part = 1;
  }
  return undefined;
}

/** The first instant that tasks of the search may have been changed at; newest first the one behind it. */
function beginOf(search: StoreSearch): number | undefined {
  const { sortBy, created, updated, after } = search;
  if (sortBy !== "updatedAt") return undefined;
  if (!isDownwards(search)) {
    const bounds = [created?.start, updated?.start, after?.value].filter((at) => typeof at === "number");
    return bounds.length > 0 ? Math.max(...bounds) : undefined;
  }
  const place = typeof after?.value === "number" ? after.value + 1 : undefined;
  const bounds = [updated?.end, place].filter((at) => at !== undefined);
  const end = Math.min(...bounds);
  // Where only tasks that were created long before count, nearly all of these minutes are others.
  if (bounds.length === 0 || (created?.end !== undefined && created.end < end - minuteMs)) return undefined;
  return end;
}

function placeOf({ lane, status }: Pair): number {
  return lane * 8 + stateOf(status);
}

/** By `lane * 8 + state`: how many ended by a change in the minute; of those that have not ended how many were created in it. */
function keptOf(connection: Connection, minute: number): [place: number, tasks: number][] {
  const statement = connection.prepare(keptSql.minute.eachOfAllLanes("updatedAt"));
  const [row] = statement.all(minute, minute + 1) as unknown as [number, string][];
  if (!row) return [];
  const [places, counts] = JSON.parse(row[1]) as [number[], number[]];
  return places.map((place, index) => [place, counts[index]!]);
}
