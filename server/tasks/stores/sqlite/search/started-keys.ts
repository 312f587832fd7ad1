/** Keys of tasks in the order of their start; see near-orders.ts. */
import type { StoreSearch } from "../../../core/store.ts";
import { ByStart, quickMs, quickSearch, usualStarts } from "../../shared/near-orders.ts";
import type { Connection } from "../connection.ts";
import { sql } from "../statements.ts";
import { elsewhereKeys } from "./elsewhere-keys.ts";
import { findPairs } from "./pairs.ts";
import { keysInOrder, runningKeys } from "./search.ts";
import { comparator, isAfter, type Key, placeBefore, placeKey } from "./search-key.ts";
import { chunksOfKeys, mergeInOrder } from "./search-merge.ts";

/** So many more are read in the other order at first: mostly no more ran at one time, and the page needs no second look. */
const aheadOf = 20;

/** In the search's order, from its place on; among them places. */
export function startedKeys(connection: Connection, search: StoreSearch): Iterator<Key> {
  const pairs = findPairs(connection, search);
  const settled = pairs.filter(({ status }) => status !== 2);
  const running = runningKeys(connection, search, pairs).sort(comparator(search));
  return mergeInOrder(
    [
      quickKeys(connection, search),
      ...(usualStarts(search)
        ? (["startedUsually", "startedOddly"] as const)
        : (["started"] as const)
      ).flatMap((from) => elsewhereKeys(connection, search, from, settled)),
      running[Symbol.iterator](),
    ],
    comparator(search),
  );
}

function* quickKeys(connection: Connection, search: StoreSearch): Generator<Key, undefined> {
  const compare = comparator(search);
  const found = new ByStart<Key>(search, ([startedAt]) => startedAt, compare);
  const changed = keysInOrder(connection, quickSearch(search), []);
  for (const chunk of chunksOfKeys(changed, search.offset + search.limit + aheadOf)) {
    for (const key of started(connection, chunk)) if (isAfter(search, key)) found.add(key);
    const edge = found.edge(chunk.at(-1)![0]);
    yield* found.take(edge);
    const place = placeBefore(search, edge);
    // Of a second in which many changed, all may be read before there is one beyond the search's place.
    yield isAfter(search, place) ? place : placeKey(search.after!.value!, search.after!.id);
  }
  yield* found.take();
  return undefined;
}

/** Those of the keys, by the last change, that are not elsewhere, by their start. */
function started(connection: Connection, keys: readonly Key[]): Key[] {
  const seqs = JSON.stringify(keys.map(([, , seq]) => seq));
  const rows = connection.prepare(sql.startsOf).all(seqs) as unknown as [
    seq: number,
    startedAt: number | null,
  ][];
  const starts = new Map(rows);
  return keys.flatMap(([updatedAt, id, seq]): Key[] => {
    const startedAt = starts.get(seq) ?? null;
    if (startedAt === null || updatedAt < startedAt || updatedAt - startedAt >= quickMs) return [];
    return [[startedAt, id, seq]];
  });
}
