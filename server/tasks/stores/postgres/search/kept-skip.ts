/** Where a page far inside a list begins: kept counts say it by the hour, then by the minute of that hour; see skip-sections.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { GroupSums } from "../../shared/group-sums.ts";
import { hourMs } from "../../shared/hours.ts";
import { dayMs, minuteMs } from "../../shared/kept-counts.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import {
  narrowedTo,
  rangeOfOther,
  type Span,
  type Stretch,
  withoutOther,
} from "../../shared/skip-sections.ts";
import type { Snapshot } from "../connections/database.ts";
import { outsideStatement } from "../counts/count-statements.ts";
import { type Asked, allOf, countByTime, type Known, toOne } from "../counts/time-counts.ts";
import { statement } from "../statement.ts";
import type { Pair } from "./search-statements.ts";

/** So much is asked for at first, then twice as much: of more days than the page is behind nothing is read. */
const firstMs = 8 * dayMs;

/** Finds minutes of one search. */
export class KeptSkip {
  readonly #known: Known;
  readonly #session: Snapshot;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #isDown: boolean;

  /** @param search in the order of an instant */
  constructor(known: Known, session: Snapshot, search: StoreSearch, pairs: readonly Pair[]) {
    this.#known = known;
    this.#session = session;
    this.#search = search;
    this.#pairs = pairs;
    this.#isDown = isDownwards(search);
  }

  /**
   * The minute in which the page begins; how many keys are passed where it lies beyond the section; undefined where such
   * counts are not kept now.
   * @param passed how many keys lie before the section
   */
  async minuteOf(section: Span, before: number, offset: number): Promise<Stretch | number | undefined> {
    let passed = before;
    for (const stretch of await this.#stretches(section)) {
      const hours = await this.#keysBy(hourMs, stretch);
      if (!hours) return undefined;
      for (const [hour, keys] of hours) {
        if (passed + keys > offset) return this.#minuteWithin(clipped(hour, hourMs, stretch), passed, offset);
        passed += keys;
      }
    }
    return passed;
  }

  async #minuteWithin(hour: Span, before: number, offset: number): Promise<Stretch | undefined> {
    let passed = before;
    for (const [minute, keys] of (await this.#keysBy(minuteMs, hour)) ?? []) {
      if (passed + keys > offset) return { ...clipped(minute, minuteMs, hour), passed, keys };
      passed += keys;
    }
    // The hour has as many as its minutes.
    return undefined;
  }

  /** In the order of reading, each twice as long as the one before; what is kept lies in all of them together. */
  async #stretches(section: Span): Promise<Span[]> {
    const [[from, to]] = (await this.#session.query(keptHours)) as [[number | null, number]];
    if (from === null) return [section];
    const first = Math.max(section.start, from * hourMs);
    const last = Math.min(section.end, to * hourMs);
    const edges: number[] = [];
    for (let lengthMs = firstMs; lengthMs < last - first; lengthMs = 2 * lengthMs + firstMs) {
      const edge = this.#isDown ? last - lengthMs : first + lengthMs;
      edges.push(Math.floor(edge / hourMs) * hourMs);
    }
    const inner = edges.filter((edge) => edge > section.start && edge < section.end);
    const [near, far] = this.#isDown ? [section.end, section.start] : [section.start, section.end];
    const ends = [near, ...inner, far];
    return ends.slice(1).map((end, place) => {
      const begin = ends[place]!;
      return { start: Math.min(begin, end), end: Math.max(begin, end) };
    });
  }

  /** In the order of reading. */
  async #keysBy(bucketMs: number, stretch: Span): Promise<[at: number, keys: number][] | undefined> {
    const time = this.#search.sortBy === "updatedAt" ? "updatedAt" : "createdAt";
    const buckets = { time, bucketMs } as const;
    const within = narrowedTo(this.#search, stretch);
    const asked: Asked = { ...allOf(withoutOther(within), time, this.#pairs), buckets };
    const sums = new GroupSums(buckets);
    const add = toOne(sums);
    const [isKept, outside] = await this.#session.inOneGo(() => [
      countByTime(this.#known, this.#session, asked, add),
      this.#outside(within, bucketMs),
    ]);
    if (!isKept) return undefined;
    for (const [at, tasks] of outside) sums.add(0, at, -tasks);
    return sums.of(0).sort(([a], [b]) => (this.#isDown ? b - a : a - b));
  }

  /** Late tasks that a range of the other instant leaves out, and those that run. */
  async #outside(within: StoreSearch, bucketMs: number): Promise<[at: number, tasks: number][]> {
    const other = rangeOfOther(within);
    if (!other) return [];
    const { statement, values } = outsideStatement(within, this.#pairs, other, bucketMs);
    return (await this.#session.query(statement, values)) as [number, number][];
  }
}

function clipped(at: number, lengthMs: number, { start, end }: Span): Span {
  return { start: Math.max(at, start), end: Math.min(at + lengthMs, end) };
}

/** From which hour to which tasks are kept, the last excluded. By hour_tallies_pkey and ended_tallies_pkey. */
const keptHours = statement(
  "keptHours",
  `SELECT min(ends.hour), max(ends.hour) + 1 FROM unnest('{0,3,4,5}'::smallint[]) AS own (state) CROSS JOIN LATERAL (${[
    "hour",
    "ended",
  ]
    .flatMap((of) =>
      ["ASC", "DESC"].map(
        (direction) =>
          `(SELECT hour FROM :schema.${of}_tallies WHERE lane = 0 AND state = own.state ORDER BY hour ${direction} LIMIT 1)`,
      ),
    )
    .join(" UNION ALL ")}) AS ends`,
);
