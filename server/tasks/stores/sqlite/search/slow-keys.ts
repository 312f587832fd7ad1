/** Tasks that ran for a second or longer, of which there is an index. */
import type { SQLInputValue } from "node:sqlite";
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { isOfRange } from "../../shared/near-orders.ts";
import { isDownwards, leastDuration } from "../../shared/search-bounds.ts";
import type { Connection } from "../connection.ts";
import { duration, slowHeads, slowMs, slowTasks } from "./duration-statements.ts";
import type { Durations } from "./duration-stretches.ts";
import { Candidates, gatheredMax, type KeySource } from "./key-source.ts";
import { headed, shareOfPage, streamKeys } from "./key-stream.ts";
import { findPairs } from "./pairs.ts";
import { headedPairsMin } from "./search.ts";
import { comparator, type Key, placeBefore } from "./search-key.ts";
import { mergeInOrder } from "./search-merge.ts";
import type { Pair } from "./search-statements.ts";

/** In the order of their duration, from the search's place on, those that took between so long. */
export function slowKeys(
  connection: Connection,
  search: StoreSearch,
  pairs: readonly Pair[],
  { from, to }: Durations,
): Generator<Key, undefined> {
  const isDown = isDownwards(search);
  const [direction, than] = isDown ? ["DESC", "<"] : ["ASC", ">"];
  const { after } = search;
  const shareOf = shareOfPage(search, pairs, !isOfRange(search));
  const open = (pair: Pair, first: number, last: number) => {
    const { lane, status, ownIds } = pair;
    const { conditions, values } = within(search, ownIds);
    if (after) {
      conditions.push(`(${duration}, id) ${than} (?, ?)`);
      values.push(after.value, after.id);
    }
    const all = [slowTasks, `${duration} BETWEEN ? AND ?`, ...conditions].join(" AND ");
    const text = `/* dure:slowKeys */ SELECT ${duration}, id, seq ${all}
      ORDER BY ${duration} ${direction}, id ${direction}`;
    const statement = { text, values: [lane, status, first, last, ...values] };
    return streamKeys(connection, statement, shareOf(pair));
  };
  const least = Math.max(from, slowMs);
  const streams =
    pairs.length < headedPairsMin
      ? pairs.map((pair) => open(pair, least, to))
      : headsOf(connection, pairs, { from: least, to }, isDown).map(([pair, head]) =>
          headed(placeBefore(search, head), () => open(pair, isDown ? least : head, isDown ? head : to)),
        );
  return mergeInOrder(streams, comparator(search));
}

/** The first duration of each pair that has one between these. */
function headsOf(
  connection: Connection,
  pairs: readonly Pair[],
  { from, to }: Durations,
  isDown: boolean,
): [pair: Pair, head: number][] {
  const places = JSON.stringify(pairs.map(({ lane, status }) => [lane, status]));
  const rows = connection.prepare(slowHeads(isDown)).all(places, from, to);
  return (rows as unknown as [number | null][]).flatMap(([head], place): [Pair, number][] =>
    head === null ? [] : [[pairs[place]!, head]],
  );
}

/** The source of a lower bound of a second or more that must hold. */
export function slowSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const least = search.where && leastDuration(search.where);
  if (least === undefined || least < slowMs) return undefined;
  // By `>=` the walk would begin at a second, which the index says of itself.
  const text = `/* dure:slowTasks */ SELECT seq ${slowTasks} AND ${duration} BETWEEN ? AND ? LIMIT ?`;
  const seqs: number[] = [];
  for (const { lane, status } of endedPairs(connection, search)) {
    const most = gatheredMax + 1 - seqs.length;
    const rows = connection
      .prepare(text)
      .all(lane, status, least, Number.MAX_SAFE_INTEGER, most) as unknown as [number][];
    for (const [seq] of rows) seqs.push(seq);
    if (seqs.length > gatheredMax) return undefined;
  }
  return {
    name: "duration",
    index: "slow",
    estimate: seqs.length,
    total: () => seqs.length,
    *keys() {
      yield* new Candidates(connection, search).among(seqs);
      return undefined;
    },
  };
}

/** The ranges of instants; generated ids, which are in the index, tell when tasks were created. */
function within(
  { created, updated }: StoreSearch,
  ownIds: boolean,
): { conditions: string[]; values: SQLInputValue[] } {
  const createdEnd = Math.min(created?.end ?? Infinity, updated?.end ?? Infinity);
  const bounds: [condition: string, value: string | number | undefined][] = [
    ["id >= ?", ownIds || created?.start === undefined ? undefined : ulidStart(created.start)],
    ["id < ?", ownIds || createdEnd === Infinity ? undefined : ulidStart(createdEnd)],
    ["created_at >= ?", ownIds ? created?.start : undefined],
    ["created_at < ?", ownIds ? created?.end : undefined],
    ["updated_at >= ?", updated?.start],
    ["updated_at < ?", updated?.end],
  ];
  const given = bounds.filter(([, value]) => value !== undefined);
  return { conditions: given.map(([condition]) => condition), values: given.map(([, value]) => value!) };
}

function endedPairs(connection: Connection, search: StoreSearch) {
  return findPairs(connection, search).filter(({ status }) => status >= 3);
}
