/** In which minute a page far inside a list begins: kept counts say it by the hour, then by the minute of that hour. */
import type { StoreSearch } from "../../core/store.ts";
import { GroupSums } from "../group-sums.ts";
import { groupsOfStatuses, hourMs } from "../hours.ts";
import { keptTime, minuteMs } from "../kept-counts.ts";
import { isDownwards } from "../search-bounds.ts";
import type { Connection } from "./connection.ts";
import type { Pair } from "./search-statements.ts";
import { countByTime } from "./time-counts.ts";

/** Kept counts that are read: of more, keys are counted sooner. */
const keptMax = 60_000;
const statesOfLane = 4;
const firstHours = 24;

/** Between which instants all keys lie; the end is excluded. Milliseconds since 1970. */
export interface Span {
  start: number;
  end: number;
}

/** How many keys of the page's offset lie before the span, in the order of reading, and how many in it. */
export interface Stretch extends Span {
  passed: number;
  keys: number;
}

/**
 * Undefined where kept counts do not tell; `end` where there are fewer keys than are to be passed over.
 * @param definitions when those were created that are among the keys
 */
export function minuteOfPage(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  span: Span,
  definitions: readonly number[],
): Stretch | "end" | undefined {
  const time = search.sortBy === "updatedAt" ? "updatedAt" : "createdAt";
  if (keptTime(search, { time, bucketMs: hourMs }) !== time) return undefined;
  const field = time === "updatedAt" ? "updated" : "created";
  const groups = pairs.map(() => 0);
  const lanes = groupsOfStatuses(search, pairs, groups) ? 1 : new Set(pairs.map(({ lane }) => lane)).size;
  const isDown = isDownwards(search);
  /** In the order of reading. */
  const counts = (stretch: Span, bucketMs: number) => {
    const given = search[field];
    const start = Math.max(stretch.start, given?.start ?? stretch.start);
    const end = Math.min(stretch.end, given?.end ?? stretch.end);
    const buckets = { time, bucketMs } as const;
    const sums = new GroupSums(buckets);
    const counted = { ...search, [field]: { start, end } };
    countByTime(connection, { search: counted, time, buckets, pairs, groups, sums });
    for (const at of definitions) if (at >= start && at < end) sums.add(0, at, 1);
    return sums.of(0).sort(([a], [b]) => (isDown ? b - a : a - b));
  };
  let passed = 0;
  let read = 0;
  let start = Math.floor(span.start / hourMs) * hourMs;
  let end = Math.ceil(span.end / hourMs) * hourMs;
  for (let hours = firstHours; start < end; hours *= 2) {
    const lengthMs = Math.min(end - start, hours * hourMs);
    read += (lengthMs / hourMs) * lanes * statesOfLane;
    if (read > keptMax) return undefined;
    const stretch = isDown ? { start: end - lengthMs, end } : { start, end: start + lengthMs };
    for (const [hour, keys] of counts(stretch, hourMs)) {
      if (passed + keys <= search.offset) {
        passed += keys;
        continue;
      }
      for (const [minute, keys] of counts({ start: hour, end: hour + hourMs }, minuteMs)) {
        if (passed + keys > search.offset) return { start: minute, end: minute + minuteMs, passed, keys };
        passed += keys;
      }
      // The hour has as many as its minutes.
      return undefined;
    }
    if (isDown) end = stretch.start;
    else start = stretch.end;
  }
  return "end";
}
