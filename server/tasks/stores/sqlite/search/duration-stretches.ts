/**
 * Tasks in the order of their duration, the shortest or the longest first. Of each hour and minute of creation it is kept between
 * which durations its tasks lie (time-tallies.ts). So an hour is looked into where nothing before it is left that may be
 * first, then a minute of it, then each lane of that, and then their tasks are read: of a page of fifty, fifty minutes at
 * most, and mostly few, since tasks that took as long are in the order of their creation.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { minuteMs } from "../../shared/kept-counts.ts";
import { sortedBetween } from "../../shared/near-orders.ts";
import { generatedBefore, isDownwards, lateMs } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { hoursSql, lanesSql, lateSql, minutesSql, tasksSql } from "./duration-statements.ts";
import { iterate } from "./key-stream.ts";
import { comparator, firstId, isAfter, type Key, lastId, placeKey } from "./search-key.ts";
import { mergeInOrder, mergeUnopened, type Unopened } from "./search-merge.ts";
import type { Pair } from "./search-statements.ts";

/** A minute of a lane that has more is read by the second. */
const tasksAtOnceMax = 2_000;
/** An hour of a lane that has so few is read as a whole. */
const fewTasks = 100;
/** So many that were changed long after their creation are put in order. */
const lateMax = 2_000;
const secondMs = 1_000;
const allLanes = 0;

/** Both included. */
export interface Durations {
  from: number;
  to: number;
}

/** From the search's place on, those that took between so long; among them places. @param pairs of tasks that have ended */
export function stretchedKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  within: Durations,
): Iterator<Key> {
  const sorted = sortedBetween(search);
  const bounds = {
    from: Math.max(sorted.from, within.from),
    to: Math.min(sorted.to, within.to),
  };
  const late = lateKeys(connection, search, pairs, bounds);
  const created = createdIn(search, late !== undefined);
  const streams = [false, true].map((areOwn) => {
    const ofKind = pairs.filter(({ ownIds }) => ownIds === areOwn);
    return new Stretches(connection, search, ofKind, { areOwn, created, bounds }).keys();
  });
  return mergeInOrder([...streams, (late ?? [])[Symbol.iterator]()], comparator(search));
}

/** Milliseconds since 1970; `start` included, `end` excluded. */
interface Span {
  start: number;
  end: number;
}

/** When tasks were created that may be among those of the search, but for late ones where these are apart. */
function createdIn({ created, updated }: StoreSearch, isLateApart: boolean): Span {
  const changedFrom = isLateApart && updated?.start !== undefined ? updated.start - lateMs : -Infinity;
  return {
    start: Math.max(created?.start ?? -Infinity, changedFrom, Number.MIN_SAFE_INTEGER),
    end: Math.min(created?.end ?? Infinity, updated?.end ?? Infinity, Number.MAX_SAFE_INTEGER),
  };
}

/** Of a range of the last change those that were created long before it; undefined where there is none, or are too many. */
function lateKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  { from, to }: Durations,
): Key[] | undefined {
  const { created, updated } = search;
  if (updated?.start === undefined) return undefined;
  const places = JSON.stringify(pairs.map(({ lane, status }) => [lane, status]));
  const changed = [updated.start, updated.end ?? Number.MAX_SAFE_INTEGER];
  const before = Math.min(updated.start - lateMs, created?.end ?? Infinity);
  const rows = connection
    .prepare(lateSql)
    .all(places, ...changed, created?.start ?? Number.MIN_SAFE_INTEGER, before, lateMax + 1);
  if (rows.length > lateMax) return undefined;
  return (rows as unknown as Key[])
    .filter((key) => key[0] >= from && key[0] <= to && isAfter(search, key))
    .sort(comparator(search));
}

type Row = [lane: number, status: number, at: number, tasks: number, head: number];

interface Asked {
  /** Whether ids were chosen: their order says nothing of when tasks were created. */
  areOwn: boolean;
  created: Span;
  bounds: Durations;
}

class Stretches {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #lanes: ReadonlySet<number>;
  readonly #statuses: number;
  readonly #areOwn: boolean;
  readonly #created: Span;
  readonly #bounds: Durations;
  readonly #isDown: boolean;
  readonly #compare: (a: Key, b: Key) => number;

  constructor(
    connection: Connection,
    search: StoreSearch,
    pairs: readonly Pair[],
    { areOwn, created, bounds }: Asked,
  ) {
    this.#connection = connection;
    this.#search = search;
    this.#pairs = pairs;
    this.#lanes = new Set(pairs.map(({ lane }) => lane));
    this.#statuses = pairs.reduce((bits, { status }) => bits | (1 << status), 0);
    this.#areOwn = areOwn;
    this.#created = created;
    this.#bounds = bounds;
    this.#isDown = isDownwards(search);
    this.#compare = comparator(search);
  }

  keys(): Iterator<Key> {
    if (this.#pairs.length === 0) return [][Symbol.iterator]();
    return mergeUnopened(this.#hours(), this.#compare);
  }

  *#hours(): Generator<Unopened, undefined> {
    const { types, queues } = this.#search;
    // The sums of all lanes tell of chosen ids, too.
    const lanes = types || queues || this.#areOwn ? [...this.#lanes] : [allLanes];
    const { start, end } = this.#created;
    const hours = [Math.floor(start / hourMs), Math.floor((end - 1) / hourMs)];
    const values = [...this.#given(hourMs), JSON.stringify(lanes), ...hours];
    // Mostly few of them are come to.
    const rows = iterate(this.#connection, hoursSql(this.#isDown), values) as unknown as Iterator<Row>;
    try {
      for (let next = rows.next(); !next.done; next = rows.next()) yield this.#unopenedHour(next.value);
      return undefined;
    } finally {
      rows.return?.();
    }
  }

  #unopenedHour(row: Row): Unopened {
    const [lane, status, hour, tasks] = row;
    const span = { start: hour * hourMs, end: (hour + 1) * hourMs };
    const isSmall = lane !== allLanes && tasks <= fewTasks;
    return this.#unopened(row, span, () =>
      isSmall ? this.#tasks(lane, status, span) : mergeUnopened(this.#minutes(row), this.#compare),
    );
  }

  *#minutes([lane, status, hour]: Row): Generator<Unopened, undefined> {
    const { start, end } = this.#within({ start: hour * hourMs, end: (hour + 1) * hourMs });
    const minutes = [Math.floor(start / minuteMs), Math.floor((end - 1) / minuteMs)];
    const rows = this.#connection
      .prepare(minutesSql(this.#isDown))
      .all(...this.#given(minuteMs, status), lane, ...minutes);
    for (const row of rows as unknown as Row[]) {
      yield this.#unopened(row, spanOf(row), () =>
        lane === allLanes ? mergeUnopened(this.#ofLanes(row), this.#compare) : this.#ofMinute(row),
      );
    }
    return undefined;
  }

  *#ofLanes([, status, minute]: Row): Generator<Unopened, undefined> {
    const rows = this.#connection
      .prepare(lanesSql(this.#isDown))
      .all(...this.#given(minuteMs, status), minute);
    for (const row of rows as unknown as Row[]) {
      if (this.#lanes.has(row[0])) yield this.#unopened(row, spanOf(row), () => this.#ofMinute(row));
    }
    return undefined;
  }

  #ofMinute(row: Row): Iterator<Key> {
    const [lane, status, , tasks] = row;
    if (tasks <= tasksAtOnceMax) return this.#tasks(lane, status, spanOf(row));
    return mergeUnopened(this.#seconds(row), this.#compare);
  }

  *#seconds(row: Row): Generator<Unopened, undefined> {
    const [lane, status] = row;
    const span = spanOf(row);
    const seconds: Span[] = [];
    for (let start = span.start; start < span.end; start += secondMs)
      seconds.push({ start, end: start + secondMs });
    if (this.#isDown) seconds.reverse();
    for (const second of seconds) yield this.#unopened(row, second, () => this.#tasks(lane, status, second));
    return undefined;
  }

  #tasks(lane: number, status: number, span: Span): Iterator<Key> {
    const { start, end } = this.#within(span);
    const { after, updated, where, offset, limit } = this.#search;
    const { from, to } = this.#bounds;
    const rows = this.#connection
      .prepare(tasksSql(this.#isDown, after !== undefined))
      .all(
        ...[lane, status, start, end],
        ...[updated?.start ?? Number.MIN_SAFE_INTEGER, updated?.end ?? Number.MAX_SAFE_INTEGER, from, to],
        where ? -1 : offset + limit,
        ...(after ? [after.value ?? 0, after.id] : []),
      );
    return (rows as unknown as Key[])[Symbol.iterator]();
  }

  #within({ start, end }: Span): Span {
    return { start: Math.max(start, this.#created.start), end: Math.min(end, this.#created.end) };
  }

  /** What the bounds of stretches of this length are asked with. */
  #given(lengthMs: number, status?: number): number[] {
    const { from, to } = this.#bounds;
    return [from, to, status === undefined ? this.#statuses : 1 << status, this.#tied(lengthMs)];
  }

  /** Tasks of stretches before this one, or after it downwards, that took as long as those of the search's place lie before it. */
  #tied(lengthMs: number): number {
    const { after } = this.#search;
    const { from, to } = this.#bounds;
    const none = this.#isDown ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
    if (!after || this.#areOwn || after.value !== (this.#isDown ? to : from)) return none;
    return Math.floor(generatedBefore(after.id) / lengthMs);
  }

  #unopened([, , , , head]: Row, { start, end }: Span, open: () => Iterator<Key>): Unopened {
    const anyId = this.#isDown ? lastId : firstId;
    const place = placeKey(head, this.#areOwn ? anyId : ulidStart(this.#isDown ? end : start));
    const { after } = this.#search;
    const isBehind = !after || isAfter(this.#search, place);
    return { head: isBehind ? place : placeKey(after.value ?? 0, after.id), open };
  }
}

function spanOf([, , minute]: Row): Span {
  return { start: minute * minuteMs, end: (minute + 1) * minuteMs };
}
