/**
 * Brief tasks in the order of their duration. Of each duration it is kept in which hours of creation a lane has some
 * (counts/brief-hours.ts). Of one duration they lie in the order of their ids, and generated ones tell when they were created: so hours are
 * gone through one by one, and within one the index of creation, which has how long its tasks ran, gives those of that duration.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { hourMs } from "../../shared/hours.ts";
import { isOfRange } from "../../shared/near-orders.ts";
import { generatedBefore, isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { briefMs } from "../counts/brief-hours.ts";
import {
  briefEdge,
  briefHeads,
  briefHours,
  briefNext,
  briefTasks,
  briefTasksOfFew,
  endedInHour,
} from "./duration-statements.ts";
import { headsOf } from "./kept-heads.ts";
import { headed, shareOfPage } from "./key-stream.ts";
import { isAfter, type Key, placeKey } from "./search-key.ts";
import type { Pair } from "./search-statements.ts";

/** Hours of a pair that are looked up at first, and at most. */
const [hoursFirst, hoursMost] = [2, 128];
/** Tasks that are passed over between two looks at the clock, and keys that are read at once, at most. */
const [passedMost, wantedMost] = [8_192, 500];
const [before, behind] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/** Both included, in milliseconds. */
export interface Durations {
  from: number;
  to: number;
}

/** Milliseconds since 1970; `start` included, `end` excluded. */
export interface Span {
  start: number;
  end: number;
}

interface Hour {
  duration: number;
  hour: number;
}

type BriefRow = [...Key, createdAt: number];

/** From the search's place on, a stream for each pair; among the keys places. @param pairs of ended tasks of generated ids */
export function briefKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  durations: Durations,
  created: Span,
): Iterator<Key>[] {
  if (pairs.length === 0) return [];
  const brief = new Brief(connection, search, pairs, durations, created);
  return brief.streams();
}

class Brief {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #durations: Durations;
  readonly #created: Span;
  readonly #isDown: boolean;
  readonly #shareOf: (pair: Pair) => number;

  constructor(
    connection: Connection,
    search: StoreSearch,
    pairs: readonly Pair[],
    durations: Durations,
    created: Span,
  ) {
    this.#connection = connection;
    this.#search = search;
    this.#pairs = pairs;
    this.#durations = durations;
    this.#created = created;
    this.#isDown = isDownwards(search);
    this.#shareOf = shareOfPage(search, pairs, !isOfRange(search));
  }

  streams(): Iterator<Key>[] {
    const { duration, hour } = this.#first();
    const statement = { text: briefHeads(this.#isDown), values: [duration, hour, this.#last] };
    const heads = headsOf<number>(this.#connection, statement, this.#pairs, !this.#search.after);
    return heads.flatMap((head, place) => {
      if (head === null) return [];
      const hour = Math.floor(head / briefMs);
      const first = this.#within({ duration: head - hour * briefMs, hour });
      // A place among those that are read after the brief ones would have those before it passed over.
      if (this.#isDown ? first.duration < this.#last : first.duration > this.#last) return [];
      return [headed(this.#placeOf(first), () => this.#keys(this.#pairs[place]!, first))];
    });
  }

  *#keys(pair: Pair, first: Hour): Generator<Key, undefined> {
    for (const hour of this.#hours(pair, first)) {
      yield this.#placeOf(hour);
      const tasks = this.#tasks(pair, hour);
      for (let next = tasks.next(); !next.done; next = tasks.next()) yield next.value;
    }
    return undefined;
  }

  /** Of one duration after the other those within the range of creation. Mostly no other than the first is come to, so it is not looked up. */
  *#hours({ lane, status }: Pair, { duration, hour }: Hour): Generator<Hour> {
    const hours = this.#connection.prepare(briefHours(this.#isDown));
    const next = this.#connection.prepare(briefNext(this.#isDown));
    yield { duration, hour };
    let [start, end] = this.#isDown ? [this.#firstHour, hour - 1] : [hour + 1, this.#lastHour];
    for (let size = hoursFirst; ; size = Math.min(hoursMost, 4 * size)) {
      const rows = hours.all(lane, status, duration, start, end, size) as unknown as [number][];
      for (const [hour] of rows) yield { duration, hour };
      if (rows.length === size) {
        if (this.#isDown) end = rows.at(-1)![0] - 1;
        else start = rows.at(-1)![0] + 1;
        continue;
      }
      const found = next.get(lane, status, duration, this.#last) as unknown as [number] | undefined;
      if (!found) return;
      [duration] = found;
      [start, end] = [this.#firstHour, this.#lastHour];
    }
  }

  /** No later in the order than where the first hour within the range is, if the pair has this one. */
  #within({ duration, hour }: Hour): Hour {
    const [first, last] = this.#isDown
      ? [this.#lastHour, this.#firstHour]
      : [this.#firstHour, this.#lastHour];
    const further = this.#isDown ? -1 : 1;
    if ((hour - first) * further < 0) return { duration, hour: first };
    if ((hour - last) * further > 0) return { duration: duration + further, hour: first };
    return { duration, hour };
  }

  get #firstHour(): number {
    return Math.floor(this.#created.start / hourMs);
  }

  get #lastHour(): number {
    return Math.floor((this.#created.end - 1) / hourMs);
  }

  /** The last duration in the direction of reading. */
  get #last(): number {
    return this.#isDown ? this.#durations.from : this.#durations.to;
  }

  /** Passes over those that took less or more, so many at a time: an hour may have very many. */
  *#tasks(pair: Pair, { duration, hour }: Hour): Generator<Key, undefined> {
    const { after, updated } = this.#search;
    const start = Math.max(hour * hourMs, this.#created.start);
    const end = Math.min((hour + 1) * hourMs, this.#created.end);
    // Of other hours all are behind the search's place, or none.
    const at = after?.value === duration ? generatedBefore(after.id) : undefined;
    let place: [at: number, id: string] | undefined =
      at !== undefined && (this.#isDown ? at < end : at >= start) ? [at, after!.id] : undefined;
    const isMany = this.#hasMore(pair, hour);
    for (let wanted = this.#shareOf(pair); ; wanted = Math.min(wantedMost, 4 * wanted)) {
      const hasPlace = place !== undefined;
      const within = this.#isDown ? [start, ...(place ?? [end])] : [...(place ?? [start]), end];
      const given = [pair.lane, pair.status, ...within];
      const rows = (isMany
        ? this.#connection
            .prepare(briefTasks(this.#isDown, hasPlace))
            .all(...given, passedMost, updated?.start ?? before, updated?.end ?? behind, duration, wanted)
        : this.#connection
            .prepare(briefTasksOfFew(this.#isDown, hasPlace, this.#changed.conditions))
            .all(...given, duration, ...this.#changed.values, wanted)) as unknown as BriefRow[];
      for (const [took, id, seq] of rows) yield [took, id, seq];
      const last = rows.at(-1);
      if (last && rows.length === wanted) {
        place = [last[3], last[1]];
        continue;
      }
      if (!isMany) return undefined;
      const edge = this.#connection.prepare(briefEdge(this.#isDown, hasPlace)).get(...given, passedMost - 1);
      if (!edge) return undefined;
      place = edge as unknown as [number, string];
      yield placeKey(duration, place[1]);
    }
  }

  /** Whether an hour has more than are passed over at once. */
  #hasMore({ lane, status, tasks }: Pair, hour: number): boolean {
    if (tasks <= passedMost) return false;
    const row = this.#connection.prepare(endedInHour).get(lane, hour, status) as unknown as
      | [number]
      | undefined;
    return row !== undefined && row[0] > passedMost;
  }

  get #changed(): { conditions: string[]; values: number[] } {
    const { start, end } = this.#search.updated ?? {};
    return {
      conditions: [
        ...(start === undefined ? [] : ["updated_at >= ?"]),
        ...(end === undefined ? [] : ["updated_at < ?"]),
      ],
      values: [start, end].filter((at) => at !== undefined),
    };
  }

  /** Where the search's own place is, or its first duration begins. */
  #first(): Hour {
    const { from, to } = this.#durations;
    const { after } = this.#search;
    const duration = this.#isDown ? to : from;
    if (after?.value === duration) return { duration, hour: Math.floor(generatedBefore(after.id) / hourMs) };
    return { duration, hour: this.#isDown ? behind : before };
  }

  /** Before all of that duration in the hour; or the search's own place, where that is behind. */
  #placeOf({ duration, hour }: Hour): Key {
    const place = placeKey(duration, ulidStart((this.#isDown ? hour + 1 : hour) * hourMs));
    const { after } = this.#search;
    return !after || isAfter(this.#search, place) ? place : placeKey(after.value ?? 0, after.id);
  }
}
