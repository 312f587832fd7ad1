/**
 * Deep pages. Reading a hundred thousand keys only to pass over them takes long; counting them takes a tenth of that, and
 * kept counts need not be counted. So an instant is looked for before which nearly as many keys lie as are to be passed over,
 * and the search goes on there.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { type Span, type Stretch, sectionsOf } from "../../shared/skip-sections.ts";
import type { Connection } from "../connection.ts";
import { sql } from "../statements.ts";
import { minuteOfPage } from "./kept-skip.ts";
import { findPairs } from "./pairs.ts";
import { definitionsWithoutTasks, keysInOrder, runningKeys } from "./search.ts";
import { isAfter, placeBefore } from "./search-key.ts";
import { isWhole, keyCountsOfPairs, type Pair, placesOf } from "./search-statements.ts";

/** Fewer are read and passed over. */
const skippedMin = 2_000;
const restMax = 500;
const roundsMax = 40;

/** The same page, as one after a place with less to pass over; where SQL can skip to it by itself, as it was. */
export function nearer(connection: Connection, search: StoreSearch): StoreSearch {
  if (search.offset < skippedMin || search.after || search.id !== undefined) return search;
  if (search.sortBy === "id" && search.definitions) return nearerById(connection, search);
  const pairs = findPairs(connection, search);
  if (search.sortBy === "id" && pairs.some(({ ownIds }) => ownIds)) return search;
  const keys = new KeyCount(connection, search, pairs);
  if (!keys.span) return search;
  const begun = beginOfPage(connection, search, pairs, keys, keys.span);
  if (begun === "end") return { ...search, offset: 0, limit: 0 };
  if (!begun && isWhole(search) && connection.prepare(sql.hasOwnIds).get() === undefined) return search;
  return placed(search, keys, keys.span, begun ?? { ...keys.span, passed: 0, keys: keys.total });
}

/** Ids of definitions tell no time: so many tasks are passed over as lie before the page wherever the definitions do. */
function nearerById(connection: Connection, search: StoreSearch): StoreSearch {
  const definitions = definitionsWithoutTasks(connection, search);
  const asked = search.offset - definitions.length;
  const found = nearer(connection, { ...search, definitions: false, offset: asked });
  const { after, limit } = found;
  if (!after) return { ...search, limit };
  const before = definitions.filter(([id]) => !isAfter(found, [0, id, 0])).length;
  return { ...found, definitions: true, offset: found.offset + definitions.length - before };
}

/** Undefined where kept counts do not tell; `end` where there are fewer keys than are to be passed over. */
function beginOfPage(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  keys: KeyCount,
  span: Span,
): Stretch | "end" | undefined {
  let passed = 0;
  for (const { isKept, ...section } of sectionsOf(search, span)) {
    if (isKept) {
      const minute = minuteOfPage(connection, search, pairs, { ...section, passed }, keys.definitions);
      if (typeof minute !== "number") return minute;
      passed = minute;
      continue;
    }
    const counted = keys.within(section, search.offset - passed + 1);
    if (passed + counted > search.offset) return { ...section, passed, keys: keys.total };
    passed += counted;
  }
  return "end";
}

class KeyCount {
  readonly span: Span | undefined;
  /** At least as many as there are. */
  readonly total: number;
  /** When definitions were created that are among the keys. */
  readonly definitions: readonly number[];
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #settled: readonly Pair[];
  /** Instants of RUNNING tasks and of definitions. */
  readonly #others: readonly number[];

  constructor(connection: Connection, search: StoreSearch, pairs: readonly Pair[]) {
    this.#connection = connection;
    // Generated ids are in the order of creation.
    this.#search = { ...search, sortBy: search.sortBy === "updatedAt" ? "updatedAt" : "createdAt" };
    this.#settled = pairs.filter(({ status }) => status !== 2);
    const definitions = search.definitions ? definitionsWithoutTasks(connection, search) : [];
    this.definitions = definitions.map((row) => row[8]);
    const running = runningKeys(connection, this.#search, pairs);
    this.#others = [...running.map(([at]) => at), ...this.definitions];
    this.total = pairs.reduce((sum, { tasks }) => sum + tasks, definitions.length);
    this.span = this.#findSpan();
  }

  /** How many lie within; counted no further than `most`. */
  within({ start, end }: Span, most: number): number {
    const range = this.#search.sortBy === "updatedAt" ? "updated" : "created";
    const given = this.#search[range];
    const narrowed: StoreSearch = {
      ...this.#search,
      [range]: {
        start: Math.max(start, given?.start ?? start),
        end: Math.min(end, given?.end ?? end),
      },
    };
    let counted = this.#others.filter((at) => at >= start && at < end).length;
    for (const { text, values, pairs } of keyCountsOfPairs(narrowed, this.#settled)) {
      if (counted >= most) break;
      const places = placesOf(pairs);
      const statement = this.#connection.prepare(text);
      const row = statement.get(places, ...values, most - counted) as unknown as [number];
      counted += row[0];
    }
    return counted;
  }

  #findSpan(): Span | undefined {
    const ends = [true, false].flatMap((descending) => {
      const keys = keysInOrder(this.#connection, { ...this.#search, descending }, []);
      const first = keys.next();
      keys.return?.();
      // A place has the instant of the key that it is before.
      return first.done ? [] : [first.value[0]];
    });
    const instants = [...ends, ...this.#others];
    return instants.length === 0
      ? undefined
      : { start: Math.min(...instants), end: Math.max(...instants) + 1 };
  }
}

/** @param begun where to look: how many keys lie before it is known */
function placed(search: StoreSearch, keys: KeyCount, span: Span, begun: Stretch): StoreSearch {
  const down = isDownwards(search);
  // Distances from where the reading begins.
  const between = (from: number, to: number): Span =>
    down
      ? { start: span.end - to, end: span.end - from }
      : { start: span.start + from, end: span.start + to };
  let near = Math.max(0, down ? span.end - begun.end : begun.start - span.start);
  let far = Math.min(span.end - span.start, down ? span.end - begun.start : begun.end - span.start);
  let { passed } = begun;
  // Keys between near and far, if all lie as densely as those counted last; more than there are at first.
  let left = begun.keys;
  let isTooFar = false;
  for (let round = 0; round < roundsMax && search.offset - passed > restMax && far - near > 1; round += 1) {
    // Where they lay more densely than was thought, half of the time is tried, so that no crowd keeps it from ending.
    const guess = isTooFar ? 0.5 : Math.min(0.98, (0.98 * (search.offset - passed)) / left);
    const middle = Math.min(far - 1, Math.max(near + 1, near + Math.floor((far - near) * guess)));
    const most = search.offset - passed + 1;
    const counted = keys.within(between(near, middle), most);
    isTooFar = counted >= most;
    if (isTooFar) {
      far = middle;
      continue;
    }
    left = Math.max(1, (counted / (middle - near)) * (far - middle));
    near = middle;
    passed += counted;
  }
  if (near === 0) return search;
  const value = down ? span.end - near - 1 : span.start + near;
  const [, id] = placeBefore(search, value);
  const after = { value: search.sortBy === "id" ? null : value, id, backwards: false };
  return { ...search, offset: search.offset - passed, after };
}
