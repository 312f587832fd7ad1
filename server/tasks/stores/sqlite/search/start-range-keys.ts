/** Keys of tasks that started within a range, in an order by another instant or by id; see start-ranges.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { quickMs } from "../../shared/near-orders.ts";
import {
  gatheredStarts,
  gatheredStartsMax,
  isOutside,
  lookedMax,
  mayMissLate,
  outsideMax,
  type StartRange,
  type StartsRead,
  searchWithin,
  startRangeOf,
  startsBeside,
  type Window,
  windowsOf,
} from "../../shared/start-ranges.ts";
import type { Connection } from "../connection.ts";
import { searchIndexes } from "../statements.ts";
import { elsewhereIndexes } from "./order-statements.ts";
import { findPairs } from "./pairs.ts";
import { countTasks, isWithin, keysInOrder, runningKeys } from "./search.ts";
import { comparator, isAfter, type Key, keyOf } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import { type Pair, placesOf, withPairs } from "./search-statements.ts";

/** From the search's place on; undefined where another way is as good. Definitions have no start. */
export function startedWithinKeys(connection: Connection, search: StoreSearch): Iterator<Key> | undefined {
  const range = startRangeOf(search);
  if (!range) return undefined;
  const starts = new Starts(connection, search, range);
  const all = starts.gathered();
  if (all) return all[Symbol.iterator]();
  for (const window of windowsOf(search, range)) {
    const outside = starts.outside(window);
    if (!outside) continue;
    const within = keysInOrder(connection, searchWithin(search, window), []);
    return mergeInOrder([within, outside[Symbol.iterator]()], comparator(search));
  }
  return undefined;
}

/** How many it gives, about as fast as a page; undefined where it gives none. */
export function startedWithinTotal(connection: Connection, search: StoreSearch): number | undefined {
  const range = startRangeOf(search);
  if (!range) return undefined;
  const starts = new Starts(connection, search, range);
  const all = starts.gathered();
  if (all) return all.length;
  for (const window of windowsOf(search, range)) {
    const outside = starts.outside(window);
    if (outside) return countTasks(connection, searchWithin(search, window)) + outside.length;
  }
  return undefined;
}

/** Undefined where the search has no such range, or it is of no use. */
export function startsReadFor(connection: Connection, search: StoreSearch): StartsRead | undefined {
  const range = startRangeOf(search);
  if (!range) return undefined;
  const starts = new Starts(connection, search, range);
  const gathered = starts.gathered();
  if (gathered) return gatheredStarts(gathered.length);
  const window = windowsOf(search, range).find((one) => starts.outside(one));
  return window && startsBeside(window);
}

type Row = [seq: number, id: string, createdAt: number, updatedAt: number];

class Starts {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #range: StartRange;
  readonly #pairs: readonly Pair[];

  constructor(connection: Connection, search: StoreSearch, range: StartRange) {
    this.#connection = connection;
    this.#search = search;
    this.#range = range;
    this.#pairs = findPairs(connection, search);
  }

  /** In order; undefined where there are too many. */
  gathered(): Key[] | undefined {
    const started = this.#read(startedSql.started, this.#settled, gatheredStartsMax);
    const quick = started && this.#read(startedSql.quick, this.#quick, gatheredStartsMax - started.length);
    return quick && this.#keys([...started, ...quick], this.#running());
  }

  /** Those that do not lie in the window, in order; undefined where there are too many. */
  outside(window: Window): Key[] | undefined {
    const sql = outsideSql[window.of];
    const odd = this.#readOutside(sql.odd, this.#settled, window);
    const late = odd && mayMissLate(window) ? this.#readOutside(sql.late, this.#quick, window) : [];
    if (!odd || !late) return undefined;
    const running = this.#running().filter(([at]) => isOutside(window, at));
    return this.#keys([...odd, ...late], running);
  }

  get #settled(): Pair[] {
    return this.#pairs.filter(({ status }) => status !== 2);
  }

  get #quick(): Pair[] {
    return this.#pairs.filter(({ status }) => status === 3 || status === 4);
  }

  #read(text: string, pairs: readonly Pair[], most: number): Row[] | undefined {
    const rows = this.#connection.prepare(text).all(...this.#given(pairs), most + 1);
    return rows.length > most ? undefined : (rows as unknown as Row[]);
  }

  #readOutside(sql: { count: string; read: string }, pairs: readonly Pair[], window: Window) {
    const given = this.#given(pairs);
    const [tasks] = this.#connection.prepare(sql.count).get(...given, lookedMax + 1) as unknown as [number];
    if (tasks > lookedMax) return undefined;
    const bounds = [window.from, window.to];
    const rows = this.#connection.prepare(sql.read).all(...given, outsideMax + 1, ...bounds);
    return rows.length > outsideMax ? undefined : (rows as unknown as Row[]);
  }

  #given(pairs: readonly Pair[]): [pairs: string, from: number, to: number] {
    const { from, to } = this.#range;
    return [placesOf(pairs), from, to];
  }

  #running(): Key[] {
    return runningKeys(this.#connection, this.#search, this.#pairs);
  }

  /** Each once. */
  #keys(rows: readonly Row[], running: readonly Key[]): Key[] {
    const { created, updated } = this.#search;
    const keys = new Map<number, Key>(running.map((key) => [key[2], key]));
    for (const [seq, id, createdAt, updatedAt] of rows) {
      if (!isWithin(created, createdAt) || !isWithin(updated, updatedAt)) continue;
      const key = keyOf(this.#search, createdAt, updatedAt, id, seq);
      if (isAfter(this.#search, key)) keys.set(seq, key);
    }
    return [...keys.values()].sort(comparator(this.#search));
  }
}

const { started, startedOddly } = elsewhereIndexes;
const { updated, lateUpdated } = searchIndexes;
const columns = "seq, id, created_at, updated_at";
const startedThen = "started_at BETWEEN ?2 AND ?3";
/** Of quick ones that started then. */
const changedThen = `updated_at BETWEEN ?2 AND ?3 + ${quickMs - 1}`;

function select(columns: string, { index, condition }: { index: string; condition: string }, bounds: string) {
  const ofPairs = condition.replaceAll("status", "tasks.status").replace("?", "pairs.status");
  return `${withPairs.replace("?", "?1")} SELECT ${columns} FROM pairs CROSS JOIN tasks INDEXED BY ${index}
    WHERE tasks.lane = pairs.lane AND tasks.status = pairs.status AND ${ofPairs} AND ${bounds} LIMIT ?4`;
}

function selectOutside(of: Window["of"], from: { index: string; condition: string }, bounds: string) {
  return {
    count: `SELECT count(*) FROM (${select("1", from, bounds)})`,
    read: select(columns, from, `${bounds} AND ${of}_at NOT BETWEEN ?5 AND ?6`),
  };
}

/** Of pairs as JSON, two instants, and how many at most. */
export const startedSql = {
  started: select(columns, started, startedThen),
  quick: select(columns, updated, changedThen),
} as const;

const outsideOf = (of: Window["of"]) => ({
  odd: selectOutside(of, startedOddly, startedThen),
  late: selectOutside(of, lateUpdated, changedThen),
});

/** As above; and then the window's bounds, where they are read. */
export const outsideSql = { created: outsideOf("created"), updated: outsideOf("updated") } as const;
