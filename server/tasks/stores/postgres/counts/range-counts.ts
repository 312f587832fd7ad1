/**
 * Counts of tasks by ranges of both instants. Nearly all tasks are last changed within minutes (`lateMs`) of their creation, so
 * of an hour that lies whole within the one range, and as far within the other, all fit but a few: its tasks are taken from
 * the counts that are kept by the hour of creation, and late ones that do not fit are taken off. What lies before and behind
 * these hours, an hour or two and the late ones, is counted by the indexes.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { GroupSums } from "../../shared/group-sums.ts";
import { hourMs } from "../../shared/hours.ts";
import { earliest, lateMs, latest } from "../../shared/search-bounds.ts";
import type { Session } from "../connections/database.ts";
import { type Pair, split } from "../search/search-statements.ts";
import { countStatement } from "./count-statements.ts";
import { allOf, countByHours, toOne } from "./time-counts.ts";

/** Fewer hours are counted by the indexes. */
const hoursMin = 2;

/** How many tasks of the pairs fit, of one snapshot. */
export async function countInRanges(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
): Promise<number> {
  if (!search.updated) return countKept(session, search, pairs);
  const { start, end } = wholeHours(search);
  if (start !== undefined && end !== undefined && end - start < hoursMin * hourMs)
    return count(session, search, pairs);
  const { created, updated = {}, ...unbounded } = search;
  const { settled, moving } = split(pairs);
  const within: StoreSearch = { ...unbounded, created: rangeOf(start, end) };
  let tasks = await countKept(session, within, settled);
  if (updated.end !== undefined)
    tasks -= await count(session, { ...within, updated: { start: updated.end } }, settled);
  if (start !== undefined)
    tasks += await count(session, { ...search, created: rangeOf(created?.start, start) }, settled);
  if (end !== undefined && end < (earliest(created?.end, updated.end) ?? Infinity))
    tasks += await count(session, { ...search, created: rangeOf(end, created?.end) }, settled);
  return moving.length > 0 ? tasks + (await count(session, search, moving)) : tasks;
}

/** From the first hour on, up to the last one, in which all that are not late fit; milliseconds since 1970. */
function wholeHours({ created, updated }: StoreSearch): {
  start?: number | undefined;
  end?: number | undefined;
} {
  const start = latest(created?.start, updated?.start);
  const end = earliest(created?.end, updated?.end === undefined ? undefined : updated.end - lateMs);
  return {
    start: start === undefined ? undefined : Math.ceil(start / hourMs) * hourMs,
    end: end === undefined ? undefined : Math.floor(end / hourMs) * hourMs,
  };
}

/** With the ends that there are. */
function rangeOf(start: number | undefined, end: number | undefined): { start?: number; end?: number } {
  return { ...(start !== undefined && { start }), ...(end !== undefined && { end }) };
}

async function countKept(session: Session, search: StoreSearch, pairs: readonly Pair[]): Promise<number> {
  const sums = new GroupSums();
  await countByHours(session, allOf(search, "createdAt", pairs), toOne(sums));
  return sums.of(0)[0]?.[1] ?? 0;
}

async function count(session: Session, search: StoreSearch, pairs: readonly Pair[]): Promise<number> {
  const { statement, values } = countStatement(search, pairs);
  const [row] = await session.query(statement, values);
  return row![0];
}
