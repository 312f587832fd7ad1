/**
 * Keys of tasks in the order of how long they ran. An index has all but brief ones, which are found by what is kept of hours
 * (brief-keys.ts). A range of time leaves out most of the index: it is passed over by portions, and where the range has few tasks
 * these are put in order sooner.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { dayMs, minuteMs } from "../../shared/kept-counts.ts";
import { isOfRange, sortedBetween } from "../../shared/near-orders.ts";
import { isDownwards, lateMs } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { briefMs } from "../counts/brief-hours.ts";
import { briefKeys, type Durations, type Span } from "./brief-keys.ts";
import {
  durationIndex,
  fewTasks,
  indexedEdge,
  indexedHeads,
  indexedKeys,
  indexedWithin,
  lateTasks,
  minutesOfTasks,
} from "./duration-statements.ts";
import { headsOf } from "./kept-heads.ts";
import { headed, shareOfPage, streamKeys } from "./key-stream.ts";
import { findPairs } from "./pairs.ts";
import { countTasks, headedPairsMin } from "./search.ts";
import { comparator, isAfter, type Key, placeBefore, placeKey } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import { type Pair, placesOf } from "./search-statements.ts";

/** To pass over a task takes the index so much of what it takes to read and sort one that is within the range. */
const passedShare = 0.5;
/** Of more tasks within a range the index is walked in any case. */
const sortedMax = 20_000;
/** So many that were changed long after their creation are put in order. */
const lateMax = 2_000;
/** Entries that are passed over between two looks at the clock. */
const [passedMin, passedMax] = [32, 8_192];
const [before, behind] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/** From the search's place on; among them places. */
export function durationKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  const order = new DurationOrder(connection, search);
  return order.isOfFew ? order.few() : order.walked();
}

/** The indexes that it reads; for explanations. */
export function durationIndexes(connection: Connection, search: StoreSearch): string[] {
  if (new DurationOrder(connection, search).isOfFew) return ["tasks_lane_created"];
  const { from, to } = sortedBetween(search);
  const hasBrief = from < briefMs && to >= 0;
  return [durationIndex, ...(hasBrief ? ["tasks_lane_created"] : [])];
}

class DurationOrder {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #bounds: Durations;
  readonly #isDown: boolean;
  /** Those that were last changed in the range, and created long before it; undefined where there are too many. */
  readonly #late: readonly LateKey[] | undefined;
  /** When the others were created. */
  readonly #created: Span;
  /** How many tasks there are to one within the ranges, about. */
  readonly #every: number;

  constructor(connection: Connection, search: StoreSearch) {
    this.#connection = connection;
    this.#search = search;
    this.#pairs = findPairs(connection, search).filter(({ status }) => status >= 3);
    this.#bounds = sortedBetween(search);
    this.#isDown = isDownwards(search);
    this.#late = this.#lateKeys();
    this.#created = createdIn(search, this.#late !== undefined);
    this.#every = isOfRange(search) ? this.#total / Math.max(1, this.#countWithin()) : 1;
  }

  /**
   * Whether so few tasks are within a range of time that they are put in order sooner than the index passes over all others
   * that took less, or longer: for each place of the page as many as there are to one within the range.
   */
  get isOfFew(): boolean {
    if (!isOfRange(this.#search) || !this.#late) return false;
    const { offset, limit } = this.#search;
    const wanted = offset + limit + this.#pairs.length;
    const most = Math.min(sortedMax, Math.sqrt(wanted * this.#total * passedShare));
    return this.#total / this.#every <= Math.max(limit, most);
  }

  few(): Iterator<Key> {
    const { after, where, offset, limit, updated } = this.#search;
    const { start, end } = this.#created;
    const { from, to } = this.#bounds;
    const rows = this.#connection
      .prepare(fewTasks(this.#isDown, after !== undefined))
      .all(
        placesOf(this.#pairs),
        ...[start, end, updated?.start ?? before, updated?.end ?? behind, from, to],
        ...(after ? [after.value ?? 0, after.id] : []),
        where ? -1 : offset + limit,
      );
    const late = (this.#late ?? []).map(([took, id, seq]): Key => [took, id, seq]);
    const keys = [...(rows as unknown as Key[]), ...late].sort(comparator(this.#search));
    return keys[Symbol.iterator]();
  }

  /** One part of the durations after the other: brief ones, and what is before and behind. */
  *walked(): Generator<Key, undefined> {
    const { from, to } = this.#bounds;
    const parts: (Durations & { isBrief?: true })[] = [
      { from, to: Math.min(to, -1) },
      { from: Math.max(from, 0), to: Math.min(to, briefMs - 1), isBrief: true },
      { from: Math.max(from, briefMs), to },
    ];
    if (this.#isDown) parts.reverse();
    for (const part of parts) {
      if (part.from > part.to) continue;
      const streams = part.isBrief ? this.#brief(part) : this.#indexed(this.#pairs, part);
      yield* mergeInOrder(streams, comparator(this.#search));
    }
    return undefined;
  }

  #brief(part: Durations): Iterator<Key>[] {
    const generated = this.#pairs.filter(({ ownIds }) => !ownIds);
    const own = this.#pairs.filter(({ ownIds }) => ownIds);
    const late = (this.#late ?? []).filter(
      ([took, , , ownId]) => ownId === 0 && took >= part.from && took <= part.to,
    );
    return [
      ...briefKeys(this.#connection, this.#search, generated, part, this.#created),
      ...this.#indexed(own, part),
      late.map(([took, id, seq]): Key => [took, id, seq])[Symbol.iterator](),
    ];
  }

  #indexed(pairs: readonly Pair[], part: Durations): Iterator<Key>[] {
    const isRange = isOfRange(this.#search);
    const shareOf = shareOfPage(this.#search, pairs);
    const open = (pair: Pair, within: Durations) =>
      isRange ? this.#passing(pair, within) : this.#streamed(pair, within, shareOf(pair));
    if (pairs.length < headedPairsMin) return pairs.map((pair) => open(pair, part));
    const statement = { text: indexedHeads(this.#isDown), values: [part.from, part.to] };
    const heads = headsOf<number>(this.#connection, statement, pairs, !this.#search.after);
    return heads.flatMap((head, place) => {
      if (head === null) return [];
      const within = this.#isDown ? { ...part, to: head } : { ...part, from: head };
      return [headed(placeBefore(this.#search, head), () => open(pairs[place]!, within))];
    });
  }

  #streamed({ lane, status }: Pair, { from, to }: Durations, share: number): Iterator<Key> {
    const { after } = this.#search;
    const values = [lane, status, from, to, ...(after ? [after.value ?? 0, after.id] : [])];
    return streamKeys(
      this.#connection,
      { text: indexedKeys(this.#isDown, after !== undefined), values },
      share,
    );
  }

  /** Passes over those that are not within the ranges, so many at a time. */
  *#passing(pair: Pair, { from, to }: Durations): Generator<Key, undefined> {
    const { conditions, values } = within(this.#search, pair.ownIds);
    const { after } = this.#search;
    let place: [number, string] | [] = after ? [after.value ?? 0, after.id] : [];
    const first = Math.min(passedMax, Math.max(passedMin, Math.ceil(2 * this.#every)));
    for (let size = first; ; size = Math.min(passedMax, 4 * size)) {
      const given = [pair.lane, pair.status, from, to, ...place];
      const hasPlace = place.length > 0;
      const text = indexedWithin(this.#isDown, hasPlace, conditions);
      const rows = this.#connection.prepare(text).all(...given, size, ...values);
      const edge = this.#connection.prepare(indexedEdge(this.#isDown, hasPlace)).get(...given, size - 1);
      yield* rows as unknown as Key[];
      if (!edge) return undefined;
      place = edge as unknown as [number, string];
      yield placeKey(...place);
    }
  }

  get #total(): number {
    return this.#pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  }

  /** By whole days or hours, of which there are counts; of two ranges by creation alone. */
  #countWithin(): number {
    const { where: _where, after: _after, created: _created, updated: _updated, ...filters } = this.#search;
    const plain: StoreSearch = { ...filters, sortBy: "createdAt" };
    const { start, end } = this.#created;
    if (start >= end) return 0;
    // Of an open range no more counts than when there are tasks: within the last minutes lie few of the day's.
    const [first, last] = this.#connection.prepare(minutesOfTasks).get() as unknown as [number, number];
    const length = Math.min(end, (last + 1) * minuteMs) - Math.max(start, first * minuteMs);
    const grain = length > 4 * dayMs ? dayMs : hourMs;
    const range = {
      ...(start > before && { start: Math.floor(start / grain) * grain }),
      ...(end < behind && { end: Math.ceil(end / grain) * grain }),
    };
    const ended = (["COMPLETED", "FAILED", "CANCELLED"] as const).filter(
      (status) => !filters.statuses || filters.statuses.includes(status),
    );
    return countTasks(this.#connection, { ...plain, statuses: ended, created: range });
  }

  #lateKeys(): readonly LateKey[] | undefined {
    const { created, updated } = this.#search;
    if (updated?.start === undefined) return [];
    const changed = [updated.start, updated.end ?? behind];
    const end = Math.min(updated.start - lateMs, created?.end ?? Infinity);
    const rows = this.#connection
      .prepare(lateTasks)
      .all(placesOf(this.#pairs), ...changed, created?.start ?? before, end, lateMax + 1);
    if (rows.length > lateMax) return undefined;
    const { from, to } = this.#bounds;
    const compare = comparator(this.#search);
    return (rows as unknown as LateKey[])
      .filter(([took, id, seq]) => took >= from && took <= to && isAfter(this.#search, [took, id, seq]))
      .sort(([took, id], [other, otherId]) => compare([took, id, 0], [other, otherId, 0]));
  }
}

type LateKey = [...Key, ownId: number];

/** When tasks were created that may be among those of the search, but for late ones where these are apart. */
function createdIn({ created, updated }: StoreSearch, isLateApart: boolean): Span {
  const changedFrom = isLateApart && updated?.start !== undefined ? updated.start - lateMs : -Infinity;
  return {
    start: Math.max(created?.start ?? -Infinity, changedFrom, before),
    end: Math.min(created?.end ?? Infinity, updated?.end ?? Infinity, behind),
  };
}

/** The ranges of instants; generated ids, which the index has, tell when tasks were created. No id tells of a time before 1970. */
function within(
  { created, updated }: StoreSearch,
  ownIds: boolean,
): { conditions: string[]; values: (number | string)[] } {
  const bounds: [condition: string, value: number | string | undefined][] = [
    ...(
      [
        [">=", created?.start],
        ["<", created?.end],
      ] as const
    ).map(([than, at]): [string, number | string | undefined] =>
      at === undefined || ownIds || at < 0 ? [`created_at ${than} ?`, at] : [`id ${than} ?`, ulidStart(at)],
    ),
    ["updated_at >= ?", updated?.start],
    ["updated_at < ?", updated?.end],
  ];
  const given = bounds.filter(([, value]) => value !== undefined);
  return { conditions: given.map(([condition]) => condition), values: given.map(([, value]) => value!) };
}
