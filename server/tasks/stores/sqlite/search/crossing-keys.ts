/**
 * A range of the latest change finds what was created after it begins, which needs no look at the change, and what was created
 * before: long before, of which there are few and an index, or at most `lateMs`. Among those of that time few were still changed
 * within the range, and the index by creation does not tell which; the index by change does, since a generated id tells when
 * its task was created.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards, lateMs } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { searchIndexes } from "../statements.ts";
import { withEntries } from "./headed-streams.ts";
import type { PageSize } from "./key-stream.ts";
import { isAfter, type Key } from "./search-key.ts";
import { keysAtOnceMax } from "./search-merge.ts";
import { ofPairs, type Pair, placesOf, withPairs } from "./search-statements.ts";

/** A search in two: what was created from the start of its range of changes on, and what was created before. */
export interface Parts {
  start: number;
  within: StoreSearch;
  before: StoreSearch;
}

/** Undefined where the latest change has no start, or is what is sorted by. */
export function partsByChange(search: StoreSearch): Parts | undefined {
  const { updated, ...others } = search;
  if (search.sortBy === "updatedAt" || updated?.start === undefined) return undefined;
  const { start, end } = updated;
  const { created } = search;
  return {
    start,
    // No task was changed before it was created.
    within: {
      ...others,
      ...(end !== undefined && { updated: { end } }),
      created: { ...created, start: Math.max(start, created?.start ?? start) },
    },
    before: { ...search, created: { ...created, end: Math.min(start, created?.end ?? start) } },
  };
}

/** Of `before`, in order from its place on: those of pairs of generated ids that were created less than `lateMs` before the range. */
export function* crossingKeys(
  connection: Connection,
  { start, before }: Parts,
  pairs: readonly Pair[],
  { offset, limit }: PageSize,
): Generator<Key, undefined> {
  const isDown = isDownwards(before);
  const created = {
    from: Math.max(start - lateMs, before.created?.start ?? start - lateMs),
    to: before.created?.end ?? start,
  };
  if (created.from >= created.to) return undefined;
  const there = withEntries(connection, "updated", pairs);
  if (there.length === 0) return undefined;
  const changedTo = before.updated?.end ?? Number.MAX_SAFE_INTEGER;
  const places = placesOf(there);
  const statement = connection.prepare(crossingSql(isDown));
  let [first, last] = idsOf(before, created);
  for (let size = Math.min(keysAtOnceMax, offset + limit); ; size = Math.min(keysAtOnceMax, 4 * size)) {
    const bounds = [start, Math.min(changedTo, start + lateMs), changedTo, created.from, created.to];
    const rows = statement.all(places, ...bounds, first, last, size) as unknown as Key[];
    for (const key of rows) if (isAfter(before, key)) yield key;
    if (rows.length < size) return undefined;
    if (isDown) last = rows.at(-1)![1];
    else first = rows.at(-1)![1];
  }
}

/** Between which ids they lie, both excluded. */
function idsOf(
  { after, sortBy, ...search }: StoreSearch,
  created: { from: number; to: number },
): [string, string] {
  const ids: [string, string] = [ulidStart(created.from), ulidStart(created.to)];
  if (!after) return ids;
  const isDown = isDownwards({ ...search, sortBy, after });
  const place = sortBy === "id" ? after.id : ulidStart(isDown ? after.value! + 1 : after.value!);
  if (isDown && place < ids[1]) ids[1] = place;
  if (!isDown && place > ids[0]) ids[0] = place;
  return ids;
}

/**
 * Most that were changed then were created then too, not before: that is tested first.
 * Takes pairs as JSON, the start of the change, its end for those that are not late and for late ones, the range of creation and of ids.
 */
export function crossingSql(isDown: boolean): string {
  const { updated, lateCreated } = searchIndexes;
  const those = ({ index, condition }: { index: string; condition: string }) =>
    `SELECT created_at, id, seq FROM pairs CROSS JOIN tasks INDEXED BY ${index}
      WHERE tasks.lane = pairs.lane AND ${ofPairs(condition)} AND id < ?8 AND id > ?7 AND updated_at >= ?2`;
  return `${withPairs.replace("?", "?1")} SELECT created_at, id, seq FROM (
    ${those(updated)} AND updated_at < ?3 AND updated_at - created_at <= ${lateMs}
    UNION ALL ${those(lateCreated)} AND updated_at < ?4 AND created_at >= ?5 AND created_at < ?6)
    ORDER BY id ${isDown ? "DESC" : "ASC"} LIMIT ?9`;
}
