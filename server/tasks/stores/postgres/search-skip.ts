/**
 * Deep pages. Reading a hundred thousand keys only to pass over them takes long; counting them takes a fifth of that, and
 * in the order of creation the counts by the hour tell in which hours the page lies. Elsewhere, and within these hours,
 * the time is counted through, stretch by stretch, from where the order begins; a stretch that the page lies in is counted
 * again in smaller ones, until few keys are left to read. All counts are of the search's own snapshot.
 */
import type { StoreSearch } from "../../core/store.ts";
import { GroupSums } from "../group-sums.ts";
import { hourMs } from "../hours.ts";
import { earliest, isDownwards, lateMs, latest } from "../search-bounds.ts";
import { spanStatement, stretchesStatement } from "./count-statements.ts";
import type { Session } from "./database.ts";
import { countInRanges, rangeOf } from "./range-counts.ts";
import { instantMax, instantMin, isWhole, type Pair, split } from "./search-statements.ts";
import { allOf, countByHours, toOne } from "./time-counts.ts";

/** Fewer are read and passed over. */
export const skippedMin = 2_000;
/** So many keys of a page's stretches are read, beside those of the page. */
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
/** Counting whole hours takes a look for each pair, too: deeper pages are worth that. */
const offsetPerPair = 100;
/** Hours are looked at from which not too many lie before, each further away than the one before. */
const placesMax = 3;
/** Where tasks are sparse, the next stretches are no longer than so many times those before. */
const growthMax = 8;

/** The same page of a narrower search. */
export interface Nearer {
  search: StoreSearch;
  offset: number;
}

/** A stretch of time that was counted; `near` is where the order enters it. Milliseconds, the later end excluded. */
interface Stretch {
  near: number;
  far: number;
  tasks: number;
}

/** Where to begin to count, after so many tasks: a stretch of a length, which the page is expected in after a share of it. */
interface Begun {
  near: number;
  far: number;
  length: number;
  expected: number;
  skipped: number;
}

/** The search as it is where that is as good: after a place, or by ids that are in no order of time. */
export async function nearer(
  session: Session,
  search: StoreSearch,
  pairs: readonly Pair[],
  limit: number,
  offset: number,
): Promise<Nearer> {
  const isMixed = search.sortBy === "id" && pairs.some(({ ownIds }) => ownIds);
  if (offset < skippedMin || search.after || isMixed) return { search, offset };
  const skip = new Skip(session, search, pairs);
  return (await skip.to(offset, limit)) ?? { search, offset };
}

class Skip {
  readonly #session: Session;
  readonly #search: StoreSearch;
  readonly #pairs: readonly Pair[];
  /** 1 where the order is that of time. */
  readonly #sign: 1 | -1;
  readonly #spreads: readonly number[];
  readonly #even: readonly number[];

  constructor(session: Session, search: StoreSearch, pairs: readonly Pair[]) {
    this.#session = session;
    // Generated ids are in the order of creation.
    this.#search = search.sortBy === "id" ? { ...search, sortBy: "createdAt" } : search;
    this.#pairs = pairs;
    this.#sign = isDownwards(search) ? -1 : 1;
    const isMany = pairs.length > pairsMany;
    this.#spreads = isMany ? spreads.slice(0, 2) : spreads;
    const even = isMany ? evenMany : evenFew;
    this.#even = Array.from({ length: even }, (_, place) => (place + 1) / even);
  }

  async to(offset: number, limit: number): Promise<Nearer | undefined> {
    const isByHours = this.#search.sortBy === "createdAt" && !this.#search.updated;
    const begun = isByHours
      ? await this.#withinHours(offset, limit)
      : ((await this.#nearHours(offset, limit)) ?? (await this.#withinSpan(offset + limit)));
    if (!begun) return undefined;
    const { near, far, skipped } = begun;
    // The primary key has no more keys there than those of the page's hours, and many streams are dear to count.
    if (near === far || isWhole(this.#search, this.#pairs)) return this.#between(near, far, offset - skipped);
    return this.#counted(begun, offset, limit);
  }

  async #counted(begun: Begun, offset: number, limit: number): Promise<Nearer | undefined> {
    let { near, far, length, expected, skipped } = begun;
    let counted: Stretch[] = [];
    for (let round = 0; round < roundsMax; round += 1) {
      const end = this.#nearest(near + this.#sign * length, far);
      const latest = await this.#count(near, end, expected);
      counted.push(...latest);
      const found = pageWithin(counted, offset - skipped, limit);
      if (found.isWhole || end === far) {
        const [first, last] = [found.stretches[0], found.stretches.at(-1)];
        if (!first || !last) return this.#between(far, far, 0);
        const left = offset - skipped - found.before;
        const isSmall =
          found.tasks <= limit + restMax || Math.abs(last.far - first.near) <= found.stretches.length;
        if (isSmall) return this.#between(first.near, last.far, left);
        skipped += found.before;
        counted = [];
        near = first.near;
        far = last.far;
        length = Math.abs(far - near);
        expected = (offset - skipped) / found.tasks;
        continue;
      }
      near = end;
      length = nextLength(latest, offset + limit - skipped - sumOf(counted));
    }
    return undefined;
  }

  /** By the counts that are kept: the hours that the page lies in, as far as they are in the range. */
  async #withinHours(offset: number, limit: number): Promise<Begun> {
    const hours = await this.#hours(this.#search, this.#pairs);
    const { before: skipped, tasks, stretches } = pageWithin(hours, offset, limit);
    const [first, last] = [stretches[0], stretches.at(-1)];
    if (!first || !last) return { near: 0, far: 0, length: 0, expected: 0, skipped: offset };
    const { near, far } = { near: first.near, far: last.far };
    return { near, far, length: Math.abs(far - near), expected: (offset - skipped) / tasks, skipped };
  }

  /**
   * In another order, or with a range of the other instant: nearly all lie where they were created or up to an hour behind.
   * So for an hour in front of the page, by creation, all that lie before it are counted, of which whole hours are kept.
   * Undefined where that is no gain, or late tasks are so many that the page is among them.
   */
  async #nearHours(offset: number, limit: number): Promise<Begun | undefined> {
    if (offset < this.#pairs.length * offsetPerPair) return undefined;
    const { created, updated, ...unbounded } = this.#search;
    const start = latest(created?.start, updated?.start === undefined ? undefined : updated.start - lateMs);
    const end = earliest(created?.end, updated?.end);
    const hours = await this.#hours(
      { ...unbounded, created: rangeOf(start, end) },
      split(this.#pairs).settled,
    );
    const keptWithin = (start = instantMin, end = instantMax) =>
      sumOf(hours.filter(({ near, far }) => Math.min(near, far) >= start && Math.max(near, far) <= end));
    const { tasks, stretches } = pageWithin(hours, offset, limit);
    if (stretches.length === 0) return undefined;
    const density = tasks / Math.abs(stretches.at(-1)!.far - stretches[0]!.near);
    // Downwards, what was created in the hour before the place may lie before it.
    const isShifted = this.#sign < 0 && this.#search.sortBy === "updatedAt";
    let place = hours.indexOf(stretches[0]!) - (isShifted ? lateMs / hourMs : 0);
    for (let tried = 0; tried < placesMax && place > 0; tried += 1, place -= 2 ** tried) {
      const { near } = hours[place]!;
      const skipped = await countInRanges(this.#session, this.#before(near), this.#pairs, keptWithin);
      if (skipped > offset) continue;
      const { start = instantMin, end = instantMax } = this.#range();
      const length = Math.ceil(((offset + limit - skipped) * expectedShare) / density);
      return { near, far: this.#sign > 0 ? end : start, length, expected: 1 / expectedShare, skipped };
    }
    return undefined;
  }

  /** What lies before an instant in the order. */
  #before(instant: number): StoreSearch {
    const range = this.#search.sortBy === "updatedAt" ? "updated" : "created";
    const { start, end } = this.#search[range] ?? {};
    const before =
      this.#sign > 0 ? rangeOf(start, earliest(end, instant)) : rangeOf(latest(start, instant), end);
    return { ...this.#search, [range]: before };
  }

  /** Of the kept counts, in the search's order. */
  async #hours(search: StoreSearch, pairs: readonly Pair[]): Promise<Stretch[]> {
    const buckets = { time: "createdAt", bucketMs: hourMs } as const;
    const sums = new GroupSums(buckets);
    await countByHours(this.#session, { ...allOf(search, buckets.time, pairs), buckets }, toOne(sums));
    const { start, end } = search.created ?? {};
    const hours = sums.of(0).map(([at, tasks]): Stretch => {
      const from = Math.max(at, start ?? at);
      const to = Math.min(at + hourMs, end ?? at + hourMs);
      return this.#sign > 0 ? { near: from, far: to, tasks } : { near: to, far: from, tasks };
    });
    return hours.sort((one, other) => this.#sign * (one.near - other.near));
  }

  /** @param wanted tasks from where the order begins, as many as lie there at the density of all */
  async #withinSpan(wanted: number): Promise<Begun | undefined> {
    const span = await this.#span();
    if (!span) return undefined;
    const { near, far, density } = span;
    const length = Math.ceil((wanted * expectedShare) / density);
    return { near, far, length, expected: 1 / expectedShare, skipped: 0 };
  }

  /** From where to where the tasks lie, and about how many there are in a millisecond. */
  async #span(): Promise<{ near: number; far: number; density: number } | undefined> {
    const { created: _created, updated: _updated, ...unbounded } = this.#search;
    const { statement, values } = spanStatement(unbounded, this.#pairs);
    const [[first, last]] = (await this.#session.query(statement, values)) as [[number | null, number]];
    if (first === null) return undefined;
    const tasks = this.#pairs.reduce((sum, pair) => sum + pair.tasks, 0);
    const { start, end } = this.#range();
    const from = Math.max(first, start ?? first);
    const to = Math.max(from, Math.min(last + 1, end ?? last + 1));
    const density = Math.max(1, tasks) / (last + 1 - first);
    return this.#sign > 0 ? { near: from, far: to, density } : { near: to, far: from, density };
  }

  /** What bounds the instant sorted by. No task was changed before it was created. */
  #range(): { start?: number | undefined; end?: number | undefined } {
    const { created, updated, sortBy } = this.#search;
    if (sortBy === "updatedAt") return { start: latest(updated?.start, created?.start), end: updated?.end };
    return { start: created?.start, end: earliest(created?.end, updated?.end) };
  }

  #nearest(one: number, other: number): number {
    return this.#sign > 0 ? Math.min(one, other) : Math.max(one, other);
  }

  /** In stretches that are short around the expected place, a share of the way. */
  async #count(near: number, far: number, expected: number): Promise<Stretch[]> {
    const places = this.#spreads.flatMap((spread) => [expected - spread, expected + spread]);
    const edges = [...places.filter((place) => place > 0 && place < 1), ...this.#even].sort((a, b) => a - b);
    const stretches: Stretch[] = [];
    let at = near;
    for (const edge of edges) {
      const next = edge === 1 ? far : near + Math.round((far - near) * edge);
      if (next !== at) stretches.push({ near: at, far: next, tasks: 0 });
      at = next;
    }
    const { statement, values } = stretchesStatement(
      this.#search,
      this.#pairs,
      stretches.map((stretch) => Math.min(stretch.near, stretch.far)),
      stretches.map((stretch) => Math.max(stretch.near, stretch.far)),
    );
    const rows = (await this.#session.query(statement, values)) as [number, number][];
    for (const [number, tasks] of rows) stretches[number - 1]!.tasks = tasks;
    return stretches;
  }

  #between(near: number, far: number, offset: number): Nearer {
    const range = this.#search.sortBy === "updatedAt" ? "updated" : "created";
    const given = this.#search[range];
    const start = latest(Math.min(near, far), given?.start);
    const end = earliest(Math.max(near, far), given?.end);
    return { search: { ...this.#search, [range]: { start, end } }, offset };
  }
}

/** The stretches that a page lies in, and how many tasks lie before them. */
function pageWithin(counted: readonly Stretch[], offset: number, limit: number) {
  let before = 0;
  let first = 0;
  for (; first < counted.length && before + counted[first]!.tasks <= offset; first += 1)
    before += counted[first]!.tasks;
  let tasks = 0;
  let last = first;
  for (; last < counted.length && before + tasks < offset + limit; last += 1) tasks += counted[last]!.tasks;
  return { before, tasks, stretches: counted.slice(first, last), isWhole: before + tasks >= offset + limit };
}

function nextLength(latest: readonly Stretch[], wanted: number): number {
  const length = Math.abs(latest.at(-1)!.far - latest[0]!.near);
  const expected = (wanted * expectedShare * length) / Math.max(1, sumOf(latest));
  return Math.ceil(Math.min(length * growthMax, Math.max(1, expected)));
}

function sumOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { tasks }) => sum + tasks, 0);
}
