/** Tasks that wait and are due within a range, in the order of their creation; see due-ranges.ts. */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../../core/store.ts";
import { createdWithin, type DueRange, delayedMax, dueRangeOf } from "../../shared/due-ranges.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { headed } from "./key-stream.ts";
import { elsewhereIndexes, leastDelaySql } from "./order-statements.ts";
import { findPairs } from "./pairs.ts";
import { keysInOrder } from "./search.ts";
import { comparator, type Key, placeBefore } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import { placesOf, withPairs } from "./search-statements.ts";
import { listOfDue, listOr } from "./whole-keys.ts";

const firstRead = 500;
/** So many that are due within the range are looked up at once; of more, so many others are passed over first to come upon a page. */
const [scannedFirst, passedMax] = [10_000, 20_000];

/** Whether a search is served so. */
export function isDueWithin(connection: Connection, search: StoreSearch): boolean {
  const range = dueRangeOf(search);
  return range !== undefined && !new Delayed(connection, search, range).isMany();
}

/**
 * From the search's place on; undefined where another way is as good. Definitions are not due. Where no task is due before it was
 * created, newest first those that were created before the range are behind all others: they are looked for where that is come to.
 */
export function dueWithinKeys(connection: Connection, search: StoreSearch): Iterator<Key> | undefined {
  const range = dueRangeOf(search);
  if (!range) return undefined;
  const delayed = new Delayed(connection, search, range);
  const isBehind = isDownwards(search) && !delayed.mayBeDueBeforeCreation();
  if (!isBehind && delayed.isMany()) return undefined;
  const within = withinKeys(connection, createdWithin(search, range), range);
  const earlier = () => earlierKeys(connection, createdBefore(search, range), range, delayed);
  const others = isBehind ? headed(placeBefore(search, range.from - 1), earlier) : delayed.keys();
  return mergeInOrder([within, others], comparator(search));
}

/** Most of them are due within it, too; the list leaves out those that are not. */
function withinKeys(connection: Connection, search: StoreSearch, range: DueRange): Iterator<Key> {
  const pairs = findPairs(connection, search);
  const list = listOfDue(connection, search, pairs, range, {
    first: 2 * (search.offset + search.limit),
    passed: passedMax,
  });
  const further = (after = search.after) =>
    keysInOrder(connection, { ...search, ...(after && { after }) }, []);
  return list ? listOr(list, [], comparator(search), further) : further();
}

/** Of many some are come upon soon in the list of all; where that has few first, all are looked up, or walked for. */
function earlierKeys(
  connection: Connection,
  search: StoreSearch,
  range: DueRange,
  delayed: Delayed,
): Iterator<Key> {
  if (!delayed.isMany(scannedFirst)) return delayed.keys();
  const further = (after = search.after) => {
    const from: StoreSearch = { ...search, ...(after && { after }) };
    return delayed.isMany() ? keysInOrder(connection, from, []) : delayed.keys(after);
  };
  const pairs = findPairs(connection, search);
  const list = listOfDue(connection, search, pairs, range, { first: firstRead, passed: passedMax });
  return list ? listOr(list, [], comparator(search), further) : further();
}

/** Where a walk comes upon the others as soon. */
function createdBefore({ created, ...search }: StoreSearch, { from }: DueRange): StoreSearch {
  return { ...search, created: { ...created, end: Math.min(from, created?.end ?? from) } };
}

/** Those that are due within the range and were not created within it. */
class Delayed {
  readonly #connection: Connection;
  readonly #search: StoreSearch;
  readonly #pairs: string;
  readonly #values: readonly SQLInputValue[];

  constructor(connection: Connection, search: StoreSearch, { from, to }: DueRange) {
    this.#connection = connection;
    this.#search = search;
    this.#pairs = placesOf(findPairs(connection, search));
    this.#values = [this.#pairs, from, to];
  }

  mayBeDueBeforeCreation(): boolean {
    const [least] = this.#connection.prepare(leastDelaySql).get(this.#pairs) as unknown as [number | null];
    return least !== null && least < 0;
  }

  isMany(most = delayedMax): boolean {
    const statement = this.#connection.prepare(delayedSql.count);
    const [found] = statement.get(...this.#values, most + 1) as unknown as [number];
    return found > most;
  }

  *keys(after = this.#search.after): Generator<Key, undefined> {
    const { created, updated } = this.#search;
    const down = isDownwards(this.#search);
    const bounds = [created, updated].flatMap((range) => [
      range?.start ?? Number.MIN_SAFE_INTEGER,
      range?.end ?? Number.MAX_SAFE_INTEGER,
    ]);
    let place: [number, string] = after
      ? [after.value ?? 0, after.id]
      : [down ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER, ""];
    const statement = this.#connection.prepare(delayedSql[down ? "downwards" : "upwards"]);
    for (let size = firstRead; ; size *= 2) {
      const keys = statement.all(...this.#values, ...bounds, ...place, size) as unknown as Key[];
      yield* keys;
      const last = keys.at(-1);
      if (!last || keys.length < size) return undefined;
      place = [last[0], last[1]];
    }
  }
}

const { index, condition } = elsewhereIndexes.delayed;
const tasks = `pairs CROSS JOIN tasks INDEXED BY ${index}
    WHERE tasks.lane = pairs.lane AND tasks.status = pairs.status AND tasks.${condition} AND due_at BETWEEN ?2 AND ?3`;
const inOrder = (than: "<" | ">", direction: "DESC" | "ASC") =>
  `${withPairs.replace("?", "?1")} SELECT created_at, id, seq FROM ${tasks} AND created_at NOT BETWEEN ?2 AND ?3
    AND created_at >= ?4 AND created_at < ?5 AND updated_at >= ?6 AND updated_at < ?7 AND (created_at, id) ${than} (?8, ?9)
    ORDER BY created_at ${direction}, id ${direction} LIMIT ?10`;

export const delayedSql = {
  count: `${withPairs.replace("?", "?1")} SELECT count(*) FROM (SELECT 1 FROM ${tasks} LIMIT ?4)`,
  downwards: inOrder("<", "DESC"),
  upwards: inOrder(">", "ASC"),
} as const;
