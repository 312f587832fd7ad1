/**
 * Packs the counts of hours and days that are over: `packed_counts` has all lanes of such a stretch of time in one row. What is to be
 * packed stands in `unpacked_counts`, where the server itself notes what anybody folds. A row of packed counts is right while
 * nothing is noted of its stretch; else it is passed over, so nothing waits for this.
 *
 * Whoever packs locks what is noted of a stretch, all of it or nothing; then reads the counts; and deletes what it had locked. What is
 * folded meanwhile is noted anew, since its rows are locked; and what was noted by a transaction that has not ended is locked by it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { hasty, statement } from "../statement.ts";
import { hoursOfDay } from "./kept-tables.ts";
import { packCounts } from "./packed-counts.ts";

/** Of one transaction. */
const stretchesMax = 4;
/** Looks for more after so long, and so long after it was opened for the first time: a program that soon ends packs nothing. */
const lookMs = 60_000;

/** In milliseconds. */
const defaults = {
  /** Since the stretch ended. */
  over: 900_000,
  /** Since its counts changed. */
  still: 60_000,
  /** Since it was packed before: of hours that keep changing, each is packed so often. */
  packed: 600_000,
};

export interface Stretch {
  hours: 1 | typeof hoursOfDay;
  first: number;
}

export class Packing {
  readonly #context: Context;
  readonly #closing = new AbortController();
  #packing: Promise<void> | undefined;
  #lookedAt = performance.now();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Packs what is to be packed, behind everything else, unless it was looked for a moment ago. */
  begin(): void {
    if (this.#packing || performance.now() - this.#lookedAt < lookMs) return;
    this.#packing = this.#pack()
      // One that fails is made up for by the next.
      .catch(() => undefined)
      .finally(() => {
        this.#lookedAt = performance.now();
        this.#packing = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#packing;
  }

  async #pack(): Promise<void> {
    for (;;) {
      const { signal } = this.#closing;
      if (signal.aborted) return;
      const began = performance.now();
      if ((await packCountsOf(this.#context)) === 0) return;
      // Half of the time is the others'.
      await sleep(performance.now() - began, undefined, { ref: false, signal });
    }
  }
}

/** Packs some stretches, the latest first. Answers how many. */
export function packCountsOf(
  { database }: Pick<Context, "database">,
  { over, still, packed } = defaults,
): Promise<number> {
  return database.transaction(async (session) => {
    const taken = await session.query(takeUnpacked, [over, still, packed, stretchesMax]);
    if (taken.length === 0) return 0;
    const stretches = taken.map(([hours, first]): Stretch => ({ hours, first }));
    const rows = await rowsOf(session, stretches);
    const columns = [0, 1, 2, 3, 4, 5].map((column) => rows.map((row) => row[column]));
    await session.query(forgetPacked, [taken.map(([hours]) => hours), taken.map(([, first]) => first)]);
    await session.query(storePacked, columns);
    await session.query(forgetUnpacked, [taken.flatMap(([, , places]) => places as string[])]);
    return taken.length;
  });
}

/** What is kept of some stretches, as it is packed. */
export async function rowsOf(session: Session, stretches: readonly Stretch[]): Promise<PackedRow[]> {
  return [
    ...(await packHours(session, firstsOf(stretches, 1))),
    ...(await packDays(session, firstsOf(stretches, hoursOfDay))),
  ];
}

function firstsOf(stretches: readonly Stretch[], hours: Stretch["hours"]): number[] {
  return stretches.filter((stretch) => stretch.hours === hours).map(({ first }) => first);
}

export type PackedRow = [
  hours: number,
  byEnd: boolean,
  first: number,
  places: string,
  total: Buffer | null,
  counts: Buffer,
];

/** By the minute, how many tasks of each pair. */
class PackedStretch {
  readonly #hours: Stretch["hours"];
  readonly #byEnd: boolean;
  readonly #first: number;
  readonly #parts: Map<number, number>[];
  #hasFewerThanNone = false;

  constructor({ hours, first }: Stretch, byEnd: boolean) {
    this.#hours = hours;
    this.#byEnd = byEnd;
    this.#first = first;
    this.#parts = Array.from({ length: hours === 1 ? 60 : hours }, () => new Map());
  }

  add(part: number, pair: number, tasks: number): void {
    if (tasks < 0) this.#hasFewerThanNone = true;
    const counts = this.#parts[part]!;
    counts.set(pair, (counts.get(pair) ?? 0) + tasks);
  }

  /** Nothing of a stretch where a task's end is folded sooner than its beginning: it is noted again then. */
  row(): PackedRow[] {
    if (this.#hasFewerThanNone) return [];
    const { bytes, places } = packCounts(this.#parts);
    const total = this.#hours === 1 ? null : packCounts([this.#total()]).bytes;
    return [[this.#hours, this.#byEnd, this.#first, `{${places.join(",")}}`, total, bytes]];
  }

  #total(): Map<number, number> {
    const total = new Map<number, number>();
    for (const part of this.#parts)
      for (const [pair, tasks] of part) total.set(pair, (total.get(pair) ?? 0) + tasks);
    return total;
  }
}

/** One of each stretch by creation, and one by the end. */
class PackedStretches {
  readonly #hours: Stretch["hours"];
  readonly #all = new Map<number, [byCreation: PackedStretch, byEnd: PackedStretch]>();

  constructor(hours: Stretch["hours"]) {
    this.#hours = hours;
  }

  of(first: number): [byCreation: PackedStretch, byEnd: PackedStretch] {
    const stretch: Stretch = { hours: this.#hours, first };
    const found = this.#all.get(first) ?? [
      new PackedStretch(stretch, false),
      new PackedStretch(stretch, true),
    ];
    this.#all.set(first, found);
    return found;
  }

  rows(): PackedRow[] {
    return [...this.#all.values()].flatMap((both) => both.flatMap((one) => one.row()));
  }
}

async function packHours(session: Session, hours: readonly number[]): Promise<PackedRow[]> {
  if (hours.length === 0) return [];
  const stretches = new PackedStretches(1);
  for (const [hour, lane, state, minutes, tasks, ended] of await session.query(readHours, [hours])) {
    const [created, byEnd] = stretches.of(hour);
    const pair = lane * 8 + state;
    for (const [place, minute] of (minutes as number[]).entries()) {
      created.add(minute, pair, tasks[place]);
      // What waits has no end.
      byEnd.add(minute, pair, state === 0 ? tasks[place] : ended[place]);
    }
  }
  return stretches.rows();
}

async function packDays(session: Session, days: readonly number[]): Promise<PackedRow[]> {
  if (days.length === 0) return [];
  const stretches = new PackedStretches(hoursOfDay);
  for (const [isByEnd, day, lane, state, tasks] of await session.query(readDays, [days])) {
    const [created, byEnd] = stretches.of(day);
    const pair = lane * 8 + state;
    for (const [hour, count] of (tasks as number[]).entries()) {
      if (!isByEnd) created.add(hour, pair, count);
      if (isByEnd === (state !== 0)) byEnd.add(hour, pair, count);
    }
  }
  return stretches.rows();
}

const ageOf = (instant: string) => `extract(epoch FROM clock_timestamp() - ${instant}) * 1000`;

/** Those of which all that is noted can be locked. Whose beginning was before year 1 there is none. */
const takeUnpacked = statement(
  "takeUnpacked",
  `WITH due AS MATERIALIZED (
    SELECT hours, first, count(*) AS notes FROM :schema.unpacked_counts AS noted GROUP BY hours, first
    HAVING ${ageOf("max(noted_at)")} >= $2 AND extract(epoch FROM clock_timestamp()) * 1000 - (first + 1)::bigint * hours * 3600000 >= $1
      AND NOT EXISTS (SELECT 1 FROM :schema.packed_counts AS kept
        WHERE kept.hours = noted.hours AND kept.first = noted.first AND ${ageOf("kept.packed_at")} < $3)
    ORDER BY first::bigint * hours DESC LIMIT $4),
  taken AS MATERIALIZED (
    SELECT noted.ctid AS place, noted.hours, noted.first FROM :schema.unpacked_counts AS noted JOIN due USING (hours, first)
    WHERE ${hasty} FOR UPDATE OF noted SKIP LOCKED)
  SELECT hours, first, array_agg(place)::text[] FROM taken JOIN due USING (hours, first)
  GROUP BY hours, first, notes HAVING count(*) = notes`,
);

const readHours = statement(
  "readUnpackedHours",
  `SELECT hour, lane, state, minutes, tasks, ended FROM :schema.minute_tallies
    WHERE hour = ANY($1::integer[]) AND lane <> 0 ORDER BY hour, lane, state`,
);

const readDays = statement(
  "readUnpackedDays",
  `SELECT by_end, day, lane, state, tasks::float8[] FROM :schema.day_tallies
    WHERE by_end = ANY('{f,t}') AND state = ANY('{0,3,4,5}') AND day = ANY($1::integer[]) ORDER BY day, lane, state`,
);

const forgetPacked = statement(
  "forgetPacked",
  `DELETE FROM :schema.packed_counts AS kept USING unnest($1::smallint[], $2::integer[]) AS own (hours, first)
    WHERE kept.hours = own.hours AND kept.first = own.first`,
);

const storePacked = statement(
  "storePacked",
  `INSERT INTO :schema.packed_counts (hours, by_end, first, places, total, counts)
    SELECT hours, by_end, first, places::integer[], total, counts
    FROM unnest($1::smallint[], $2::boolean[], $3::integer[], $4::text[], $5::bytea[], $6::bytea[])
      AS own (hours, by_end, first, places, total, counts)`,
);

const forgetUnpacked = statement(
  "forgetUnpacked",
  "DELETE FROM :schema.unpacked_counts WHERE ctid = ANY($1::text[]::tid[])",
);
