/**
 * Deep pages. Reading a hundred thousand keys only to pass over them takes long, and so does counting them. Kept counts tell in
 * which minute a page begins, whatever lies before; of what they do not tell, an hour or two beside the ends of a range of the
 * other instant, and of a minute with very many tasks, the time is counted through, stretch by stretch, until few keys are left
 * to read. All counts are of the search's own snapshot.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { earliest, isDownwards, latest } from "../../shared/search-bounds.ts";
import { narrowedTo, type Span, type Stretch, sectionsOf } from "../../shared/skip-sections.ts";
import type { Snapshot } from "../connections/database.ts";
import { countStatement, spanStatement, stretchesStatement } from "../counts/count-statements.ts";
import type { Known } from "../counts/time-counts.ts";
import { KeptSkip } from "./kept-skip.ts";
import { instantMax, instantMin, type Pair } from "./search-statements.ts";

/** Fewer are read and passed over. */
export const skippedMin = 2_000;
/** So many keys before those of the page are read. */
const restMax = 1_000;
const roundsMax = 40;
/**
 * Edges of stretches: even ones, since tasks come in bursts, and some around the place where the page is expected, all as
 * shares of what is counted. Each stretch costs a look for each pair, so of many pairs they are fewer.
 */
const spreads = [0.004, 0.02, 0.08, 0.3];
const evenMany = 8;
const evenFew = 32;
const pairsMany = 100;
/** Of what the density of tasks makes expect, so much is counted at once. */
const expectedShare = 1.1;
/** Where tasks are sparse, the next stretches are no longer than so many times those before. */
const growthMax = 8;

/** The same page of a narrower search. */
export interface Nearer {
  search: StoreSearch;
  offset: number;
}

/**
 * The search as it is where that is as good: after a place, or by ids that are in no order of time. Undefined where the page is behind
 * the last task.
 */
export async function nearer(
  known: Known,
  session: Snapshot,
  search: StoreSearch,
  pairs: readonly Pair[],
  offset: number,
): Promise<Nearer | undefined> {
  const isMixed = search.sortBy === "id" && pairs.some(({ ownIds }) => ownIds);
  if (offset < skippedMin || search.after || isMixed) return { search, offset };
  if (pairs.reduce((sum, { tasks }) => sum + tasks, 0) <= offset) return undefined;
  return new Skip(known, session, search, pairs).to(offset);
}

class Skip {
  readonly #known: Known;
  readonly #session: Snapshot;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  readonly #isDown: boolean;
  readonly #spreads: readonly number[];
  readonly #even: readonly number[];

  constructor(known: Known, session: Snapshot, search: StoreSearch, pairs: readonly Pair[]) {
    this.#known = known;
    this.#session = session;
    // Generated ids are in the order of creation.
    this.#search = search.sortBy === "id" ? { ...search, sortBy: "createdAt" } : search;
    this.#pairs = pairs;
    this.#isDown = isDownwards(search);
    const isMany = pairs.length > pairsMany;
    this.#spreads = isMany ? spreads.slice(0, 2) : spreads;
    const even = isMany ? evenMany : evenFew;
    this.#even = Array.from({ length: even }, (_, place) => (place + 1) / even);
  }

  async to(offset: number): Promise<Nearer | undefined> {
    const range = this.#range();
    if (range.start >= range.end) return undefined;
    const kept = new KeptSkip(this.#known, this.#session, this.#search, this.#pairs);
    let passed = 0;
    for (const { isKept, ...section } of sectionsOf(this.#search, range)) {
      const found = isKept
        ? await kept.minuteOf(section, passed, offset)
        : await this.#countedOf(section, passed, offset);
      if (found === undefined) return this.#through(range, offset);
      if (typeof found !== "number") return this.#within(found, offset);
      passed = found;
    }
    return undefined;
  }

  /** What bounds the instant sorted by. No task was changed before it was created. */
  #range(): Span {
    const { created, updated, sortBy } = this.#search;
    const [start, end] =
      sortBy === "updatedAt"
        ? [latest(updated?.start, created?.start), updated?.end]
        : [created?.start, earliest(created?.end, updated?.end)];
    return { start: start ?? instantMin, end: end ?? instantMax };
  }

  /** The section, where the page begins in it; else how many keys are passed then. */
  async #countedOf(section: Span, passed: number, offset: number): Promise<Stretch | number> {
    const { statement, values } = countStatement(narrowedTo(this.#search, section), this.#pairs);
    const [row] = await this.#session.query(statement, values);
    const keys = row![0] as number;
    return passed + keys > offset ? { ...section, passed, keys } : passed + keys;
  }

  /** The page begins in the stretch, which is counted in smaller ones until few keys are left before it. */
  async #within(found: Stretch, offset: number): Promise<Nearer | undefined> {
    let stretch = found;
    for (let round = 0; round < roundsMax && offset - stretch.passed > restMax; round += 1) {
      if (stretch.end - stretch.start <= 1) break;
      const span = await this.#span(stretch);
      if (!span) return undefined;
      const expected = (offset - stretch.passed) / stretch.keys;
      const next = this.#begun(await this.#count(span, expected), stretch.passed, offset);
      if (typeof next === "number") return undefined;
      stretch = next;
    }
    const { start, end, passed } = stretch;
    const from = narrowedTo(this.#search, this.#isDown ? { end } : { start });
    return { search: from, offset: offset - passed };
  }

  /** Without kept counts: stretches as long as the density of all makes expect, from where the order begins. */
  async #through(range: Span, offset: number): Promise<Nearer | undefined> {
    const span = await this.#span(range);
    if (!span) return undefined;
    const tasks = this.#pairs.reduce((sum, pair) => sum + pair.tasks, 0);
    let passed = 0;
    let lengthMs = (offset * expectedShare * (span.end - span.start)) / tasks;
    for (let left = span; left.start < left.end; ) {
      const { next, rest } = this.#cut(left, Math.ceil(lengthMs));
      const counted = await this.#count(next, 1 / expectedShare);
      const begun = this.#begun(counted, passed, offset);
      if (typeof begun !== "number") return this.#within(begun, offset);
      const expected =
        ((offset - begun) * expectedShare * (next.end - next.start)) / Math.max(1, begun - passed);
      lengthMs = Math.min((next.end - next.start) * growthMax, Math.max(1, expected));
      passed = begun;
      left = rest;
    }
    return undefined;
  }

  /** In the order of reading. */
  #cut({ start, end }: Span, lengthMs: number): { next: Span; rest: Span } {
    const edge = this.#isDown ? Math.max(start, end - lengthMs) : Math.min(end, start + lengthMs);
    const [before, behind] = [
      { start, end: edge },
      { start: edge, end },
    ];
    return this.#isDown ? { next: behind, rest: before } : { next: before, rest: behind };
  }

  /** As far as there are tasks; undefined where there are none. */
  async #span({ start, end }: Span): Promise<Span | undefined> {
    if (start > instantMin && end < instantMax) return { start, end };
    const { created: _created, updated: _updated, ...unbounded } = this.#search;
    const { statement, values } = spanStatement(unbounded, this.#pairs);
    const [[first, last]] = (await this.#session.query(statement, values)) as [[number | null, number]];
    if (first === null) return undefined;
    const from = Math.max(first, start);
    return { start: from, end: Math.max(from, Math.min(last + 1, end)) };
  }

  /** The one in which the page begins; else how many keys are passed behind them. */
  #begun(counted: readonly Stretch[], before: number, offset: number): Stretch | number {
    let passed = before;
    for (const stretch of counted) {
      if (passed + stretch.keys > offset) return { ...stretch, passed };
      passed += stretch.keys;
    }
    return passed;
  }

  /** In stretches that are short around the expected place, a share of the way; in the order of reading. */
  async #count({ start, end }: Span, expected: number): Promise<Stretch[]> {
    const places = this.#spreads.flatMap((spread) => [expected - spread, expected + spread]);
    const shares = [...places.filter((place) => place > 0 && place < 1), ...this.#even].sort((a, b) => a - b);
    const stretches: Stretch[] = [];
    let length = 0;
    for (const share of shares) {
      const next = share === 1 ? end - start : Math.round((end - start) * share);
      if (next === length) continue;
      const span = this.#isDown
        ? { start: end - next, end: end - length }
        : { start: start + length, end: start + next };
      stretches.push({ ...span, passed: 0, keys: 0 });
      length = next;
    }
    const { statement, values } = stretchesStatement(
      this.#search,
      this.#pairs,
      stretches.map((stretch) => stretch.start),
      stretches.map((stretch) => stretch.end),
    );
    const rows = (await this.#session.query(statement, values)) as [number, number][];
    for (const [number, tasks] of rows) stretches[number - 1]!.keys = tasks;
    return stretches;
  }
}
