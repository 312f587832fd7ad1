/**
 * Streams of the tasks that an order by start or due time does not share with another one: each (lane, status) pair from an
 * index of these alone.
 */
import type { SQLInputValue } from "node:sqlite";
import type { StoreSearch } from "../../../core/store.ts";
import { isOfRange, sortedBetween, usualStarts } from "../../shared/near-orders.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { type Begun, beginningsOf, mayRepeat, withAny } from "./kept-heads.ts";
import { headed, shareOfPage, streamKeys } from "./key-stream.ts";
import { type Elsewhere, elsewhereIndexes } from "./order-statements.ts";
import { headedPairsMin } from "./search.ts";
import { type Key, placeBefore } from "./search-key.ts";
import {
  inOrderOfReading,
  type Pair,
  pending,
  type SearchStatement,
  withoutOpenRanges,
  withPairs,
} from "./search-statements.ts";

/** Both included. */
export interface Between {
  from: number;
  to: number;
}

/**
 * @param pairs those whose tasks may be in the index
 * @param within what their tasks are sorted by lies there, whatever the search says of it
 */
export function elsewhereKeys(
  connection: Connection,
  search: StoreSearch,
  from: Elsewhere,
  pairs: readonly Pair[],
  within?: Between,
): Iterator<Key>[] {
  const { text, values } = streamStatement(search, from, within);
  const shareOf = shareOfPage(search, pairs, !isOfRange(search));
  const open = (pair: Pair, begun?: Begun) =>
    streamKeys(connection, { text, values: [pair.lane, pair.status, ...values] }, shareOf(pair), begun);
  if (pairs.length < headedPairsMin) return pairs.map((pair) => open(pair));
  // Bounds of their own are hardly those of another search.
  const asked = within && isOfRange(search) ? search : withoutOpenRanges(search);
  const heads = headsStatement(asked, from, within);
  const isKept = mayRepeat(asked);
  const there = isKept ? pairs : withEntries(connection, from, pairs);
  // What begins a range that the heads know nothing of is not kept.
  const areKept = mayRepeat(search);
  return beginningsOf<number>(connection, heads, there, isKept).flatMap(({ head, begun }, place) =>
    head === null
      ? []
      : [headed(placeBefore(search, head), () => open(there[place]!, areKept ? begun : undefined))],
  );
}

/** Those of the pairs that may have tasks in the index: most have none that started oddly or were due later, or that wait and have started. */
export function withEntries(
  connection: Connection,
  from: Elsewhere,
  pairs: readonly Pair[],
): readonly Pair[] {
  if (from !== "started" && from !== "startedUsually")
    return withAny(connection, elsewhereIndexes[from], pairs);
  const waiting = withAny(
    connection,
    elsewhereIndexes.started,
    pairs.filter(({ status }) => status === pending),
  );
  return [...waiting, ...pairs.filter(({ status }) => status !== pending)];
}

/** The statements that it would run; for tests of their plans. */
export function elsewhereStatements(search: StoreSearch, from: Elsewhere): SearchStatement[] {
  return [streamStatement(search, from), headsStatement(search, from)];
}

/** Takes lane and status before its values. */
function streamStatement(search: StoreSearch, from: Elsewhere, within?: Between): SearchStatement {
  const { key } = elsewhereIndexes[from];
  const { tasks, values } = tasksOf(search, from, within, "?", "?");
  return { text: `/* dure:searchTasks */ SELECT ${key}, id, seq FROM ${tasks}`, values };
}

/** Takes the pairs as JSON before its values. */
function headsStatement(search: StoreSearch, from: Elsewhere, within?: Between): SearchStatement {
  const { key } = elsewhereIndexes[from];
  const { tasks, values } = tasksOf(search, from, within, "pairs.lane", "pairs.status");
  return { text: `${withPairs} SELECT (SELECT ${key} FROM ${tasks} LIMIT 1) FROM pairs`, values };
}

function tasksOf(
  search: StoreSearch,
  place: Elsewhere,
  within: Between | undefined,
  lane: string,
  status: string,
): { tasks: string; values: SQLInputValue[] } {
  const { index, key, condition } = elsewhereIndexes[place];
  const down = isDownwards(search);
  const { after, created, updated } = search;
  const { from, to } = boundsOf(search, place, within);
  const conditions = [`tasks.lane = ${lane}`, `tasks.status = ${status}`, condition];
  const values: SQLInputValue[] = [];
  const add = (text: string, value: number | undefined) => {
    if (value === undefined) return;
    conditions.push(text);
    values.push(value);
  };
  // An index walk stops at one bound on each side.
  const isBound = after !== undefined && after.value === (down ? to : from);
  if (isBound) {
    conditions.push(`(${key}, id) ${down ? "<" : ">"} (?, ?)`);
    values.push(after.value!, after.id);
  }
  if (!isBound || down) add(`${key} >= ?`, from);
  if (!isBound || !down) add(`${key} <= ?`, to);
  for (const than of inOrderOfReading(search)) {
    add(`created_at ${than} ?`, than === ">=" ? created?.start : created?.end);
    add(`updated_at ${than} ?`, than === ">=" ? updated?.start : updated?.end);
  }
  const direction = down ? "DESC" : "ASC";
  return {
    tasks: `tasks INDEXED BY ${index} WHERE ${conditions.join(" AND ")} ORDER BY ${key} ${direction}, id ${direction}`,
    values,
  };
}

function boundsOf(search: StoreSearch, place: Elsewhere, within: Between | undefined): Between {
  const usual = place === "startedUsually" ? usualStarts(search) : undefined;
  const bounds = [sortedBetween(search), usual, within].filter((one) => one !== undefined);
  return {
    from: Math.max(...bounds.map(({ from }) => from)),
    to: Math.min(...bounds.map(({ to }) => to)),
  };
}
