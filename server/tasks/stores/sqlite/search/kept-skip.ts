/** Where a page far inside a list begins: kept counts say it by the hour, then by the minute of that hour; see skip-sections.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { GroupSums } from "../../shared/group-sums.ts";
import { groupsOfStatuses, hourMs } from "../../shared/hours.ts";
import { minuteMs } from "../../shared/kept-counts.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { rangeOfOther, type Span, type Stretch, withoutOther } from "../../shared/skip-sections.ts";
import type { Connection } from "../connection.ts";
import { countByTime } from "../counts/time-counts.ts";
import { runningKeys } from "./search.ts";
import { lateOutside, type Pair } from "./search-statements.ts";

/** Kept counts that are read: of more, keys are counted sooner. */
const keptMax = 60_000;
const statesOfLane = 4;
const firstHours = 24;

/**
 * The minute of the page; how many keys are passed where it lies beyond the section; undefined where there are too many kept
 * counts to be read.
 * @param passed how many keys lie before the section
 * @param definitions when those were created that are among the keys
 */
export function minuteOfPage(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  section: Span & { passed: number },
  definitions: readonly number[],
): Stretch | number | undefined {
  const counter = new KeptCounter(connection, search, pairs, section, definitions);
  let { passed } = section;
  let read = 0;
  let start = Math.floor(section.start / hourMs) * hourMs;
  let end = Math.ceil(section.end / hourMs) * hourMs;
  for (let hours = firstHours; start < end; hours *= 2) {
    const lengthMs = Math.min(end - start, hours * hourMs);
    read += (lengthMs / hourMs) * counter.lanes * statesOfLane;
    if (read > keptMax) return undefined;
    const isDown = isDownwards(search);
    const stretch = isDown ? { start: end - lengthMs, end } : { start, end: start + lengthMs };
    for (const [hour, keys] of counter.keysBy(hourMs, stretch)) {
      if (passed + keys <= search.offset) {
        passed += keys;
        continue;
      }
      for (const [minute, keys] of counter.keysBy(minuteMs, { start: hour, end: hour + hourMs })) {
        if (passed + keys > search.offset) return { start: minute, end: minute + minuteMs, passed, keys };
        passed += keys;
      }
      // The hour has as many as its minutes.
      return undefined;
    }
    if (isDown) end = stretch.start;
    else start = stretch.end;
  }
  return passed;
}

/** The keys of a section by hours or minutes. */
class KeptCounter {
  /** Whose counts are read. */
  readonly lanes: number;
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  /** Without a range of the other instant. */
  readonly #unbounded: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #groups: readonly number[];
  readonly #section: Span;
  readonly #definitions: readonly number[];
  readonly #running: readonly number[];

  constructor(
    connection: Connection,
    search: StoreSearch,
    pairs: readonly Pair[],
    section: Span,
    definitions: readonly number[],
  ) {
    this.#connection = connection;
    this.#search = search;
    this.#unbounded = withoutOther(search);
    this.#pairs = pairs;
    this.#groups = pairs.map(() => 0);
    this.#section = section;
    this.#definitions = definitions;
    this.lanes = groupsOfStatuses(search, pairs, this.#groups)
      ? 1
      : new Set(pairs.map(({ lane }) => lane)).size;
    this.#running = rangeOfOther(search) ? this.#runningOutside() : [];
  }

  /** In the order of reading. */
  keysBy(bucketMs: number, stretch: Span): [at: number, keys: number][] {
    const isByChange = this.#search.sortBy === "updatedAt";
    const field = isByChange ? "updated" : "created";
    const given = this.#search[field];
    const start = Math.max(stretch.start, this.#section.start, given?.start ?? stretch.start);
    const end = Math.min(stretch.end, this.#section.end, given?.end ?? stretch.end);
    if (start >= end) return [];
    const time = isByChange ? "updatedAt" : "createdAt";
    const buckets = { time, bucketMs } as const;
    const sums = new GroupSums(buckets);
    const [pairs, groups] = [this.#pairs, this.#groups];
    const search = { ...this.#unbounded, [field]: { start, end } };
    countByTime(this.#connection, { search, time, buckets, pairs, groups, sums });
    const addEach = (instants: readonly number[], sign: 1 | -1) => {
      for (const at of instants) if (at >= start && at < end) sums.add(0, at, sign);
    };
    addEach(this.#definitions, 1);
    addEach(this.#running, -1);
    for (const [at, tasks] of this.#late({ start, end }, bucketMs)) sums.add(0, at, -tasks);
    return sums.of(0).sort(([a], [b]) => (isDownwards(search) ? b - a : a - b));
  }

  /** How many late tasks the other range leaves out. */
  #late({ start, end }: Span, bucketMs: number): [at: number, tasks: number][] {
    const other = rangeOfOther(this.#search);
    if (!other) return [];
    const settled = this.#pairs.filter(({ status }) => status !== 2);
    const { text, values } = lateOutside(this.#search, settled, { start, end }, other, bucketMs);
    return this.#connection.prepare(text).all(...values) as unknown as [number, number][];
  }

  /** RUNNING tasks that the other range leaves out. */
  #runningOutside(): number[] {
    const within = runningKeys(this.#connection, this.#search, this.#pairs);
    const inside = new Set(within.map(([, , seq]) => seq));
    return runningKeys(this.#connection, this.#unbounded, this.#pairs)
      .filter(([, , seq]) => !inside.has(seq))
      .map(([at]) => at);
  }
}
